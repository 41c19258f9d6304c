//! Where the values of a put come from.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::request::{self, RequestError};

/// One value to put.
#[derive(Debug)]
pub(super) enum Source {
    Value(Box<[u8]>),
    /// Read when its turn comes: all files together may be more than fits into memory.
    File(PathBuf),
}

impl Source {
    /// All texts, then all files. What cannot be put, such as what has more than `bytes_max`
    /// bytes, is refused before anything is.
    pub(super) fn all(
        texts: &[OsString],
        files: &[PathBuf],
        bytes_max: usize,
    ) -> Result<Vec<Self>, Failure> {
        let texts = texts.iter().map(|text| value(text, bytes_max).map(Self::Value));
        let check = |path: &PathBuf| check(path, bytes_max).map(|()| Self::File(path.clone()));
        let files = files.iter().map(check);
        texts.chain(files).collect()
    }

    /// The file that it is.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Value(_) => None,
            Self::File(path) => Some(path),
        }
    }

    /// The value's bytes, `bytes_max` at most.
    pub(super) fn read(self, bytes_max: usize) -> Result<Box<[u8]>, Failure> {
        match self {
            Self::Value(value) => Ok(value),
            Self::File(path) => {
                let file = File::open(&path).map_err(|error| unread(&shown(&path), &error))?;
                whole(file, &shown(&path), bytes_max)
            }
        }
    }
}

fn shown(path: &Path) -> String {
    format!("'{}'", path.display())
}

fn unread(name: &str, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot read {name}: {error}"))
}

/// Refuses a file that is too large, empty, or not there. A pipe shows only when it is read.
fn check(path: &Path, bytes_max: usize) -> Result<(), Failure> {
    let about = fs::metadata(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", shown(path))))?;
    if about.is_dir() {
        return Err(Failure::Usage(format!("{} is a folder: give files", shown(path))));
    }
    match usize::try_from(about.len()).unwrap_or(usize::MAX) {
        0 if about.is_file() => Err(empty(&shown(path))),
        bytes if bytes > bytes_max => {
            Err(Failure::Request(RequestError::TooLarge { bytes, bytes_max }))
        }
        _ => Ok(()),
    }
}

fn empty(name: &str) -> Failure {
    Failure::Usage(format!("{name} is empty: there is nothing to put"))
}

/// The value to store: `text`, or all of standard input when `text` is `-`.
fn value(text: &OsStr, bytes_max: usize) -> Result<Box<[u8]>, Failure> {
    if text == "-" {
        return whole(io::stdin().lock(), "standard input", bytes_max);
    }
    if text.is_empty() {
        return Err(Failure::Request(RequestError::MissingArgument { usage: "put TEXT" }));
    }
    request::value(text.as_bytes()).map_err(Failure::Request)
}

/// All that `input` gives, `bytes_max` at most.
fn whole(mut input: impl Read, name: &str, bytes_max: usize) -> Result<Box<[u8]>, Failure> {
    let mut value = Vec::new();
    let read = input.by_ref().take(bytes_max as u64).read_to_end(&mut value);
    let rest = read.and_then(|_| io::copy(&mut input, &mut io::sink()));
    let rest = rest.map_err(|error| unread(name, &error))?;
    if rest > 0 {
        let bytes = bytes_max.saturating_add(usize::try_from(rest).unwrap_or(usize::MAX));
        return Err(Failure::Request(RequestError::TooLarge { bytes, bytes_max }));
    }
    if value.is_empty() {
        return Err(empty(name));
    }
    Ok(value.into())
}

//! Where the values of a put come from.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::request;
use crate::value_file;

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
        let files = files.iter().map(|path| {
            value_file::check(path, bytes_max)?;
            Ok(Self::File(path.clone()))
        });
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
            Self::File(path) => Ok(value_file::read(&path, bytes_max)?),
        }
    }
}

/// The value to store: `text`, or all of standard input when `text` is `-`.
fn value(text: &OsStr, bytes_max: usize) -> Result<Box<[u8]>, Failure> {
    if text == "-" {
        let whole = value_file::whole(io::stdin().lock(), "standard input", bytes_max);
        return Ok(whole?);
    }
    if text.is_empty() {
        return Err(Failure::Usage("the text is empty: there is nothing to put".into()));
    }
    request::value(text.as_bytes(), bytes_max).map_err(Failure::Request)
}

//! Values in files: read whole, and written so that a file appears whole.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kad_node::printable;

use crate::failure::Failure;
use crate::request::RequestError;

/// Why a file gives no value, or takes none.
#[derive(Debug)]
pub(crate) enum FileError {
    /// Another file should be named.
    Unfit(String),
    /// The system does not let it be read or written.
    System(String),
    /// The value in it is too large.
    Value(RequestError),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(why) | Self::System(why) => printable::line(why).fmt(f),
            Self::Value(error) => error.fmt(f),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Unfit(why) => Self::Usage(why),
            FileError::System(why) => Self::Failed(why),
            FileError::Value(error) => Self::Request(error),
        }
    }
}

fn shown(path: &Path) -> String {
    format!("'{}'", path.display())
}

fn unread(name: &str, error: &io::Error) -> FileError {
    FileError::System(format!("cannot read {name}: {error}"))
}

fn too_large(bytes: usize, bytes_max: usize) -> FileError {
    FileError::Value(RequestError::TooLarge { bytes, bytes_max })
}

fn empty(name: &str) -> FileError {
    FileError::Unfit(format!("{name} is empty: there is nothing to put"))
}

/// Refuses what is there and no plain file: to wait for a pipe or a device would never end.
pub(crate) fn refuse_special(path: &Path) -> Result<(), FileError> {
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {
            Err(FileError::Unfit(format!("{} is a folder: name a file", shown(path))))
        }
        Ok(about) if !about.is_file() => {
            Err(FileError::Unfit(format!("{} is no plain file: name one", shown(path))))
        }
        _ => Ok(()),
    }
}

/// Refuses a file that is too large, empty, or not there. A pipe shows only when it is read.
pub(crate) fn check(path: &Path, bytes_max: usize) -> Result<(), FileError> {
    let about = fs::metadata(path)
        .map_err(|error| FileError::Unfit(format!("cannot read {}: {error}", shown(path))))?;
    if about.is_dir() {
        return Err(FileError::Unfit(format!("{} is a folder: name a file", shown(path))));
    }
    match usize::try_from(about.len()).unwrap_or(usize::MAX) {
        0 if about.is_file() => Err(empty(&shown(path))),
        bytes if bytes > bytes_max => Err(too_large(bytes, bytes_max)),
        _ => Ok(()),
    }
}

/// Opens a file that holds something; a pipe shows only when it is read.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    check(path, usize::MAX)?;
    File::open(path).map_err(|error| unread(&shown(path), &error))
}

/// The bytes of a file, `bytes_max` at most.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Box<[u8]>, FileError> {
    let file = File::open(path).map_err(|error| unread(&shown(path), &error))?;
    whole(file, &shown(path), bytes_max)
}

/// All that `input`, which is called `name`, gives: `bytes_max` at most.
pub(crate) fn whole(
    mut input: impl Read,
    name: &str,
    bytes_max: usize,
) -> Result<Box<[u8]>, FileError> {
    let mut value = Vec::new();
    let read = input.by_ref().take(bytes_max as u64).read_to_end(&mut value);
    let rest = read.and_then(|_| io::copy(&mut input, &mut io::sink()));
    let rest = rest.map_err(|error| unread(name, &error))?;
    if rest > 0 {
        let bytes = bytes_max.saturating_add(usize::try_from(rest).unwrap_or(usize::MAX));
        return Err(too_large(bytes, bytes_max));
    }
    if value.is_empty() {
        return Err(empty(name));
    }
    Ok(value.into())
}

/// Writes `value` to the file `path`, by way of a file beside it that takes its name when all
/// is written: a reader sees the old file or the new one. A device or a pipe is written to
/// as it is.
pub(crate) fn write(path: &Path, value: &[u8]) -> Result<(), FileError> {
    let failed =
        |error: io::Error| FileError::System(format!("cannot write {}: {error}", shown(path)));
    // The file that a link leads to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = fs::metadata(&path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        let mut device = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        return device.write_all(value).map_err(failed);
    }
    replace(&path, value, before.map(|before| before.permissions())).map_err(failed)
}

fn replace(path: &Path, value: &[u8], before: Option<Permissions>) -> io::Result<()> {
    /// What a new file may be; the mask of the process takes from it.
    const NEW: u32 = 0o666;

    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new()
        .prefix(".kad-node-")
        .permissions(Permissions::from_mode(NEW))
        .tempfile_in(folder)?;
    beside.write_all(value)?;
    if let Some(before) = before {
        beside.as_file().set_permissions(before)?;
    }
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    // Without the folder's own sync a power cut may take the name back.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("value");
        write(&path, b"first").expect("a new file");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("its mode is ours");
        let link = folder.path().join("link");
        symlink(&path, &link).expect("a link");
        let mut old = File::open(&path).expect("the first file");
        write(&link, b"second").expect("the file is replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"second");
        assert_eq!(io::read_to_string(&mut old).expect("the first file"), "first");
        let after = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(after & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing is left");
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        write(Path::new("/dev/null"), b"value").expect("it takes everything");
        let after = fs::metadata("/dev/null").expect("it is still there");
        assert!(!after.is_file());
        let error = write(Path::new("/dev/full"), b"value").expect_err("a full disk");
        assert!(matches!(error, FileError::System(why) if why.contains("'/dev/full'")));
    }
}

//! One process uses a folder at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::OpenError;

/// The file that is locked; it holds the process id of its holder.
pub(crate) const LOCK_FILE: &str = "lock";

/// Holds the folder until it is dropped. The operating system releases it when the process
/// ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the folder at `path`. On a file system that is read-only there is nothing to be
    /// locked in a folder that never was.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>, OpenError> {
        let name = path.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = match options.open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                return Self::take_read_only(path);
            }
            Err(error) => return Err(OpenError::io(format!("open {}", name.display()))(error)),
        };
        try_lock(path, &mut file)?;
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        // A full disk does not take it. The folder is locked all the same.
        let _ = write(&mut file);
        Ok(Some(Self { _file: file }))
    }

    /// Takes the folder at `path` without changing it, if it has been locked ever.
    pub(crate) fn take_read_only(path: &Path) -> Result<Option<Self>, OpenError> {
        let name = path.join(LOCK_FILE);
        let mut file = match File::open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io(format!("open {}", name.display()))(error)),
        };
        try_lock(path, &mut file)?;
        Ok(Some(Self { _file: file }))
    }
}

fn try_lock(path: &Path, file: &mut File) -> Result<(), OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = file.take(20).read_to_string(&mut pid);
            let pid = read.ok().and_then(|_| pid.trim().parse().ok());
            Err(OpenError::Locked { path: path.to_owned(), pid })
        }
        Err(TryLockError::Error(error)) => {
            Err(OpenError::io(format!("lock {}", path.display()))(error))
        }
    }
}

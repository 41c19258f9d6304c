//! Why a folder cannot be opened.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a folder cannot be opened. Each is one line.
#[derive(Debug)]
pub enum OpenError {
    /// Another process uses it.
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process, where it has written down its id.
        pid: Option<u32>,
    },
    /// Another version of this program has written it.
    Version {
        /// The file that says so.
        file: String,
        /// Its version.
        found: u32,
    },
    /// It contains other files, and nothing of a node.
    Foreign {
        /// The folder.
        path: PathBuf,
        /// One of these files.
        file: String,
    },
    /// The file of the identity is damaged: another id would be another node.
    Identity,
    /// The operating system refuses something.
    Io {
        /// What was to be done.
        action: String,
        /// Why it was not.
        error: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        |error| Self::Io { action, error }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path, pid: Some(pid) } => {
                write!(f, "{} is in use by process {pid}", path.display())
            }
            Self::Locked { path, pid: None } => {
                write!(f, "{} is in use by another process", path.display())
            }
            Self::Version { file, found } => write!(
                f,
                "{file} has format version {found}, and this program reads only version {}",
                crate::segment::VERSION
            ),
            Self::Foreign { path, file } => write!(
                f,
                "{} contains {file} and no data of a node: give a folder of its own",
                path.display()
            ),
            Self::Identity => {
                write!(f, "the file `identity` is damaged: restore it, or remove it for a new id")
            }
            Self::Io { action, error } => write!(f, "cannot {action}: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

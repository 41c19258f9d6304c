//! A place for results, tried before the run.
//!
//! A file is replaced as a whole: a temporary file in the same folder is written, synced
//! and renamed over it. So a disk that fills up leaves the previous results as they were.
//! A pipe, a device and an open descriptor (`/dev/fd/3`, `>(command)`) are opened once and
//! written as they are.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// What stands for standard output on the command line.
pub const STANDARD_OUTPUT: &str = "-";
/// Symbolic links that lead to one file at most, as the kernel counts them.
const LINKS_MAX: usize = 40;
/// The permissions of a new file, less what the process's mask takes away.
const NEW_FILE_MODE: u32 = 0o666;

/// A place for results.
#[derive(Debug)]
pub enum OutputFile {
    /// Standard output.
    StandardOutput,
    /// What is written as it is.
    Opened(File),
    /// What is replaced as a whole.
    Replaced {
        /// The file, by a path without symbolic links.
        file: PathBuf,
    },
    /// What is written over, since its folder takes no new file.
    Overwritten {
        /// The file, by a path without symbolic links.
        file: PathBuf,
    },
}

/// What a path leads to.
enum Place {
    /// An open descriptor of a process, through `/proc`.
    Descriptor(PathBuf),
    /// A file, there or not, in a folder that is there.
    File(PathBuf),
}

impl OutputFile {
    /// Tries whether `path` can be written.
    ///
    /// # Errors
    /// Why not, and the remedy.
    pub fn open(path: &Path) -> Result<Self, String> {
        if path == Path::new(STANDARD_OUTPUT) {
            return try_standard_output().map(|()| Self::StandardOutput);
        }
        match resolve(path)? {
            Place::Descriptor(descriptor) => open_descriptor(&descriptor),
            Place::File(file) => match fs::metadata(&file) {
                Err(error) if error.kind() == ErrorKind::NotFound => Self::new_file(file),
                Err(error) => Err(elsewhere(&error)),
                Ok(found) if found.is_dir() => Err("it is a folder: name a file in it".into()),
                Ok(found) if found.file_type().is_block_device() => {
                    Err("it is a block device: name a file".into())
                }
                Ok(found) => {
                    let options = OpenOptions::new().write(true).clone();
                    let opened = options.open(&file).map_err(|error| elsewhere(&error))?;
                    if found.is_file() { Ok(Self::old_file(file)) } else { try_opened(opened) }
                }
            },
        }
    }

    /// Whether it is the same place as `other`.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.file(), other.file()) {
            (Some(one), Some(other)) => one == other,
            _ => matches!((self, other), (Self::StandardOutput, Self::StandardOutput)),
        }
    }

    fn file(&self) -> Option<&Path> {
        match self {
            Self::Replaced { file } | Self::Overwritten { file } => Some(file),
            Self::StandardOutput | Self::Opened(_) => None,
        }
    }

    fn new_file(file: PathBuf) -> Result<Self, String> {
        temporary_beside(&file).map_err(|error| elsewhere(&error))?;
        Ok(Self::Replaced { file })
    }

    fn old_file(file: PathBuf) -> Self {
        match temporary_beside(&file) {
            Ok(_) => Self::Replaced { file },
            Err(_) => Self::Overwritten { file },
        }
    }

    /// Writes the results.
    ///
    /// # Errors
    /// Of the system. What was there before is kept where the file is replaced.
    pub fn write(self, text: &str) -> io::Result<()> {
        let written = match self {
            Self::StandardOutput => to_standard_output(text),
            Self::Opened(mut file) => file.write_all(text.as_bytes()).and_then(|()| file.flush()),
            Self::Replaced { file } => replace(&file, text),
            Self::Overwritten { file } => overwrite(&file, text),
        };
        match written {
            // A reader that closed its pipe has seen what it wanted.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

/// Writes to standard output: nothing else of the program does.
///
/// # Errors
/// Of the system.
pub fn to_standard_output(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Tries whether standard output takes anything.
///
/// # Errors
/// Why not, and the remedy.
pub fn try_standard_output() -> Result<(), String> {
    let out = io::stdout().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    try_opened(File::from(out)).map(drop)
}

fn elsewhere(error: &io::Error) -> String {
    format!("{error}: choose another place")
}

/// What the system said, without the temporary file's name.
fn plain(error: &io::Error) -> io::Error {
    error.kind().into()
}

/// A full device refuses even to write nothing.
fn try_opened(mut file: File) -> Result<OutputFile, String> {
    file.write(&[]).map_err(|error| elsewhere(&error))?;
    Ok(OutputFile::Opened(file))
}

/// Follows symbolic links, up to a file or to a descriptor that `/proc` stands for:
/// a file that is replaced is no longer the one that the descriptor has open.
fn resolve(path: &Path) -> Result<Place, String> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let name = path.file_name().ok_or("it is a folder: name a file in it")?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let shown = folder.display();
        let folder = folder
            .canonicalize()
            .map_err(|error| format!("no folder {shown} ({error}): make it, or name another"))?;
        let here = folder.join(name);
        if !folder.is_dir() {
            return Err(format!("{shown} is not a folder: make one, or name another"));
        }
        if folder.starts_with("/proc") {
            return Ok(Place::Descriptor(here));
        }
        match fs::read_link(&here) {
            Ok(link) => path = folder.join(link),
            Err(_) => return Ok(Place::File(here)),
        }
    }
    Err("too many symbolic links: name the file itself".into())
}

/// Opens a descriptor by its path in `/proc`. A file is written from its end on, so that
/// nothing of it is lost; the standard streams share their place in it.
fn open_descriptor(path: &Path) -> Result<OutputFile, String> {
    let is_own = path.parent() == Path::new("/proc/self/fd").canonicalize().ok().as_deref();
    match path.file_name().and_then(|name| name.to_str()) {
        Some("1") if is_own => try_standard_output().map(|()| OutputFile::StandardOutput),
        Some("2") if is_own => {
            let error = io::stderr().as_fd().try_clone_to_owned();
            try_opened(File::from(error.map_err(|error| error.to_string())?))
        }
        _ => {
            let opened = OpenOptions::new().append(true).open(path);
            try_opened(opened.map_err(|error| elsewhere(&error))?)
        }
    }
}

/// A new file beside `file`, which goes away by itself until it is renamed.
fn temporary_beside(file: &Path) -> io::Result<NamedTempFile> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mode = Permissions::from_mode(NEW_FILE_MODE);
    let mut builder = Builder::new();
    let builder = builder.prefix(".loadgen-").suffix(".tmp").permissions(mode);
    builder.tempfile_in(folder).map_err(|error| plain(&error))
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut temporary = temporary_beside(file)?;
    if let Ok(old) = fs::metadata(file) {
        // Without the right to give a file away it becomes ours: the results count more.
        let _ = fchown(temporary.as_file(), Some(old.uid()), Some(old.gid()));
        temporary.as_file().set_permissions(old.permissions())?;
    }
    temporary.as_file_mut().write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    if temporary.persist(file).is_err() {
        // A file that is mounted by itself, as into a container, cannot be replaced.
        return overwrite(file, text);
    }
    match file.parent().map(File::open) {
        Some(Ok(folder)) => folder.sync_all(),
        // The folder may be written and not be read.
        _ => Ok(()),
    }
}

fn overwrite(file: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

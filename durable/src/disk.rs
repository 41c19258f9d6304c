//! What the folder asks of the operating system: the layer in which tests inject faults.

#[cfg(any(test, feature = "faults"))]
mod faulty;
mod files;

use std::io;

#[cfg(any(test, feature = "faults"))]
pub use faulty::{Fault, FaultyDisk};
pub use files::Files;

/// The files of one folder, by name.
pub trait Disk: Send + Sync {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// The whole of a file, refused where it has more than `bytes_max`.
    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Vec<u8>>;
    /// A new file that only its owner can read. The name must not be taken.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Cuts a file off after `length` bytes.
    fn truncate(&self, name: &str, length: u64) -> io::Result<()>;
    /// Forces a file that is not open to the disk.
    fn sync(&self, name: &str) -> io::Result<()>;
    /// Gives a file another name, instead of the file that has it now.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Bytes that may still be written.
    fn free_bytes(&self) -> io::Result<u64>;
    /// Forces names to the disk: which files there are.
    fn sync_folder(&self) -> io::Result<()>;
}

/// A file that is written from the beginning to the end.
pub trait DiskFile: Send {
    /// Appends some of `bytes`, and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Forces what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// Appends all of `bytes`.
pub(crate) fn write_all(file: &mut dyn DiskFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

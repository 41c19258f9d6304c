//! A disk in memory that fails on request, and knows what a power cut would leave.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::{Disk, DiskFile};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write takes some bytes, and the next one fails with EIO.
    ShortWrite,
    /// A write fails with EIO.
    Write,
    /// Writes and new files fail with ENOSPC.
    Full,
    /// An fsync fails once with EIO; what was not synced never reaches the disk, and later
    /// fsyncs of the file succeed, as on Linux.
    Sync,
    /// Everything that writes fails with EROFS.
    ReadOnly,
    /// A write does not return before the disk is mended.
    Hang,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// What of it survives a power cut.
    synced: usize,
    /// What an fsync can no longer force to the disk begins here.
    lost_from: Option<usize>,
    /// Whether the name survives a power cut.
    named: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Content>,
    /// Files whose removal does not survive a power cut yet.
    removed: BTreeMap<String, Content>,
    fault: Option<Fault>,
    /// Bytes that are taken before the fault shows.
    bytes_left: usize,
}

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    is_mended: Condvar,
}

struct FaultyFile {
    disk: FaultyDisk,
    name: String,
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::EIO as i32)
}

impl FaultyDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no test panics with the lock")
    }

    /// From now on, after `bytes` more have been written, `fault` happens.
    pub fn inject(&self, fault: Fault, bytes: usize) {
        let mut state = self.state();
        state.fault = Some(fault);
        state.bytes_left = bytes;
    }

    /// The disk works again.
    pub fn mend(&self) {
        self.state().fault = None;
        self.0.is_mended.notify_all();
    }

    /// What a process finds that starts after this one was killed: all that was written.
    #[must_use]
    pub fn killed(&self) -> Self {
        let files = self.state().files.clone();
        Self::with(files)
    }

    fn with(files: BTreeMap<String, Content>) -> Self {
        let state = Mutex::new(State { files, ..State::default() });
        Self(Arc::new(Shared { state, is_mended: Condvar::new() }))
    }

    /// What a power cut leaves at the least, and of what was not synced a part: `keeps` of 256.
    #[must_use]
    pub fn power_cut(&self, keeps: u8) -> Self {
        let state = self.state();
        let mut files = state.removed.clone();
        for (name, content) in &state.files {
            if content.named || keeps > 128 {
                files.insert(name.clone(), content.clone());
            }
        }
        for content in files.values_mut() {
            let kept = (content.bytes.len() - content.synced) * usize::from(keeps) / 256;
            content.bytes.truncate(content.synced + kept);
            // A hole where the data never came, as after a failed fsync.
            if let Some(from) = content.lost_from.filter(|&from| from < content.bytes.len()) {
                content.bytes[from..].fill(0);
            }
            *content = Content {
                synced: content.bytes.len(),
                bytes: std::mem::take(&mut content.bytes),
                lost_from: None,
                named: true,
            };
        }
        Self::with(files)
    }

    /// Changes a byte of a file.
    pub fn damage(&self, name: &str, at: usize) {
        let mut state = self.state();
        let bytes = &mut state.files.get_mut(name).expect("the file").bytes;
        let at = at % bytes.len();
        bytes[at] ^= 0x20;
    }

    /// Puts a file there.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let content =
            Content { bytes: bytes.to_vec(), synced: bytes.len(), lost_from: None, named: true };
        self.state().files.insert(name.to_owned(), content);
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> usize {
        self.state().files.values().map(|content| content.bytes.len()).sum()
    }
}

impl State {
    /// Refuses what changes names, where the fault says so.
    fn changes_names(&self) -> io::Result<()> {
        match self.fault {
            Some(Fault::Full) if self.bytes_left == 0 => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::ReadOnly) => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            _ => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let state = self.state();
        let content = state.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        if content.bytes.len() > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content.bytes.clone())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.changes_names()?;
        if state.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(name.to_owned(), Content::default());
        Ok(Box::new(FaultyFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.fault == Some(Fault::ReadOnly) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let content = state.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        content.bytes.truncate(length as usize);
        content.synced = content.synced.min(content.bytes.len());
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        FaultyFile { disk: self.clone(), name: name.to_owned() }.sync()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.changes_names()?;
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.fault == Some(Fault::ReadOnly) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let content = state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        if content.named {
            state.removed.insert(name.to_owned(), content);
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        let is_full = state.fault == Some(Fault::Full);
        Ok(if is_full { state.bytes_left as u64 } else { u64::MAX })
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.fault == Some(Fault::ReadOnly) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        state.removed.clear();
        state.files.values_mut().for_each(|content| content.named = true);
        Ok(())
    }
}

impl DiskFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        while state.fault == Some(Fault::Hang) {
            state = self.disk.0.is_mended.wait(state).expect("no test panics with the lock");
        }
        let mut taken = bytes.len();
        match state.fault {
            None | Some(Fault::Sync | Fault::Hang) => {}
            Some(Fault::ReadOnly) => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Some(fault) => {
                if state.bytes_left < bytes.len() {
                    taken = state.bytes_left;
                }
                if taken == 0 && fault == Fault::Full {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                if taken == 0 || (fault == Fault::Write && taken < bytes.len()) {
                    return Err(eio());
                }
                state.bytes_left -= taken;
            }
        }
        let content = state.files.get_mut(&self.name).ok_or(io::ErrorKind::NotFound)?;
        content.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.fault == Some(Fault::ReadOnly) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let fails = state.fault.take_if(|fault| *fault == Fault::Sync).is_some();
        let content = state.files.get_mut(&self.name).ok_or(io::ErrorKind::NotFound)?;
        if fails {
            let synced = content.synced;
            content.lost_from.get_or_insert(synced);
            return Err(eio());
        }
        content.synced = content.bytes.len();
        Ok(())
    }
}

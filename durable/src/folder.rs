//! A folder that is open.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clocks, Down, FolderClock, SystemClocks, resumed};
use crate::counters::Counters;
use crate::disk::{Disk, Files};
use crate::error::OpenError;
use crate::identity;
use crate::lock::{LOCK_FILE, Lock};
use crate::log::Log;
use crate::replay::{self, Damage};
use crate::segment;
use crate::types::{Change, Contact, Held, Identity, Published, SyncPolicy};

/// How a folder is opened.
#[derive(Clone)]
pub struct Options {
    /// When what is written is forced to the disk.
    pub sync: SyncPolicy,
    /// The longest life of a value that is held.
    pub life_max: Duration,
    /// Where the time comes from.
    pub clocks: Arc<dyn Clocks>,
}

impl Default for Options {
    /// An fsync each second, lives of a day, the clocks of the system.
    fn default() -> Self {
        Self {
            sync: SyncPolicy::EverySecond,
            life_max: Duration::from_hours(24),
            clocks: Arc::new(SystemClocks),
        }
    }
}

/// What a folder contained when it was opened.
#[derive(Debug)]
pub struct Contents {
    /// Who the node is; `None` in a new folder.
    pub identity: Option<Identity>,
    /// The nodes that it knew: candidates to be verified.
    pub contacts: Vec<Contact>,
    /// The values that were put here. Dates may have passed: spread them.
    pub published: Vec<Published>,
    /// The values held for others, whose life has not ended.
    pub held: Vec<Held>,
    /// The folder's time now. Dates are of this time.
    pub now_ms: u64,
    /// What [`Clocks::running`] says now: later the folder's time is `now_ms` and what has
    /// passed since.
    pub running: Duration,
    /// How long the node was down.
    pub down: Down,
    /// What could not be read.
    pub damage: Damage,
}

/// A folder that is open and locked.
pub struct Folder {
    pub(crate) log: Log,
    disk: Arc<dyn Disk>,
    lock: Option<Lock>,
}

impl Folder {
    /// Opens the folder at `path`, which is created where it is absent, and reads it.
    ///
    /// # Errors
    /// When it cannot be created, locked or read, or is no folder of this version. A disk that
    /// takes no write is no error, as long as there is a folder on it.
    pub fn open(path: &Path, options: &Options) -> Result<(Self, Contents), OpenError> {
        let display = path.display();
        let create = DirBuilder::new().recursive(true).mode(0o700).create(path);
        create.map_err(OpenError::io(format!("create {display}")))?;
        refuse_foreign(path)?;
        let lock = Lock::take(path)?;
        let (mut folder, contents) = Self::open_on(Arc::new(Files::new(path)), options)?;
        folder.lock = lock;
        Ok((folder, contents))
    }

    /// Opens what is on `disk`, which nothing else uses. What can be read is served, even where
    /// the disk takes no write: the [`Writer`](crate::Writer), which begins with one, tells of it.
    pub fn open_on(disk: Arc<dyn Disk>, options: &Options) -> Result<(Self, Contents), OpenError> {
        let identity = identity::read(&*disk)?;
        let mut scanned = replay::scan(&*disk)?;
        for &(number, length) in &scanned.torn {
            let name = segment::name(number);
            let cut = unless_read_only(disk.truncate(&name, length));
            cut.map_err(OpenError::io(format!("cut {name} off")))?;
        }
        // What a process before wrote and did not sync: compaction relies on it.
        for &(number, _) in &scanned.segments {
            let name = segment::name(number);
            let synced = unless_read_only(disk.sync(&name));
            synced.map_err(OpenError::io(format!("sync {name}")))?;
        }
        unless_read_only(disk.sync_folder()).map_err(OpenError::io("sync the folder"))?;
        let (now_ms, down) = resumed(scanned.stamp, options.clocks.wall_ms(), options.life_max);
        let clock = FolderClock::new(Arc::clone(&options.clocks), now_ms);
        let values = replay::values(&*disk, &mut scanned, now_ms, options.life_max)?;
        let contents = Contents {
            identity,
            contacts: std::mem::take(&mut scanned.contacts),
            published: values.published,
            held: values.held,
            now_ms,
            running: clock.opened(),
            down,
            damage: scanned.damage,
        };
        let log = Log::new(Arc::clone(&disk), clock, options.sync, scanned);
        Ok((Self { log, disk, lock: None }, contents))
    }

    /// Writes down who the node is. When it returns, the disk has it.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), OpenError> {
        self.identity_writer().set(identity)
    }

    /// Writes down who the node is while the folder's writer runs.
    pub fn identity_writer(&self) -> IdentityWriter {
        IdentityWriter(Arc::clone(&self.disk))
    }

    /// Hands `changes` to the operating system, and under [`SyncPolicy::Always`] to the disk,
    /// on the calling thread. A node has a [`Writer`](crate::Writer) do it.
    ///
    /// # Errors
    /// When they are not durable. They are kept in memory, as far as there is room.
    pub fn keep(&mut self, changes: Vec<Change>) -> io::Result<()> {
        let written = self.log.write(changes);
        match self.log.policy {
            SyncPolicy::Always => written.and_then(|()| self.log.sync()),
            SyncPolicy::EverySecond | SyncPolicy::Off => written,
        }
    }

    /// What is counted, here and by the writer.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.log.counters)
    }
}

/// Writes down who the node of a folder is.
#[derive(Clone)]
pub struct IdentityWriter(Arc<dyn Disk>);

impl IdentityWriter {
    /// Replaces what stands there. When it returns, the disk has it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set(&self, identity: &Identity) -> Result<(), OpenError> {
        identity::write(&*self.0, identity).map_err(OpenError::io("write identity"))
    }
}

/// A file system that is read-only has nothing left to be synced, and a write that was cut off
/// is cut off by each reader.
fn unless_read_only(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        result => result,
    }
}

/// Refuses a folder of other files, which may be a home directory.
pub(crate) fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let entries = fs::read_dir(path).map_err(OpenError::io(format!("list {}", path.display())))?;
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let is_ours =
        |name: &str| name == LOCK_FILE || name == identity::FILE || segment::number(name).is_some();
    // A file system of its own begins with this folder.
    let foreign = names.iter().find(|name| *name != "lost+found");
    match foreign {
        Some(file) if !names.iter().any(|name| is_ours(name)) => {
            Err(OpenError::Foreign { path: path.to_owned(), file: file.clone() })
        }
        _ => Ok(()),
    }
}

//! Writes changes into segments, and keeps what a fault may have lost until it is written
//! again.
//!
//! After a write or an fsync has failed, the segment is never written again: what an fsync
//! could not write, the operating system may have dropped, and the next fsync of the same
//! file succeeds all the same. So every change since the last fsync that succeeded stays in
//! memory, and goes into a new segment, which is synced, before anything is called durable.

mod mending;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::clock::{FolderClock, millis};
use crate::compaction::Compaction;
use crate::counters::{Counters, add, set};
use crate::disk::{Disk, DiskFile, write_all};
use crate::index::{Index, Place};
use crate::limits::{
    BYTES_PER_LIVE, CLOCK_PERIOD, GROUP_BYTES, SEGMENT_BYTES, SEGMENTS_SPARE, SLACK_BYTES,
    UNSYNCED_BYTES, UNSYNCED_FILES,
};
use crate::record::{self, Body};
use crate::replay::Scanned;
use crate::segment;
use crate::types::{Change, SyncPolicy};

/// The segment that is written.
struct Active {
    file: Box<dyn DiskFile>,
    number: u32,
    marker: u32,
}

/// Whether the disk takes what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// It does not, and it has all that the index knows.
    Settled,
    /// It does not, and may lack what the index knows.
    Unsettled,
}

pub(crate) struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: FolderClock,
    pub(crate) counters: Arc<Counters>,
    pub(crate) policy: SyncPolicy,
    pub(crate) index: Index,
    /// All segments and their bytes, the oldest first.
    pub(crate) segments: VecDeque<(u32, u64)>,
    disk_bytes: u64,
    next_number: u32,
    active: Option<Active>,
    /// Segments that are full and not synced yet.
    unsynced_files: Vec<Box<dyn DiskFile>>,
    /// Names have changed since the folder was synced.
    unsynced_names: bool,
    /// Something was written since the last fsync.
    is_dirty: bool,
    /// Changes since the last fsync, or since the disk failed.
    pub(crate) unsynced: Vec<Change>,
    unsynced_bytes: usize,
    health: Health,
    missed: u64,
    /// The folder's time when it was last written down.
    stamped_ms: Option<u64>,
    pub(crate) compaction: Option<Compaction>,
    /// The group that is made.
    buffer: Vec<u8>,
}

impl Log {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        clock: FolderClock,
        policy: SyncPolicy,
        scanned: Scanned,
    ) -> Self {
        let next_number = scanned.segments.last().map_or(1, |&(number, _)| number + 1);
        let log = Self {
            disk,
            clock,
            counters: Arc::default(),
            policy,
            index: scanned.index,
            disk_bytes: scanned.segments.iter().map(|&(_, bytes)| bytes).sum(),
            segments: scanned.segments.into(),
            next_number,
            active: None,
            unsynced_files: Vec::new(),
            unsynced_names: false,
            is_dirty: false,
            unsynced: Vec::new(),
            unsynced_bytes: 0,
            health: Health::Sound,
            missed: 0,
            stamped_ms: None,
            compaction: None,
            buffer: Vec::new(),
        };
        log.count();
        log
    }

    pub(crate) const fn is_faulty(&self) -> bool {
        !matches!(self.health, Health::Sound)
    }

    /// Whether an fsync has something to do.
    pub(crate) const fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Whether so much waits for an fsync that it should not wait longer.
    pub(crate) const fn is_full_of_unsynced(&self) -> bool {
        self.unsynced_bytes >= UNSYNCED_BYTES || self.unsynced_files.len() > UNSYNCED_FILES
    }

    /// Hands `changes` to the operating system. After an error they are kept, as far as there
    /// is room, for [`Self::retry`].
    pub(crate) fn write(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if self.is_faulty() {
            self.keep(changes);
            return Err(io::ErrorKind::NotConnected.into());
        }
        let written = self.write_group(&changes);
        if written.is_err() || self.policy != SyncPolicy::Off {
            self.keep(changes);
        }
        written
    }

    fn write_group(&mut self, changes: &[Change]) -> io::Result<()> {
        self.begin_group(changes.iter().map(Change::bytes).sum())?;
        let bodies: Vec<Body> = changes.iter().map(Body::from).collect();
        let places: Vec<Place> = bodies.iter().map(|body| self.push(body)).collect();
        self.end_group()?;
        for (body, &place) in bodies.iter().zip(&places) {
            self.index.apply(body, place);
        }
        add(&self.counters.groups_written, 1);
        self.count();
        Ok(())
    }

    /// Begins a group of about `bytes`, in a new segment where the last one is full.
    pub(crate) fn begin_group(&mut self, bytes: usize) -> io::Result<()> {
        self.buffer.clear();
        let has = self.segments.back().map_or(0, |&(_, bytes)| bytes as usize);
        if has > segment::HEADER_BYTES && has + bytes > SEGMENT_BYTES {
            let full = self.active.take();
            self.unsynced_files.extend(full.map(|active| active.file));
        }
        let is_new = self.active.is_none();
        if is_new {
            let (number, marker) = (self.next_number, segment::random_marker());
            self.next_number += 1;
            match self.disk.create(&segment::name(number)) {
                Ok(file) => self.active = Some(Active { file, number, marker }),
                Err(error) => {
                    self.fail_write();
                    return Err(error);
                }
            }
            self.segments.push_back((number, 0));
            self.unsynced_names = true;
            self.buffer.extend_from_slice(&segment::header(marker));
        }
        let now = self.clock.now();
        let due = |stamped| now.folder_ms >= stamped + millis(CLOCK_PERIOD);
        if is_new || self.stamped_ms.is_none_or(due) {
            self.stamped_ms = Some(now.folder_ms);
            self.push(&Body::Clock { folder_ms: now.folder_ms, wall_ms: now.wall_ms });
        }
        Ok(())
    }

    /// Adds a record to the group, and says where it will be.
    pub(crate) fn push(&mut self, body: &Body) -> Place {
        let active = self.active.as_ref().expect("a group is begun in a segment");
        let before = self.segments.back().expect("the active segment").1 as usize;
        let offset = (before + self.buffer.len()) as u32;
        let length = record::encode(body, active.marker, &mut self.buffer) as u32;
        Place { segment: active.number, offset, length }
    }

    /// Hands the group to the operating system.
    pub(crate) fn end_group(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let active = self.active.as_mut().expect("a group is begun in a segment");
        if let Err(error) = write_all(&mut *active.file, &self.buffer) {
            add(&self.counters.write_faults, 1);
            self.fail_write();
            return Err(error);
        }
        let written = self.buffer.len() as u64;
        self.segments.back_mut().expect("the active segment").1 += written;
        self.disk_bytes += written;
        self.is_dirty = true;
        add(&self.counters.bytes_written, written);
        if self.buffer.capacity() > 4 * GROUP_BYTES {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Bytes of the group as far as it is made.
    pub(crate) const fn group_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Forces everything that was written to the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.sync_files() {
            add(&self.counters.sync_faults, 1);
            self.fail();
            return Err(error);
        }
        add(&self.counters.syncs, 1);
        self.unsynced_files.clear();
        self.is_dirty = false;
        self.forget_unsynced();
        Ok(())
    }

    fn sync_files(&mut self) -> io::Result<()> {
        for file in &mut self.unsynced_files {
            file.sync()?;
        }
        if let Some(active) = &mut self.active {
            active.file.sync()?;
        }
        if self.unsynced_names {
            self.disk.sync_folder()?;
            self.unsynced_names = false;
        }
        Ok(())
    }

    fn forget_unsynced(&mut self) {
        self.unsynced.clear();
        self.unsynced_bytes = 0;
    }

    /// Writes the time down, and drops what has expired, now and then.
    pub(crate) fn tick(&mut self) -> io::Result<()> {
        self.index.expire(self.clock.now().folder_ms);
        self.write(Vec::new())
    }

    /// Whether the folder is to be compacted now.
    pub(crate) fn needs_compaction(&self) -> bool {
        !self.is_faulty() && self.has_too_much()
    }

    /// Whether the folder has too much that is dead.
    fn has_too_much(&self) -> bool {
        let (most, of) = BYTES_PER_LIVE;
        let bound = self.index.live_bytes() / of * most + SLACK_BYTES;
        let segments_max = self.disk_bytes / (SEGMENT_BYTES as u64 / 2) + SEGMENTS_SPARE;
        let is_too_much = self.disk_bytes > bound || self.segments.len() as u64 > segments_max;
        let is_written = self.active.as_ref().map(|active| active.number);
        let oldest = self.segments.front().map(|&(number, _)| number);
        is_too_much && oldest.is_some() && oldest != is_written
    }

    /// Removes the oldest segment, in which nothing lives: first what made its records dead is
    /// forced to the disk.
    pub(crate) fn remove_oldest(&mut self) -> io::Result<()> {
        if self.is_dirty || self.unsynced_names {
            self.sync()?;
        }
        let Some(&(number, bytes)) = self.segments.front() else { return Ok(()) };
        let name = segment::name(number);
        self.unsynced_names = true;
        match self.disk.remove(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.segments.pop_front();
        self.disk_bytes -= bytes;
        // An older segment must not come back without a later one that it depends on.
        self.disk.sync_folder()?;
        self.unsynced_names = false;
        self.count();
        Ok(())
    }

    fn count(&self) {
        set(&self.counters.not_durable, u64::from(self.is_faulty()));
        set(&self.counters.segments, self.segments.len() as u64);
        set(&self.counters.disk_bytes, self.disk_bytes);
        set(&self.counters.live_bytes, self.index.live_bytes());
        set(&self.counters.values, self.index.values() as u64);
    }
}

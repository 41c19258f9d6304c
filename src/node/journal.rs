//! What the node asks its caller to keep on a disk, and what waits until it is kept.
//!
//! A node whose values live on a disk writes each change of them into a journal. Its
//! caller takes the journal's batches ([`Node::take_journal`](super::Node::take_journal)),
//! keeps them, and tells the node ([`Node::handle_kept`](super::Node::handle_kept)). Until
//! then a STORE is not answered and a put has not ended, so that nothing is acknowledged
//! which a crash could take. When a disk fails, the node serves from memory and says so.
//!
//! What is not kept yet is bounded: when a disk does not keep up, puts and STOREs are
//! refused, and gets go on.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::net::{IpAddr, SocketAddr};

use super::command::Event;
use crate::id::Id;
use crate::limits::{
    JOURNAL_BATCH_BYTES, JOURNAL_BATCHES_MAX, JOURNAL_BYTES_MAX, JOURNAL_CHANGES_MAX,
};
use crate::time::Instant;
use crate::wire::Purpose;

/// Where the values of a node live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// In memory alone.
    #[default]
    Memory,
    /// In memory, and in the journal that the caller keeps.
    Journal,
}

/// A change of the node's values. Those of one key are kept in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A value is held for others.
    Held(HeldValue),
    /// A value that is held lives longer, or is for something else.
    Renewed {
        /// Its key.
        key: Id,
        /// When its life ends.
        expires: Instant,
        /// What it is for.
        purpose: Purpose,
    },
    /// A value is no longer held, though its life has not ended.
    Dropped {
        /// Its key.
        key: Id,
    },
    /// A value was put here.
    Published(PublishedValue),
    /// A value that was put here is republished at another time, or the node has learned
    /// whether others hold it.
    Rescheduled {
        /// Its key.
        key: Id,
        /// When it is republished next.
        republish: Instant,
        /// Whether another node holds it, as far as is known.
        is_held: bool,
    },
    /// A value that was put here is not republished any more.
    Forgotten {
        /// Its key.
        key: Id,
    },
}

/// A value held for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldValue {
    /// Its key.
    pub key: Id,
    /// The value.
    pub value: Arc<[u8]>,
    /// When its life ends.
    pub expires: Instant,
    /// What it is for.
    pub purpose: Purpose,
    /// The host that had it stored; none where this node cached it.
    pub source: Option<IpAddr>,
}

/// A value that was put here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedValue {
    /// Its key.
    pub key: Id,
    /// The value.
    pub value: Arc<[u8]>,
    /// When it is republished next.
    pub republish: Instant,
    /// Whether another node holds it, as far as is known.
    pub is_held: bool,
}

impl Change {
    /// Bytes that it brings to the disk, but for a few.
    fn value_bytes(&self) -> usize {
        match self {
            Self::Held(held) => held.value.len(),
            Self::Published(published) => published.value.len(),
            Self::Renewed { .. }
            | Self::Dropped { .. }
            | Self::Rescheduled { .. }
            | Self::Forgotten { .. } => 0,
        }
    }
}

/// Names a batch of one shard's journal; they count up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchNumber(pub u64);

/// Changes to keep together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalBatch {
    /// To be named when it is kept.
    pub number: BatchNumber,
    /// The changes, in their order.
    pub changes: Vec<Change>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It survives a crash, as the caller has promised.
    OnDisk,
    /// The disk has failed: it is in memory alone.
    InMemory,
}

/// What waits until a batch is kept.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A reply, encoded.
    Reply { destination: SocketAddr, bytes: Box<[u8]> },
    /// An event, most often that a put has ended.
    Event(Event),
}

/// What a batch weighs that is not kept yet.
#[derive(Debug)]
struct Unkept {
    number: BatchNumber,
    changes: usize,
    value_bytes: usize,
}

/// The journal of one shard.
#[derive(Debug)]
pub(crate) struct Journal {
    persistence: Persistence,
    /// The batch that is being filled.
    number: BatchNumber,
    changes: Vec<Change>,
    /// Bytes of the values among them.
    changes_bytes: usize,
    /// Batches that are full, the oldest first.
    full: VecDeque<JournalBatch>,
    /// Batches that were taken and are not kept yet.
    taken: VecDeque<Unkept>,
    /// Changes that are not kept yet, and the bytes of their values.
    unkept_changes: usize,
    unkept_bytes: usize,
    /// The last batch that is kept, and how.
    last: Option<(BatchNumber, Kept)>,
    /// In the order of their batches.
    waiting: VecDeque<(BatchNumber, Waiting)>,
}

impl Journal {
    pub(crate) const fn new(persistence: Persistence) -> Self {
        Self {
            persistence,
            number: BatchNumber(0),
            changes: Vec::new(),
            changes_bytes: 0,
            full: VecDeque::new(),
            taken: VecDeque::new(),
            unkept_changes: 0,
            unkept_bytes: 0,
            last: None,
            waiting: VecDeque::new(),
        }
    }

    /// Whether there is a journal at all.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.persistence == Persistence::Journal
    }

    /// Writes a change into the journal, where there is one.
    #[inline]
    pub(crate) fn write(&mut self, change: impl FnOnce() -> Change) {
        if self.is_on() {
            let change = change();
            self.unkept_changes += 1;
            self.unkept_bytes += change.value_bytes();
            self.changes_bytes += change.value_bytes();
            self.changes.push(change);
            if self.changes_bytes >= JOURNAL_BATCH_BYTES {
                let batch = self.fill();
                self.full.push_back(batch);
            }
        }
    }

    /// Ends the batch that is being filled, and begins the next.
    fn fill(&mut self) -> JournalBatch {
        let (number, changes) = (self.number, mem::take(&mut self.changes));
        self.number.0 += 1;
        self.changes_bytes = 0;
        JournalBatch { number, changes }
    }

    /// Whether a value of so many bytes may be taken: as much waits to be kept as may.
    pub(crate) fn has_room(&self, value_bytes: usize) -> bool {
        self.unkept_changes < JOURNAL_CHANGES_MAX
            && (self.unkept_bytes == 0 || self.unkept_bytes + value_bytes <= JOURNAL_BYTES_MAX)
    }

    /// Whether all that was written is kept.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        self.unkept_changes == 0
    }

    /// Has something wait until all that was written so far is kept.
    pub(crate) fn wait(&mut self, waiting: Waiting) {
        let full = self.full.back().map(|batch| batch.number);
        let last = full.or_else(|| self.taken.back().map(|batch| batch.number));
        let last = last.filter(|_| self.changes.is_empty()).unwrap_or(self.number);
        self.waiting.push_back((last, waiting));
    }

    /// The next batch, unless nothing was written or as many are not kept as may be.
    pub(crate) fn take(&mut self) -> Option<JournalBatch> {
        if self.untaken_changes() == 0 || self.taken.len() == JOURNAL_BATCHES_MAX {
            return None;
        }
        let batch = self.full.pop_front();
        let JournalBatch { number, changes } = batch.unwrap_or_else(|| self.fill());
        let value_bytes = changes.iter().map(Change::value_bytes).sum();
        self.taken.push_back(Unkept { number, changes: changes.len(), value_bytes });
        Some(JournalBatch { number, changes })
    }

    /// Notes that the batches up to `number` are kept. Returns how many changes those were.
    pub(crate) fn kept(&mut self, number: BatchNumber, kept: Kept) -> usize {
        self.last = Some((number, kept));
        let mut all = 0;
        while let Some(unkept) = self.taken.pop_front_if(|unkept| unkept.number <= number) {
            self.unkept_changes -= unkept.changes;
            self.unkept_bytes -= unkept.value_bytes;
            all += unkept.changes;
        }
        all
    }

    /// How the last batch was kept.
    pub(crate) fn last(&self) -> Option<Kept> {
        self.last.map(|(_, kept)| kept)
    }

    /// Whether something has waited for what is kept now.
    pub(crate) fn is_answerable(&self) -> bool {
        let (Some((kept, _)), Some((batch, _))) = (self.last, self.waiting.front()) else {
            return false;
        };
        *batch <= kept
    }

    /// The next that has waited for what is kept now.
    pub(crate) fn take_answerable(&mut self) -> Option<Waiting> {
        if !self.is_answerable() {
            return None;
        }
        self.waiting.pop_front().map(|(_, waiting)| waiting)
    }

    /// Changes that were not taken yet.
    pub(crate) fn untaken_changes(&self) -> usize {
        self.full.iter().map(|batch| batch.changes.len()).sum::<usize>() + self.changes.len()
    }

    /// Changes that are not kept yet.
    pub(crate) const fn unkept_changes(&self) -> usize {
        self.unkept_changes
    }
}

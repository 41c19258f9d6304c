//! One shard's end of the disk.

use std::collections::VecDeque;
use std::time::Duration;

use kad_durable::limits::BATCH_BYTES_MAX;
use kad_durable::{Batch, Change, Contact, Queue, Refused};

use super::data::Values;
use super::pacing::Pacing;
use super::translate::{self, FolderTime};
use crate::driver::mailbox::peers::RETRY;
use crate::id::{ID_BYTES, Id};
use crate::limits::{JOURNAL_BATCH_BYTES, JOURNAL_CHANGES_MAX, VALUE_BYTES_MAX};
use crate::node::{BatchNumber, JournalBatch, Kept, Node, Outbox};
use crate::time::Instant;

/// How often the contacts are written down at most, some 3 KB where they have changed: a node
/// that has just been started finds most of them within seconds.
const CONTACTS_PERIOD: Duration = Duration::from_secs(10);
/// How often it is looked whether they have changed.
const CONTACTS_LOOK: Duration = Duration::from_secs(1);
/// Contacts that are written down near the node's own id, and as far from it as there are:
/// as many together as a node may be told to join by.
const CONTACTS_NEAR: usize = 48;
const CONTACTS_FAR: usize = 16;
const _: () = assert!(CONTACTS_NEAR + CONTACTS_FAR <= crate::limits::BOOTSTRAP_ADDRESSES_MAX);
/// Bytes of a change beside its value, rounded up.
const CHANGE_BYTES_MAX: usize = 256;
/// The tag of a batch that no shard is told of.
const CONTACTS_TAG: u64 = u64::MAX;
/// Bits of a tag below the shard's number.
const NUMBER_BITS: u32 = 56;
const _: () = assert!(crate::limits::SHARDS_MAX < 1 << (u64::BITS - NUMBER_BITS));

/// The shard and the number of the batch with this tag.
pub(super) fn shard_of_tag(tag: u64) -> Option<(usize, BatchNumber)> {
    let number = BatchNumber(tag & ((1 << NUMBER_BITS) - 1));
    (tag != CONTACTS_TAG).then_some(((tag >> NUMBER_BITS) as usize, number))
}

const _: () = assert!(
    JOURNAL_BATCH_BYTES + VALUE_BYTES_MAX + JOURNAL_CHANGES_MAX * CHANGE_BYTES_MAX
        < BATCH_BYTES_MAX,
    "the writer takes every batch"
);

/// Hands one shard's journal to the folder's writer.
pub(in crate::driver) struct DiskLink {
    shard: usize,
    queue: Queue,
    time: FolderTime,
    /// What the node is to be restored with.
    values: Values,
    pacing: Pacing,
    /// Batches for which the queue had no room.
    waiting: VecDeque<Batch>,
    next_contacts: Instant,
    /// The contacts that were last written down.
    contacts: Vec<Contact>,
}

impl DiskLink {
    pub(super) fn new(
        shard: usize,
        queue: Queue,
        time: FolderTime,
        values: Values,
        now: Instant,
    ) -> Self {
        Self {
            shard,
            queue,
            time,
            values,
            pacing: Pacing::new(now),
            waiting: VecDeque::new(),
            next_contacts: now,
            contacts: Vec::new(),
        }
    }

    /// Gives the node the values that it had.
    pub(in crate::driver) fn restore(&mut self, node: &mut Node) {
        let Values { held, published } = std::mem::take(&mut self.values);
        // What finds no room is dropped from the folder by the node's journal.
        for held in held {
            let _ = node.restore_held(held);
        }
        for published in published {
            let _ = node.restore_published(published);
        }
    }

    /// Hands over what the turn has changed, if it is time to.
    pub(in crate::driver) fn write(&mut self, now: Instant, node: &mut Node, outbox: &mut Outbox) {
        if !self.waiting.is_empty() || self.pacing.is_due(now, node.journal_changes()) {
            self.write_all(now, node, outbox);
        }
        if self.shard == 0 && now >= self.next_contacts {
            let is_written = self.write_contacts(node);
            self.next_contacts = now + if is_written { CONTACTS_PERIOD } else { CONTACTS_LOOK };
        }
    }

    /// Hands over what the node has changed and the contacts, before the shard ends.
    pub(in crate::driver) fn finish(&mut self, now: Instant, node: &mut Node, outbox: &mut Outbox) {
        self.write_all(now, node, outbox);
        self.write_contacts(node);
        if !self.waiting.is_empty() {
            tracing::warn!("the disk does not keep up: the last changes are not kept");
        }
    }

    fn write_all(&mut self, now: Instant, node: &mut Node, outbox: &mut Outbox) {
        while let Some(batch) = self.waiting.pop_front() {
            if !self.push(batch, now, node, outbox) {
                return;
            }
        }
        while let Some(JournalBatch { number, changes }) = node.take_journal() {
            let changes = changes.into_iter().map(|one| translate::change(one, self.time));
            let tag = (self.shard as u64) << NUMBER_BITS | number.0;
            let batch = Batch { tag, changes: changes.collect() };
            if !self.push(batch, now, node, outbox) {
                return;
            }
        }
    }

    /// Hands a batch to the queue. False where there is no room: then it waits.
    fn push(&mut self, batch: Batch, now: Instant, node: &mut Node, outbox: &mut Outbox) -> bool {
        match self.queue.try_push(batch) {
            Ok(()) => true,
            Err(Refused::Busy(batch)) => {
                self.waiting.push_front(batch);
                false
            }
            Err(Refused::TooLarge(batch) | Refused::Closed(batch)) => {
                if let Some((_, number)) = shard_of_tag(batch.tag) {
                    node.handle_kept(now, number, Kept::InMemory, outbox);
                }
                true
            }
        }
    }

    /// Writes down the contacts; whether they have changed. Every shard knows all of them; the
    /// first one writes.
    fn write_contacts(&mut self, node: &Node) -> bool {
        if self.shard != 0 {
            return false;
        }
        let own = node.id();
        let far = Id::new(std::array::from_fn::<u8, ID_BYTES, _>(|index| !own.to_bytes()[index]));
        let near = node.closest(own, CONTACTS_NEAR).into_iter();
        let contacts = near.chain(node.closest(far, CONTACTS_FAR));
        let contacts =
            contacts.map(|contact| Contact { id: contact.id.to_bytes(), address: contact.addr });
        let mut contacts: Vec<Contact> = contacts.collect();
        contacts.sort_unstable_by_key(|contact| contact.id);
        contacts.dedup_by_key(|contact| contact.id);
        // A node that is alone keeps the contacts that it had: they may come back.
        if contacts.is_empty() || contacts == self.contacts {
            return false;
        }
        let changes = vec![Change::Contacts(contacts.clone())];
        let is_written = self.queue.try_push(Batch { tag: CONTACTS_TAG, changes }).is_ok();
        if is_written {
            self.contacts = contacts;
        }
        is_written
    }

    /// How long the shard may wait before it has to hand something over.
    pub(in crate::driver) fn wait(&self, now: Instant) -> Option<Duration> {
        if self.waiting.is_empty() { self.pacing.wait(now) } else { Some(RETRY) }
    }
}

//! Values stored for others: bounded, expiring, and fair between their sources.

use alloc::sync::Arc;
use core::time::Duration;

use super::heap::Heap;
use super::held::{ByExpiry, ByReplication, Eviction, Held, Rank, Replication, Terms};
use super::index::Index;
use super::keyed::Keyed;
use super::share::{Owner, Share};
use super::shares::{Newcomer, Shares};
use super::slab::{Slab, Slot};
use crate::id::Id;
use crate::limits::{
    KEYS_SHOWN_MAX, PIECE_BYTES_MAX, SHARDS_MAX, SOURCE_OVERHEAD_BYTES, SOURCES_SHOWN_MAX,
    STORE_BYTES_MIN, SUBNET_OVERHEAD_BYTES, VALUE_OVERHEAD_BYTES,
};
use crate::node::journal::HeldValue;
use crate::node::view::{Holding, SourceView, ValuesView};
use crate::time::Instant;
use crate::wire::Purpose;

/// There is no room for a value: it alone exceeds the limits, or it yields and all others
/// stay, or its source holds the largest part already and nothing that goes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreFull;

/// Values by key, by the end of their life, by when they are to be replicated, and by their
/// source. None of it allocates but for a value that is new.
pub(crate) struct Store {
    bytes_max: usize,
    values_max: usize,
    /// The values that are held; and behind them, while room is made, those that are to go.
    values: Slab<Held>,
    /// How many are held.
    len: usize,
    keys: Index<Held>,
    expiries: Heap<Held, ByExpiry>,
    replications: Heap<Held, ByReplication>,
    shares: Shares,
}

const _: () = assert!(
    STORE_BYTES_MIN / SHARDS_MAX
        >= PIECE_BYTES_MAX + VALUE_OVERHEAD_BYTES + SOURCE_OVERHEAD_BYTES + SUBNET_OVERHEAD_BYTES,
    "the smallest part of the smallest store holds any value of one datagram"
);

impl Store {
    pub(crate) fn new(bytes_max: usize, values_max: usize, hash: Keyed) -> Self {
        Self {
            bytes_max,
            values_max,
            values: Slab::new(),
            len: 0,
            keys: Index::new(hash.clone()),
            expiries: Heap::new(),
            replications: Heap::new(),
            shares: Shares::new(hash),
        }
    }

    pub(crate) fn held(&self, key: Id) -> Option<&Held> {
        self.keys.find(&self.values, key).map(|slot| &self.values[slot])
    }

    /// How many values are held.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// What they weigh, in bytes, overhead included.
    pub(crate) fn bytes(&self) -> usize {
        self.shares.bytes()
    }

    /// What is kept of a value on a disk.
    pub(crate) fn restorable(&self, key: Id) -> Option<HeldValue> {
        let held = self.held(key)?;
        let (value, purpose) = (Arc::clone(&held.value), held.purpose());
        let source = self.shares.owner(held.share).source.ip();
        Some(HeldValue { key, value, expires: held.expires, purpose, source })
    }

    /// What is held, for show: some of its keys, and its largest sources.
    pub(crate) fn view(&self) -> ValuesView {
        let kept = self.expiries.iter().take(KEYS_SHOWN_MAX).map(|slot| &self.values[slot]);
        let holding = |held: &Held| match held.purpose() {
            Purpose::Replica => Holding::Replica,
            Purpose::Cache => Holding::Cached,
        };
        let view = |share: &Share| SourceView {
            source: share.owner.source.ip(),
            values: share.len() as u64,
            bytes: share.bytes as u64,
        };
        ValuesView {
            bytes: self.bytes() as u64,
            bytes_max: self.bytes_max as u64,
            published: 0,
            replicas: self.replications.len() as u64,
            cached: (self.len - self.replications.len()) as u64,
            keys: kept.map(|held| (held.key, holding(held))).collect(),
            sources: self.shares.largest(SOURCES_SHOWN_MAX).into_iter().map(view).collect(),
            sources_left_out: self.shares.len().saturating_sub(SOURCES_SHOWN_MAX) as u64,
        }
    }

    /// Stores a value that hashes to `key`, or lengthens its life. Calls `evicted` with each
    /// value that makes way for it.
    pub(crate) fn store(
        &mut self,
        (key, value): (Id, impl AsRef<[u8]> + Into<Arc<[u8]>>),
        terms: Terms,
        replication: Replication,
        evicted: impl FnMut(Id),
    ) -> Result<(), StoreFull> {
        if self.renew(key, terms, replication) {
            return Ok(());
        }
        let new = newcomer(value.as_ref().len(), terms);
        if new.weight_alone() > self.bytes_max || self.values_max == 0 {
            return Err(StoreFull);
        }
        self.make_room(&new, evicted)?;
        let share = self.shares.open(new.owner);
        let replication = (terms.purpose == Purpose::Replica).then_some(replication);
        let held = Held::new(key, value.into(), share, terms.expires, replication);
        let slot = self.values.push(held);
        self.enter(slot);
        Ok(())
    }

    /// Whether a value of so many bytes may find room: whether its source would not have more
    /// by it than any other, while others would have to make way.
    pub(crate) fn may_hold(&self, value_bytes: usize, terms: Terms) -> bool {
        let new = newcomer(value_bytes, terms);
        new.weight_alone() <= self.bytes_max
            && self.values_max > 0
            && self.shares.may_hold(&new, self.bytes_max)
    }

    /// Evicts values until a new one has room. Where none is found, nothing is evicted.
    fn make_room(&mut self, new: &Newcomer, evicted: impl FnMut(Id)) -> Result<(), StoreFull> {
        while self.shares.bytes_with(new) > self.bytes_max || self.len == self.values_max {
            let Some(victim) = self.shares.victim(&self.values, new) else {
                while self.len < self.values.len() {
                    self.enter(Slot::new(self.len));
                }
                return Err(StoreFull);
            };
            self.leave(victim);
        }
        self.drop_left(evicted);
        Ok(())
    }

    /// Lengthens the life of a value that is held: it never becomes shorter, and
    /// a replica never becomes a cached copy.
    pub(crate) fn renew(&mut self, key: Id, terms: Terms, replication: Replication) -> bool {
        let Some(slot) = self.keys.find(&self.values, key) else {
            return false;
        };
        let held = &mut self.values[slot];
        held.expires = held.expires.max(terms.expires);
        self.expiries.changed(&mut self.values, slot);
        if terms.purpose == Purpose::Replica {
            self.set_replication(slot, Some(replication));
        }
        self.set_rank(slot, Rank::new(self.values[slot].purpose(), terms.is_near));
        true
    }

    /// Turns a replica into a cached copy. Its life stays as it is: that K closer nodes
    /// hold the value, they alone say.
    pub(crate) fn demote(&mut self, key: Id) {
        if let Some(slot) = self.keys.find(&self.values, key) {
            self.set_replication(slot, None);
            self.set_rank(slot, Rank::Yields);
        }
    }

    /// Counts a value that was changed where it belongs now. Another rank may take a share
    /// more: where that is no room, the value keeps the one that it has.
    fn set_rank(&mut self, slot: Slot<Held>, rank: Rank) {
        let held = &self.values[slot];
        let (number, owner) = (held.share, self.shares.owner(held.share));
        if owner.rank == rank {
            return self.shares.changed(&mut self.values, slot);
        }
        let (owner, weight) = (Owner { rank, ..owner }, held.weight());
        let new = Newcomer { owner, weight, eviction: held.eviction() };
        self.shares.take(&mut self.values, slot);
        if self.shares.bytes_with(&new) <= self.bytes_max {
            self.shares.close_if_empty(number);
            self.values[slot].share = self.shares.open(owner);
        }
        self.shares.add(&mut self.values, slot);
    }

    fn set_replication(&mut self, slot: Slot<Held>, replication: Option<Replication>) {
        let was_replica = self.values[slot].is_replica();
        if was_replica && replication.is_none() {
            self.replications.remove(&mut self.values, slot);
        }
        self.values[slot].set_replication(replication);
        match replication {
            Some(_) if was_replica => self.replications.changed(&mut self.values, slot),
            Some(_) => self.replications.insert(&mut self.values, slot),
            None => {}
        }
    }

    /// When the next value's life ends.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|slot| self.values[slot].expires)
    }

    /// Drops what has expired at `now`, at most `most` values, and says how many
    /// that were.
    pub(crate) fn expire(&mut self, now: Instant, most: usize) -> usize {
        let mut expired = 0;
        while expired < most
            && let Some(slot) = self.expiries.first()
            && self.values[slot].expires <= now
        {
            self.leave(slot);
            self.drop_left(|_| ());
            expired += 1;
        }
        expired
    }

    /// When the next replica is to be replicated.
    pub(crate) fn next_replication(&self) -> Option<Instant> {
        let slot = self.replications.first()?;
        self.values[slot].replication().map(|replication| replication.due)
    }

    /// How many replicas are held.
    pub(crate) fn replicas(&self) -> usize {
        self.replications.len()
    }

    /// The replica that is to be replicated next.
    pub(crate) fn first_replica(&self) -> Option<(Id, Replication)> {
        let held = &self.values[self.replications.first()?];
        held.replication().map(|replication| (held.key, replication))
    }

    /// The replicas among `most` values, in the order in which they lie, from `at` on.
    pub(crate) fn replicas_from(&self, at: usize, most: usize) -> impl Iterator<Item = &Held> {
        let slots = at.min(self.len)..at.saturating_add(most).min(self.len);
        slots.map(|index| &self.values[Slot::new(index)]).filter(|held| held.is_replica())
    }

    /// For how many replicas `is_due` holds; it holds for what is due before another.
    pub(crate) fn count_due(&self, is_due: impl Fn(Instant) -> bool) -> usize {
        let is_due = |held: &Held| held.replication().is_some_and(|due| is_due(due.due));
        self.replications.count_first(&self.values, is_due)
    }

    /// When the replica of `key` is to be replicated from now on.
    pub(crate) fn reschedule(&mut self, key: Id, replication: Replication) {
        if let Some(slot) = self.keys.find(&self.values, key)
            && self.values[slot].is_replica()
        {
            self.set_replication(slot, Some(replication));
        }
    }

    /// Has the first value behind those that are held be one of them.
    fn enter(&mut self, slot: Slot<Held>) {
        assert_eq!(slot.index(), self.len, "values enter in the order in which they lie");
        self.len += 1;
        self.keys.insert(&mut self.values, slot);
        self.expiries.insert(&mut self.values, slot);
        if self.values[slot].is_replica() {
            self.replications.insert(&mut self.values, slot);
        }
        self.shares.add(&mut self.values, slot);
    }

    /// Has a value that is held be the first behind them; the last of them takes its slot.
    fn leave(&mut self, slot: Slot<Held>) {
        self.shares.take(&mut self.values, slot);
        if self.values[slot].is_replica() {
            self.replications.remove(&mut self.values, slot);
        }
        self.expiries.remove(&mut self.values, slot);
        self.keys.remove(&mut self.values, slot);
        self.len -= 1;
        let last = Slot::new(self.len);
        if slot != last {
            self.values.swap(slot, last);
            self.keys.moved(&mut self.values, last, slot);
            self.expiries.moved(&mut self.values, slot);
            if self.values[slot].is_replica() {
                self.replications.moved(&mut self.values, slot);
            }
            self.shares.moved(&mut self.values, slot);
        }
    }

    /// Drops the values that are held no longer, in the order in which they left.
    fn drop_left(&mut self, mut dropped: impl FnMut(Id)) {
        while self.len < self.values.len()
            && let Some(held) = self.values.pop()
        {
            self.shares.close_if_empty(held.share);
            dropped(held.key);
        }
    }
}

fn newcomer(value_bytes: usize, terms: Terms) -> Newcomer {
    let Terms { source, purpose, is_near, expires, .. } = terms;
    Newcomer {
        owner: Owner { source, rank: Rank::new(purpose, is_near) },
        weight: weight(value_bytes),
        eviction: Eviction::new(purpose, expires),
    }
}

/// What a value of so many bytes weighs.
pub(super) const fn weight(value_bytes: usize) -> usize {
    value_bytes + VALUE_OVERHEAD_BYTES
}

/// The life of a copy where `closer` nodes are nearer to the key than this one:
/// half as long for each of them (Kademlia 2.3), within `least` and `most`.
pub(crate) fn cache_life(most: Duration, closer: usize, least: Duration) -> Duration {
    let halvings = u32::try_from(closer).unwrap_or(u32::MAX).min(31);
    (most / (1 << halvings)).max(least).min(most)
}

#[cfg(test)]
mod tests;

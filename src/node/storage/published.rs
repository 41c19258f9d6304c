//! Values put here: kept apart from those stored for others, never evicted, and
//! republished until they are forgotten.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::{Bound, RangeInclusive};

use super::heap::{Heap, Order, Place};
use super::index::{Index, Keep};
use super::keyed::Keyed;
use super::slab::{Slab, Slot};
use crate::id::Id;
use crate::limits::{HASTEN_VALUES, PUBLISHED_VALUES_MAX};
use crate::time::Instant;

#[derive(Debug)]
struct Publication {
    value: Arc<[u8]>,
    republish: Instant,
    key: Id,
    next: Option<Slot<Self>>,
    due: Place,
    /// Whether another node holds it, as far as is known.
    is_held: bool,
}

const _: () = assert!(size_of::<Publication>() == 56, "what each value costs beside its bytes");

impl Keep for Publication {
    type Key = Id;

    fn key(&self) -> Id {
        self.key
    }

    fn next(&self) -> Option<Slot<Self>> {
        self.next
    }

    fn next_mut(&mut self) -> &mut Option<Slot<Self>> {
        &mut self.next
    }
}

/// The one first that is to be republished first.
#[derive(Debug)]
struct ByDue;

impl Order<Publication> for ByDue {
    fn is_before(one: &Publication, other: &Publication) -> bool {
        let due = one.republish.cmp(&other.republish);
        due.then_with(|| one.key.cmp(&other.key)) == Ordering::Less
    }

    fn place(publication: &mut Publication) -> &mut Place {
        &mut publication.due
    }
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The values put here, and when each is republished. No step of it that grows takes long.
pub(crate) struct Published {
    values: Slab<Publication>,
    index: Index<Publication>,
    due: Heap<Publication, ByDue>,
    /// For those that are close to each other.
    keys: BTreeSet<Id>,
    /// How many of the values, in the order in which they lie, are still to be hastened. It goes
    /// from the last to the first: the last of all takes the place of one that is forgotten.
    to_hasten: usize,
}

impl Published {
    pub(crate) fn new(hash: Keyed) -> Self {
        let (values, index) = (Slab::new(), Index::new(hash));
        Self { values, index, due: Heap::new(), keys: BTreeSet::new(), to_hasten: 0 }
    }

    fn slot(&self, key: Id) -> Option<Slot<Publication>> {
        self.index.find(&self.values, key)
    }

    fn find(&self, key: Id) -> Option<&Publication> {
        self.slot(key).map(|slot| &self.values[slot])
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn value(&self, key: Id) -> Option<&Arc<[u8]>> {
        self.find(key).map(|publication| &publication.value)
    }

    /// Keeps a value, to be republished at `republish`.
    pub(crate) fn put(
        &mut self,
        key: Id,
        value: Arc<[u8]>,
        republish: Instant,
    ) -> Result<(), Full> {
        if let Some(slot) = self.slot(key) {
            let publication = &mut self.values[slot];
            (publication.value, publication.is_held) = (value, false);
            self.reschedule(key, republish);
            return Ok(());
        }
        if self.values.len() == PUBLISHED_VALUES_MAX {
            return Err(Full);
        }
        let (next, due, is_held) = (None, Place::default(), false);
        let slot = self.values.push(Publication { value, republish, key, next, due, is_held });
        self.index.insert(&mut self.values, slot);
        self.due.insert(&mut self.values, slot);
        self.keys.insert(key);
        Ok(())
    }

    /// Gives up a value, and returns it.
    pub(crate) fn forget(&mut self, key: Id) -> Option<Arc<[u8]>> {
        let slot = self.slot(key)?;
        self.keys.remove(&key);
        self.due.remove(&mut self.values, slot);
        self.index.remove(&mut self.values, slot);
        let last = Slot::new(self.values.len() - 1);
        if slot != last {
            self.values.swap(slot, last);
            self.index.moved(&mut self.values, last, slot);
            self.due.moved(&mut self.values, slot);
        }
        self.values.pop().map(|publication| publication.value)
    }

    /// Notes how many other nodes hold a value.
    pub(crate) fn stored(&mut self, key: Id, holders: usize) {
        if let Some(slot) = self.slot(key) {
            self.values[slot].is_held = holders > 0;
        }
    }

    /// Whether another node holds a value, as far as is known.
    pub(crate) fn is_held(&self, key: Id) -> bool {
        self.find(key).is_some_and(|publication| publication.is_held)
    }

    /// When a value is to be republished.
    pub(crate) fn republish(&self, key: Id) -> Option<Instant> {
        self.find(key).map(|publication| publication.republish)
    }

    fn first(&self) -> Option<&Publication> {
        self.due.first().map(|slot| &self.values[slot])
    }

    /// When the next value is to be republished.
    pub(crate) fn next_republish(&self) -> Option<Instant> {
        self.first().map(|publication| publication.republish)
    }

    /// The next value, where it is due at `now`.
    pub(crate) fn first_due(&self, now: Instant) -> Option<Id> {
        let first = self.first().filter(|publication| publication.republish <= now);
        first.map(|publication| publication.key)
    }

    /// For how many values `is_due` holds; it holds for what is due before another.
    pub(crate) fn count_due(&self, is_due: impl Fn(Instant) -> bool) -> usize {
        self.due.count_first(&self.values, |publication| is_due(publication.republish))
    }

    /// The values of these keys that are due at `until`, at most `most`; their next turn comes
    /// at `again`.
    pub(crate) fn take_due(
        &mut self,
        of: RangeInclusive<Id>,
        until: Instant,
        again: Instant,
        most: usize,
    ) -> Vec<(Id, Arc<[u8]>)> {
        let values = self.keys.range(of).filter_map(|&key| self.find(key));
        let due = values.filter(|publication| publication.republish <= until).take(most);
        let due: Vec<_> = due.map(|value| (value.key, Arc::clone(&value.value))).collect();
        for &(key, _) in &due {
            self.reschedule(key, again);
        }
        due
    }

    /// The values of these keys, in their order.
    pub(crate) fn in_range(
        &self,
        of: RangeInclusive<Id>,
    ) -> impl Iterator<Item = (Id, &Arc<[u8]>)> {
        let values = self.keys.range(of).filter_map(|&key| self.find(key));
        values.map(|publication| (publication.key, &publication.value))
    }

    /// The keys of the values, in no order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Id> {
        self.values.iter().map(|publication| publication.key)
    }

    /// The keys from `after` on, in their order, and whether another node holds their values, as
    /// far as is known.
    pub(crate) fn after(&self, after: Bound<Id>) -> impl Iterator<Item = (Id, bool)> {
        let keys = self.keys.range((after, Bound::Unbounded));
        keys.map(|&key| (key, self.is_held(key)))
    }

    /// Has every value that no other node holds be made due by [`hasten`](Self::hasten): a node
    /// to store it on has come.
    pub(crate) fn begin_hastening(&mut self) {
        self.to_hasten = self.values.len();
    }

    /// Whether values are still to be made due.
    pub(crate) const fn is_hastening(&self) -> bool {
        self.to_hasten > 0
    }

    /// Makes those due at `now` of the next [`HASTEN_VALUES`] that no other node holds.
    pub(crate) fn hasten(&mut self, now: Instant) {
        let end = self.to_hasten.min(self.values.len());
        self.to_hasten = end.saturating_sub(HASTEN_VALUES);
        for slot in (self.to_hasten..end).map(Slot::new) {
            let publication = &mut self.values[slot];
            if !publication.is_held {
                publication.republish = publication.republish.min(now);
                self.due.changed(&mut self.values, slot);
            }
        }
    }

    pub(crate) fn reschedule(&mut self, key: Id, republish: Instant) {
        if let Some(slot) = self.slot(key) {
            self.values[slot].republish = republish;
            self.due.changed(&mut self.values, slot);
        }
    }
}

#[cfg(test)]
mod tests;

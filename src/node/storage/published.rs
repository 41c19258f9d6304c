//! Values put here: kept apart from those stored for others, never evicted, and
//! republished until they are forgotten.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::keyed_map::{IdMap, Keyed};
use crate::id::Id;
use crate::limits::PUBLISHED_VALUES_MAX;
use crate::time::Instant;

#[derive(Debug)]
struct Publication {
    value: Arc<[u8]>,
    republish: Instant,
    /// Whether another node holds it, as far as is known.
    is_held: bool,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The values put here, and when each is republished.
pub(crate) struct Published {
    values: IdMap<Publication>,
    due: BTreeSet<(Instant, Id)>,
    /// For those that are close to each other.
    keys: BTreeSet<Id>,
}

impl Published {
    pub(crate) fn new(hash: Keyed) -> Self {
        Self { values: IdMap::with_hasher(hash), due: BTreeSet::new(), keys: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn value(&self, key: Id) -> Option<&Arc<[u8]>> {
        self.values.get(&key).map(|publication| &publication.value)
    }

    /// Keeps a value, to be republished at `republish`.
    pub(crate) fn put(
        &mut self,
        key: Id,
        value: Arc<[u8]>,
        republish: Instant,
    ) -> Result<(), Full> {
        if let Some(known) = self.values.get(&key) {
            self.due.remove(&(known.republish, key));
        } else if self.values.len() == PUBLISHED_VALUES_MAX {
            return Err(Full);
        }
        self.values.insert(key, Publication { value, republish, is_held: false });
        self.due.insert((republish, key));
        self.keys.insert(key);
        Ok(())
    }

    /// Gives up a value, and returns it.
    pub(crate) fn forget(&mut self, key: Id) -> Option<Arc<[u8]>> {
        let publication = self.values.remove(&key)?;
        self.due.remove(&(publication.republish, key));
        self.keys.remove(&key);
        Some(publication.value)
    }

    /// Notes how many other nodes hold a value.
    pub(crate) fn stored(&mut self, key: Id, holders: usize) {
        if let Some(publication) = self.values.get_mut(&key) {
            publication.is_held = holders > 0;
        }
    }

    /// Whether another node holds a value, as far as is known.
    pub(crate) fn is_held(&self, key: Id) -> bool {
        self.values.get(&key).is_some_and(|publication| publication.is_held)
    }

    /// When a value is to be republished.
    pub(crate) fn republish(&self, key: Id) -> Option<Instant> {
        self.values.get(&key).map(|publication| publication.republish)
    }

    /// When the next value is to be republished.
    pub(crate) fn next_republish(&self) -> Option<Instant> {
        self.due.first().map(|&(due, _)| due)
    }

    /// The next value, where it is due at `now`.
    pub(crate) fn first_due(&self, now: Instant) -> Option<Id> {
        let &(due, key) = self.due.first()?;
        (due <= now).then_some(key)
    }

    /// For how many values `is_due` holds; it holds for what is due before another.
    pub(crate) fn count_due(&self, is_due: impl Fn(Instant) -> bool) -> usize {
        self.due.iter().take_while(|(due, _)| is_due(*due)).count()
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
        let values = self.keys.range(of).map(|&key| (key, &self.values[&key]));
        let due = values.filter(|(_, publication)| publication.republish <= until).take(most);
        let due: Vec<_> = due.map(|(key, value)| (key, Arc::clone(&value.value))).collect();
        for &(key, _) in &due {
            self.reschedule(key, again);
        }
        due
    }

    /// The values of these keys.
    pub(crate) fn in_range(
        &self,
        of: RangeInclusive<Id>,
    ) -> impl Iterator<Item = (Id, &Arc<[u8]>)> {
        self.keys.range(of).map(|&key| (key, &self.values[&key].value))
    }

    /// The keys of the values, in the order in which they are to be republished.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Id> {
        self.due.iter().map(|&(_, key)| key)
    }

    /// Makes every value that no other node holds due at `now`: a node to store it on has
    /// come.
    pub(crate) fn hasten_unheld(&mut self, now: Instant) {
        let keys: Vec<Id> = self.keys().filter(|&key| !self.is_held(key)).collect();
        for key in keys {
            self.reschedule(key, now);
        }
    }

    pub(crate) fn reschedule(&mut self, key: Id, republish: Instant) {
        let Some(publication) = self.values.get_mut(&key) else { return };
        self.due.remove(&(publication.republish, key));
        publication.republish = republish;
        self.due.insert((republish, key));
    }
}

#[cfg(test)]
mod tests;

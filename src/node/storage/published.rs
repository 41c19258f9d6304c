//! Values put here: kept apart from those stored for others, never evicted, and
//! republished until they are forgotten.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

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
}

impl Published {
    pub(crate) fn new(hash: Keyed) -> Self {
        Self { values: IdMap::with_hasher(hash), due: BTreeSet::new() }
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
        Ok(())
    }

    /// Gives up a value, and returns it.
    pub(crate) fn forget(&mut self, key: Id) -> Option<Arc<[u8]>> {
        let publication = self.values.remove(&key)?;
        self.due.remove(&(publication.republish, key));
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

    /// The next value due at `now`; its next turn comes at `again`.
    pub(crate) fn take_due(&mut self, now: Instant, again: Instant) -> Option<(Id, Arc<[u8]>)> {
        let (due, key) = *self.due.first()?;
        if due > now {
            return None;
        }
        self.reschedule(key, again);
        Some((key, Arc::clone(&self.values[&key].value)))
    }

    /// The keys of the values, in the order in which they are to be republished.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Id> {
        self.due.iter().map(|&(_, key)| key)
    }

    /// Makes every value that no other node holds due at `now`: a node to store it on has
    /// come.
    pub(crate) fn hasten_unheld(&mut self, now: Instant) {
        let keys: alloc::vec::Vec<Id> = self.keys().filter(|&key| !self.is_held(key)).collect();
        for key in keys {
            self.reschedule(key, now);
        }
    }

    fn reschedule(&mut self, key: Id, republish: Instant) {
        let publication = self.values.get_mut(&key).expect("what is due is published");
        self.due.remove(&(publication.republish, key));
        publication.republish = republish;
        self.due.insert((republish, key));
    }
}

#[cfg(test)]
mod tests;

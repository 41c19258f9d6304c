//! The nodes near this one, as those that hold the same values are found.
//!
//! The K closest to a key that this node holds lie in the buckets near to it, which know every
//! node of their ranges, and some in the first that is full. Those beyond its K contacts that
//! wait in its replacement cache are looked at too: without them the last of the K closest is
//! missed now and then.

use alloc::vec::Vec;

use super::bucket::{Bucket, Entry};
use super::routing_table::{Closest, RoutingTable};
use crate::id::Id;
use crate::node::known::Known;
use crate::time::Instant;
use crate::wire::Contact;

/// Good contacts near this node, and such as wait for a place.
pub(crate) struct Neighbourhood {
    own: Id,
    k: usize,
    entries: Vec<Entry>,
}

impl RoutingTable {
    /// The contacts of the buckets nearest to this node that have 3 K together.
    pub(crate) fn neighbourhood(&self) -> Neighbourhood {
        self.neighbourhood_of(|_| true)
    }

    /// The same, of those that `is_of_use` holds for.
    pub(crate) fn neighbourhood_of(&self, is_of_use: impl Fn(Contact) -> bool) -> Neighbourhood {
        let is_of_use = |entry: &&Entry| !entry.is_stale() && is_of_use(entry.contact());
        let mut entries: Vec<Entry> = Vec::new();
        for bucket in self.buckets().iter().rev() {
            entries.extend(Bucket::all(bucket).filter(is_of_use));
            if entries.len() >= 3 * self.k() {
                break;
            }
        }
        Neighbourhood { own: self.own(), k: self.k(), entries }
    }
}

impl Neighbourhood {
    /// The same and these contacts.
    pub(crate) fn and(mut self, contacts: &[Contact], now: Instant) -> Self {
        let is_new = |contact: &&Contact| !self.entries.iter().any(|entry| entry.is(**contact));
        let new = contacts
            .iter()
            .filter(is_new)
            .map(|&contact| Entry::new(contact, now, Known::default()));
        let new: Vec<Entry> = new.collect();
        self.entries.extend(new);
        self
    }

    /// The ids of the contacts.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        self.entries.iter().map(Entry::id)
    }

    /// The K contacts closest to `key`, the closest first; those whose ids do not fit their
    /// addresses after all others.
    pub(crate) fn closest(&self, key: Id) -> Closest {
        let order = |entry: &Entry| (!entry.is_fit(), entry.id() ^ key);
        let mut sorted: Vec<_> = self.entries.iter().map(|entry| (order(entry), entry)).collect();
        if sorted.len() > self.k {
            sorted.select_nth_unstable_by_key(self.k, |(order, _)| *order);
            sorted.truncate(self.k);
        }
        sorted.sort_unstable_by_key(|(order, _)| *order);
        sorted.into_iter().map(|(_, entry)| entry.contact()).collect()
    }

    /// How many contacts must hold the value of `key` that this node may cease to replicate it:
    /// K, where all of these, the closest to it, are closer than this node.
    pub(crate) fn enough(&self, key: Id, closest: &[Contact]) -> Option<u8> {
        let own = self.own ^ key;
        let are_closer = closest.iter().all(|contact| contact.id ^ key < own);
        (are_closer && closest.len() == self.k).then_some(self.k as u8)
    }

    /// Whether this node is closer to `key` than all contacts but those that `is_new` holds for.
    pub(crate) fn is_closest(&self, key: Id, is_new: impl Fn(Id) -> bool) -> bool {
        let own = self.own ^ key;
        !self.ids().any(|id| id ^ key < own && !is_new(id))
    }
}

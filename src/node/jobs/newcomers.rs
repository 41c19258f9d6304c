//! Nodes that have come into this node's neighbourhood: values are handed to them at once.
//!
//! Every [`NEWCOMERS_LOOK`] it is looked which of the contacts near this node were not among
//! them before. Then the values are gone through, [`NEWCOMERS_VALUES`] at a time. Of those that a
//! newcomer is to hold, this node hands over the ones that it is the closest to, but for
//! newcomers (Kademlia 2.5): one node does so for each value. Without it a value waits for the
//! next time that a holder replicates it, an hour, while one after another of the nodes that
//! hold it goes.

use alloc::vec::Vec;

use crate::id::Id;
use crate::limits::{NEWCOMERS_LOOK, NEWCOMERS_PACE, ROUND_VALUES_MAX};
use crate::node::renewable::Renewable;
use crate::time::Instant;

/// The newcomers of one shard.
pub(crate) struct Newcomers {
    /// The contacts near this node when it was last looked.
    neighbours: Vec<Id>,
    /// Those of them that were new.
    new: Vec<Id>,
    /// Where to go on with the values, while they are gone through.
    at: Option<usize>,
    /// What was found for the newcomers so far.
    found: Vec<Renewable>,
    /// When to look, or to go on.
    next: Instant,
}

impl Newcomers {
    pub(super) fn new(now: Instant) -> Self {
        let (neighbours, new, found) = (Vec::new(), Vec::new(), Vec::new());
        Self { neighbours, new, at: None, found, next: now + NEWCOMERS_LOOK }
    }

    pub(crate) const fn next(&self) -> Instant {
        self.next
    }

    /// Where to go on with the values; none where it is to be looked for newcomers.
    pub(crate) const fn at(&self) -> Option<usize> {
        self.at
    }

    /// Whether a contact is new.
    pub(crate) fn is_new(&self, id: Id) -> bool {
        self.new.contains(&id)
    }

    /// Looks which of the contacts near this node are new. At the first look none is.
    pub(crate) fn look(&mut self, now: Instant, neighbours: Vec<Id>) {
        let is_first = self.neighbours.is_empty();
        let ids = neighbours.iter().copied();
        self.new = ids.filter(|id| !is_first && !self.neighbours.contains(id)).collect();
        self.neighbours = neighbours;
        self.at = (!self.new.is_empty()).then_some(0);
        self.next = now + if self.at.is_some() { NEWCOMERS_PACE } else { NEWCOMERS_LOOK };
    }

    /// Some of the values are for newcomers; it goes on at `at`. Returns what was found, when
    /// all are gone through or a round is full.
    pub(crate) fn found(
        &mut self,
        now: Instant,
        values: Vec<Renewable>,
        at: Option<usize>,
    ) -> Vec<Renewable> {
        self.found.extend(values);
        self.at = at;
        self.next = now + if at.is_some() { NEWCOMERS_PACE } else { NEWCOMERS_LOOK };
        if at.is_some() && self.found.len() < ROUND_VALUES_MAX / 2 {
            return Vec::new();
        }
        core::mem::take(&mut self.found)
    }
}

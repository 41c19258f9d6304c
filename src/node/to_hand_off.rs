//! The keys of what a departing node hands off, as the engines hand them on.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::id::Id;

/// The keys that are gathered so far, by how urgent they are, and where to go on.
#[derive(Debug, Default)]
pub(crate) struct ToHandOff {
    /// Of values put here that no other node is known to hold.
    pub(crate) unheld: VecDeque<Id>,
    /// Of replicas, those first whose turn comes first.
    pub(crate) replicas: VecDeque<Id>,
    /// Of values put here that others hold, by their keys, so that a round has values for the
    /// same nodes.
    pub(crate) held: VecDeque<Id>,
    /// The last of the values put here that was looked at.
    pub(crate) last: Option<Id>,
    /// How many are still to be gathered, at most.
    pub(crate) left: usize,
}

impl ToHandOff {
    /// Keys that are not taken, and at most so many more.
    pub(crate) fn len(&self) -> usize {
        self.left + self.unheld.len() + self.replicas.len() + self.held.len()
    }

    /// Takes the next `most` keys of the most urgent kind.
    pub(crate) fn take(&mut self, most: usize) -> Vec<Id> {
        let kinds = [&mut self.unheld, &mut self.replicas, &mut self.held];
        let kind = kinds.into_iter().find(|kind| !kind.is_empty());
        kind.map_or(Vec::new(), |kind| kind.drain(..most.min(kind.len())).collect())
    }
}

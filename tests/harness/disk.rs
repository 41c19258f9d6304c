//! A disk as tests have one: what a node has asked to keep, by key.
#![allow(dead_code)] // each of the tests that share it uses a part

use std::collections::BTreeMap;

use kad_node::id::Id;
use kad_node::node::{Change, HeldValue, JournalBatch, PublishedValue};

/// What lies on a disk: the values that a node is restarted with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) held: BTreeMap<Id, HeldValue>,
    pub(crate) published: BTreeMap<Id, PublishedValue>,
}

impl Content {
    /// Keeps a batch.
    pub(crate) fn keep(&mut self, batch: JournalBatch) {
        for change in batch.changes {
            self.apply(change);
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Held(held) => {
                // One of before has expired, which the disk knows by itself.
                self.held.insert(held.key, held);
            }
            Change::Renewed { key, expires, purpose } => {
                let held = self.held.get_mut(&key).expect("what is renewed is held");
                (held.expires, held.purpose) = (expires, purpose);
            }
            Change::Dropped { key } => drop(self.held.remove(&key)),
            Change::Published(published) => {
                self.published.insert(published.key, published);
            }
            Change::Rescheduled { key, republish, is_held } => {
                let published = self.published.get_mut(&key).expect("it was published");
                (published.republish, published.is_held) = (republish, is_held);
            }
            Change::Forgotten { key } => drop(self.published.remove(&key)),
        }
    }
}

//! Entries by key, in several hash tables.
//!
//! A table that grows moves all of its entries: of a million that takes 90 ms, in which nothing
//! is written. Several tables grow one by one, and each within milliseconds.

use std::collections::HashMap;

use super::Entry;
use crate::types::Key;

/// The hash tables.
const TABLES: usize = 64;

/// Entries by key. Which table has a key is in its first byte; a sender who chooses keys of
/// one table gets what one table costs.
#[derive(Debug)]
pub(super) struct Entries {
    tables: Vec<HashMap<Key, Entry>>,
}

impl Default for Entries {
    fn default() -> Self {
        Self { tables: (0..TABLES).map(|_| HashMap::new()).collect() }
    }
}

const fn table_of(key: &Key) -> usize {
    key[0] as usize % TABLES
}

impl Entries {
    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.tables[table_of(key)].get(key)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Entry> {
        self.tables[table_of(key)].get_mut(key)
    }

    pub(super) fn insert(&mut self, key: Key, entry: Entry) -> Option<Entry> {
        self.tables[table_of(&key)].insert(key, entry)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Entry> {
        self.tables[table_of(key)].remove(key)
    }

    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&Entry) -> bool) {
        for table in &mut self.tables {
            table.retain(|_, entry| is_kept(entry));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(HashMap::len).sum()
    }
}

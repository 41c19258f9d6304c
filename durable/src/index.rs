//! Where the record of each value that lives is.

mod entries;

use std::collections::BTreeMap;

use self::entries::Entries;
use crate::record::Body;
use crate::types::{Key, Purpose};

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// Values that were put here, and values that are held: a key may be in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Published,
    Held,
}

/// A value that lives, with the fields that later records have changed. Its date is in two
/// words, so that a million entries take 44 MB rather than 48.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    date: [u32; 2],
    pub(crate) purpose: Purpose,
}

impl Entry {
    const fn new(place: Place, date_ms: u64, purpose: Purpose) -> Self {
        Self { place, date: [(date_ms >> 32) as u32, date_ms as u32], purpose }
    }

    /// When its life ends, or when it is to be published again.
    pub(crate) const fn date_ms(&self) -> u64 {
        (self.date[0] as u64) << 32 | self.date[1] as u64
    }

    const fn set_date(&mut self, date_ms: u64) {
        self.date = [(date_ms >> 32) as u32, date_ms as u32];
    }
}

/// The records that live.
#[derive(Debug, Default)]
pub(crate) struct Index {
    published: Entries,
    held: Entries,
    contacts: Option<Place>,
    /// Bytes that live, by segment.
    live: BTreeMap<u32, u64>,
    live_bytes: u64,
}

impl Index {
    /// Takes note of a record at `place`.
    pub(crate) fn apply(&mut self, body: &Body, place: Place) {
        match *body {
            Body::Clock { .. } => {}
            Body::Publish { key, republish_ms, .. } => {
                let entry = Entry::new(place, republish_ms, Purpose::Replica);
                self.insert(Table::Published, key, entry);
            }
            Body::Republish { key, republish_ms } => {
                if let Some(entry) = self.published.get_mut(&key) {
                    entry.set_date(republish_ms);
                }
            }
            Body::Forget { key } => self.remove(Table::Published, &key),
            Body::Hold { key, expires_ms, purpose, .. } => {
                self.insert(Table::Held, key, Entry::new(place, expires_ms, purpose));
            }
            Body::Renew { key, expires_ms, purpose } => {
                if let Some(entry) = self.held.get_mut(&key) {
                    entry.set_date(expires_ms);
                    entry.purpose = purpose;
                }
            }
            Body::Evict { key } => self.remove(Table::Held, &key),
            Body::Contacts(_) => {
                let before = self.contacts.replace(place);
                self.dies(before);
                self.lives(place);
            }
        }
    }

    fn table(&mut self, table: Table) -> &mut Entries {
        match table {
            Table::Published => &mut self.published,
            Table::Held => &mut self.held,
        }
    }

    fn insert(&mut self, table: Table, key: Key, entry: Entry) {
        let before = self.table(table).insert(key, entry);
        self.dies(before.map(|entry| entry.place));
        self.lives(entry.place);
    }

    pub(crate) fn remove(&mut self, table: Table, key: &Key) {
        let before = self.table(table).remove(key);
        self.dies(before.map(|entry| entry.place));
    }

    /// The record of `key` has been copied from `from` to `to`, unless it has changed since.
    pub(crate) fn moved(&mut self, table: Table, key: &Key, from: Place, to: Place) {
        if let Some(entry) = self.table(table).get_mut(key)
            && entry.place == from
        {
            entry.place = to;
            self.dies(Some(from));
            self.lives(to);
        }
    }

    /// The same for the contacts.
    pub(crate) fn contacts_moved(&mut self, from: Place, to: Place) {
        if self.contacts == Some(from) {
            self.contacts = Some(to);
            self.dies(Some(from));
            self.lives(to);
        }
    }

    fn lives(&mut self, place: Place) {
        *self.live.entry(place.segment).or_default() += u64::from(place.length);
        self.live_bytes += u64::from(place.length);
    }

    fn dies(&mut self, place: Option<Place>) {
        let Some(place) = place else { return };
        if let Some(live) = self.live.get_mut(&place.segment) {
            *live -= u64::from(place.length);
            if *live == 0 {
                self.live.remove(&place.segment);
            }
        }
        self.live_bytes -= u64::from(place.length);
    }

    /// The entry of the record at this place, if it lives.
    pub(crate) fn at(&self, table: Table, key: &Key, segment: u32, offset: u32) -> Option<&Entry> {
        let entry = match table {
            Table::Published => self.published.get(key),
            Table::Held => self.held.get(key),
        }?;
        (entry.place.segment == segment && entry.place.offset == offset).then_some(entry)
    }

    pub(crate) fn contacts_at(&self, segment: u32, offset: u32) -> Option<Place> {
        self.contacts.filter(|place| place.segment == segment && place.offset == offset)
    }

    /// Drops what has expired.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        self.drop_where(|table, entry| table == Table::Held && entry.date_ms() <= now_ms);
    }

    /// Drops what is left of a segment that goes, and says how many that were.
    pub(crate) fn drop_segment(&mut self, segment: u32) -> usize {
        let before = self.values();
        self.drop_where(|_, entry| entry.place.segment == segment);
        if let Some(place) = self.contacts.take_if(|place| place.segment == segment) {
            self.dies(Some(place));
        }
        before - self.values()
    }

    fn drop_where(&mut self, mut dropped: impl FnMut(Table, &Entry) -> bool) {
        let mut places = Vec::new();
        for (table, entries) in
            [(Table::Published, &mut self.published), (Table::Held, &mut self.held)]
        {
            entries.retain(|entry| {
                let is_dropped = dropped(table, entry);
                if is_dropped {
                    places.push(entry.place);
                }
                !is_dropped
            });
        }
        for place in places {
            self.dies(Some(place));
        }
    }

    pub(crate) fn live_in(&self, segment: u32) -> u64 {
        self.live.get(&segment).copied().unwrap_or_default()
    }

    pub(crate) const fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    pub(crate) fn values(&self) -> usize {
        self.published.len() + self.held.len()
    }
}

//! What a folder should contain, and changes to try.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use crate::clock::Clocks;
use crate::disk::FaultyDisk;
use crate::folder::{Contents, Folder, Options};
use crate::types::{Change, Contact, Held, Key, Published, Purpose, SyncPolicy, key_of};

/// The wall clock at which tests begin, in ms.
pub(super) const START_MS: u64 = 1_700_000_000_000;
pub(super) const HOUR_MS: u64 = 3_600_000;

/// Clocks that stand until a test moves them.
#[derive(Debug)]
pub(super) struct Hands {
    running_ms: AtomicU64,
    wall_ms: AtomicU64,
}

impl Hands {
    pub(super) fn at(wall_ms: u64) -> Arc<Self> {
        Arc::new(Self { running_ms: AtomicU64::new(5), wall_ms: AtomicU64::new(wall_ms) })
    }

    /// So much time passes for both clocks.
    pub(super) fn pass(&self, ms: u64) {
        self.running_ms.fetch_add(ms, Ordering::Relaxed);
        self.wall_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clocks for Hands {
    fn running(&self) -> Duration {
        Duration::from_millis(self.running_ms.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::Relaxed)
    }
}

pub(super) fn options(sync: SyncPolicy, clocks: Arc<Hands>) -> Options {
    Options { sync, life_max: Duration::from_hours(24), clocks }
}

/// Opens what is on `disk` at the time at which tests begin.
pub(super) fn open(disk: &FaultyDisk, sync: SyncPolicy) -> (Folder, Contents) {
    open_at(disk, sync, START_MS)
}

pub(super) fn open_at(disk: &FaultyDisk, sync: SyncPolicy, wall_ms: u64) -> (Folder, Contents) {
    let options = options(sync, Hands::at(wall_ms));
    Folder::open_on(Arc::new(disk.clone()), &options).expect("a folder")
}

/// The value of this number.
pub(super) fn value(number: u8, bytes: usize) -> Arc<[u8]> {
    (0..bytes).map(|index| (index as u8).wrapping_mul(31) ^ number).collect()
}

pub(super) fn hold(number: u8, life_ms: u64) -> Change {
    let value = value(number, 100);
    let source = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)));
    let (key, expires_ms) = (key_of(&value), START_MS + life_ms);
    Change::Hold(Held { key, value, expires_ms, purpose: Purpose::Replica, source })
}

pub(super) fn publish(number: u8, republish_ms: u64) -> Change {
    let value = value(number, 100);
    Change::Publish(Published { key: key_of(&value), value, republish_ms })
}

/// A change of one of a few values, so that they meet.
pub(super) fn any_change() -> impl Strategy<Value = Change> {
    let date = (1..20u64).prop_map(|hours| START_MS + hours * HOUR_MS);
    let purpose = prop_oneof![Just(Purpose::Replica), Just(Purpose::Cache)];
    (0..8usize, 0..12u8, date, purpose).prop_map(|(kind, number, date, purpose)| {
        let value = value(number, usize::from(number) * 20);
        let key = key_of(&value);
        match kind {
            0 => Change::Publish(Published { key, value, republish_ms: date }),
            1 => Change::Republish { key, republish_ms: date },
            2 => Change::Forget { key },
            3 | 4 => {
                let source = (number % 3 > 0).then(|| IpAddr::from([number; 16]));
                Change::Hold(Held { key, value, expires_ms: date, purpose, source })
            }
            5 => Change::Renew { key, expires_ms: date, purpose },
            6 => Change::Evict { key },
            _ => Change::Contacts(contacts(number)),
        }
    })
}

pub(super) fn contacts(count: u8) -> Vec<Contact> {
    let contact = |index: u8| Contact {
        id: [index; 20],
        address: SocketAddr::from(([10, 1, 1, index], 9000 + u16::from(index))),
    };
    (0..count).map(contact).collect()
}

type ModelHeld = (Arc<[u8]>, u64, bool, Option<IpAddr>);

/// What a folder contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) published: BTreeMap<Key, (Arc<[u8]>, u64)>,
    /// Value, end of life, whether it is a cached copy, source.
    pub(super) held: BTreeMap<Key, ModelHeld>,
    contacts: Vec<(Key, SocketAddr)>,
}

impl Model {
    fn after(changes: &[Change]) -> Self {
        let mut model = Self::default();
        model.apply_all(changes);
        model
    }

    pub(super) fn apply_all(&mut self, changes: &[Change]) {
        for change in changes {
            self.apply(change);
        }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        let is_cache = |purpose| purpose == Purpose::Cache;
        match change.clone() {
            Change::Publish(it) => {
                self.published.insert(it.key, (it.value, it.republish_ms));
            }
            Change::Republish { key, republish_ms } => {
                self.published.entry(key).and_modify(|entry| entry.1 = republish_ms);
            }
            Change::Forget { key } => drop(self.published.remove(&key)),
            Change::Hold(it) => {
                let entry = (it.value, it.expires_ms, is_cache(it.purpose), it.source);
                self.held.insert(it.key, entry);
            }
            Change::Renew { key, expires_ms, purpose } => {
                self.held.entry(key).and_modify(|entry| {
                    entry.1 = expires_ms;
                    entry.2 = is_cache(purpose);
                });
            }
            Change::Evict { key } => drop(self.held.remove(&key)),
            Change::Contacts(contacts) => {
                self.contacts =
                    contacts.iter().map(|contact| (contact.id, contact.address)).collect();
            }
        }
    }

    pub(super) fn of(contents: &Contents) -> Self {
        let mut changes = vec![Change::Contacts(contents.contacts.clone())];
        changes.extend(contents.published.iter().cloned().map(Change::Publish));
        changes.extend(contents.held.iter().cloned().map(Change::Hold));
        Self::after(&changes)
    }

    /// What one finds on a disk.
    pub(super) fn on(disk: &FaultyDisk) -> Self {
        Self::of(&open(disk, SyncPolicy::Off).1)
    }
}

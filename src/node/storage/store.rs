//! Values stored for others: bounded, expiring, and fair between their sources.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use super::keyed_map::{IdMap, Keyed};
use crate::id::Id;
use crate::limits::{
    KEYS_SHOWN_MAX, PIECE_BYTES_MAX, SHARDS_MAX, SOURCES_SHOWN_MAX, STORE_BYTES_MIN,
    VALUE_OVERHEAD_BYTES,
};
use crate::node::journal::HeldValue;
use crate::node::view::{Holding, SourceView, ValuesView};
use crate::time::Instant;
use crate::wire::Purpose;

/// The sender that had a value stored: the unit of fairness. Of an IPv6 address the first
/// 64 bits count, for one host has all the others to choose from; of one that
/// stands for an IPv4 address, as a socket of both families has it, that address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// This node itself: copies of what it was asked to find.
    Own,
    Peer(IpAddr),
}

impl Source {
    pub(crate) fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip @ IpAddr::V4(_) => Self::Peer(ip),
            IpAddr::V6(ip) => {
                let network = u128::from(ip) >> 64 << 64;
                Self::Peer(IpAddr::V6(Ipv6Addr::from(network)))
            }
        }
    }

    const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Own => None,
            Self::Peer(ip) => Some(ip),
        }
    }
}

/// A stored value.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) value: Arc<[u8]>,
    pub(crate) expires: Instant,
    pub(crate) purpose: Purpose,
    source: Source,
    /// None of a cached copy.
    pub(crate) replication: Option<Replication>,
}

impl Held {
    fn eviction(&self) -> Eviction {
        Eviction::new(self.purpose, self.expires)
    }

    /// What is kept of it on a disk.
    pub(crate) fn restorable(&self, key: Id) -> HeldValue {
        let Self { value, expires, purpose, .. } = self;
        let source = self.source.ip();
        HeldValue { key, value: Arc::clone(value), expires: *expires, purpose: *purpose, source }
    }
}

/// In which order the values of one source are evicted: cached copies before replicas,
/// then the one whose life ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Eviction {
    is_replica: bool,
    expires: Instant,
}

impl Eviction {
    fn new(purpose: Purpose, expires: Instant) -> Self {
        Self { is_replica: purpose == Purpose::Replica, expires }
    }
}

/// There is no room for a value: it alone exceeds the limits, or its source holds the
/// largest part already and nothing that goes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreFull;

/// How long a value lives, and when to replicate it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) expires: Instant,
    pub(crate) replication: Replication,
}

/// When to replicate a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replication {
    /// Unless it is stored anew before (Kademlia 2.5).
    pub(crate) due: Instant,
    /// However often it is stored anew.
    pub(crate) latest: Instant,
}

/// Values by key, indexed by the end of their life, by their source, and by when
/// they are to be replicated.
pub(crate) struct Store {
    bytes_max: usize,
    values_max: usize,
    bytes: usize,
    values: IdMap<Held>,
    expiries: BTreeSet<(Instant, Id)>,
    replications: BTreeSet<(Instant, Id)>,
    sources: BTreeMap<Source, Share>,
    heaviest: BTreeSet<(usize, Source)>,
}

/// What one source has stored.
#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    evictions: BTreeSet<(Eviction, Id)>,
}

const _: () = assert!(
    STORE_BYTES_MIN / SHARDS_MAX >= PIECE_BYTES_MAX + VALUE_OVERHEAD_BYTES,
    "the smallest part of the smallest store holds any value of one datagram"
);

impl Store {
    pub(crate) fn new(bytes_max: usize, values_max: usize, hash: Keyed) -> Self {
        Self {
            bytes_max,
            values_max,
            bytes: 0,
            values: IdMap::with_hasher(hash),
            expiries: BTreeSet::new(),
            replications: BTreeSet::new(),
            sources: BTreeMap::new(),
            heaviest: BTreeSet::new(),
        }
    }

    pub(crate) fn held(&self, key: Id) -> Option<&Held> {
        self.values.get(&key)
    }

    /// How many values are held.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// What they weigh, in bytes, overhead included.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is held, for show: some of its keys, and its largest sources.
    pub(crate) fn view(&self) -> ValuesView {
        let largest = self.heaviest.iter().rev().take(SOURCES_SHOWN_MAX);
        let view = |&(bytes, source): &(usize, Source)| SourceView {
            source: source.ip(),
            values: self.sources[&source].evictions.len() as u64,
            bytes: bytes as u64,
        };
        let kept = self.expiries.iter().take(KEYS_SHOWN_MAX);
        let holding = |key: Id| match self.values[&key].purpose {
            Purpose::Replica => Holding::Replica,
            Purpose::Cache => Holding::Cached,
        };
        ValuesView {
            bytes: self.bytes as u64,
            bytes_max: self.bytes_max as u64,
            published: 0,
            replicas: self.replications.len() as u64,
            cached: (self.values.len() - self.replications.len()) as u64,
            keys: kept.map(|&(_, key)| (key, holding(key))).collect(),
            sources: largest.map(view).collect(),
            sources_left_out: self.sources.len().saturating_sub(SOURCES_SHOWN_MAX) as u64,
        }
    }

    /// Stores a value that hashes to `key`, or lengthens its life. Returns the values that
    /// were evicted for it: of the heaviest source first, where there is no room.
    pub(crate) fn store(
        &mut self,
        key: Id,
        value: impl AsRef<[u8]> + Into<Arc<[u8]>>,
        source: Source,
        purpose: Purpose,
        life: Life,
    ) -> Result<Vec<Id>, StoreFull> {
        if self.renew(key, purpose, life) {
            return Ok(Vec::new());
        }
        let weight = value.as_ref().len() + VALUE_OVERHEAD_BYTES;
        if weight > self.bytes_max || self.values_max == 0 {
            return Err(StoreFull);
        }
        let new = Eviction::new(purpose, life.expires);
        let evicted = self.make_room(weight, source, new)?;
        self.insert(
            key,
            Held {
                value: value.into(),
                expires: life.expires,
                purpose,
                source,
                replication: (purpose == Purpose::Replica).then_some(life.replication),
            },
        );
        Ok(evicted)
    }

    /// Whether a value of so many bytes may find room: whether its source would not have more
    /// by it than any other, while others would have to make way.
    pub(crate) fn may_hold(&self, value_bytes: usize, source: Source) -> bool {
        let weight = value_bytes + VALUE_OVERHEAD_BYTES;
        let own = self.sources.get(&source).map_or(0, |share| share.bytes);
        let heaviest = self.heaviest.last().map_or(0, |&(bytes, _)| bytes);
        weight <= self.bytes_max
            && self.values_max > 0
            && (self.bytes - own + weight <= self.bytes_max || weight <= heaviest)
    }

    /// Evicts values, of the heaviest source first, until one of this weight has room. A
    /// source that would be the heaviest with it makes way itself: one large value must not
    /// push out many small ones of others. Where there is no room so, nothing is evicted.
    fn make_room(
        &mut self,
        weight: usize,
        source: Source,
        new: Eviction,
    ) -> Result<Vec<Id>, StoreFull> {
        let mut evicted: Vec<(Id, Held)> = Vec::new();
        while self.bytes + weight > self.bytes_max || self.values.len() == self.values_max {
            let Some(victim) = self.next_victim(weight, source, new) else {
                for (key, held) in evicted {
                    self.insert(key, held);
                }
                return Err(StoreFull);
            };
            evicted.extend(self.remove(victim).map(|held| (victim, held)));
        }
        Ok(evicted.into_iter().map(|(key, _)| key).collect())
    }

    fn next_victim(&self, weight: usize, source: Source, new: Eviction) -> Option<Id> {
        let &(heaviest_bytes, heaviest) = self.heaviest.last()?;
        let own = self.sources.get(&source).map_or(0, |share| share.bytes);
        let pays = if own + weight > heaviest_bytes { source } else { heaviest };
        let &(eviction, first) = self.sources.get(&pays)?.evictions.first()?;
        (pays != source || eviction < new).then_some(first)
    }

    /// Lengthens the life of a value that is held: it never becomes shorter, and
    /// a replica never becomes a cached copy.
    pub(crate) fn renew(&mut self, key: Id, purpose: Purpose, life: Life) -> bool {
        let Some(mut held) = self.remove(key) else {
            return false;
        };
        held.expires = held.expires.max(life.expires);
        if purpose == Purpose::Replica {
            held.purpose = Purpose::Replica;
            held.replication = Some(life.replication);
        }
        self.insert(key, held);
        true
    }

    /// Turns a replica into a cached copy. Its life stays as it is: that K closer nodes
    /// hold the value, they alone say.
    pub(crate) fn demote(&mut self, key: Id) {
        if let Some(mut held) = self.remove(key) {
            held.purpose = Purpose::Cache;
            held.replication = None;
            self.insert(key, held);
        }
    }

    /// When the next value's life ends.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|&(expires, _)| expires)
    }

    /// Drops what has expired at `now`, at most `most` values, and says how many
    /// that were.
    pub(crate) fn expire(&mut self, now: Instant, most: usize) -> usize {
        let mut expired = 0;
        while expired < most
            && let Some(&(expires, key)) = self.expiries.first()
            && expires <= now
        {
            self.remove(key);
            expired += 1;
        }
        expired
    }

    /// When the next replica is to be replicated.
    pub(crate) fn next_replication(&self) -> Option<Instant> {
        self.replications.first().map(|&(due, _)| due)
    }

    /// The keys of the replicas, in the order in which they are to be replicated.
    pub(crate) fn replicas_in_turn(&self) -> impl Iterator<Item = Id> {
        self.replications.iter().map(|&(_, key)| key)
    }

    /// The next replica due at `now`; its next turn comes at `again`.
    pub(crate) fn take_replication(
        &mut self,
        now: Instant,
        again: Replication,
    ) -> Option<(Id, Held)> {
        let (due, key) = *self.replications.first()?;
        if due > now {
            return None;
        }
        let mut held = self.remove(key)?;
        held.replication = Some(again);
        self.insert(key, held.clone());
        Some((key, held))
    }

    fn insert(&mut self, key: Id, held: Held) {
        let weight = held.value.len() + VALUE_OVERHEAD_BYTES;
        self.bytes += weight;
        self.expiries.insert((held.expires, key));
        if let Some(Replication { due, .. }) = held.replication {
            self.replications.insert((due, key));
        }
        let share = self.sources.entry(held.source).or_default();
        self.heaviest.remove(&(share.bytes, held.source));
        share.bytes += weight;
        share.evictions.insert((held.eviction(), key));
        self.heaviest.insert((share.bytes, held.source));
        let before = self.values.insert(key, held);
        assert!(before.is_none(), "a value is removed before it is put back");
    }

    fn remove(&mut self, key: Id) -> Option<Held> {
        let held = self.values.remove(&key)?;
        let weight = held.value.len() + VALUE_OVERHEAD_BYTES;
        self.bytes -= weight;
        self.expiries.remove(&(held.expires, key));
        if let Some(Replication { due, .. }) = held.replication {
            self.replications.remove(&(due, key));
        }
        let share = self.sources.get_mut(&held.source).expect("every value counts in a share");
        self.heaviest.remove(&(share.bytes, held.source));
        share.bytes -= weight;
        share.evictions.remove(&(held.eviction(), key));
        if share.evictions.is_empty() {
            self.sources.remove(&held.source);
        } else {
            self.heaviest.insert((share.bytes, held.source));
        }
        Some(held)
    }
}

/// The life of a copy where `closer` nodes are nearer to the key than this one:
/// half as long for each of them (Kademlia 2.3), within `least` and `most`.
pub(crate) fn cache_life(most: Duration, closer: usize, least: Duration) -> Duration {
    let halvings = u32::try_from(closer).unwrap_or(u32::MAX).min(31);
    (most / (1 << halvings)).max(least).min(most)
}

#[cfg(test)]
mod tests;

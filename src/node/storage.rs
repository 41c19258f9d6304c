//! The values that the node holds: those that were put here, and those of others.

mod keyed_map;
mod published;
mod store;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::command::Forgotten;
use super::effect::{PublishReason, QueryKind, Turn};
use crate::id::Id;
use crate::limits::{CACHE_LIFE_MIN, REPLICATE};
use crate::time::Instant;
use crate::wire::Purpose;
use keyed_map::Keyed;
use published::Published;

pub(crate) use published::Full;
pub(crate) use store::{Held, Life, Source, Store, StoreFull, cache_life};

/// The values of one shard.
pub(crate) struct Storage {
    /// Put here.
    pub(crate) published: Published,
    /// Stored for others.
    pub(crate) store: Store,
}

impl Storage {
    pub(crate) fn new(turn: &mut Turn) -> Self {
        let hash = Keyed::new(turn.rng.bytes());
        let (bytes_max, values_max) = (turn.config.store_bytes_max, turn.config.store_values_max);
        let published = Published::new(hash.clone());
        Self { published, store: Store::new(bytes_max, values_max, hash) }
    }

    /// The value of `key`, wherever it came from.
    pub(crate) fn value(&self, key: Id) -> Option<&Arc<[u8]>> {
        self.published.value(key).or_else(|| self.store.held(key).map(|held| &held.value))
    }

    /// Whether the value of `key` was put here or is held as a replica.
    pub(crate) fn keeps_alive(&self, key: Id) -> bool {
        let is_replica = |held: &Held| held.purpose == Purpose::Replica;
        self.published.value(key).is_some() || self.store.held(key).is_some_and(is_replica)
    }

    /// Keeps a value that is put here.
    pub(crate) fn publish(
        &mut self,
        turn: &mut Turn,
        key: Id,
        value: Arc<[u8]>,
    ) -> Result<(), Full> {
        let republish = turn.now + turn.rng.jitter(turn.config.republish);
        self.published.put(key, value, republish)
    }

    /// Stops republishing a value; what is left is a replica like any other.
    pub(crate) fn forget(&mut self, turn: &mut Turn, key: Id) -> Forgotten {
        let Some(value) = self.published.forget(key) else {
            return Forgotten::Unknown;
        };
        let replicate = turn.now + turn.rng.jitter(REPLICATE);
        let life = Life { expires: turn.now + turn.config.expire, replicate };
        let stored = self.store.store(key, &value, Source::Own, Purpose::Replica, life);
        turn.stats.values_evicted += stored.unwrap_or(0);
        Forgotten::Forgotten
    }

    /// Keeps a copy of what a get has found, where `closer` contacts are closer to the key
    /// than this node.
    pub(crate) fn cache(
        &mut self,
        turn: &mut Turn,
        key: Id,
        value: &[u8],
        life: Duration,
        closer: usize,
    ) {
        let expires = turn.now + cache_life(life, closer, CACHE_LIFE_MIN);
        // A cached copy is not replicated, so that date does not matter.
        let life = Life { expires, replicate: expires };
        let stored = self.store.store(key, value, Source::Own, Purpose::Cache, life);
        turn.stats.values_evicted += stored.unwrap_or(0);
    }

    /// Turns a replica into a cached copy: K closer nodes hold the value.
    pub(crate) fn demote(&mut self, turn: &Turn, key: Id) {
        let life = cache_life(turn.config.expire, turn.config.k, CACHE_LIFE_MIN);
        self.store.demote(key, turn.now + life);
    }

    /// When the next value is to be published again.
    pub(crate) fn next_publish(&self) -> Option<Instant> {
        let times = [self.published.next_republish(), self.store.next_replication()];
        times.into_iter().flatten().min()
    }

    /// The next value that is to be published again now: of this node's own first.
    pub(crate) fn due_publish(&mut self, turn: &mut Turn) -> Option<(Id, QueryKind)> {
        let again = turn.now + turn.rng.jitter(turn.config.republish);
        if let Some((key, value)) = self.published.take_due(turn.now, again) {
            let (life, reason) = (turn.config.expire, PublishReason::Republish);
            return Some((key, QueryKind::Publish { value, life, reason }));
        }
        let again = turn.now + turn.rng.jitter(REPLICATE);
        let (key, held) = self.store.take_replication(turn.now, again)?;
        let (life, reason) = (held.expires.since(turn.now), PublishReason::Replicate);
        Some((key, QueryKind::Publish { value: held.value, life, reason }))
    }

    /// The keys of the values that a departing node hands off, the most urgent last.
    pub(crate) fn to_hand_off(&self) -> Vec<Id> {
        let is_published = |key: &Id| self.published.value(*key).is_some();
        let replicas = self.store.replicas_in_turn().filter(|key| !is_published(key));
        let unheld = self.published.keys().filter(|&key| !self.published.is_held(key));
        let held = self.published.keys().filter(|&key| self.published.is_held(key));
        let mut keys: Vec<Id> = unheld.chain(replicas).chain(held).collect();
        keys.reverse();
        keys
    }

    /// The query that hands off a value, if it has not ended meanwhile: with what is left
    /// of its life, or as much as republishing gives it.
    pub(crate) fn hand_off(&self, turn: &Turn, key: Id) -> Option<QueryKind> {
        let reason = PublishReason::Depart;
        if let Some(value) = self.published.value(key) {
            let (value, life) = (Arc::clone(value), turn.config.expire);
            return Some(QueryKind::Publish { value, life, reason });
        }
        let held = self.store.held(key)?;
        let (value, life) = (Arc::clone(&held.value), held.expires.since(turn.now));
        Some(QueryKind::Publish { value, life, reason })
    }
}

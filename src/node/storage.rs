//! The values that the node holds: those that were put here, and those of others.

mod chunked;
mod gathering;
mod heap;
mod held;
mod index;
mod keyed;
mod own_turn;
mod published;
mod share;
mod shares;
mod slab;
mod source;
mod store;
mod upkeep;

use alloc::sync::Arc;
use core::time::Duration;

use super::command::Forgotten;
use super::effect::Turn;
use super::journal::{Change, HeldValue, PublishedValue};
use super::renewable::Renewable;
use super::view::{Holding, ValuesView};
use crate::id::Id;
use crate::limits::{CACHE_LIFE_MIN, KEYS_SHOWN_MAX, REPLICATE};
use crate::wire::Purpose;
use held::{Held, Replication};
use keyed::Keyed;
use own_turn::OwnTurn;
use published::Published;

pub(crate) use held::Terms;
pub(crate) use published::Full;
pub(crate) use source::Source;
pub(crate) use store::{Store, StoreFull, cache_life};

/// The values of one shard.
pub(crate) struct Storage {
    /// Put here.
    pub(crate) published: Published,
    /// Stored for others.
    pub(crate) store: Store,
    /// Whether values were restored and the node has not joined since: then nothing is
    /// published again.
    awaits_join: bool,
    own_turn: OwnTurn,
}

impl Storage {
    pub(crate) fn new(turn: &mut Turn) -> Self {
        let hash = Keyed::new(turn.rng.bytes());
        let (bytes_max, values_max) = (turn.config.store_bytes_max, turn.config.store_values_max);
        let published = Published::new(hash.clone());
        let store = Store::new(bytes_max, values_max, hash);
        Self { published, store, awaits_join: false, own_turn: OwnTurn::new(turn) }
    }

    /// The value of `key`, wherever it came from.
    pub(crate) fn value(&self, key: Id) -> Option<&Arc<[u8]>> {
        self.published.value(key).or_else(|| self.store.held(key).map(|held| &held.value))
    }

    /// The same, with what is left of its life, or as much as republishing gives it.
    pub(crate) fn value_and_life(&self, turn: &Turn, key: Id) -> Option<(&Arc<[u8]>, Duration)> {
        let published = self.published.value(key).map(|value| (value, turn.config.expire));
        published.or_else(|| {
            let held = self.store.held(key)?;
            Some((&held.value, held.expires.since(turn.now)))
        })
    }

    /// What is held, for show.
    pub(crate) fn view(&self) -> ValuesView {
        let mut view = self.store.view();
        view.published = self.published.len() as u64;
        let published = self.published.keys().take(KEYS_SHOWN_MAX);
        view.keys.extend(published.map(|key| (key, Holding::Published)));
        view
    }

    /// Whether the value of `key` was put here or is held as a replica.
    pub(crate) fn keeps_alive(&self, key: Id) -> bool {
        self.published.value(key).is_some() || self.store.held(key).is_some_and(Held::is_replica)
    }

    /// Keeps a value that is put here.
    pub(crate) fn publish(
        &mut self,
        turn: &mut Turn,
        key: Id,
        value: Arc<[u8]>,
    ) -> Result<(), Full> {
        let republish = turn.now + turn.rng.jitter(turn.config.republish);
        self.published.put(key, Arc::clone(&value), republish)?;
        turn.journal
            .write(|| Change::Published(PublishedValue { key, value, republish, is_held: false }));
        Ok(())
    }

    /// Keeps a value that was put here before the node was restarted.
    pub(crate) fn restore_published(&mut self, turn: &mut Turn, restored: PublishedValue) -> bool {
        let PublishedValue { key, value, republish, is_held } = restored;
        let republish = if republish > turn.now {
            republish
        } else {
            let period_us = turn.config.republish.as_micros() as u64;
            turn.now + Duration::from_micros(turn.rng.below(period_us.max(1)))
        };
        let is_restored = self.published.put(key, value, republish).is_ok();
        if is_restored {
            self.published.stored(key, usize::from(is_held));
            turn.stats.values_restored += 1;
            self.awaits_join = true;
        }
        is_restored
    }

    /// Keeps a value that was held for others before the node was restarted.
    pub(crate) fn restore_held(&mut self, turn: &mut Turn, restored: HeldValue) -> bool {
        let HeldValue { key, value, expires, purpose, source } = restored;
        let replication = self.replication(turn, None);
        let source = source.map_or(Source::Own, Source::of_ip);
        // Until it is stored anew: the routing table is not back yet.
        let terms = Terms { source, ..Terms::own(purpose, expires) };
        let note_evicted = |key| note_evicted(turn, key);
        if self.store.store((key, value), terms, replication, note_evicted).is_err() {
            return false;
        }
        turn.stats.values_restored += 1;
        self.awaits_join = true;
        true
    }

    /// Holds a value for others, or lengthens its life.
    pub(crate) fn hold(
        &mut self,
        turn: &mut Turn,
        value: (Id, impl AsRef<[u8]> + Into<Arc<[u8]>>),
        terms: Terms,
    ) -> Result<(), StoreFull> {
        let key = value.0;
        let known = self.store.held(key);
        let is_known = known.is_some();
        let before = known.and_then(Held::replication);
        let replication = self.replication_on(turn, terms, before);
        self.store.store(value, terms, replication, |key| note_evicted(turn, key))?;
        if is_known {
            self.write_renewed(turn, key);
        } else if turn.journal.is_on()
            && let Some(held) = self.store.restorable(key)
        {
            turn.journal.write(|| Change::Held(held));
        }
        Ok(())
    }

    /// Lengthens the life of a value, and says whether it is held.
    pub(crate) fn renew(&mut self, turn: &mut Turn, key: Id, terms: Terms) -> bool {
        if self.published.value(key).is_some() {
            return true;
        }
        let Some(known) = self.store.held(key) else { return false };
        let before = known.replication();
        let replication = self.replication_on(turn, terms, before);
        self.store.renew(key, terms, replication);
        self.write_renewed(turn, key);
        true
    }

    /// Writes the life and the purpose of a held value into the journal.
    fn write_renewed(&self, turn: &mut Turn, key: Id) {
        if turn.journal.is_on()
            && let Some(held) = self.store.held(key)
        {
            let (expires, purpose) = (held.expires, held.purpose());
            turn.journal.write(|| Change::Renewed { key, expires, purpose });
        }
    }

    /// Notes how many other nodes hold a value that was put here.
    pub(crate) fn stored(&mut self, turn: &mut Turn, key: Id, holders: usize) {
        let was_held = self.published.is_held(key);
        self.published.stored(key, holders);
        if was_held != (holders > 0) {
            self.write_rescheduled(turn, key);
        }
    }

    fn write_rescheduled(&self, turn: &mut Turn, key: Id) {
        if let Some(republish) = self.published.republish(key) {
            let is_held = self.published.is_held(key);
            turn.journal.write(|| Change::Rescheduled { key, republish, is_held });
        }
    }

    /// The node has joined: what was put while it was alone is to be stored on others.
    pub(crate) fn joined(&mut self) {
        self.awaits_join = false;
        self.published.begin_hastening();
    }

    /// Stops republishing a value; what is left is a replica like any other.
    pub(crate) fn forget(&mut self, turn: &mut Turn, key: Id) -> Forgotten {
        let Some(value) = self.published.forget(key) else {
            return Forgotten::Unknown;
        };
        turn.journal.write(|| Change::Forgotten { key });
        let terms = Terms::own(Purpose::Replica, turn.now + turn.config.expire);
        // Where there is no room for it, others hold it.
        let _ = self.hold(turn, (key, value), terms);
        Forgotten::Forgotten
    }

    /// Keeps a copy of what a get has found, where `closer` contacts are closer to the key
    /// than this node.
    pub(crate) fn cache(
        &mut self,
        turn: &mut Turn,
        key: Id,
        value: Arc<[u8]>,
        life: Duration,
        closer: usize,
    ) {
        let expires = turn.now + cache_life(life, closer, CACHE_LIFE_MIN);
        if turn.journal.has_room(value.len()) {
            let terms = Terms::own(Purpose::Cache, expires);
            // Where there is no room for it, others hold it.
            let _ = self.hold(turn, (key, value), terms);
        }
    }

    /// Turns a replica into a cached copy: K closer nodes say that they hold the value.
    pub(crate) fn demote(&mut self, turn: &mut Turn, key: Id) {
        self.store.demote(key);
        self.write_renewed(turn, key);
    }

    /// A value that is handed off, if it has not ended meanwhile: with what is left of its
    /// life, or as much as republishing gives it.
    pub(crate) fn renewable(&self, turn: &Turn, key: Id) -> Option<Renewable> {
        let (value, life) = self.value_and_life(turn, key)?;
        Some(Renewable { key, value: Arc::clone(value), expires: turn.now + life })
    }

    /// When to replicate a value that is stored or renewed on these terms: none but those of one
    /// that does the same postpone it.
    fn replication_on(
        &mut self,
        turn: &mut Turn,
        terms: Terms,
        before: Option<Replication>,
    ) -> Replication {
        match before {
            Some(before) if !terms.is_for_all => before,
            _ => self.replication(turn, before),
        }
    }

    /// When to replicate a value that is stored now: in a period, but no later than it could
    /// be postponed `before`.
    fn replication(&mut self, turn: &mut Turn, before: Option<Replication>) -> Replication {
        let due = turn.now + turn.rng.jitter(REPLICATE);
        let latest = match before {
            Some(before) => before.latest,
            None => self.own_turn.after(turn, due),
        };
        Replication { due: due.min(latest), latest }
    }
}

/// Counts a value that was evicted, and drops it from the journal.
fn note_evicted(turn: &mut Turn, key: Id) {
    turn.stats.values_evicted += 1;
    turn.journal.write(|| Change::Dropped { key });
}

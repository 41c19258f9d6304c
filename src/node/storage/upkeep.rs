//! Which values are to be renewed on other nodes, and when.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::Storage;
use super::held::Held;
use crate::id::Id;
use crate::limits::{NEWCOMERS_VALUES, RENEW_AGAIN, RENEW_AHEAD, REPLICATE, ROUND_VALUES_MAX};
use crate::node::effect::Turn;
use crate::node::renewable::{Renewable, steer_order};
use crate::node::stats::Stats;
use crate::time::Instant;

impl Storage {
    /// When the next of the values that were put here is to be republished, or hastened.
    pub(crate) fn next_republish(&self) -> Option<Instant> {
        if self.published.is_hastening() {
            return Some(Instant::ZERO);
        }
        self.published.next_republish().filter(|_| !self.awaits_join)
    }

    /// When the next replica is to be replicated.
    pub(crate) fn next_replication(&self) -> Option<Instant> {
        self.store.next_replication().filter(|_| !self.awaits_join)
    }

    /// The counters, and the gauges of what is held and of what is to be renewed.
    pub(crate) fn stats(&self, turn: &Turn) -> Stats {
        let (republish, now) = (turn.config.republish, turn.now);
        let overdue = self.published.count_due(|due| now.since(due) > republish)
            + self.store.count_due(|due| now.since(due) > REPLICATE);
        let republish_next = self.published.next_republish().filter(|_| !self.awaits_join);
        let first = [republish_next, self.next_replication()].into_iter().flatten().min();
        Stats {
            values: self.store.len() as u64,
            value_bytes: self.store.bytes() as u64,
            values_published: self.published.len() as u64,
            values_overdue: overdue as u64,
            renewal_wait_us: first.map_or(0, |due| now.since(due).as_micros() as u64),
            ..turn.stats.clone()
        }
    }

    /// The value that was put here, and is to be republished first, where it is due. Hastens
    /// some, where they are to be.
    pub(crate) fn due_published(&mut self, turn: &Turn) -> Option<Id> {
        self.published.hasten(turn.now);
        self.published.first_due(turn.now).filter(|_| !self.awaits_join)
    }

    /// Has a value that was put here be republished in a period.
    pub(crate) fn postpone(&mut self, turn: &mut Turn, key: Id) {
        let again = turn.now + turn.rng.jitter(turn.config.republish);
        self.published.reschedule(key, again);
        self.write_rescheduled(turn, key);
    }

    /// The values put here of these keys that are due within half a period, and that of `also`;
    /// they are due again at one moment. In the order of a round.
    pub(crate) fn take_published(
        &mut self,
        turn: &mut Turn,
        of: RangeInclusive<Id>,
        also: Option<Id>,
    ) -> Vec<Renewable> {
        let until = turn.now + turn.config.republish / 2;
        let again = turn.now + turn.rng.jitter(turn.config.republish);
        let mut due = self.published.take_due(of, until, again, ROUND_VALUES_MAX - 1);
        if let Some((key, value)) = also.and_then(|key| Some((key, self.published.value(key)?)))
            && !due.iter().any(|(other, _)| *other == key)
        {
            due.push((key, Arc::clone(value)));
        }
        let expires = turn.now + turn.config.expire;
        for &(key, _) in &due {
            self.write_rescheduled(turn, key);
        }
        due.sort_unstable_by_key(|(key, _)| steer_order(*key));
        due.into_iter().map(|(key, value)| Renewable { key, value, expires }).collect()
    }

    /// The replica that is to be replicated first, where it is due, and since when.
    pub(crate) fn due_replica(&self, turn: &Turn) -> Option<(Id, Instant)> {
        let (key, replication) = self.store.first_replica()?;
        let due = replication.due;
        (due <= turn.now && !self.awaits_join).then_some((key, due))
    }

    /// The replica of `key`, whose next turn comes in a period.
    pub(crate) fn take_replica(&mut self, turn: &mut Turn, key: Id) -> Option<Renewable> {
        let again = self.replication(turn, None);
        self.store.reschedule(key, again);
        let held = self.store.held(key)?;
        Some(Renewable { key, value: Arc::clone(&held.value), expires: held.expires })
    }

    /// The replicas that are due soon, and that `is_near` holds for. In the order of a
    /// round.
    pub(crate) fn take_replicas(
        &mut self,
        turn: &mut Turn,
        is_near: impl Fn(Id) -> bool,
    ) -> Vec<Renewable> {
        let until = turn.now + RENEW_AHEAD;
        let (mut near, mut far) = (Vec::new(), Vec::new());
        while near.len() + far.len() < ROUND_VALUES_MAX
            && let Some((key, before)) = self.store.first_replica()
            && before.due <= until
            && let Some(replica) = self.take_replica(turn, key)
        {
            if is_near(key) {
                near.push(replica);
            } else {
                far.push((key, before));
            }
        }
        for (key, before) in far {
            self.store.reschedule(key, before);
        }
        near.sort_unstable_by_key(|replica| steer_order(replica.key));
        near
    }

    /// The values that were put here and the replicas, of which some may be the same.
    pub(crate) fn len(&self) -> usize {
        self.published.len() + self.store.replicas()
    }

    /// Whether there is any value.
    pub(crate) fn is_empty(&self) -> bool {
        self.published.len() == 0 && self.store.len() == 0
    }

    /// The values among the next [`NEWCOMERS_VALUES`] of those held, from `at` on, that `is_for`
    /// holds for, and where to go on. At the end also those that were put here, of the keys in
    /// `near`. In the order of a round.
    pub(crate) fn replicas_from(
        &self,
        turn: &Turn,
        at: usize,
        near: RangeInclusive<Id>,
        is_for: impl Fn(Id) -> bool,
    ) -> (Vec<Renewable>, Option<usize>) {
        let held = self.store.replicas_from(at, NEWCOMERS_VALUES).filter(|held| is_for(held.key));
        let mut values: Vec<Renewable> = held
            .map(|Held { key, value, expires, .. }| Renewable {
                key: *key,
                value: Arc::clone(value),
                expires: *expires,
            })
            .collect();
        let at = at + NEWCOMERS_VALUES;
        if at < self.store.len() {
            return (values, Some(at));
        }
        let expires = turn.now + turn.config.expire;
        let own = self.published.in_range(near).take(NEWCOMERS_VALUES);
        values.extend(own.filter(|(key, _)| is_for(*key)).map(|(key, value)| Renewable {
            key,
            value: Arc::clone(value),
            expires,
        }));
        (values, None)
    }

    /// The replicas of keys in `of` that are due soon, and that of `also`. In the order of a
    /// round.
    pub(crate) fn take_replicas_in(
        &mut self,
        turn: &mut Turn,
        of: RangeInclusive<Id>,
        also: Id,
    ) -> Vec<Renewable> {
        let mut replicas = self.take_replicas(turn, |key| of.contains(&key) && key != also);
        replicas.extend(self.take_replica(turn, also));
        replicas.sort_unstable_by_key(|replica| steer_order(replica.key));
        replicas
    }

    /// Has a value that was put here, or a replica, be renewed once more soon.
    pub(crate) fn renew_soon(&mut self, turn: &Turn, key: Id) {
        if let Some(due) = self.published.republish(key) {
            self.published.reschedule(key, due.min(turn.now + RENEW_AGAIN));
        } else if let Some(before) = self.store.held(key).and_then(Held::replication) {
            let due = before.due.min(turn.now + RENEW_AGAIN);
            self.store.reschedule(key, super::Replication { due, ..before });
        }
    }
}

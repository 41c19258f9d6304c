//! What a node does by the clock: join, refresh, republish, replicate, expire.

use alloc::sync::Arc;
use core::net::SocketAddr;

use super::Node;
use super::command::Event;
use super::handoff::{Handoff, Message};
use super::outbox::Outbox;
use super::query::lookup::Lookup;
use super::round_trip::RoundTrip;
use super::table::bucket::Entry;
use super::table::routing_table::Health;
use super::task::{Ask, Call, Errand, Owner, Reason, Renewal};
use crate::id::Id;
use crate::limits::{
    BUCKET_REFRESH, EXPIRIES_MAX, MAINTENANCE_LOOKUPS_MAX, MAINTENANCE_PACE, REPLICATE,
    SELF_LOOKUP, SELF_LOOKUP_POOR, STALE_PROBES_MAX,
};
use crate::time::Instant;
use crate::wire::{Contact, Token};

impl Node {
    /// Knocks at the addresses to join by and at whoever we know, when it is time
    /// to: with the first answer the node joins.
    pub(super) fn knock(&mut self, now: Instant, outbox: &mut Outbox) {
        if !self.joining.take_knock(now, &mut self.rng) {
            return;
        }
        self.ping_addresses(now, outbox);
        self.probe_stale(now, outbox);
        let own = self.config.id;
        for contact in self.table.closest(own, self.config.alpha, Health::Good, own) {
            self.probe(now, contact, outbox);
        }
    }

    /// Someone has answered: look for the neighbours.
    fn begin_join(&mut self, now: Instant, outbox: &mut Outbox) {
        self.joining.answered();
        let begun = self.begin_task(now, self.config.id, Errand::Join, outbox);
        if begun.is_err() {
            self.joining.restart(now);
        }
    }

    /// The lookup for our own id has ended: the neighbours are found, unless
    /// nobody has answered.
    pub(super) fn finish_join(&mut self, now: Instant, lookup: &Lookup, outbox: &mut Outbox) {
        if lookup.closest().next().is_none() {
            return self.joining.retry(now, &mut self.rng);
        }
        self.joining.joined();
        let found_beyond = self.found_beyond(lookup);
        self.note_joined(now, found_beyond);
        for shard in self.config.position.others() {
            outbox.handoff(shard, Handoff(Message::Joined { found_beyond }));
        }
        outbox.event(Event::Joined { contacts: self.table.entries().count() });
    }

    /// The bucket beyond which a lookup for our own id has found everybody: that of
    /// the farthest of the K closest, all of which have answered it. A refresh of
    /// a bucket beyond it would find the same nodes again.
    fn found_beyond(&self, lookup: &Lookup) -> Option<u8> {
        let farthest = lookup.closest().nth(self.config.k - 1)?;
        Some(self.table.index(farthest.contact.id) as u8)
    }

    /// The node has joined: every bucket that the join has not found full is to be
    /// filled (Kademlia 2.3), and what was put while there was nobody is to be
    /// placed.
    pub(super) fn note_joined(&mut self, now: Instant, found_beyond: Option<u8>) {
        self.table.forget_lookups();
        self.note_found_beyond(now, found_beyond);
        self.published.hasten_unplaced(now);
        self.poor_wait = SELF_LOOKUP_POOR;
        self.schedule_self_lookup(now);
    }

    fn note_found_beyond(&mut self, now: Instant, found_beyond: Option<u8>) {
        if let Some(index) = found_beyond {
            self.table.looked_up_beyond(now, index.into());
        }
    }

    fn is_poor(&self) -> bool {
        self.table.entries().nth(self.config.k - 1).is_none()
    }

    fn schedule_self_lookup(&mut self, now: Instant) {
        let mut wait = SELF_LOOKUP;
        if self.is_poor() {
            wait = self.poor_wait;
            self.poor_wait = (wait * 2).min(SELF_LOOKUP);
        }
        self.next_self_lookup = now + self.rng.jitter(wait);
    }

    /// A lookup that keeps something fresh has ended. A self lookup by which a node
    /// ceases to be poor is its true joining: every bucket is to be filled.
    pub(super) fn finish_refresh(&mut self, now: Instant, lookup: &Lookup) {
        if lookup.target() != self.config.id {
            return;
        }
        if self.poor_wait > SELF_LOOKUP_POOR && !self.is_poor() {
            self.poor_wait = SELF_LOOKUP_POOR;
            self.table.forget_lookups();
        }
        self.note_found_beyond(now, self.found_beyond(lookup));
    }

    /// Joins when it is trying to and there is a good contact: the first shard
    /// does so for all.
    pub(super) fn join_if_met(&mut self, now: Instant, outbox: &mut Outbox) {
        if self.joining.is_trying() && self.table.has_good() {
            self.begin_join(now, outbox);
        }
    }

    /// Tries to come back when every good contact is lost.
    pub(super) fn rejoin_if_lost(&mut self, now: Instant) {
        let is_lost = self.config.position.is_first() && !self.table.has_good();
        if is_lost {
            self.joining.lost(now);
        }
    }

    /// Begins what is due, as far as the pace of maintenance allows.
    pub(super) fn maintain(&mut self, now: Instant, outbox: &mut Outbox) {
        self.stats.values_expired += self.store.expire(now, EXPIRIES_MAX) as u64;
        if self.leaving.is_some() {
            return self.hand_over(now, outbox);
        }
        let has_room = self.maintenance_lookups < MAINTENANCE_LOOKUPS_MAX;
        if !has_room || now < self.next_maintenance_lookup {
            return;
        }
        if let Some((target, errand)) = self.take_errand(now, outbox) {
            self.next_maintenance_lookup = now + MAINTENANCE_PACE;
            // Refused, it is counted, and comes again in its next period.
            let _ = self.begin_task(now, target, errand, outbox);
        }
    }

    /// When [`maintain`](Self::maintain) has something to do next.
    pub(super) fn next_maintenance(&self) -> Option<Instant> {
        if self.leaving.is_some() {
            return [self.next_hand_over(), self.store.next_expiry()].into_iter().flatten().min();
        }
        let errands = [
            Some(self.next_self_lookup),
            self.published.next_republish(),
            self.store.next_replication(),
            self.next_refresh(),
        ];
        // With the pace exhausted, the end of a lookup makes room for the next.
        let has_room = self.maintenance_lookups < MAINTENANCE_LOOKUPS_MAX;
        let next_errand = errands.into_iter().flatten().min().filter(|_| has_room);
        let next_errand = next_errand.map(|due| due.max(self.next_maintenance_lookup));
        [next_errand, self.store.next_expiry()].into_iter().flatten().min()
    }

    fn take_errand(&mut self, now: Instant, outbox: &mut Outbox) -> Option<(Id, Errand)> {
        if self.next_self_lookup <= now {
            self.schedule_self_lookup(now);
            self.probe_stale(now, outbox);
            if self.config.position.is_first() {
                self.ping_addresses(now, outbox);
                return Some((self.config.id, Errand::Refresh));
            }
        }
        let again = now + self.rng.jitter(self.config.republish);
        if let Some((key, value)) = self.published.take_due(now, again) {
            let life = self.config.expire;
            return Some((key, Errand::Place { value, life, reason: Reason::Republish }));
        }
        let again = now + self.rng.jitter(REPLICATE);
        if let Some((key, held)) = self.store.take_replication(now, again) {
            let life = held.expires.since(now);
            let value = Arc::clone(&held.value);
            return Some((key, Errand::Place { value, life, reason: Reason::Replicate }));
        }
        if self.next_refresh().is_some_and(|due| due <= now) {
            let (index, _) = self.table.quietest(|index| self.owns_bucket(index))?;
            return Some((self.table.random_id(&mut self.rng, index), Errand::Refresh));
        }
        None
    }

    /// When a bucket is to be refreshed next: those that were never looked up, at
    /// once.
    fn next_refresh(&self) -> Option<Instant> {
        let (_, looked_up) = self.table.quietest(|index| self.owns_bucket(index))?;
        Some(looked_up.map_or(Instant::ZERO, |looked_up| looked_up + BUCKET_REFRESH))
    }

    /// Pings the addresses to join by, but for those of contacts: they bring a
    /// network that fell apart together again.
    fn ping_addresses(&mut self, now: Instant, outbox: &mut Outbox) {
        let is_known = |&addr: &SocketAddr| {
            self.table.entries().any(|entry| entry.contact().addr == addr && !entry.is_stale())
        };
        let unknown: alloc::vec::Vec<SocketAddr> =
            self.joining.addresses().iter().copied().filter(|addr| !is_known(addr)).collect();
        for addr in unknown {
            let call = Call {
                expected: None,
                token: Token::NONE,
                ask: Ask::Ping,
                owner: Owner::Join,
                renewal: Renewal::Unused,
            };
            self.begin_call(now, addr, RoundTrip::default(), call, outbox);
        }
    }

    /// Pings stale contacts of our buckets: who answers is one no longer.
    fn probe_stale(&mut self, now: Instant, outbox: &mut Outbox) {
        let owned = self.owned_buckets().flat_map(|(_, bucket)| bucket.entries());
        let stale = owned.filter(|entry| entry.is_stale()).map(Entry::contact);
        let stale: alloc::vec::Vec<Contact> = stale.take(STALE_PROBES_MAX).collect();
        for contact in stale {
            self.probe(now, contact, outbox);
        }
    }
}

//! What time brings: requests to send again or to give up, values to let go, maintenance
//! to begin.

mod far;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Node;
use super::effect::{Effect, PublishReason, QueryKind};
use super::jobs::{Choice, Work, range_around};
use super::known::Known;
use super::outbox::Outbox;
use super::renewable::{RenewReason, Renewable, steer_order};
use super::stats::Load;
use super::table::Neighbourhood;
use crate::id::Id;
use crate::limits::{EXPIRIES_MAX, IN_FLIGHT_MAX, MAINTENANCE_PACE, QUERIES_MAX, RENEW_LATE};
use crate::time::Instant;
use crate::wire::Contact;

impl Node {
    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let answers = self.turn.journal.is_answerable().then_some(self.turn.now);
        let deadlines =
            [answers, self.rpcs.deadline(), self.jobs.join.next_attempt(), self.next_maintenance()];
        let transfers = [self.fetches.deadline(), self.uploads.deadline()];
        deadlines.into_iter().chain(transfers).flatten().min()
    }

    /// What is in progress: those gauges of [`stats`](Self::stats) that are cheap to read.
    pub fn load(&self) -> Load {
        Load { lookups: self.queries.len() as u64, rpcs: self.rpcs.len() as u64 }
    }

    /// Does what is due at `now`; what there is no room for in the outbox is due
    /// still.
    pub fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        self.turn.now = now;
        self.answer_kept(outbox);
        self.handle_overdue(outbox);
        self.fetches.handle_due(&mut self.turn, outbox);
        self.uploads.poll(&mut self.turn);
        self.jobs.attempt_bootstrap(&mut self.turn);
        self.drain(outbox);
        let expired = self.storage.store.expire(now, EXPIRIES_MAX);
        self.turn.stats.values_expired += expired as u64;
        if self.turn.is_departing() {
            self.hand_off(outbox);
        } else {
            if self.next_query().is_some_and(|due| due <= now)
                && let Some((target, kind)) = self.due_query()
            {
                self.jobs.query_begun(now);
                self.turn.push(Effect::Query { target, kind });
            }
            if self.next_round().is_some_and(|due| due <= now) {
                self.begin_round();
            }
            if self.next_look().is_some_and(|due| due <= now) {
                self.hand_to_newcomers();
            }
        }
        self.drain(outbox);
    }

    fn next_maintenance(&self) -> Option<Instant> {
        let due = if self.turn.is_departing() {
            let may_hand_off = self.jobs.depart.is_gathering()
                || self.may_hand_off_by_round()
                || self.may_hand_off_by_query();
            may_hand_off.then_some(Instant::ZERO)
        } else {
            [self.next_query(), self.next_round(), self.next_look()].into_iter().flatten().min()
        };
        [due, self.storage.store.next_expiry()].into_iter().flatten().min()
    }

    /// When maintenance begins its next query. With the pace exhausted, the end of a query
    /// makes room for it.
    fn next_query(&self) -> Option<Instant> {
        let refresh = self.table.next_refresh().map(|(_, due)| due);
        let self_lookup = self.jobs.refresh.next();
        let due = [Some(self_lookup), refresh];
        let due = due.into_iter().flatten().min()?;
        self.queries.has_room_for_maintenance().then(|| self.jobs.paced(due))
    }

    /// The query of maintenance that is due.
    fn due_query(&mut self) -> Option<(Id, QueryKind)> {
        let contacts = self.table.routing.entries().count();
        let turn = &mut self.turn;
        let due = self.jobs.due_self_lookup(turn, contacts);
        due.or_else(|| {
            let (index, due) = self.table.next_refresh()?;
            let is_due = due <= turn.now;
            is_due.then(|| (self.table.routing.random_id(&mut turn.rng, index), QueryKind::Refresh))
        })
    }

    /// When the next round begins, in which values are renewed. It may need a lookup.
    fn next_round(&self) -> Option<Instant> {
        let republish = self.storage.next_republish().map(|due| due.max(self.jobs.next_republish));
        let replicate = if self.jobs.rounds.sought.is_empty() {
            self.storage.next_replication()
        } else {
            Some(self.turn.now)
        };
        let replicate = replicate.map(|due| due.max(self.jobs.next_replicate));
        let next = [republish, replicate].into_iter().flatten().min()?;
        let has_room = self.jobs.rounds.has_room() && self.queries.has_room_for_maintenance();
        has_room.then_some(next)
    }

    /// Renews what is due on the nodes that hold it: first what was put here.
    fn begin_round(&mut self) {
        let now = self.turn.now;
        if self.jobs.next_republish <= now
            && let Some(key) = self.storage.due_published(&self.turn)
        {
            self.jobs.next_republish = now + MAINTENANCE_PACE;
            return self.republish(key);
        }
        self.jobs.next_replicate = now + MAINTENANCE_PACE;
        if let Some(&key) = self.jobs.rounds.sought.last() {
            return self.seek(key);
        }
        let Some((key, due)) = self.storage.due_replica(&self.turn) else { return };
        if !self.table.routing.knows_closest(key) {
            self.replicate_far();
        } else if now >= due + RENEW_LATE {
            self.replicate(RenewReason::Replicate);
        } else if self.jobs.again.is_some_and(|again| now >= again) {
            self.replicate(RenewReason::Again);
        } else {
            let late = due + RENEW_LATE;
            self.jobs.next_replicate = self.jobs.again.map_or(late, |again| again.min(late));
        }
    }

    /// Renews the values around `key` that were put here on some of the nodes closest to them,
    /// or looks those up.
    fn republish(&mut self, key: Id) {
        let Some(Choice { range, contacts, spares }) =
            self.jobs.replica_sets.choose(&mut self.turn, key)
        else {
            let paced = self.jobs.begin_query(self.turn.now);
            self.jobs.next_republish = self.jobs.next_republish.max(paced);
            if paced <= self.turn.now {
                self.storage.postpone(&mut self.turn, key);
                let kind = QueryKind::Renew(RenewReason::Republish);
                self.turn.push(Effect::Query { target: key, kind });
            }
            return;
        };
        let values = self.storage.take_published(&mut self.turn, range, None);
        let all: Vec<u16> = (0..values.len() as u16).collect();
        let works = contacts.into_iter().map(|contact| self.work(contact, all.clone())).collect();
        let known = |contact| (contact, self.table.known(contact));
        let spares = spares.into_iter().map(known).collect();
        let values = values.into_iter().map(|value| (value, None));
        self.begin_round_of(RenewReason::Republish, values, works, spares);
    }

    /// The nodes closest to `target` are found: renews the values around it there.
    pub(super) fn explored(&mut self, target: Id, reason: RenewReason, closest: &[Contact]) {
        let are_all = self.table.routing.entries().count() <= closest.len();
        if reason == RenewReason::Republish {
            return self.republish_on(target, closest, are_all);
        }
        let range = range_around(target, closest, self.turn.config.k, are_all);
        let values = self.storage.take_replicas_in(&mut self.turn, range, target);
        let nodes = self.table.routing.neighbourhood().and(closest, self.turn.now);
        self.renew_on_closest(&nodes, RenewReason::Again, values, |_| true);
    }

    /// Renews the values around `target` that were put here: it on all of these nodes, and of
    /// the others each on the K closest to it, where the table knows them, or else on those of
    /// the set, which are some of them.
    fn republish_on(&mut self, target: Id, closest: &[Contact], are_all: bool) {
        let found = closest.iter().copied();
        let range = self.jobs.replica_sets.learn(&self.turn, target, found, are_all);
        let values = self.storage.take_published(&mut self.turn, range.clone(), Some(target));
        let routing = &self.table.routing;
        let nodes = routing.neighbourhood().and(closest, self.turn.now);
        let mut lists = Lists::default();
        for (index, value) in (0..).zip(&values) {
            let key = value.key;
            if key != target && !are_all && routing.knows_closest(key) {
                lists.add(index, nodes.closest(key));
            } else {
                let is_of_set = |contact: &Contact| key == target || range.contains(&contact.id);
                lists.add(index, closest.iter().copied().filter(is_of_set));
            }
        }
        let works = self.works(lists);
        let values = values.into_iter().map(|value| (value, None));
        self.begin_round_of(RenewReason::Republish, values, works, Vec::new());
    }

    /// Renews replicas on the nodes closest to them, which the table names: this node keeps its
    /// neighbourhood verified.
    fn replicate(&mut self, reason: RenewReason) {
        self.jobs.again = None;
        let routing = &self.table.routing;
        let is_near = |key| routing.knows_closest(key);
        let values = self.storage.take_replicas(&mut self.turn, is_near);
        let nodes = self.table.routing.neighbourhood();
        self.renew_on_closest(&nodes, reason, values, |_| true);
    }

    /// When it is looked for newcomers next, or gone on with what is for them.
    fn next_look(&self) -> Option<Instant> {
        let is_of_use = !self.storage.is_empty() && self.jobs.rounds.has_room();
        is_of_use.then(|| self.jobs.newcomers.next())
    }

    /// Looks for nodes that have come into the neighbourhood, or renews on them what they are
    /// to hold and no other node is closer to than this one.
    fn hand_to_newcomers(&mut self) {
        let Self { turn, table, storage, jobs, .. } = self;
        let neighbourhood = table.routing.neighbourhood();
        let Some(at) = jobs.newcomers.at() else {
            return jobs.newcomers.look(turn.now, neighbourhood.ids().collect());
        };
        let is_new = |id| jobs.newcomers.is_new(id);
        let is_for = |key| {
            neighbourhood.is_closest(key, is_new)
                && neighbourhood.closest(key).iter().any(|contact| is_new(contact.id))
        };
        let own = turn.config.id;
        let shared = neighbourhood.ids().map(|id| (id ^ own).shared_prefix_bits()).min();
        let (values, at) =
            storage.replicas_from(turn, at, own.sharing(shared.unwrap_or(0)), is_for);
        let mut values = jobs.newcomers.found(turn.now, values, at);
        values.sort_unstable_by_key(|value| steer_order(value.key));
        let new: Vec<Id> = neighbourhood.ids().filter(|&id| jobs.newcomers.is_new(id)).collect();
        if !values.is_empty() {
            self.renew_on_closest(&neighbourhood, RenewReason::Newcomer, values, |id| {
                new.contains(&id)
            });
        }
    }

    /// Renews values on those of the nodes closest to each that `is_peer` holds for.
    fn renew_on_closest(
        &mut self,
        nodes: &Neighbourhood,
        reason: RenewReason,
        values: Vec<Renewable>,
        is_peer: impl Fn(Id) -> bool,
    ) {
        let mut lists = Lists::default();
        let mut enough = Vec::with_capacity(values.len());
        for (index, value) in (0..).zip(&values) {
            let closest = nodes.closest(value.key);
            enough.push(nodes.enough(value.key, &closest));
            lists.add(index, closest.into_iter().filter(|contact| is_peer(contact.id)));
        }
        let works = self.works(lists);
        self.begin_round_of(reason, values.into_iter().zip(enough), works, Vec::new());
    }

    fn begin_round_of(
        &mut self,
        reason: RenewReason,
        values: impl Iterator<Item = (Renewable, Option<u8>)>,
        works: Vec<Work>,
        spares: Vec<(Contact, Known)>,
    ) {
        let next = self.jobs.rounds.begin(&mut self.turn, reason, values, works, spares);
        self.jobs.next_republish = self.jobs.next_republish.max(next);
        self.jobs.next_replicate = self.jobs.next_replicate.max(next);
    }

    fn works(&self, lists: Lists) -> Vec<Work> {
        lists.0.into_values().map(|(contact, values)| self.work(contact, values)).collect()
    }

    fn work(&self, contact: Contact, values: Vec<u16>) -> Work {
        Work { contact, known: self.table.known(contact), values }
    }

    /// Begins to hand off as many values as there is room for.
    pub(super) fn hand_off(&mut self, outbox: &mut Outbox) {
        if self.jobs.depart.is_gathering() {
            self.storage.gather(&mut self.jobs.depart.keys);
        }
        if !self.jobs.depart.is_gathering() && self.table.routing.entries().next().is_none() {
            self.jobs.depart.give_up(&mut self.turn);
        }
        // One a turn: to find the closest nodes of its values takes a millisecond.
        if self.may_hand_off_by_round()
            && !outbox.is_low()
            && let Some((reason, keys)) = self.jobs.depart.take_for_round()
        {
            self.hand_off_by_round(reason, &keys);
            self.drain(outbox);
        }
        while self.may_hand_off_by_query()
            && !outbox.is_low()
            && let Some(target) = self.jobs.depart.take_for_query()
        {
            if let Some(renewable) = self.storage.renewable(&self.turn, target) {
                let (life, reason) = (renewable.life(self.turn.now), PublishReason::Depart);
                let kind = QueryKind::Publish { value: renewable.value, life, reason };
                self.jobs.depart.query_begun();
                self.turn.push(Effect::Query { target, kind });
                self.drain(outbox);
            }
        }
        self.jobs.depart.tell_when_done(&mut self.turn);
    }

    /// Whether values wait to be handed off and there is room for their round.
    fn may_hand_off_by_round(&self) -> bool {
        self.jobs.depart.is_ready_for_round() && self.jobs.rounds.has_room()
    }

    /// Whether a value waits to be handed off and there is room for its query: half of
    /// the requests that may be in flight are for others to use.
    fn may_hand_off_by_query(&self) -> bool {
        self.jobs.depart.is_ready_for_query()
            && self.queries.len() < QUERIES_MAX
            && self.rpcs.len() < IN_FLIGHT_MAX / 2
    }

    /// Renews values on the nodes closest to each that stay, where they are known: from the
    /// table, or from the last lookup of those that were put here.
    fn hand_off_by_round(&mut self, reason: RenewReason, keys: &[Id]) {
        let Self { turn, table, storage, jobs, .. } = self;
        let depart = &mut jobs.depart;
        let nodes = table.routing.neighbourhood_of(|contact| depart.is_of_use(contact.addr));
        let mut values: Vec<Renewable> =
            keys.iter().filter_map(|&key| storage.renewable(turn, key)).collect();
        let mut known = BTreeMap::new();
        values.retain(|value| {
            let closest = if table.routing.knows_closest(value.key) {
                nodes.closest(value.key)
            } else {
                let contacts = jobs.replica_sets.contacts(turn.now, value.key).iter();
                contacts.copied().filter(|contact| depart.is_of_use(contact.addr)).collect()
            };
            if closest.is_empty() {
                depart.look_up(value.key);
                return false;
            }
            known.insert(value.key, closest);
            true
        });
        values.sort_unstable_by_key(|value| steer_order(value.key));
        depart.round_begun(values.len());
        let mut lists = Lists::default();
        for (index, value) in (0..).zip(&values) {
            lists.add(index, known[&value.key].iter().copied());
        }
        let (works, values) = (self.works(lists), values.into_iter().map(|value| (value, None)));
        self.begin_round_of(reason, values, works, Vec::new());
    }
}

/// Which values are to be renewed on which nodes.
#[derive(Default)]
struct Lists(BTreeMap<Id, (Contact, Vec<u16>)>);

impl Lists {
    fn add(&mut self, value: u16, contacts: impl IntoIterator<Item = Contact>) {
        for contact in contacts {
            self.0.entry(contact.id).or_insert((contact, Vec::new())).1.push(value);
        }
    }
}

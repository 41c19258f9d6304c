//! Lookups from beginning to end, and the value that a get is made for.

use core::time::Duration;

use super::Node;
use super::answer::Answer;
use super::call::Begun;
use super::command::{Event, Found, Hop, HopAnswer, OperationId, Refusal, Trace};
use super::credential::Credential;
use super::outbox::Outbox;
use super::query::lookup::{Candidate, Extent, Lookup, NamedBy, Offer, Vouched};
use super::round_trip::RoundTrip;
use super::storage::store::{Life, Source, Storing, cache_life};
use super::table::routing_table::Health;
use super::task::{Ask, Call, Errand, Owner, Phase, Reason, Renewal, Task, TaskId};
use crate::id::Id;
use crate::limits::{
    ALPHA_MAX, CACHE_LIFE_MIN, LOOKUPS_MAX, MAINTENANCE_LOOKUPS_MAX, SEEDINGS_MAX,
};
use crate::time::Instant;
use crate::wire::{self, Body, Contact, Contacts, Purpose, Role, Value};

/// One node's part in a lookup, as it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) contact: Contact,
    /// As this step has measured it.
    pub(super) round_trip: RoundTrip,
    pub(super) credential: Credential,
    /// When the node was first asked.
    pub(super) since: Instant,
}

impl Node {
    /// Begins a lookup for `target`. Refused when [`LOOKUPS_MAX`] are in progress,
    /// of which the user's leave [`MAINTENANCE_LOOKUPS_MAX`] free: however busy the
    /// user keeps the node, it refreshes and republishes.
    pub(super) fn begin_task(
        &mut self,
        now: Instant,
        target: Id,
        errand: Errand,
        outbox: &mut Outbox,
    ) -> Result<(), Refusal> {
        let is_maintenance = errand.is_maintenance();
        let most = if is_maintenance { LOOKUPS_MAX } else { LOOKUPS_MAX - MAINTENANCE_LOOKUPS_MAX };
        if self.tasks.len() >= most {
            self.stats.lookups_refused += 1;
            return Err(Refusal::Busy);
        }
        self.stats.lookups_started += 1;
        self.table.looked_up(now, target);
        self.maintenance_lookups += usize::from(is_maintenance);
        self.generation = self.generation.wrapping_add(1);
        let task = Task {
            generation: self.generation,
            lookup: self.lookup_for(target, &errand),
            errand,
            phase: Phase::Looking,
            started: now,
            seedings: 0,
            unasked: 0,
        };
        let id = TaskId { slot: self.tasks.insert(task), generation: self.generation };
        self.seed(id);
        self.advance(now, id, outbox);
        Ok(())
    }

    /// Offers a lookup the K closest contacts, the next time K others of the 2 K closest,
    /// and so on. Whether any was new to it.
    fn seed(&mut self, id: TaskId) -> bool {
        let Some(task) = self.task(id) else {
            return false;
        };
        task.seedings += 1;
        let (target, count) = (task.lookup.target(), task.seedings * self.config.k);
        let mut seeds = self.table.closest(target, count, Health::Good, self.config.id);
        if seeds.is_empty() {
            seeds = self.table.closest(target, count, Health::Any, self.config.id);
        }
        let mut new = 0;
        for contact in seeds {
            let (round_trip, credential) = self.knowledge(contact);
            let lookup = &mut self.tasks[id.slot].lookup;
            let offer = lookup.offer(contact, NamedBy::Table, round_trip, credential);
            new += usize::from(offer == Offer::Taken);
            if new == self.config.k {
                break;
            }
        }
        new > 0
    }

    /// Offers more contacts of the table to a lookup that has come to its end without an
    /// answer: those that it began with may be dead, and others that live may know who
    /// has the value. Where anybody has answered nothing is missing but what was lost on
    /// the way, and to ask more would lose more; where too much is in flight to ask
    /// anybody, to ask others would be as vain. Whether there were any.
    fn seed_again(&mut self, id: TaskId) -> bool {
        let may_grow = |task: &mut Task| {
            task.seedings < SEEDINGS_MAX && task.unasked == 0 && task.lookup.is_unanswered()
        };
        let has_grown = self.task(id).is_some_and(may_grow) && self.seed(id);
        self.stats.lookups_seeded_again += u64::from(has_grown);
        has_grown
    }

    /// A lookup for `target` that goes as far as its errand asks.
    fn lookup_for(&self, target: Id, errand: &Errand) -> Lookup {
        let lookup = |alpha| Lookup::new(target, self.config.k, alpha);
        match errand {
            // Nobody adds it to a table, so it has no neighbours to find, and need
            // not wait for dead ones.
            Errand::Join if self.config.role == Role::Client => {
                lookup(self.config.alpha).to(Extent::Some)
            }
            // With little time, and many who are gone already.
            Errand::Place { reason: Reason::HandOver { .. }, .. } => {
                lookup(ALPHA_MAX).to(Extent::Timely)
            }
            Errand::Join | Errand::Refresh | Errand::Get { .. } | Errand::Place { .. } => {
                lookup(self.config.alpha)
            }
        }
    }

    /// The task, unless it has ended.
    pub(super) fn task(&mut self, id: TaskId) -> Option<&mut Task> {
        self.tasks.get_mut(id.slot).filter(|task| task.generation == id.generation)
    }

    /// Notes that a node is late with its answer, and asks another meanwhile.
    pub(super) fn lookup_slow(
        &mut self,
        now: Instant,
        id: TaskId,
        contact: Contact,
        outbox: &mut Outbox,
    ) {
        if let Some(task) = self.task(id) {
            task.lookup.slow(contact);
            self.advance(now, id, outbox);
        }
    }

    /// Takes in what one node has answered, or that it has not.
    pub(super) fn lookup_settled(
        &mut self,
        now: Instant,
        id: TaskId,
        step: Step,
        answer: Answer<'_>,
        outbox: &mut Outbox,
    ) {
        let Some(task) = self.task(id) else {
            return;
        };
        if task.phase != Phase::Looking {
            return;
        }
        let key = task.lookup.target();
        let wants_value = matches!(task.errand, Errand::Get { .. });
        match answer {
            Answer::Reply(Body::Nodes(contacts)) | Answer::Farewell(Body::Nodes(contacts)) => {
                let Some(from) =
                    task.lookup.answered(step.contact, step.round_trip, step.credential)
                else {
                    return;
                };
                if matches!(answer, Answer::Farewell(_)) {
                    task.lookup.left(step.contact);
                }
                self.trace_hop(
                    now,
                    id,
                    step,
                    from.depth,
                    HopAnswer::Contacts { count: contacts.len() },
                    outbox,
                );
                self.offer_contacts(id, from, contacts);
            }
            Answer::Reply(Body::Value(value)) | Answer::Farewell(Body::Value(value))
                if wants_value && is_whole(&value, key) =>
            {
                let Some(from) =
                    task.lookup.answered(step.contact, step.round_trip, step.credential)
                else {
                    return;
                };
                let bytes = value.value.len();
                self.trace_hop(now, id, step, from.depth, HopAnswer::Value { bytes }, outbox);
                return self.finish_found(now, id, from, value, outbox);
            }
            Answer::Reply(body) | Answer::Farewell(body) => {
                let wrong = matches!(body, Body::Value(_));
                let shown = if wrong { HopAnswer::WrongValue } else { HopAnswer::Refused };
                let failed = task.lookup.failed(step.contact);
                self.stats.values_mismatched += u64::from(wrong);
                self.trace_failed(now, id, step, failed, shown, outbox);
            }
            Answer::Misnamed(actual) => {
                let failed = task.lookup.misnamed(step.contact, actual);
                self.trace_failed(now, id, step, failed, HopAnswer::Refused, outbox);
            }
            Answer::None => {
                let failed = task.lookup.failed(step.contact);
                self.trace_failed(now, id, step, failed, HopAnswer::TimedOut, outbox);
            }
        }
        self.advance(now, id, outbox);
    }

    /// Asks whom the lookup wants asked, and goes on to what it was made for
    /// when it has ended.
    fn advance(&mut self, now: Instant, id: TaskId, outbox: &mut Outbox) {
        loop {
            self.ask_next(now, id, outbox);
            let has_ended =
                |task: &mut Task| task.phase == Phase::Looking && task.lookup.has_ended();
            if !self.task(id).is_some_and(has_ended) {
                return;
            }
            if !self.seed_again(id) {
                return self.finish_lookup(now, id, outbox);
            }
        }
    }

    /// Asks whom the lookup wants asked.
    fn ask_next(&mut self, now: Instant, id: TaskId, outbox: &mut Outbox) {
        while let Some(task) = self.task(id)
            && task.phase == Phase::Looking
            && let Some(candidate) = task.lookup.next()
        {
            let target = task.lookup.target();
            let ask = match task.errand {
                Errand::Get { .. } => Ask::FindValue { key: target },
                Errand::Join | Errand::Refresh | Errand::Place { .. } => Ask::FindNode { target },
            };
            let begun = self.call_candidate(now, candidate, ask, Owner::Lookup(id), outbox);
            if begun == Begun::Refused
                && let Some(task) = self.task(id)
            {
                task.unasked += 1;
                task.lookup.failed(candidate.contact);
            }
        }
    }

    pub(super) fn call_candidate(
        &mut self,
        now: Instant,
        candidate: Candidate,
        ask: Ask,
        owner: Owner,
        outbox: &mut Outbox,
    ) -> Begun {
        let call = Call {
            expected: Some(candidate.contact.id),
            token: candidate.credential.token(now),
            ask,
            owner,
            renewal: Renewal::Unused,
        };
        self.begin_call(now, candidate.contact.addr, candidate.round_trip, call, outbox)
    }

    /// Offers a lookup the contacts that one node has named.
    fn offer_contacts(&mut self, id: TaskId, from: Candidate, contacts: Contacts<'_>) {
        let local = from.contact.addr.ip().is_loopback();
        // No answer needs more than the K closest, so no liar gets in more.
        for contact in contacts.iter().take(self.config.k) {
            // Nobody else's loopback is ours.
            let is_here = !local && contact.addr.ip().is_loopback();
            if contact.id == self.config.id || !wire::is_reachable(contact.addr) || is_here {
                continue;
            }
            if self.leaves_as_well(contact.addr) {
                continue;
            }
            if self.tasks[id.slot].lookup.vouch(contact, from) == Vouched::Known {
                continue;
            }
            let (round_trip, credential) = self.knowledge(contact);
            let lookup = &mut self.tasks[id.slot].lookup;
            let offer = lookup.offer(contact, NamedBy::Node(from), round_trip, credential);
            if offer == Offer::Dropped {
                self.stats.candidates_dropped += 1;
            }
        }
    }

    fn trace_failed(
        &mut self,
        now: Instant,
        id: TaskId,
        step: Step,
        failed: Option<Candidate>,
        shown: HopAnswer,
        outbox: &mut Outbox,
    ) {
        if let Some(candidate) = failed {
            self.trace_hop(now, id, step, candidate.depth, shown, outbox);
        }
    }

    fn trace_hop(
        &mut self,
        now: Instant,
        id: TaskId,
        step: Step,
        depth: u8,
        answer: HopAnswer,
        outbox: &mut Outbox,
    ) {
        let task = &self.tasks[id.slot];
        if let Errand::Get { operation, trace: Trace::Hops } = task.errand {
            let shared_prefix_bits = (step.contact.id ^ task.lookup.target()).shared_prefix_bits();
            let elapsed = now.since(step.since);
            let hop = Hop { contact: step.contact, shared_prefix_bits, depth, answer, elapsed };
            outbox.event(Event::Hop { operation, hop });
        }
    }

    /// The lookup has ended without a value: what next?
    fn finish_lookup(&mut self, now: Instant, id: TaskId, outbox: &mut Outbox) {
        match &self.tasks[id.slot].errand {
            Errand::Join => {
                let task = self.end_task(id);
                self.finish_join(now, &task.lookup, outbox);
            }
            Errand::Refresh => {
                let task = self.end_task(id);
                self.finish_refresh(now, &task.lookup);
            }
            Errand::Get { operation, .. } => {
                let operation = *operation;
                let task = self.end_task(id);
                // Who was not asked may have it.
                let outcome = if task.unasked == 0 { Ok(None) } else { Err(Refusal::Busy) };
                outbox.event(Event::Get {
                    operation,
                    key: task.lookup.target(),
                    outcome,
                    asked: task.lookup.asked(),
                    elapsed: now.since(task.started),
                });
            }
            Errand::Place { .. } => self.place(now, id, outbox),
        }
    }

    /// A get has its value: keep a copy, leave one on the path, and tell.
    fn finish_found(
        &mut self,
        now: Instant,
        id: TaskId,
        from: Candidate,
        value: Value<'_>,
        outbox: &mut Outbox,
    ) {
        let task = self.end_task(id);
        let key = task.lookup.target();
        let Errand::Get { operation, .. } = task.errand else {
            unreachable!("only a get ends with a value");
        };
        let life = Duration::from_secs(value.life_s.into()).min(self.config.expire);
        let own_life = cache_life(life, self.table.closer_than_self(key), CACHE_LIFE_MIN);
        // A cached copy is not replicated, so that date does not matter.
        let kept = Life { expires: now + own_life, replicate: now + own_life };
        let storing = self.store.store(key, value.value, Source::Own, Purpose::Cache, kept);
        if let Storing::Held { evicted } = storing {
            self.stats.values_evicted += evicted;
        }
        // The closest that was asked and did not have it; there is none when the
        // first node asked had it.
        let without = task.lookup.closest().find(|known| known.contact != from.contact).copied();
        if let Some(candidate) = without {
            let ask = Ask::Store { key, value: value.value.into(), life, purpose: Purpose::Cache };
            self.call_candidate(now, candidate, ask, Owner::PathCache, outbox);
        }
        outbox.event(Event::Get {
            operation,
            key,
            outcome: Ok(Some(Found {
                value: value.value.into(),
                from: Some(from.contact),
                hops: from.depth,
            })),
            asked: task.lookup.asked(),
            elapsed: now.since(task.started),
        });
    }

    /// Ends the put or the get that the user calls `operation`, where it is in progress.
    /// Its requests in flight are not sent again once the lookup is gone.
    pub(super) fn abandon(
        &mut self,
        now: Instant,
        operation: OperationId,
        key: Id,
        outbox: &mut Outbox,
    ) {
        let is_asked =
            |task: &Task| task.lookup.target() == key && task.errand.operation() == Some(operation);
        let Some((slot, task)) = self.tasks.iter().find(|(_, task)| is_asked(task)) else {
            return;
        };
        let task = self.end_task(TaskId { slot, generation: task.generation });
        let elapsed = now.since(task.started);
        outbox.event(match task.errand {
            Errand::Get { .. } => Event::Get {
                operation,
                key,
                outcome: Err(Refusal::Abandoned),
                asked: task.lookup.asked(),
                elapsed,
            },
            _ => Event::Put { operation, key, outcome: Err(Refusal::Abandoned), elapsed },
        });
    }

    pub(super) fn end_task(&mut self, id: TaskId) -> Task {
        let task = self.tasks.remove(id.slot);
        debug_assert!(task.generation == id.generation);
        if task.errand.is_maintenance() {
            self.maintenance_lookups -= 1;
        }
        task
    }
}

/// Whether a VALUE reply carries the whole value, and the one that was asked for.
fn is_whole(value: &Value<'_>, key: Id) -> bool {
    value.offset == 0
        && value.total as usize == value.value.len()
        && Id::of_value(value.value) == key
}

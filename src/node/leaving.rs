//! How a node leaves politely: it says farewell, and hands over what it holds.
//!
//! A node that is told to leave does no more maintenance, takes no more values,
//! and stays for as long as its caller lets it: it goes on answering. Each value
//! that was put here, and each replica, is placed on the K closest nodes of those
//! that stay, as replication does but not at its pace: [`LEAVE_LOOKUPS_MAX`] at a
//! time, each of which asks [`ALPHA_MAX`](crate::limits::ALPHA_MAX) nodes at a time
//! and waits for nobody who is late twice, neither for contacts nor for having
//! stored the value. It has seconds for what replication has an hour for, and whom it
//! passes over is mostly gone or holds the value already. A cached copy is not handed
//! over, since K others hold its value. All K are sent a STORE: to ask first who lacks
//! the value would take as many datagrams.
//!
//! First go the values that no other node is known to hold. Then the replicas, in
//! the order of their turn to be replicated: whose turn is next was sent to its K
//! holders the longest ago, so that most of those may be gone. Last the values that
//! were put here and placed: K others hold them, and are not leaving for all we
//! know.
//!
//! # Farewell
//!
//! Peers are told: every datagram of such a node, request or reply, says
//! [`Role::Leaving`](crate::wire::Role), and the first thing that it sends is a PING
//! to each contact. Whoever learns so drops the contact at once, asks it for
//! contacts or values but counts it among no K closest, and so stores nothing on it.
//! Without that, a contact is found dead by three failed RPCs, each of which a
//! lookup waits for; and where four nodes in five leave together, as when
//! containers are scaled down, they would hand their values to each other. The
//! PONGs tell the leaving node, in turn, who else is; it waits for them, or until they
//! are late, before it hands anything over.
//!
//! A farewell counts where it is proved: in a reply that matches an RPC in flight,
//! or in a request with a valid token from the contact's own address. Who can forge
//! that can also answer in the contact's place. What it gains is little: the
//! contact is pinged and back with the next request that it makes.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::Node;
use super::call::Begun;
use super::command::{Event, OperationId};
use super::credential::Credential;
use super::outbox::Outbox;
use super::rpc::in_flight::{Rpc, RpcId};
use super::storage::published::Placement;
use super::table::bucket::Entry;
use super::task::{Call, Errand, Owner, Phase, Reason, Renewal, Task, TaskId};
use crate::id::Id;
use crate::limits::{
    IN_FLIGHT_MAX, LEAVE_ATTEMPTS_MAX, LEAVE_LOOKUPS_MAX, LEAVERS_MAX, LOOKUPS_MAX,
};
use crate::time::Instant;
use crate::wire::{Contact, Role, Token};

/// What a node that leaves has still to do, and what has come of the rest.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Commands that are answered when all is done.
    operations: Vec<OperationId>,
    /// Values to hand over, the last one next.
    queue: Vec<Id>,
    /// Values on their way.
    on_their_way: usize,
    /// Farewells whose answer is waited for.
    farewells: usize,
    handed_over: usize,
    failed: usize,
    /// Where others are that leave as well: not to be asked again, however many
    /// name them.
    others: BTreeSet<SocketAddr>,
}

impl Leaving {
    /// Values whose handing over has not ended.
    pub(super) const fn left_to_do(&self) -> usize {
        self.queue.len() + self.on_their_way
    }

    const fn is_done(&self) -> bool {
        self.left_to_do() == 0 && self.farewells == 0
    }
}

impl Node {
    /// Begins to leave, for good.
    pub(super) fn leave(&mut self, now: Instant, operation: OperationId, outbox: &mut Outbox) {
        if self.leaving.is_none() {
            self.joining.give_up();
            self.leaving =
                Some(Leaving { queue: self.values_to_hand_over(), ..Leaving::default() });
            self.say_farewell(now, outbox);
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.operations.push(operation);
        }
        self.hand_over(now, outbox);
    }

    /// What the node is to others, as its datagrams say.
    pub(super) const fn role(&self) -> Role {
        if self.leaving.is_some() { Role::Leaving } else { self.config.role }
    }

    /// The keys of the values to hand over, the most urgent last.
    fn values_to_hand_over(&self) -> Vec<Id> {
        let replicas =
            self.store.replicas_in_turn().filter(|&key| self.published.value(key).is_none());
        let unplaced = self.published.keys(Placement::Unplaced);
        let mut keys: Vec<Id> =
            unplaced.chain(replicas).chain(self.published.keys(Placement::Placed)).collect();
        keys.reverse();
        keys
    }

    fn say_farewell(&mut self, now: Instant, outbox: &mut Outbox) {
        let owned = self.owned_buckets().flat_map(|(_, bucket)| bucket.entries());
        let contacts: Vec<Contact> =
            owned.filter(|entry| !entry.is_stale()).map(Entry::contact).collect();
        for contact in contacts {
            if self.ping(now, contact, Owner::Farewell, outbox) == Begun::InFlight
                && let Some(leaving) = &mut self.leaving
            {
                leaving.farewells += 1;
            }
        }
    }

    /// Takes in what has come of a farewell. One without a token has proved
    /// nothing, so it is said again with the one that came back.
    pub(super) fn farewell_settled(
        &mut self,
        now: Instant,
        rpc: &Rpc<Call>,
        credential: Credential,
        outbox: &mut Outbox,
    ) {
        let token = credential.token(now);
        if rpc.request.token == Token::NONE && token != Token::NONE {
            let call = Call { token, renewal: Renewal::Used, ..rpc.request.clone() };
            if self.begin_call(now, rpc.peer, rpc.round_trip, call, outbox) == Begun::InFlight {
                return;
            }
        }
        self.note_farewell(outbox);
    }

    /// Says farewell for the last time to a contact that has not answered, and waits
    /// for it no more: it may well be dead.
    pub(super) fn repeat_farewell(&mut self, now: Instant, rpc: RpcId, outbox: &mut Outbox) {
        self.resend_call(now, rpc, outbox);
        self.in_flight.abandon(rpc);
        self.note_farewell(outbox);
    }

    fn note_farewell(&mut self, outbox: &mut Outbox) {
        if let Some(leaving) = &mut self.leaving {
            leaving.farewells -= 1;
        }
        self.tell_when_done(outbox);
    }

    /// Sends on their way as many values as there is room for.
    pub(super) fn hand_over(&mut self, now: Instant, outbox: &mut Outbox) {
        self.give_up_without_contacts();
        while self.may_hand_over() && !outbox.is_low() {
            let Some((key, value, life)) = self.next_to_hand_over(now) else {
                break;
            };
            if let Some(leaving) = &mut self.leaving {
                leaving.on_their_way += 1;
            }
            self.begin_hand_over(now, key, (value, life), 1, outbox);
        }
        self.tell_when_done(outbox);
    }

    /// Tells, once nothing is left to do.
    fn tell_when_done(&mut self, outbox: &mut Outbox) {
        if let Some(leaving) = self.leaving.as_mut().filter(|leaving| leaving.is_done()) {
            let (handed_over, failed) = (leaving.handed_over, leaving.failed);
            for operation in leaving.operations.drain(..) {
                outbox.event(Event::Left { operation, handed_over, failed });
            }
        }
    }

    /// When [`hand_over`](Self::hand_over) has something to begin: at once, or
    /// when something ends.
    pub(super) fn next_hand_over(&self) -> Option<Instant> {
        self.may_hand_over().then_some(Instant::ZERO)
    }

    /// Whether a value waits and there is room for its lookup: half of the RPCs
    /// that may be in flight are for others to use. None goes before it is known
    /// which contacts leave as well: lookups by way of them would find each other.
    fn may_hand_over(&self) -> bool {
        let has_room = |leaving: &Leaving| {
            !leaving.queue.is_empty()
                && leaving.farewells == 0
                && leaving.on_their_way < LEAVE_LOOKUPS_MAX
        };
        self.leaving.as_ref().is_some_and(has_room)
            && self.tasks.len() < LOOKUPS_MAX
            && self.in_flight.len() < IN_FLIGHT_MAX / 2
    }

    /// With nobody to hand them to, the values that wait are given up at once.
    fn give_up_without_contacts(&mut self) {
        if self.table.entries().next().is_none()
            && let Some(leaving) = &mut self.leaving
        {
            leaving.failed += leaving.queue.len();
            self.stats.values_not_handed_over += leaving.queue.len() as u64;
            leaving.queue.clear();
        }
    }

    /// The next value that has not ended meanwhile, and what is left of its life:
    /// of one that was put here, as much as republishing gives it.
    fn next_to_hand_over(&mut self, now: Instant) -> Option<(Id, Arc<[u8]>, Duration)> {
        while let Some(key) = self.leaving.as_mut()?.queue.pop() {
            if let Some(value) = self.published.value(key) {
                return Some((key, Arc::clone(value), self.config.expire));
            }
            if let Some(held) = self.store.held(key) {
                return Some((key, Arc::clone(&held.value), held.expires.since(now)));
            }
        }
        None
    }

    fn begin_hand_over(
        &mut self,
        now: Instant,
        key: Id,
        (value, life): (Arc<[u8]>, Duration),
        attempt: u8,
        outbox: &mut Outbox,
    ) {
        let errand = Errand::Place { value, life, reason: Reason::HandOver { attempt } };
        if self.begin_task(now, key, errand, outbox).is_err() {
            self.note_handed_over(0);
        }
    }

    /// Takes in where a value has gone. Once more, with fewer to choose from, where
    /// some of those that were to take it leave as well, or nobody took it.
    pub(super) fn hand_over_settled(&mut self, now: Instant, task: Task, outbox: &mut Outbox) {
        let key = task.lookup.target();
        let Task {
            errand: Errand::Place { value, life, reason: Reason::HandOver { attempt } },
            phase: Phase::Placing { holders, leaving, .. },
            ..
        } = task
        else {
            unreachable!("only values that are handed over are settled here");
        };
        if (leaving > 0 || holders == 0) && attempt < LEAVE_ATTEMPTS_MAX {
            return self.begin_hand_over(now, key, (value, life), attempt + 1, outbox);
        }
        self.note_handed_over(holders);
        self.tell_when_done(outbox);
    }

    /// Whether a STORE of a value that is handed over has been late so often that it
    /// is sent once more and waited for no longer.
    pub(super) fn is_late_for_leaving(&mut self, task: TaskId, rpc: RpcId) -> bool {
        let sends = self.in_flight.rpc(rpc).sends();
        let reason = |task: &mut Task| match task.errand {
            Errand::Place { reason, .. } => Some(reason),
            Errand::Join | Errand::Refresh | Errand::Get { .. } => None,
        };
        let reason = self.task(task).and_then(reason);
        matches!(reason, Some(Reason::HandOver { .. })) && sends == 2
    }

    fn note_handed_over(&mut self, holders: usize) {
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        leaving.on_their_way -= 1;
        if holders > 0 {
            leaving.handed_over += 1;
            self.stats.values_handed_over += 1;
        } else {
            leaving.failed += 1;
            self.stats.values_not_handed_over += 1;
        }
    }

    /// Takes in that a contact has proved that it leaves: it makes way as one at
    /// whose address somebody else answers.
    pub(super) fn contact_left(&mut self, now: Instant, contact: Contact, outbox: &mut Outbox) {
        self.contact_renamed(now, contact, outbox);
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        if leaving.others.contains(&contact.addr) {
            return;
        }
        if leaving.others.len() == LEAVERS_MAX {
            self.stats.leavers_forgotten += 1;
            return;
        }
        leaving.others.insert(contact.addr);
        for (_, task) in &mut self.tasks {
            task.lookup.forget_at(contact.addr);
        }
    }

    /// Whether we know, as we leave, that whoever is at `addr` does so too.
    pub(super) fn leaves_as_well(&self, addr: SocketAddr) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.others.contains(&addr))
    }
}

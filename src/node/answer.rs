//! Answers to our requests, and their absence: what the routing table learns
//! from them, and to whom they go on.

use core::net::SocketAddr;

use super::Node;
use super::credential::Credential;
use super::outbox::Outbox;
use super::rpc::in_flight::{Overdue, Rpc};
use super::table::bucket::Entry;
use super::task::{Ask, Call, Owner, Renewal};
use crate::id::Id;
use crate::time::Instant;
use crate::wire::{Body, Contact, Datagram, ErrorCode, Role};

/// What came of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// The peer that was asked replied.
    Reply(Body<'a>),
    /// The peer that was asked replied, and leaves the network.
    Farewell(Body<'a>),
    /// Another node, of this id, replied from its address.
    Misnamed(Id),
    /// Nobody replied, however often it was asked.
    None,
}

impl Node {
    /// Takes in a reply: it counts only if its transaction id, its source and its
    /// kind match an RPC in flight.
    pub(super) fn handle_reply(
        &mut self,
        now: Instant,
        source: SocketAddr,
        datagram: &Datagram<'_>,
        outbox: &mut Outbox,
    ) {
        let found = self.in_flight.find(datagram.transaction, source);
        let answers = |ask: &Ask| is_answer(ask, &datagram.body);
        let Some(id) = found.filter(|&id| answers(&self.in_flight.rpc(id).request.ask)) else {
            self.stats.replies_unmatched += 1;
            return;
        };
        let (mut rpc, sample) = self.in_flight.complete(now, id, datagram.transaction);
        let contact = Contact { id: datagram.sender, addr: source };
        let credential = Credential::new(datagram.token, now);
        if let Some(expected) = rpc.request.expected.filter(|&id| id != datagram.sender) {
            self.stats.replies_misnamed += 1;
            self.contact_renamed(now, Contact { id: expected, addr: source }, outbox);
            let answer = Answer::Misnamed(contact.id);
            return self.settle(now, contact, credential, &rpc, answer, outbox);
        }
        self.stats.rpcs_answered += 1;
        if let Some(sample) = sample {
            rpc.round_trip.sample(sample);
        }
        let round_trip = rpc.round_trip;
        match datagram.role {
            Role::Peer => {
                let entry = Entry::new(contact, now, round_trip, credential);
                self.contact_answered(now, entry, outbox);
            }
            Role::Client => {}
            Role::Leaving => self.contact_left(now, contact, outbox),
        }
        if matches!(datagram.body, Body::Error(ErrorCode::Token))
            && rpc.request.renewal == Renewal::Unused
        {
            let call =
                Call { token: datagram.token, renewal: Renewal::Used, ..rpc.request.clone() };
            if self.begin_call(now, source, round_trip, call, outbox)
                == super::call::Begun::InFlight
            {
                return;
            }
        }
        let answer = match datagram.role {
            Role::Peer | Role::Client => Answer::Reply(datagram.body),
            Role::Leaving => Answer::Farewell(datagram.body),
        };
        self.settle(now, contact, credential, &rpc, answer, outbox);
    }

    /// Sends again, or gives up, what is overdue at `now`. What the outbox has no
    /// room for stays overdue until the next call: all that are in flight sent
    /// again at once are ten times what it holds.
    pub(super) fn handle_overdue(&mut self, now: Instant, outbox: &mut Outbox) {
        while !outbox.is_low()
            && let Some(overdue) = self.in_flight.overdue(now)
        {
            match overdue {
                Overdue::Late(id) => {
                    let call = &self.in_flight.rpc(id).request;
                    match (call.owner, call.expected) {
                        (Owner::Lookup(task), Some(expected)) => {
                            if self.task(task).is_none() {
                                // Nobody waits for the answer any more.
                                self.in_flight.abandon(id);
                                continue;
                            }
                            let addr = self.in_flight.rpc(id).peer;
                            self.resend_call(now, id, outbox);
                            self.lookup_slow(now, task, Contact { id: expected, addr }, outbox);
                        }
                        (Owner::Farewell, _) => self.repeat_farewell(now, id, outbox),
                        (Owner::Placement(task), _) if self.is_late_for_leaving(task, id) => {
                            self.resend_call(now, id, outbox);
                            self.in_flight.abandon(id);
                            self.placement_settled(now, task, Answer::None, outbox);
                        }
                        _ => self.resend_call(now, id, outbox),
                    }
                }
                Overdue::GivenUp(rpc) => self.give_up(now, &rpc, outbox),
            }
        }
    }

    fn give_up(&mut self, now: Instant, rpc: &Rpc<Call>, outbox: &mut Outbox) {
        self.stats.rpcs_failed += 1;
        let Some(id) = rpc.request.expected else {
            return; // an address to join by: it is tried again by the clock
        };
        let contact = Contact { id, addr: rpc.peer };
        self.settle(now, contact, Credential::NONE, rpc, Answer::None, outbox);
        self.contact_failed(now, contact, outbox);
    }

    /// Tells whoever made the call what came of it.
    fn settle(
        &mut self,
        now: Instant,
        contact: Contact,
        credential: Credential,
        rpc: &Rpc<Call>,
        answer: Answer<'_>,
        outbox: &mut Outbox,
    ) {
        match rpc.request.owner {
            Owner::Join => {}
            Owner::Probe => self.probing.retain(|&addr| addr != rpc.peer),
            Owner::Introduction => self.introducing.retain(|&addr| addr != rpc.peer),
            Owner::Lookup(task) => {
                let asked = rpc.request.expected.unwrap_or(contact.id);
                let contact = Contact { id: asked, addr: rpc.peer };
                let (round_trip, since) = (rpc.round_trip, rpc.first_sent());
                let step = super::drive::Step { contact, round_trip, credential, since };
                self.lookup_settled(now, task, step, answer, outbox);
            }
            Owner::Farewell => self.farewell_settled(now, rpc, credential, outbox),
            Owner::Placement(task) => self.placement_settled(now, task, answer, outbox),
            Owner::PathCache => {
                if matches!(answer, Answer::Reply(Body::Stored)) {
                    self.stats.values_path_cached += 1;
                }
            }
        }
    }
}

/// Whether a reply is of a kind that answers `ask`.
const fn is_answer(ask: &Ask, body: &Body<'_>) -> bool {
    match ask {
        Ask::Ping => matches!(body, Body::Pong),
        Ask::FindNode { .. } => matches!(body, Body::Nodes(_) | Body::Error(_)),
        Ask::FindValue { .. } => matches!(body, Body::Nodes(_) | Body::Value(_) | Body::Error(_)),
        Ask::Store { .. } => matches!(body, Body::Stored | Body::Error(_)),
    }
}

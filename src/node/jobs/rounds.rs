//! Rounds: values are renewed on the nodes that hold them, and stored where they are lacking.
//!
//! A round has values and peers, and for each peer the list of what is to be renewed there. A
//! RENEW names up to [`RENEWALS_MAX`] of them; what the peer lacks follows as STOREs. A peer
//! has one request of a round at a time, so that no peer is sent a burst, and a dead one costs
//! one datagram and its repetitions; of all rounds [`ROUND_REQUESTS_MAX`] requests are in
//! flight. A node that departs has only seconds: it has up to
//! [`DEPART_REQUESTS_PER_PEER`](crate::limits::DEPART_REQUESTS_PER_PEER) at a time to each peer
//! that has answered it, and [`DEPART_REQUESTS_MAX`] to all.
//!
//! A node of an older release drops a RENEW. A peer that is silent is offered one of its values
//! by a STORE therefore: if it answers, the others follow so, and it is sent no RENEW for
//! [`RENEWLESS`]. There is no time for that where the node departs.
//!
//! Where a peer is silent, the nodes closest to its values are others than it seemed: a minute
//! later, when the table knows that, those values are renewed once more. Of what was put here
//! only those that no peer holds: an origin renews on some of the closest, which tell the others.

mod round;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::iter::repeat_n;
use core::net::SocketAddr;

use slab::Slab;

use crate::id::Id;
use crate::limits::{
    DEPART_REQUESTS_MAX, RENEWALS_MAX, RENEWLESS, RENEWLESS_MAX, ROUND_PACE, ROUND_REQUESTS_MAX,
    ROUNDS_MAX,
};
use crate::node::effect::{Effect, Turn};
use crate::node::known::Known;
use crate::node::renewable::{RenewReason, Renewable, RoundPeer};
use crate::node::request::{Answer, Ask, Reply};
use crate::time::Instant;
use crate::wire::{Body, Contact};
use round::{Peer, Round, State, Value};

/// The rounds of one shard.
#[derive(Default)]
pub(crate) struct Rounds {
    slots: Slab<Round>,
    generation: u32,
    requests: usize,
    /// Replicas whose closest nodes are to be looked up. No round begins that adds to them while
    /// there are any, so that they are of as many rounds as there may be at most.
    pub(crate) sought: Vec<Id>,
    /// Peers that have something to be sent, in the order in which they had.
    ready: VecDeque<RoundPeer>,
    /// Peers that take STOREs and answer no RENEW, and how long that is believed.
    renewless: BTreeMap<SocketAddr, Instant>,
}

/// What a round is to do on a peer.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) contact: Contact,
    pub(crate) known: Known,
    /// Which of the values, in their order.
    pub(crate) values: Vec<u16>,
}

impl Rounds {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.slots.len() < ROUNDS_MAX
    }

    /// Begins a round, for which there is room. Of each value is said how many must hold it so
    /// that this node may cease to replicate it. Returns when the next may begin.
    pub(crate) fn begin(
        &mut self,
        turn: &mut Turn,
        reason: RenewReason,
        values: impl Iterator<Item = (Renewable, Option<u8>)>,
        works: Vec<Work>,
        spares: Vec<(Contact, Known)>,
    ) -> Instant {
        self.generation = self.generation.wrapping_add(1);
        let values = values.map(|(renewable, enough)| Value { renewable, enough, holders: 0 });
        let requests: usize =
            works.iter().map(|work| work.values.len().div_ceil(RENEWALS_MAX)).sum();
        let slot = self.slots.insert(Round {
            generation: self.generation,
            reason,
            values: values.collect(),
            peers: Vec::new(),
            spares,
            open: 0,
            missed: BTreeSet::new(),
        });
        for work in works {
            self.add_peer(turn, slot, work);
        }
        if self.slots[slot].open == 0 {
            self.finish(turn, slot);
        }
        self.send_ready(turn);
        turn.now + ROUND_PACE * requests as u32
    }

    fn add_peer(&mut self, turn: &Turn, slot: usize, work: Work) {
        let Work { contact, known, mut values } = work;
        values.reverse();
        let is_renewless = self.renewless.get(&contact.addr).is_some_and(|until| turn.now < *until);
        let (renew, store, state) = if is_renewless {
            (Vec::new(), values, State::Renewless)
        } else {
            (values, Vec::new(), State::Unknown)
        };
        let round = &mut self.slots[slot];
        if is_renewless && round.reason == RenewReason::Far {
            return round.missed.extend(store);
        }
        let peer = round.peers.len() as u16;
        round.peers.push(Peer { contact, known, renew, store, state, stored_again: 0, turns: 1 });
        round.open += 1;
        self.ready.push_back(RoundPeer { slot, generation: round.generation, peer });
    }

    fn round(&mut self, id: RoundPeer) -> Option<&mut Round> {
        self.slots.get_mut(id.slot).filter(|round| round.generation == id.generation)
    }

    /// Sends what may be sent.
    fn send_ready(&mut self, turn: &mut Turn) {
        let requests_max =
            if turn.is_departing() { DEPART_REQUESTS_MAX } else { ROUND_REQUESTS_MAX };
        while self.requests < requests_max
            && let Some(id) = self.ready.pop_front()
        {
            let Some(round) = self.round(id) else { continue };
            if let Some(request) = round.next_request(turn, id) {
                turn.stats.renews_sent += u64::from(matches!(request.ask, Ask::Renew { .. }));
                turn.push(Effect::Request(request));
                self.requests += 1;
            } else {
                self.end_turn(turn, id);
            }
        }
    }

    /// A request could not be sent, since too much is in flight: its peer is given up.
    pub(crate) fn refused(&mut self, turn: &mut Turn, id: RoundPeer, ask: &Ask) {
        self.requests -= 1;
        if let Some(round) = self.round(id) {
            round.give_up(id.peer, ask);
        }
        self.advance(turn, id);
    }

    /// Takes in what came of a request. Returns the first key of a republishing whose peer is
    /// silent.
    pub(super) fn settled(
        &mut self,
        turn: &mut Turn,
        id: RoundPeer,
        reply: &Reply<'_>,
    ) -> Option<Id> {
        self.requests -= 1;
        let Some(round) = self.round(id) else {
            self.send_ready(turn);
            return None;
        };
        if matches!(reply.answer, Answer::Reply { .. }) {
            round.peers[usize::from(id.peer)].known = reply.known;
        }
        let is_alive = match (&reply.request.ask, reply.answer) {
            (Ask::Renew { renewals }, Answer::Reply { body: Body::Renewed(renewed), .. }) => {
                round.renewed(turn, id.peer, reply, renewals, renewed)
            }
            (Ask::Renew { renewals }, Answer::Silence) if !round.reason.is_hurried() => {
                round.probe(id.peer, renewals)
            }
            (Ask::Store { key, .. }, Answer::Reply { body, .. }) => {
                round.tell_store(turn, id.peer, reply, *key, body == Body::Stored);
                let was_probed = round.stored(turn, id.peer, *key, body == Body::Stored);
                if let Body::Error(code) = body {
                    round.store_refused(id.peer, *key, code);
                }
                if was_probed {
                    self.note_renewless(turn, reply.request.addr);
                }
                true
            }
            _ => false,
        };
        let silent = if is_alive { None } else { self.replace(turn, id, reply) };
        self.advance(turn, id);
        silent
    }

    /// A peer is of no use: another takes its place, where there is one.
    fn replace(&mut self, turn: &mut Turn, id: RoundPeer, reply: &Reply<'_>) -> Option<Id> {
        let round = self.round(id)?;
        round.give_up(id.peer, &reply.request.ask);
        turn.stats.renew_peers_given_up += 1;
        let is_silent = !matches!(reply.answer, Answer::Reply { .. });
        let first = round.values.first().map(|value| value.renewable.key);
        let silent = first.filter(|_| is_silent && round.reason == RenewReason::Republish);
        if let Some((contact, known)) = round.spares.pop() {
            let values = (0..round.values.len() as u16).collect();
            self.add_peer(turn, id.slot, Work { contact, known, values });
        }
        silent
    }

    /// Remembers that a peer takes STOREs and answers no RENEW.
    fn note_renewless(&mut self, turn: &mut Turn, addr: SocketAddr) {
        turn.stats.renew_fallbacks += 1;
        self.renewless.retain(|_, until| turn.now < *until);
        if self.renewless.len() < RENEWLESS_MAX {
            self.renewless.insert(addr, turn.now + RENEWLESS);
        }
    }

    /// Goes on with a peer, or ends the round when all are done with.
    fn advance(&mut self, turn: &mut Turn, id: RoundPeer) {
        self.end_turn(turn, id);
        self.send_ready(turn);
    }

    /// A peer's turn has ended: it has as many more as there is something to send in.
    fn end_turn(&mut self, turn: &mut Turn, id: RoundPeer) {
        let Some(round) = self.round(id) else { return };
        let more = round.end_turn(id.peer);
        if round.open == 0 {
            self.finish(turn, id.slot);
        }
        self.ready.extend(repeat_n(id, more));
    }

    /// Tells what a round has come to.
    fn finish(&mut self, turn: &mut Turn, slot: usize) {
        let Round { reason, values, missed, .. } = self.slots.remove(slot);
        for (index, value) in (0..).zip(values) {
            let Value { renewable: Renewable { key, .. }, enough, holders } = value;
            match reason {
                RenewReason::Republish => {
                    turn.stats.values_republished += 1;
                    turn.push(Effect::Published { key, holders: holders.into() });
                    if holders == 0 && missed.contains(&index) {
                        turn.push(Effect::Missed { key });
                    }
                }
                RenewReason::Replicate | RenewReason::Again => {
                    turn.stats.values_replicated += 1;
                    if enough.is_some_and(|enough| holders >= enough) {
                        turn.push(Effect::Demote { key });
                    } else if reason == RenewReason::Replicate && missed.contains(&index) {
                        turn.push(Effect::Missed { key });
                    }
                }
                RenewReason::Far => {
                    turn.stats.values_replicated += 1;
                    if enough.is_some_and(|enough| holders >= enough) {
                        turn.push(Effect::Demote { key });
                    } else {
                        self.sought.push(key);
                    }
                }
                RenewReason::Newcomer => {}
                RenewReason::HandOff | RenewReason::HandOffAgain => {
                    let is_left = holders > 0 && !missed.contains(&index);
                    let holders = is_left.then_some(holders.into());
                    turn.push(Effect::HandedOff { key, reason, holders });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

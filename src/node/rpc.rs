//! Requests of this node to others: sent, sent again, matched with a reply, given up.
//!
//! This engine does not look at what a request is for.

mod in_flight;

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::effect::Turn;
use super::known::{Known, PeerToken};
use super::log_event::LogEvent;
use super::outbox::Outbox;
use super::request::{Answer, Ask, Patience, Reply, Request};
use crate::limits::AMPLIFICATION_MAX;
use crate::time::Instant;
use crate::wire::{self, Body, Datagram, ErrorCode, Token, TransactionId};
use in_flight::{InFlight, Overdue, Rpc, Spacing};

pub(crate) use in_flight::RpcId;

/// A request that is overdue.
pub(crate) enum Late {
    /// It may be [sent again](Rpcs::resend) or [forgotten](Rpcs::forget).
    Resend(RpcId),
    /// It was sent as often as it may be; it is no longer in flight.
    GivenUp(Box<Reply<'static>>),
}

/// The requests in flight.
pub(crate) struct Rpcs {
    in_flight: InFlight<Request>,
}

impl Rpcs {
    /// `reply_tag` brings replies back to this shard.
    pub(crate) fn new(reply_tag: u8) -> Self {
        Self { in_flight: InFlight::new(reply_tag) }
    }

    pub(crate) fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// When the next request is overdue.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.in_flight.deadline()
    }

    /// Sends a request for the first time. False when
    /// [`IN_FLIGHT_MAX`](crate::limits::IN_FLIGHT_MAX) are in flight.
    pub(crate) fn begin(&mut self, turn: &mut Turn, request: Request, outbox: &mut Outbox) -> bool {
        let Request { addr, known: Known { round_trip, .. }, sends_max, .. } = request;
        let (now, rng) = (turn.now, &mut turn.rng);
        let begun = self.in_flight.begin(now, rng, addr, round_trip, sends_max, request);
        let Some((id, transaction)) = begun else {
            turn.stats.rpcs_refused += 1;
            turn.log(|| LogEvent::Refused { what: "request" });
            return false;
        };
        let ask = &self.request(id).ask;
        turn.log(|| LogEvent::RequestSent { request: ask.name(), peer: addr });
        self.send(turn, id, transaction, outbox);
        true
    }

    /// The request that a reply answers, with its answer. A reply counts only if its
    /// transaction id, its source and its kind match a request in flight.
    pub(crate) fn take_reply<'a>(
        &mut self,
        turn: &mut Turn,
        source: SocketAddr,
        datagram: &Datagram<'a>,
    ) -> Option<Reply<'a>> {
        let found = self.in_flight.find(datagram.transaction, source);
        let answers = |ask: &Ask| datagram.body.answers(&ask.body());
        let Some(id) = found.filter(|&id| answers(&self.request(id).ask)) else {
            turn.stats.replies_unmatched += 1;
            return None;
        };
        let (rpc, sample) = self.in_flight.complete(turn.now, id, datagram.transaction);
        let id = datagram.sender;
        let mut known =
            Known { token: PeerToken::new(datagram.token, turn.now), ..rpc.request.known };
        let answer = if rpc.request.id.is_none_or(|expected| expected == id) {
            turn.stats.rpcs_answered += 1;
            turn.histograms.answered(&rpc.request.ask, turn.now.since(rpc.first_sent()));
            if let Some(sample) = sample {
                known.round_trip.sample(sample);
            }
            Answer::Reply { id, role: datagram.role, body: datagram.body }
        } else {
            turn.stats.replies_misnamed += 1;
            Answer::Misnamed { id }
        };
        let first_sent = rpc.first_sent();
        let (request, elapsed) = (rpc.request.ask.name(), turn.now.since(first_sent));
        turn.log(|| LogEvent::RequestAnswered { request, peer: source, elapsed });
        Some(Reply { request: rpc.request, known, first_sent, answer })
    }

    /// Sends a request that was refused for want of a token once more, with the token
    /// that came with the refusal. Whether it does.
    pub(crate) fn renew(
        &mut self,
        turn: &mut Turn,
        reply: &Reply<'_>,
        outbox: &mut Outbox,
    ) -> bool {
        let is_refused =
            matches!(reply.answer, Answer::Reply { body: Body::Error(ErrorCode::Token), .. });
        is_refused && !reply.request.is_renewed && {
            let request = Request { known: reply.known, is_renewed: true, ..reply.request.clone() };
            self.begin(turn, request.confirmed(), outbox)
        }
    }

    /// The next request that is overdue.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Late> {
        Some(match self.in_flight.overdue(now)? {
            Overdue::Late(id) => Late::Resend(id),
            Overdue::GivenUp(rpc) => Late::GivenUp(Box::new(silence(rpc))),
        })
    }

    pub(crate) fn request(&self, id: RpcId) -> &Request {
        &self.in_flight.rpc(id).request
    }

    /// Forgets a request.
    pub(crate) fn forget(&mut self, id: RpcId) {
        self.in_flight.remove(id);
    }

    /// Sends a request once more, or waits once more for the answer to one that is not to be.
    /// Returns what came of a hurried one that was sent for
    /// the last time.
    pub(crate) fn resend(
        &mut self,
        turn: &mut Turn,
        id: RpcId,
        outbox: &mut Outbox,
    ) -> Option<Reply<'static>> {
        // What is late for the second time, a get does not wait for: so soon that is known.
        let spacing = match self.request(id).ask {
            Ask::FindValue { .. } => Spacing::Late,
            _ => Spacing::Doubling,
        };
        let transaction = self.in_flight.resend(turn.now, &mut turn.rng, id, spacing);
        if self.request(id).patience == Patience::Unconfirmed {
            return None;
        }
        turn.stats.requests_retransmitted += 1;
        let Request { addr: peer, ref ask, .. } = *self.request(id);
        turn.log(|| LogEvent::RequestResent { request: ask.name(), peer });
        self.send(turn, id, transaction, outbox);
        let rpc = self.in_flight.rpc(id);
        let is_given_up = rpc.request.patience == Patience::Hurried && rpc.is_last_send();
        is_given_up.then(|| silence(self.in_flight.remove(id)))
    }

    /// Shows a peer that asks for it the token that it has given. Nothing is remembered of it: the
    /// peer has just shown that it is there, and asks again by its next reply where this is lost.
    pub(crate) fn prove(
        &self,
        turn: &mut Turn,
        peer: SocketAddr,
        token: PeerToken,
        outbox: &mut Outbox,
    ) {
        let transaction = self.in_flight.unmatched(&mut turn.rng);
        let datagram = datagram(turn, transaction, token, Body::Proof);
        let sent = outbox.datagram(peer, |buffer| wire::encode(&datagram, buffer));
        turn.stats.proofs_sent += 1;
        turn.stats.count_sent(sent);
        turn.log(|| LogEvent::RequestSent { request: "PROOF", peer });
    }

    fn send(&self, turn: &mut Turn, id: RpcId, transaction: TransactionId, outbox: &mut Outbox) {
        let &Request { addr, known, ref ask, reply_bytes, .. } = self.request(id);
        let datagram = datagram(turn, transaction, known.token, ask.body());
        // Without a token the reply may be only so many times the request's size, so
        // the request is made large enough for it.
        let is_find = matches!(ask, Ask::FindNode { .. } | Ask::FindValue { .. });
        let length_min = if is_find && datagram.token == Token::NONE {
            reply_bytes.div_ceil(AMPLIFICATION_MAX)
        } else {
            0
        };
        let sent = outbox.datagram(addr, |buffer| {
            let length = wire::encode(&datagram, buffer);
            if length < length_min {
                buffer[length..length_min].fill(0);
            }
            length.max(length_min)
        });
        turn.stats.requests_sent += 1;
        turn.stats.count_sent(sent);
    }
}

/// What this node sends to others, but for its replies.
fn datagram<'a>(
    turn: &Turn,
    transaction: TransactionId,
    token: PeerToken,
    body: Body<'a>,
) -> Datagram<'a> {
    Datagram {
        network: turn.config.network,
        transaction,
        sender: turn.config.id,
        role: turn.config.role,
        announce: turn.config.announce,
        asks_proof: false,
        token: token.valid_at(turn.now),
        body,
    }
}

/// What came of a request that no peer answered.
fn silence(rpc: Rpc<Request>) -> Reply<'static> {
    let first_sent = rpc.first_sent();
    let known = Known { token: PeerToken::default(), ..rpc.request.known };
    Reply { request: rpc.request, known, first_sent, answer: Answer::Silence }
}

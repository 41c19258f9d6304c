//! How a node departs: it says goodbye, and hands off what it holds.
//!
//! A departing node does no more maintenance, takes no more values, and goes on answering
//! for as long as its caller lets it. Each value that was put here, and each replica, is to be
//! held by the K closest nodes that stay. A cached copy is not, since K others hold its value.
//! First go the values that no other node is known to hold; then the replicas, those whose turn
//! to be replicated comes first, since they were sent to their holders the longest ago; last the
//! values that others hold.
//!
//! They go by [rounds](super::rounds): a RENEW tells which of the nodes that stay have them
//! already, and the others are sent STOREs. Where a node was silent, its values go once more, to
//! those that are the closest without it. What is left then, and values whose closest nodes are
//! not known, are published by lookups, [`DEPART_QUERIES_MAX`] at a time.
//!
//! What each part buys was measured in the simulator, when each value went by a lookup of its
//! own; `tests/sim/README.md` has the table, and what rounds have changed.
//! Four nodes in five of 100 depart within a second, each value on 8 nodes:
//!
//! - Every datagram says [`Role::Departing`](crate::wire::Role::Departing). The peers that
//!   learn so drop the contact, and count it among no K closest. Without that, departing
//!   nodes hand their values to each other, and one value in twenty is lost.
//! - A goodbye, a PING to each contact, tells them at once, and its PONG tells which
//!   contacts depart too. Values go when all goodbyes have ended. Without goodbyes, a
//!   value is left on 7.1 of its 8 closest nodes instead of on all.
//! - Peers that depart too are remembered, and no query asks them. Without that, it takes
//!   1.4 times as many datagrams.
//! - Requests are hurried: given up as they are sent for the last time. Without that, where
//!   most contacts are dead, a value is left on 4.9 of its 8 closest nodes in time.
//! - Lookups are [`ALPHA_MAX`](crate::limits::ALPHA_MAX) wide. Without that, a node that
//!   holds 1600 values hands off little more than half of them within 5 s.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::id::Id;
use crate::limits::{DEPART_QUERIES_MAX, DEPART_ROUND_VALUES, DEPARTING_MAX};
use crate::node::command::{Event, OperationId};
use crate::node::effect::{Effect, Turn};
use crate::node::renewable::RenewReason;
use crate::node::request::{Reply, Request};
use crate::node::to_hand_off::ToHandOff;
use crate::wire::Token;

/// What a departing node has still to do, and what has come of the rest. Empty while the
/// node stays.
#[derive(Debug, Default)]
pub(crate) struct Depart {
    /// Commands that are answered when all is done.
    operations: Vec<OperationId>,
    /// Values to hand off.
    pub(crate) keys: ToHandOff,
    /// Values to hand off once more, since a node was silent.
    again: Vec<Id>,
    /// Values whose closest nodes are to be looked up.
    unknown: Vec<Id>,
    /// Values on their way in rounds, and in queries.
    in_rounds: usize,
    in_queries: usize,
    /// Goodbyes that have not ended.
    goodbyes: usize,
    handed_off: usize,
    failed: usize,
    /// Where others are that depart too.
    departing: BTreeSet<SocketAddr>,
    /// Where others are that were silent in a round.
    silent: BTreeSet<SocketAddr>,
}

impl Depart {
    /// Says goodbye by these requests.
    pub(super) fn begin(&mut self, turn: &mut Turn, values: usize, goodbyes: Vec<Request>) {
        self.keys.left = values;
        self.goodbyes = goodbyes.len();
        for goodbye in goodbyes {
            turn.push(Effect::Request(goodbye));
        }
    }

    /// Has one more command answered when all is done.
    pub(crate) fn answer(&mut self, turn: &mut Turn, operation: OperationId) {
        self.operations.push(operation);
        self.tell_when_done(turn);
    }

    /// Values whose handing off has not ended.
    pub(crate) fn left_to_do(&self) -> usize {
        self.waiting() + self.in_rounds + self.in_queries
    }

    fn waiting(&self) -> usize {
        self.keys.len() + self.again.len() + self.unknown.len()
    }

    /// A goodbye has ended. One without a token has proved nothing, so it is said again
    /// with the token that came back.
    pub(crate) fn goodbye_settled(&mut self, turn: &mut Turn, reply: &Reply<'_>) {
        let had_token = reply.request.known.token.valid_at(reply.first_sent) != Token::NONE;
        if !had_token && !reply.request.is_renewed && !reply.known.token.is_none() {
            let again = Request { known: reply.known, is_renewed: true, ..reply.request.clone() };
            return turn.push(Effect::Request(again));
        }
        self.goodbye_ended(turn);
    }

    /// A goodbye has ended.
    pub(crate) fn goodbye_ended(&mut self, turn: &mut Turn) {
        self.goodbyes -= 1;
        self.tell_when_done(turn);
    }

    /// Notes that a peer departs too; [`DEPARTING_MAX`] are remembered.
    pub(crate) fn peer_departs(&mut self, turn: &mut Turn, addr: SocketAddr) {
        if self.departing.len() < DEPARTING_MAX {
            self.departing.insert(addr);
        } else if !self.departing.contains(&addr) {
            turn.stats.departing_forgotten += 1;
        }
    }

    /// Whether the peer at `addr` departs too.
    pub(crate) fn is_departing(&self, addr: SocketAddr) -> bool {
        self.departing.contains(&addr)
    }

    /// Notes that a peer was silent in a round; [`DEPARTING_MAX`] are remembered.
    pub(super) fn peer_silent(&mut self, turn: &mut Turn, addr: SocketAddr) {
        if self.silent.len() < DEPARTING_MAX {
            self.silent.insert(addr);
        } else if !self.silent.contains(&addr) {
            turn.stats.departing_forgotten += 1;
        }
    }

    /// Whether the peer at `addr` is to be sent values: it neither departs nor was silent.
    pub(crate) fn is_of_use(&self, addr: SocketAddr) -> bool {
        !self.departing.contains(&addr) && !self.silent.contains(&addr)
    }

    /// Whether keys are still to be gathered.
    pub(crate) const fn is_gathering(&self) -> bool {
        self.keys.left > 0
    }

    /// Whether values wait for a round and may go: none does before all goodbyes have ended,
    /// since departing peers would hand values to each other.
    pub(crate) fn is_ready_for_round(&self) -> bool {
        let is_any = self.keys.len() + self.again.len() > 0;
        self.goodbyes == 0 && !self.is_gathering() && is_any
    }

    /// The values of the next round, all of one kind, and the reason for it.
    pub(crate) fn take_for_round(&mut self) -> Option<(RenewReason, Vec<Id>)> {
        let keys = self.keys.take(DEPART_ROUND_VALUES);
        if !keys.is_empty() {
            return Some((RenewReason::HandOff, keys));
        }
        let rest = self.again.len().saturating_sub(DEPART_ROUND_VALUES);
        let again = self.again.split_off(rest);
        (!again.is_empty()).then_some((RenewReason::HandOffAgain, again))
    }

    /// A round of so many values begins.
    pub(crate) const fn round_begun(&mut self, values: usize) {
        self.in_rounds += values;
    }

    /// The round of a value has ended.
    pub(crate) fn round_ended(
        &mut self,
        turn: &mut Turn,
        key: Id,
        reason: RenewReason,
        holders: Option<usize>,
    ) {
        self.in_rounds -= 1;
        match holders {
            Some(holders) => self.ended(turn, holders),
            None if reason == RenewReason::HandOff => self.again.push(key),
            None => self.unknown.push(key),
        }
    }

    /// The nodes closest to a value are to be looked up.
    pub(crate) fn look_up(&mut self, key: Id) {
        self.unknown.push(key);
    }

    /// Whether a value waits for a query and may go.
    pub(crate) const fn is_ready_for_query(&self) -> bool {
        !self.unknown.is_empty() && self.in_queries < DEPART_QUERIES_MAX
    }

    /// The next value for a query.
    pub(crate) fn take_for_query(&mut self) -> Option<Id> {
        self.unknown.pop()
    }

    /// The query for a value begins.
    pub(crate) const fn query_begun(&mut self) {
        self.in_queries += 1;
    }

    /// The query for a value has ended, and so many other nodes hold it.
    pub(super) fn query_finished(&mut self, turn: &mut Turn, holders: usize) {
        self.in_queries -= 1;
        self.ended(turn, holders);
    }

    /// So many other nodes hold a value now.
    fn ended(&mut self, turn: &mut Turn, holders: usize) {
        let (sum, counter) = if holders > 0 {
            (&mut self.handed_off, &mut turn.stats.values_handed_off)
        } else {
            (&mut self.failed, &mut turn.stats.values_not_handed_off)
        };
        *sum += 1;
        *counter += 1;
        self.tell_when_done(turn);
    }

    /// Gives up the values that wait: no node is there to take them.
    pub(crate) fn give_up(&mut self, turn: &mut Turn) {
        let waiting = self.waiting();
        self.failed += waiting;
        turn.stats.values_not_handed_off += waiting as u64;
        self.keys = ToHandOff::default();
        self.again.clear();
        self.unknown.clear();
    }

    /// Tells, once nothing is left to do.
    pub(crate) fn tell_when_done(&mut self, turn: &mut Turn) {
        if self.left_to_do() > 0 || self.goodbyes > 0 {
            return;
        }
        let (handed_off, failed) = (self.handed_off, self.failed);
        for operation in self.operations.drain(..) {
            turn.push(Effect::Event(Event::Departed { operation, handed_off, failed }));
        }
    }
}

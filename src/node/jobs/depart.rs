//! How a node departs: it says goodbye, and publishes what it holds.
//!
//! A departing node does no more maintenance, takes no more values, and goes on answering
//! for as long as its caller lets it. Each value that was put here, and each replica, is
//! published to the K closest nodes that stay, [`DEPART_QUERIES_MAX`] at a time. A cached
//! copy is not, since K others hold its value. First go the values that no other node is
//! known to hold; then the replicas, those whose turn to be replicated comes first, since
//! they were sent to their holders the longest ago; last the values that others hold.
//!
//! What each part buys was measured in the simulator; `tests/sim/README.md` has the table.
//! Four nodes in five of 100 depart within a second, each value on 8 nodes:
//!
//! - Every datagram says [`Role::Departing`](crate::wire::Role::Departing). The peers that
//!   learn so drop the contact, and count it among no K closest. Without that, departing
//!   nodes hand their values to each other, and one value in twenty is lost.
//! - A goodbye, a PING to each contact, tells them at once, and its PONG tells which
//!   contacts depart too. Queries begin when all goodbyes have ended. Without goodbyes, a
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
use crate::limits::{DEPART_QUERIES_MAX, DEPARTING_MAX};
use crate::node::command::{Event, OperationId};
use crate::node::effect::{Effect, Turn};
use crate::node::request::{Reply, Request};
use crate::wire::Token;

/// What a departing node has still to do, and what has come of the rest. Empty while the
/// node stays.
#[derive(Debug, Default)]
pub(crate) struct Depart {
    /// Commands that are answered when all is done.
    operations: Vec<OperationId>,
    /// Values to hand off, the last one next.
    queue: Vec<Id>,
    /// Values on their way.
    on_their_way: usize,
    /// Goodbyes that have not ended.
    goodbyes: usize,
    handed_off: usize,
    failed: usize,
    /// Where others are that depart too.
    departing: BTreeSet<SocketAddr>,
}

impl Depart {
    /// Says goodbye by these requests.
    pub(super) fn begin(&mut self, turn: &mut Turn, queue: Vec<Id>, goodbyes: Vec<Request>) {
        self.queue = queue;
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
    pub(crate) const fn left_to_do(&self) -> usize {
        self.queue.len() + self.on_their_way
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

    /// Whether a value waits and may go: none does before all goodbyes have ended, since
    /// queries by way of departing peers would find each other.
    pub(crate) const fn is_ready(&self) -> bool {
        !self.queue.is_empty() && self.goodbyes == 0 && self.on_their_way < DEPART_QUERIES_MAX
    }

    /// The next value.
    pub(crate) fn take(&mut self) -> Option<Id> {
        self.queue.pop()
    }

    /// The query for a value begins.
    pub(crate) const fn query_begun(&mut self) {
        self.on_their_way += 1;
    }

    /// The query for a value has ended, and so many other nodes hold it.
    pub(super) fn query_finished(&mut self, turn: &mut Turn, holders: usize) {
        self.on_their_way -= 1;
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
        self.failed += self.queue.len();
        turn.stats.values_not_handed_off += self.queue.len() as u64;
        self.queue.clear();
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

//! Requests that wait for a later turn. A STORE costs several times what a PING or a get does, a
//! RENEW as much for every few values that it names, and a part of a large value is up to 48
//! datagrams: a turn takes up a bounded part of each, so that a flood of them, or many transfers,
//! hold up nothing else. What the last of a turn costs beyond that, later turns take up less.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::limits::{
    RANGES_PER_TURN_MAX, RANGES_PUT_OFF_MAX, RENEWAL_COST, STORE_COST, STORES_PER_TURN_MAX,
    STORES_PUT_OFF_MAX,
};
use crate::wire::Costly;

/// A datagram, with where it came from, and to, where that was noted.
pub(super) struct PutOff {
    pub(super) source: SocketAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) bytes: Box<[u8]>,
}

/// What becomes of a costly request that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Now,
    Later,
    /// As many wait as may; its sender sends it again.
    Dropped,
}

/// The costly requests of a turn, and those that wait: what changes values does not take the room
/// of what asks for them.
pub(super) struct PutOffs {
    stores: Queue,
    ranges: Queue,
}

impl PutOffs {
    pub(super) const fn new() -> Self {
        Self {
            stores: Queue::new(STORES_PER_TURN_MAX * STORE_COST, STORES_PUT_OFF_MAX),
            ranges: Queue::new(RANGES_PER_TURN_MAX, RANGES_PUT_OFF_MAX),
        }
    }

    pub(super) const fn begin_turn(&mut self) {
        self.stores.begin_turn();
        self.ranges.begin_turn();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stores.waiting.is_empty() && self.ranges.waiting.is_empty()
    }

    /// The next that has waited, unless the turn has taken up as many as it may.
    pub(super) fn take(&mut self) -> Option<PutOff> {
        self.stores.take().or_else(|| self.ranges.take())
    }

    /// Decides on one that has just come.
    pub(super) fn admit(&mut self, kind: Costly) -> Admission {
        self.queue(kind).admit(cost(kind))
    }

    pub(super) fn put_off(&mut self, kind: Costly, request: PutOff) {
        self.queue(kind).waiting.push_back((cost(kind), request));
    }

    const fn queue(&mut self, kind: Costly) -> &mut Queue {
        match kind {
            Costly::Store | Costly::Renew { .. } => &mut self.stores,
            Costly::FindRange => &mut self.ranges,
        }
    }
}

/// What a request takes of its queue's turn.
const fn cost(kind: Costly) -> usize {
    match kind {
        Costly::Store => STORE_COST,
        Costly::Renew { renewals } => renewals * RENEWAL_COST,
        Costly::FindRange => 1,
    }
}

/// The requests of one kind.
struct Queue {
    /// What those of a turn cost together, on average.
    per_turn_max: usize,
    waiting_max: usize,
    /// What those of this turn have cost, and what those before cost too much.
    taken: usize,
    /// Each with what it costs.
    waiting: VecDeque<(usize, PutOff)>,
}

impl Queue {
    const fn new(per_turn_max: usize, waiting_max: usize) -> Self {
        Self { per_turn_max, waiting_max, taken: 0, waiting: VecDeque::new() }
    }

    const fn begin_turn(&mut self) {
        self.taken = self.taken.saturating_sub(self.per_turn_max);
    }

    fn take(&mut self) -> Option<PutOff> {
        if self.taken >= self.per_turn_max {
            return None;
        }
        let (cost, request) = self.waiting.pop_front()?;
        self.taken += cost;
        Some(request)
    }

    fn admit(&mut self, cost: usize) -> Admission {
        if self.taken < self.per_turn_max {
            self.taken += cost;
            Admission::Now
        } else if self.waiting.len() < self.waiting_max {
            Admission::Later
        } else {
            Admission::Dropped
        }
    }
}

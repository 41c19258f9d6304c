//! Requests that wait for a later turn. A STORE or a RENEW costs several times what a PING or a
//! get does, and a part of a large value is up to 48 datagrams: a turn takes up a bounded number
//! of each, so that a flood of them, or many transfers, hold up nothing else.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::limits::{
    RANGES_PER_TURN_MAX, RANGES_PUT_OFF_MAX, STORES_PER_TURN_MAX, STORES_PUT_OFF_MAX,
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

/// The costly requests of a turn, and those that wait: one kind does not take another's room.
pub(super) struct PutOffs {
    stores: Queue,
    ranges: Queue,
}

impl PutOffs {
    pub(super) const fn new() -> Self {
        Self {
            stores: Queue::new(STORES_PER_TURN_MAX, STORES_PUT_OFF_MAX),
            ranges: Queue::new(RANGES_PER_TURN_MAX, RANGES_PUT_OFF_MAX),
        }
    }

    pub(super) const fn begin_turn(&mut self) {
        self.stores.taken = 0;
        self.ranges.taken = 0;
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
        self.queue(kind).admit()
    }

    pub(super) fn put_off(&mut self, kind: Costly, request: PutOff) {
        self.queue(kind).waiting.push_back(request);
    }

    const fn queue(&mut self, kind: Costly) -> &mut Queue {
        match kind {
            Costly::Store => &mut self.stores,
            Costly::FindRange => &mut self.ranges,
        }
    }
}

/// The requests of one kind.
struct Queue {
    per_turn_max: usize,
    waiting_max: usize,
    taken: usize,
    waiting: VecDeque<PutOff>,
}

impl Queue {
    const fn new(per_turn_max: usize, waiting_max: usize) -> Self {
        Self { per_turn_max, waiting_max, taken: 0, waiting: VecDeque::new() }
    }

    fn take(&mut self) -> Option<PutOff> {
        if self.taken == self.per_turn_max {
            return None;
        }
        let first = self.waiting.pop_front()?;
        self.taken += 1;
        Some(first)
    }

    fn admit(&mut self) -> Admission {
        if self.taken < self.per_turn_max {
            self.taken += 1;
            Admission::Now
        } else if self.waiting.len() < self.waiting_max {
            Admission::Later
        } else {
            Admission::Dropped
        }
    }
}

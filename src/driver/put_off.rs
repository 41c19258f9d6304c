//! STOREs that wait for a later turn. A STORE costs several times what a PING or a get does:
//! a turn takes up a bounded number, so that a flood of them holds up nothing else.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::limits::{STORES_PER_TURN_MAX, STORES_PUT_OFF_MAX};

/// A datagram, with where it came from, and to, where that was noted.
pub(super) struct PutOff {
    pub(super) source: SocketAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) bytes: Box<[u8]>,
}

/// What becomes of a STORE that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Now,
    Later,
    /// As many wait as may; its sender sends it again.
    Dropped,
}

/// The STOREs of a turn, and those that wait.
#[derive(Default)]
pub(super) struct StoreQueue {
    taken: usize,
    waiting: VecDeque<PutOff>,
}

impl StoreQueue {
    pub(super) fn begin_turn(&mut self) {
        self.taken = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next that has waited, unless the turn has taken up as many as it may.
    pub(super) fn take(&mut self) -> Option<PutOff> {
        if self.taken == STORES_PER_TURN_MAX {
            return None;
        }
        let first = self.waiting.pop_front()?;
        self.taken += 1;
        Some(first)
    }

    /// Decides on one that has just come.
    pub(super) fn admit(&mut self) -> Admission {
        if self.taken < STORES_PER_TURN_MAX {
            self.taken += 1;
            Admission::Now
        } else if self.waiting.len() < STORES_PUT_OFF_MAX {
            Admission::Later
        } else {
            Admission::Dropped
        }
    }

    pub(super) fn put_off(&mut self, store: PutOff) {
        self.waiting.push_back(store);
    }
}

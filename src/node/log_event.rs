//! What a node tells of its work, for the log of a person who looks for a fault.

use core::mem;
use core::net::SocketAddr;
use core::time::Duration;

use super::command::OperationId;
use super::progress::Hop;
use crate::id::Id;
use crate::limits::LOG_EVENTS_MAX;
use crate::time::Instant;
use crate::wire::{Contact, ErrorCode};

/// How much of its work a node tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// What it begins, learns and refuses.
    Debug,
    /// What each node has answered that a lookup has asked, beside that.
    Hops,
    /// Each of its requests, and each datagram that it drops, beside that.
    Trace,
}

/// One thing that a node has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// It has sent a PING to each of its bootstrap addresses, to join by the first that
    /// answers.
    BootstrapAttempt {
        /// How many there are.
        addresses: usize,
    },
    /// A lookup has begun.
    LookupStarted {
        /// What it is for.
        purpose: &'static str,
        /// Its target.
        target: Id,
    },
    /// A lookup has ended, with the STOREs that follow it.
    LookupEnded {
        /// What it was for.
        purpose: &'static str,
        /// Its target.
        target: Id,
        /// What it came to.
        outcome: &'static str,
        /// Nodes that were asked.
        asked: usize,
        /// Time since it began.
        elapsed: Duration,
    },
    /// A node that a lookup has asked has answered, or was given up.
    LookupHop {
        /// What the lookup is for.
        purpose: &'static str,
        /// The user's, where it has asked for it.
        operation: Option<OperationId>,
        /// The lookup's target.
        target: Id,
        /// What happened.
        hop: Hop,
    },
    /// A node has stored a value for this one, or has not.
    StoreEnded {
        /// What it was stored for.
        purpose: &'static str,
        /// The user's, where it has asked for it.
        operation: Option<OperationId>,
        /// The value's key.
        key: Id,
        /// The node that was asked to.
        contact: Contact,
        /// Whether it holds the value.
        is_stored: bool,
        /// Time since it was asked.
        elapsed: Duration,
    },
    /// A contact has entered the routing table.
    ContactInserted(Contact),
    /// A contact has left the routing table, since it is silent, another node answers at
    /// its address, or it departs.
    ContactEvicted(Contact),
    /// A STORE was refused.
    StoreRefused {
        /// Its sender.
        source: SocketAddr,
        /// Its key.
        key: Id,
        /// Why.
        code: ErrorCode,
    },
    /// Something was not begun, since so much of it is in progress.
    Refused {
        /// What.
        what: &'static str,
    },
    /// A datagram was dropped.
    DatagramDropped {
        /// Its sender.
        source: SocketAddr,
        /// Why.
        reason: &'static str,
    },
    /// A request was sent.
    RequestSent {
        /// What it asks.
        request: &'static str,
        /// Where it went.
        peer: SocketAddr,
    },
    /// A request was sent again.
    RequestResent {
        /// What it asks.
        request: &'static str,
        /// Where it went.
        peer: SocketAddr,
    },
    /// A request was answered.
    RequestAnswered {
        /// What it asked.
        request: &'static str,
        /// Where it went.
        peer: SocketAddr,
        /// Time since it was first sent.
        elapsed: Duration,
    },
    /// A request was given up.
    RequestFailed {
        /// What it asked.
        request: &'static str,
        /// Where it went.
        peer: SocketAddr,
    },
}

impl LogEvent {
    /// From which level on it is told.
    pub const fn level(&self) -> LogLevel {
        match self {
            Self::BootstrapAttempt { .. }
            | Self::LookupEnded { .. }
            | Self::ContactInserted(_)
            | Self::ContactEvicted(_)
            | Self::StoreRefused { .. }
            | Self::Refused { .. } => LogLevel::Debug,
            Self::LookupHop { .. } | Self::StoreEnded { .. } => LogLevel::Hops,
            Self::LookupStarted { .. }
            | Self::DatagramDropped { .. }
            | Self::RequestSent { .. }
            | Self::RequestResent { .. }
            | Self::RequestAnswered { .. }
            | Self::RequestFailed { .. } => LogLevel::Trace,
        }
    }
}

/// How many events may still be told in this second.
pub(crate) struct LogBudget {
    since: Instant,
    told: u32,
    suppressed: u64,
}

impl LogBudget {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { since: now, told: 0, suppressed: 0 }
    }

    /// Takes one event's part, and returns how many before it had none; none where the
    /// second has no more.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u64> {
        if now.since(self.since) >= Duration::from_secs(1) {
            (self.since, self.told) = (now, 0);
        }
        if self.told == LOG_EVENTS_MAX {
            self.suppressed += 1;
            return None;
        }
        self.told += 1;
        Some(mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_a_budget_and_the_next_one_tells_how_many_had_none() {
        let mut now = Instant::ZERO;
        let mut budget = LogBudget::new(now);
        for _ in 0..LOG_EVENTS_MAX {
            assert_eq!(budget.take(now), Some(0));
        }
        assert_eq!((budget.take(now), budget.take(now)), (None, None));
        now = now + Duration::from_secs(1);
        assert_eq!((budget.take(now), budget.take(now)), (Some(2), Some(0)));
    }
}

//! Values to renew where they are held, as the engines hand them on.

use alloc::sync::Arc;
use core::time::Duration;

use crate::id::Id;
use crate::time::Instant;

/// A value to renew on other nodes, or to store there where they lack it.
#[derive(Clone, Debug)]
pub(crate) struct Renewable {
    pub(crate) key: Id,
    pub(crate) value: Arc<[u8]>,
    /// When the life ends that it is given.
    pub(crate) expires: Instant,
}

/// Why values are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RenewReason {
    /// They were put here.
    Republish,
    /// They are held for others.
    Replicate,
    /// They are, by a node that knows K closer ones: if those hold them, it need not.
    Far,
    /// They are, and a node was silent a while ago that was to hold them too.
    Again,
    /// A node has come that is to hold them too.
    Newcomer,
    /// The node departs, and hands them off.
    HandOff,
    /// The same, after a node was silent that was to hold them too.
    HandOffAgain,
}

impl RenewReason {
    /// What it is called in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Republish => "republish",
            Self::Replicate | Self::Far | Self::Again | Self::Newcomer => "replicate",
            Self::HandOff | Self::HandOffAgain => "depart",
        }
    }

    /// Whether the node has only seconds for it.
    pub(crate) const fn is_hurried(self) -> bool {
        matches!(self, Self::HandOff | Self::HandOffAgain)
    }
}

/// One of the peers that a round is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoundPeer {
    pub(crate) slot: usize,
    pub(crate) generation: u32,
    pub(crate) peer: u16,
}

/// By what values are sorted in a round: first by the byte that steers, so that one RENEW is for
/// few shards.
pub(crate) const fn steer_order(key: Id) -> (u8, Id) {
    (key.last_byte(), key)
}

impl Renewable {
    /// What is left of its life.
    pub(crate) fn life(&self, now: Instant) -> Duration {
        self.expires.since(now)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::node::samples::id;

    #[test]
    fn the_keys_of_a_round_come_by_the_byte_that_steers() {
        let mut keys: Vec<Id> = (0..1000).map(id).collect();
        keys.sort_unstable_by_key(|&key| steer_order(key));
        assert!(keys.is_sorted_by_key(|key| key.last_byte()));
    }
}

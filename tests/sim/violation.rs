//! What must not happen, by kind: a scenario that must fail says of which kind.

use std::time::Duration;

/// Something that must not happen, and did.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) at: Duration,
    pub(crate) wrong: Wrong,
    pub(crate) what: String,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A node has not joined.
    NotJoined,
    /// An operation was refused, did not end, or ended that had not begun.
    Operation,
    /// A get found nothing where a value was owed.
    NotFound,
    /// A get found a value that should be gone.
    Undue,
    /// A get gave a value that does not hash to its key.
    Forged,
    /// No node keeps a value any more, and no crash is to blame.
    Dropped,
    /// Crashes took every node that kept a value.
    Lost,
    /// A value is not where it belongs.
    Misplaced,
    /// A node does not give its closest contacts.
    NotClosest,
    /// A node knows too few contacts.
    Unacquainted,
    /// Nodes do not know their neighbours.
    NoNeighbours,
    /// A node has not had to evict anything.
    StoreNotFull,
    /// A node still holds a value.
    StillHeld,
    /// A node still pulls a value.
    StillPulled,
    /// Lookups take too many hops, or none was counted.
    Hops,
    /// A put or a get takes too long.
    Slow,
    /// A node sends too much where nothing is asked of it.
    NotQuiet,
    /// A node exceeds its limits.
    Limit,
    /// The network was full, or was not where it had to be.
    Overflow,
    /// A run has sent more datagrams than it may.
    Budget,
    /// Lies were told that no node noticed, or noticed that were not told.
    Lies,
    /// A node of several shards answers otherwise than a node of one.
    Unlike,
    /// An attack does more harm than it may.
    Attacked,
    /// The node panicked.
    Panic,
}

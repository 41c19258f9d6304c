//! What the user is told of a put or a get before it ends: hops, and how a large value comes
//! on.

use core::time::Duration;

use crate::wire::Contact;

/// One step of a traced get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The node that was asked.
    pub contact: Contact,
    /// Leading bits that its id shares with the key.
    pub shared_prefix_bits: usize,
    /// How far away in hops: 1 for a contact of the own table.
    pub depth: u8,
    /// What it answered.
    pub answer: HopAnswer,
    /// Time from the first send to the answer or to giving up.
    pub elapsed: Duration,
}

/// What a node that was asked for a value answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopAnswer {
    /// The value.
    Value {
        /// Its size.
        bytes: usize,
    },
    /// Closer contacts.
    Contacts {
        /// How many.
        count: usize,
    },
    /// A value that does not hash to the key.
    WrongValue,
    /// A value that is larger than this node takes.
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// An error, or an answer under another id than its own.
    Refused,
    /// Nothing, however often it was asked.
    TimedOut,
}

/// How far a put or a get of a large value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have arrived here; of a put, that all its holders together have asked for.
    pub bytes_done: usize,
    /// Bytes in all; of a put, the value's size for each node that is asked to hold it.
    pub bytes_total: usize,
    /// Nodes that have offered the value; of a put, those that hold it by now.
    pub holders: usize,
    /// Time since the command.
    pub elapsed: Duration,
}

/// A part of a large value that one holder has sent without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PulledRange {
    /// The node that has sent it.
    pub holder: Contact,
    /// Where it begins in the value.
    pub offset: usize,
    /// Its bytes.
    pub length: usize,
    /// Time since the pull of the value began.
    pub elapsed: Duration,
}

//! What the node's user asks of it, and what it tells in return.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::histograms::Histograms;
use super::identity::IdFault;
use super::journal::Kept;
use super::log_event::{LogEvent, LogLevel};
use super::progress::{Hop, Progress, PulledRange};
use super::stats::Stats;
use super::view::{Pending, ValuesView};
use crate::id::Id;
use crate::wire::Contact;

/// Ties an [`Event`] to the [`Command`] that it answers; chosen by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// A value with its key, which is hashed once.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyedValue {
    key: Id,
    bytes: Arc<[u8]>,
}

impl KeyedValue {
    /// Hashes the value `bytes`.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { key: Id::of_value(&bytes), bytes }
    }

    /// The value's key.
    pub const fn key(&self) -> Id {
        self.key
    }

    /// The value.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_parts(self) -> (Id, Arc<[u8]>) {
        (self.key, self.bytes)
    }
}

impl fmt::Debug for KeyedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.key, self.bytes.len())
    }
}

/// What the user asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Join the network by these addresses, and come back by them when every contact is lost. They
    /// replace those of an earlier command; at most
    /// [`BOOTSTRAP_ADDRESSES_MAX`](crate::limits::BOOTSTRAP_ADDRESSES_MAX) count.
    Bootstrap {
        /// Where nodes of the network listen.
        addresses: Vec<SocketAddr>,
    },
    /// Store a value on the K closest nodes, and go on republishing it. Answered by [`Event::Put`].
    Put {
        /// Names the answer.
        operation: OperationId,
        /// The value.
        value: KeyedValue,
    },
    /// Find a value. Answered by [`Event::Get`], and before it by
    /// [`Event::Hop`]s and [`Event::Range`]s where they are asked for.
    Get {
        /// Names the answer.
        operation: OperationId,
        /// The value's key.
        key: Id,
        /// Whether to report each hop.
        trace: Trace,
    },
    /// Stop republishing a value. Answered by [`Event::Forget`].
    Forget {
        /// Names the answer.
        operation: OperationId,
        /// The value's key.
        key: Id,
    },
    /// End a put or a get that is in progress. It is then answered at once, with
    /// [`Refusal::Abandoned`]. A put's value stays published here, and STOREs that are on their way
    /// stay so. Nothing happens where the operation has ended already.
    Abandon {
        /// The put's or the get's.
        operation: OperationId,
        /// The value's key.
        key: Id,
    },
    /// Show what a put or a get waits for. Answered by [`Event::Pending`].
    Pending {
        /// The put's or the get's.
        operation: OperationId,
        /// The value's key.
        key: Id,
    },
    /// Show the routing table. Answered by [`Event::Peers`].
    Peers {
        /// Names the answer.
        operation: OperationId,
    },
    /// Show the counters. Answered by [`Event::Stats`].
    Stats {
        /// Names the answer.
        operation: OperationId,
    },
    /// Show the values that the node holds. Answered by [`Event::Values`].
    Values {
        /// Names the answer.
        operation: OperationId,
    },
    /// Tell this much of the node's work from now on. It has no answer.
    Log {
        /// How much.
        level: LogLevel,
    },
    /// Depart: tell the contacts, hand every value off to the nodes that are closest to it and
    /// stay, and go on answering meanwhile. It cannot be undone. Answered by [`Event::Departed`],
    /// after which the node may be stopped; it may be so at any time before, too, and then what is
    /// left to do is left undone.
    Depart {
        /// Names the answer.
        operation: OperationId,
    },
}

impl Command {
    /// The command to put the value `bytes`, of which it hashes the key.
    pub fn put(operation: OperationId, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Put { operation, value: KeyedValue::new(bytes) }
    }
}

/// Whether a get reports each hop, and which holder has sent which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// The outcome only.
    Off,
    /// Each hop as it is answered or given up, then the outcome.
    Hops,
}

/// What the node tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The lookup for the node's own id, the last step of joining, has ended.
    Joined {
        /// Contacts in the routing table.
        contacts: usize,
    },
    /// The node's id cannot be used.
    BadId {
        /// The id.
        id: Id,
        /// Why.
        fault: IdFault,
        /// The id that the node has taken instead; none where it keeps the one it was given.
        replaced_by: Option<Id>,
    },
    /// A put has ended.
    Put {
        /// The command's.
        operation: OperationId,
        /// The value's key.
        key: Id,
        /// How it ended.
        outcome: Result<Stored, Refusal>,
        /// Time since the command.
        elapsed: Duration,
    },
    /// A get has ended.
    Get {
        /// The command's.
        operation: OperationId,
        /// The value's key.
        key: Id,
        /// How it ended.
        outcome: Result<Option<Found>, Refusal>,
        /// Nodes that were asked.
        asked: usize,
        /// Time since the command.
        elapsed: Duration,
    },
    /// A traced get has had an answer, or given one up.
    Hop {
        /// The command's.
        operation: OperationId,
        /// What happened.
        hop: Hop,
    },
    /// A put or a get of a value larger than a datagram comes on: told every
    /// [`PROGRESS_PERIOD`](crate::limits::PROGRESS_PERIOD) while parts of it arrive.
    Progress {
        /// The command's.
        operation: OperationId,
        /// The value's key.
        key: Id,
        /// How far it is.
        progress: Progress,
    },
    /// A traced get has received a part of a value larger than a datagram.
    Range {
        /// The command's.
        operation: OperationId,
        /// Which part, and which holder has sent it.
        range: PulledRange,
    },
    /// A forget has ended.
    Forget {
        /// The command's.
        operation: OperationId,
        /// The value's key.
        key: Id,
        /// Whether the value had been put here.
        outcome: Forgotten,
    },
    /// What a put or a get waits for.
    Pending {
        /// The put's or the get's.
        operation: OperationId,
        /// None where it waits for no node.
        pending: Option<Pending>,
    },
    /// The routing table.
    Peers {
        /// The command's.
        operation: OperationId,
        /// The buckets that hold contacts, the farthest first.
        buckets: Vec<BucketView>,
    },
    /// The counters.
    Stats {
        /// The command's.
        operation: OperationId,
        /// The counters.
        stats: Box<Stats>,
        /// The distributions.
        histograms: Box<Histograms>,
    },
    /// The values that the node holds.
    Values {
        /// The command's.
        operation: OperationId,
        /// They.
        values: Box<ValuesView>,
    },
    /// What the node has done, as [`Config::log_level`](super::Config::log_level) or
    /// [`Command::Log`] asks.
    Log {
        /// What.
        event: LogEvent,
        /// Events before it that were not told: there were more than
        /// [`LOG_EVENTS_MAX`](crate::limits::LOG_EVENTS_MAX) in a second.
        suppressed: u64,
    },
    /// The node has done what it had to do before it departs.
    Departed {
        /// The command's.
        operation: OperationId,
        /// Values that another node has taken.
        handed_off: usize,
        /// Values that no other node took.
        failed: usize,
    },
}

impl Event {
    /// The command that it answers; none of an event that comes unasked.
    pub const fn operation(&self) -> Option<OperationId> {
        match self {
            Self::Joined { .. } | Self::BadId { .. } | Self::Log { .. } => None,
            Self::Put { operation, .. }
            | Self::Get { operation, .. }
            | Self::Hop { operation, .. }
            | Self::Progress { operation, .. }
            | Self::Range { operation, .. }
            | Self::Forget { operation, .. }
            | Self::Pending { operation, .. }
            | Self::Peers { operation, .. }
            | Self::Stats { operation, .. }
            | Self::Values { operation, .. }
            | Self::Departed { operation, .. } => Some(*operation),
        }
    }
}

/// Where a put went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Other nodes that said that they hold the value: of a network of one, none.
    pub holders: usize,
    /// Closest nodes that were asked to.
    pub asked: usize,
    /// Those of them that do not take a value of its size.
    pub too_large: usize,
    /// Hops to the farthest-fetched of them.
    pub hops: u8,
    /// Requests of the put that were sent again, or not sent since too much was in flight: of a
    /// network or a node that is busy, many.
    pub resent: usize,
    /// What became of the value on this node's disk; none where it has none.
    pub kept: Option<Kept>,
}

/// A value, and the node that had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The value; it hashes to the key.
    pub value: Arc<[u8]>,
    /// The node that sent it; none where it was in the local store.
    pub from: Option<Contact>,
    /// Hops to that node: 0 local, 1 a contact of the own table, 2 a contact of a contact.
    pub hops: u8,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The value is larger than [`Config::value_bytes_max`](super::Config::value_bytes_max): of a
    /// get, as nodes that have it say.
    TooLarge {
        /// The value's size in bytes.
        bytes: usize,
        /// The most that this node takes.
        bytes_max: usize,
    },
    /// Nodes have offered a value, and none has sent the whole of it: each fell silent, was too
    /// slow, or sent something else.
    Unfinished {
        /// The value's size in bytes, as they say.
        bytes: usize,
    },
    /// As many lookups are in progress as the user may have, of
    /// [`QUERIES_MAX`](crate::limits::QUERIES_MAX) in all; or so many requests were in flight
    /// ([`IN_FLIGHT_MAX`](crate::limits::IN_FLIGHT_MAX)) that a get could not ask every node that
    /// may have the value.
    Busy,
    /// [`PUBLISHED_VALUES_MAX`](crate::limits::PUBLISHED_VALUES_MAX) values are kept because they
    /// were put here.
    Full,
    /// As many changes wait for the disk as may
    /// ([`JOURNAL_CHANGES_MAX`](crate::limits::JOURNAL_CHANGES_MAX),
    /// [`JOURNAL_BYTES_MAX`](crate::limits::JOURNAL_BYTES_MAX)).
    DiskBusy,
    /// [`Command::Abandon`] ended it.
    Abandoned,
    /// The value has no byte: no node keeps such a value.
    Empty,
}

/// Whether there was something to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// The value will no longer be republished from here.
    Forgotten,
    /// The value was never put here.
    Unknown,
}

/// One k-bucket, for show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketView {
    /// Bits that its contacts share with the node's own id.
    pub index: usize,
    /// Its contacts, least recently seen first.
    pub contacts: Vec<ContactView>,
    /// How many more wait in the replacement cache.
    pub replacements: usize,
}

/// One contact of the routing table, for show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactView {
    /// Its id and address.
    pub contact: Contact,
    /// Time since it was last seen.
    pub seen_ago: Duration,
    /// Smoothed round trip, once one was measured.
    pub round_trip: Option<Duration>,
    /// RPCs failed in a row.
    pub failures: u8,
}

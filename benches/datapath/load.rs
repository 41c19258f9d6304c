//! The loads.

use std::fmt;

use crate::subject::{Grouping, Shards, Subject};

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// One socket, each request a datagram of its own.
    Singles,
    /// Many sockets, which ask in turn: no two requests from the same in a row.
    Interleaved,
    /// The same while the server is suspended, which is then resumed: so the server is the
    /// slower side, however slow the client.
    Backlog,
    /// The same sockets, which do not wait for replies: requests that do not fit into the
    /// server's receive buffer are lost.
    Flood,
    /// Several sockets that send and receive segmented messages.
    Bursts,
    /// One socket, an open loop far below what the server can do.
    Paced,
    /// The same at a tenth of its rate, while another socket stores new values.
    Writes,
    /// PINGs at that rate, and nothing else.
    Pings,
    /// The same, while another socket stores as many new values as the server takes.
    PingsFlooded,
    /// Gets at that rate, and nothing else.
    Reads,
    /// The same, while another socket stores as many new values as the server takes.
    ReadsFlooded,
}

/// What a load asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    Values,
    Pings,
}

/// How values are stored beside the requests that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storing {
    /// So many a second.
    Rate(u64),
    /// As many as the server takes: so many are always without an answer.
    Window(u64),
}

/// Sockets, and how each of them asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) sockets: usize,
    /// Requests of a socket that are not answered yet, at most.
    pub(crate) window: usize,
    /// Requests that a socket sends as one `UDP_SEGMENT` message.
    pub(crate) burst: usize,
    /// Whether it receives by `UDP_GRO`, as a node does.
    pub(crate) receiving: Grouping,
    /// Unanswered requests, of all sockets, from which the client goes back to
    /// reading only: it asks again when they are so few.
    pub(crate) refill: usize,
}

/// Requests a second of [`Load::Paced`].
const PACED_RATE: u64 = 100_000;
/// Requests a second of the loads that have a tail, and STOREs of [`Load::Writes`].
const READ_RATE: u64 = 10_000;
const WRITE_RATE: u64 = 20_000;
/// STOREs without an answer under a flood: several turns of a server have as many as they
/// take up, and no receive buffer overflows.
const FLOOD_WINDOW: u64 = 512;

impl Load {
    pub(crate) const ALL: [Self; 11] = [
        Self::Singles,
        Self::Interleaved,
        Self::Backlog,
        Self::Flood,
        Self::Bursts,
        Self::Paced,
        Self::Writes,
        Self::Pings,
        Self::PingsFlooded,
        Self::Reads,
        Self::ReadsFlooded,
    ];
    /// The loads in which the client sends as much as it can.
    pub(crate) const FULL: [Self; 5] =
        [Self::Singles, Self::Interleaved, Self::Backlog, Self::Flood, Self::Bursts];
    /// The loads of 64 peers that alternate.
    pub(crate) const ALTERNATING: [Self; 3] = [Self::Interleaved, Self::Backlog, Self::Flood];

    /// Whether the load makes sense for a server. When one shares a core with a client that
    /// never sleeps, the scheduler decides the latency. Values are stored on what is compared
    /// with a durable node.
    pub(crate) fn suits(self, subject: Subject) -> bool {
        match self {
            Self::Paced => subject.shards() == Shards::One,
            Self::Writes => [Subject::MEMORY, Subject::Durable].contains(&subject),
            Self::Pings | Self::PingsFlooded | Self::Reads | Self::ReadsFlooded => {
                subject == Subject::MEMORY
            }
            _ => true,
        }
    }

    pub(crate) const fn asking(self) -> Asking {
        match self {
            Self::Pings | Self::PingsFlooded => Asking::Pings,
            _ => Asking::Values,
        }
    }

    /// How values are stored meanwhile, if any are.
    pub(crate) const fn storing(self) -> Option<Storing> {
        match self {
            Self::Writes => Some(Storing::Rate(WRITE_RATE)),
            Self::PingsFlooded | Self::ReadsFlooded => Some(Storing::Window(FLOOD_WINDOW)),
            _ => None,
        }
    }

    /// Requests a second of a load at a rate.
    pub(crate) const fn rate(self) -> Option<u64> {
        match self {
            Self::Paced => Some(PACED_RATE),
            Self::Writes | Self::Pings | Self::PingsFlooded | Self::Reads | Self::ReadsFlooded => {
                Some(READ_RATE)
            }
            _ => None,
        }
    }

    pub(crate) const fn shape(self, shards: Shards) -> Shape {
        match self {
            Self::Singles => {
                Shape { sockets: 1, window: 64, burst: 1, receiving: Grouping::Off, refill: 64 }
            }
            // In waves of half of them: a client that asked again after each answer would
            // be the slower side, with two system calls per request, and the server would
            // never have a queue.
            Self::Interleaved => {
                Shape { sockets: 64, window: 16, burst: 1, receiving: Grouping::On, refill: 512 }
            }
            // 512 for each shard: with the usual system limits a socket of the node holds
            // some 550 of these small datagrams.
            Self::Backlog => Shape {
                sockets: 64,
                window: 8 * shards.count(),
                burst: 1,
                receiving: Grouping::On,
                refill: 0,
            },
            // 32 waves of eight: a request sent half as many ago is in no buffer any more.
            Self::Flood => {
                Shape { sockets: 64, window: 256, burst: 1, receiving: Grouping::On, refill: 0 }
            }
            Self::Bursts => {
                Shape { sockets: 16, window: 32, burst: 16, receiving: Grouping::On, refill: 512 }
            }
            // 41 ms of requests: when so many are unanswered, they are lost.
            Self::Paced
            | Self::Writes
            | Self::Pings
            | Self::PingsFlooded
            | Self::Reads
            | Self::ReadsFlooded => {
                Shape { sockets: 1, window: 4096, burst: 1, receiving: Grouping::Off, refill: 4096 }
            }
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Singles => "singles",
            Self::Interleaved => "interleaved",
            Self::Backlog => "backlog",
            Self::Flood => "flood",
            Self::Bursts => "bursts",
            Self::Paced => "paced",
            Self::Writes => "writes",
            Self::Pings => "pings",
            Self::PingsFlooded => "pings-and-stores",
            Self::Reads => "reads",
            Self::ReadsFlooded => "reads-and-stores",
        })
    }
}

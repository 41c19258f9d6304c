//! What a node is started with.

use std::fmt;
use std::net::SocketAddr;

use udp::Coalescing;

use super::choice::IoChoice;
use super::disk::Data;
use super::faults::Faults;
use super::loss::Loss;
use crate::limits::SHARDS_MAX;
use crate::node::Config;
use crate::seal::NetworkKeys;

/// What a node is started with.
#[derive(Debug)]
pub struct Settings {
    /// The UDP address to bind; port 0 lets the system choose. `[::]` takes IPv4
    /// peers as well. At a wildcard each reply leaves from the address that was asked:
    /// peers pass over one from another.
    pub listen: SocketAddr,
    /// The driver.
    pub io: IoChoice,
    /// How many shards, each a thread with a socket of its own.
    pub shards: ShardCount,
    /// What makes a datagram land on the shard that acts on it.
    pub steering: Steering,
    /// Whether each shard's thread stays on one core.
    pub pin: Pin,
    /// Whether datagrams to or from the same peer cross the kernel together.
    pub coalescing: Coalescing,
    /// Datagrams that are dropped on purpose, each way.
    pub loss: Option<Loss>,
    /// Faults that may change while the node runs: their chance of a loss takes the place of
    /// that of `loss`, of which the seed alone counts then.
    pub faults: Option<Faults>,
    /// The keys of a private network: without any, datagrams travel in the clear.
    pub keys: Option<NetworkKeys>,
    /// The folder in which the node keeps its values; without one they live in memory alone.
    pub data: Option<Data>,
    /// The protocol's settings, of the node as a whole. An announced address with
    /// port 0 is given the port that is bound.
    pub node: Config,
}

impl Settings {
    /// A node on one free thread, without a disk or faults, by the best driver that there is.
    pub const fn new(listen: SocketAddr, node: Config) -> Self {
        Self {
            listen,
            io: IoChoice::Auto,
            shards: ShardCount::ONE,
            steering: Steering::Kernel,
            pin: Pin::Free,
            coalescing: Coalescing::On,
            loss: None,
            faults: None,
            keys: None,
            data: None,
            node,
        }
    }
}

/// A number of shards, from 1 to [`SHARDS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShardCount(u8);

impl ShardCount {
    /// A node on one thread.
    pub const ONE: Self = Self(1);
    /// The most there are.
    pub const MAX: Self = Self(SHARDS_MAX as u8);

    /// `count` shards, if a node may have as many.
    pub const fn new(count: usize) -> Option<Self> {
        if 1 <= count && count <= SHARDS_MAX { Some(Self(count as u8)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ShardCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const _: () = assert!(SHARDS_MAX <= u8::MAX as usize);

/// What makes a datagram land on the shard that acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    /// The kernel, by a program attached to the sockets.
    Kernel,
    /// Nothing: the kernel goes by its hash, and the shards pass on what landed
    /// wrongly. For tests, and for kernels that take no program.
    Off,
}

/// Whether a shard's thread stays on one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// On the core of its number, among those that the process may use, counted
    /// around. The thread of a lone shard is free all the same: it has no other to
    /// keep apart from, and the nodes of a machine full of containers would all
    /// sit on its first core.
    Pinned,
    /// Wherever the system puts it.
    Free,
}

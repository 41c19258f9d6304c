//! What all handlers share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use kad_durable::Counters as DiskCounters;
use kad_node::driver::{Io, Running, ShardCount};
use kad_node::id::Id;
use tokio::sync::{Semaphore, watch};

use super::access::Access;
use super::body::BodyMemory;
use super::counters::Counters;
use super::feed::Feed;
use super::limits::{AT_WORK_MAX, PROBES_MAX};
use super::node::NodeClient;
use crate::args::LookupArgs;
use crate::demo::Control;
use crate::joining::Joining;

/// What the server says of its node.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) id: Id,
    /// Where peers reach it.
    pub(crate) address: SocketAddr,
    pub(crate) shards: ShardCount,
    pub(crate) io: Io,
    pub(crate) network: String,
    pub(crate) k: usize,
    pub(crate) alpha: usize,
    pub(crate) value_bytes_max: usize,
    /// Whether it was told of others to join by.
    pub(crate) has_bootstrap: bool,
    pub(crate) joining: Joining,
    /// What its folder counts, where it has one.
    pub(crate) disk: Option<Arc<DiskCounters>>,
    /// Of the network that it is the first node of, where there is one in this process.
    pub(crate) demo: Option<Arc<Control>>,
}

impl About {
    /// What a node of this id, at this address, says. It has no bootstrap addresses.
    pub(crate) fn new(
        running: &Running,
        (id, address): (Id, SocketAddr),
        lookup: &LookupArgs,
        joining: Joining,
    ) -> Self {
        Self {
            id,
            address,
            shards: running.shards(),
            io: running.io(),
            network: lookup.network.clone(),
            k: lookup.k,
            alpha: lookup.alpha,
            value_bytes_max: lookup.value_max,
            has_bootstrap: false,
            joining,
            disk: running.disk_counters(),
            demo: None,
        }
    }
}

/// How far the server is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// The node hands its values off; requests are answered, and `/readyz` says no.
    Departing,
    /// Running requests end, and no other begins.
    Stopped,
}

/// What all handlers share.
pub(crate) struct App {
    pub(crate) about: About,
    pub(crate) started: Instant,
    pub(crate) node: Arc<NodeClient>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) access: Access,
    pub(crate) counters: Arc<Counters>,
    pub(crate) body_memory: BodyMemory,
    /// Room for requests at work.
    pub(crate) work: Arc<Semaphore>,
    /// Room for probes and scrapes.
    pub(crate) probes: Arc<Semaphore>,
    pub(crate) phase: watch::Receiver<Phase>,
}

impl App {
    pub(crate) fn new(
        about: About,
        node: Arc<NodeClient>,
        feed: Arc<Feed>,
        access: Access,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        Self {
            about,
            started: Instant::now(),
            node,
            feed,
            access,
            body_memory: BodyMemory::new(Arc::clone(&counters)),
            counters,
            work: Arc::new(Semaphore::new(AT_WORK_MAX)),
            probes: Arc::new(Semaphore::new(PROBES_MAX)),
            phase,
        }
    }
}

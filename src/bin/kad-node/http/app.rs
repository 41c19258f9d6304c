//! What all handlers share.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use kad_durable::Counters as DiskCounters;
use kad_node::driver::{Io, Running, ShardCount};
use kad_node::node::LogLevel;
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
use crate::log_events;
use crate::own_id::OwnId;

/// What the server says of its node.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) id: OwnId,
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
        (id, address): (OwnId, SocketAddr),
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
    /// How much the node was last told to tell of its work.
    log_level: Mutex<LogLevel>,
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
            log_level: Mutex::new(log_events::level()),
        }
    }

    /// Has the node tell what those that listen to events want to see, and no more than the
    /// log needs where none listens.
    pub(crate) fn watch(&self) {
        let mut level = log_events::level();
        if self.counters.streams.value() > 0 {
            level = level.max(Feed::LOG_LEVEL);
        }
        let mut told = self.log_level.lock().unwrap_or_else(PoisonError::into_inner);
        // A node that is too busy to hear of it is told the next time.
        if *told != level && self.node.log(level) {
            *told = level;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use kad_node::driver::{DriverEvent, Running};
    use kad_node::id::Id;
    use kad_node::node::{Command, Event, OperationId, Trace};

    use super::*;
    use crate::args::HttpAccessArgs;
    use crate::http::node::tests::unrouted;

    const PATIENCE: Duration = Duration::from_mins(1);

    /// What handlers share, of a node that no connection leads to; and what says how far the
    /// server is, which has stopped when it is dropped.
    pub(crate) fn unserved(running: &Running) -> (Arc<App>, watch::Sender<Phase>) {
        let about = About {
            id: OwnId::new(Id::of_value(b"unserved"), None),
            address: running.address(),
            shards: running.shards(),
            io: running.io(),
            network: "default".into(),
            k: 20,
            alpha: 3,
            value_bytes_max: 1024,
            has_bootstrap: false,
            joining: Joining::default(),
            disk: None,
            demo: None,
        };
        let access = Access::new(&HttpAccessArgs::default(), running.address());
        let access = access.expect("a loopback address");
        let node = Arc::new(NodeClient::new(running.commander()));
        let (phase, phases) = watch::channel(Phase::Serving);
        (Arc::new(App::new(about, node, Arc::new(Feed::new()), access, phases)), phase)
    }

    /// Has the node look something up; whether it tells of that before it answers.
    fn tells_of_a_lookup(running: &Running) -> bool {
        let (operation, key) = (OperationId(7), Id::of_value(b"absent"));
        let get = Command::Get { operation, key, trace: Trace::Off };
        running.commander().send(get).expect("it runs");
        let mut has_told = false;
        loop {
            match running.events().recv_timeout(PATIENCE).expect("it answers") {
                DriverEvent::Node(Event::Log { .. }) => has_told = true,
                DriverEvent::Node(Event::Get { .. }) => return has_told,
                _ => {}
            }
        }
    }

    #[test]
    fn the_node_tells_of_its_work_only_while_a_client_listens() {
        let running = unrouted();
        let (app, _phase) = unserved(&running);
        app.watch();
        assert!(!tells_of_a_lookup(&running));
        app.counters.streams.add(1);
        app.watch();
        assert!(tells_of_a_lookup(&running));
        app.counters.streams.sub(1);
        app.watch();
        assert!(!tells_of_a_lookup(&running));
    }
}

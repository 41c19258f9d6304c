//! The node that is loaded when no target is given: a real one, with a real
//! socket and driver, on a thread of this process.

use std::net::{Ipv4Addr, SocketAddr};

use kad_node::driver::{self, IoChoice, Running, Settings, StartError, Steering, Stopped};
use kad_node::limits::VALUE_BYTES_MAX;
use kad_node::node::Config;
use kad_node::rng::Rng;

use crate::membership::Membership;

/// A node on a loopback port that the system chose.
pub struct LocalNode {
    running: Running,
}

impl LocalNode {
    /// Starts a network of one.
    pub fn start(membership: &Membership, io: IoChoice) -> Result<Self, StartError> {
        let Membership { network, keys } = membership.clone();
        // Any id and any secrets do for a node that lives as long as one run.
        let mut rng = Rng::from_u64(0);
        let value_bytes_max = VALUE_BYTES_MAX;
        let node = Config { network, value_bytes_max, ..Config::new(rng.id(), rng.seed()) };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // The generator is not pinned either: the scheduler keeps them apart.
        let settings =
            Settings { io, keys, steering: Steering::Off, ..Settings::new(listen, node) };
        Ok(Self { running: driver::start(settings)? })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// How it receives and sends.
    pub fn driver(&self) -> String {
        self.running.io().to_string()
    }

    /// What to call it in a result.
    pub fn describe(&self) -> String {
        format!("a node of its own, {}", self.running.io())
    }

    /// Stops it and gives its last counters, unless it failed before.
    pub fn stop(self) -> Result<Stopped, String> {
        self.running.stop().map_err(|error| format!("the node of its own failed: {error}"))
    }
}

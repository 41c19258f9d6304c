//! What is loaded when no target is given: a node, or a network.

use std::net::SocketAddr;

use kad_node::quantity::Percent;

use crate::local_node::LocalNode;
use crate::membership::Membership;
use crate::network::{LocalNetwork, NetworkPlan};
use crate::options::Options;

/// A target of the program's own.
pub enum OwnTarget {
    /// One node, with the driver that it would have by itself.
    Node(Box<LocalNode>),
    /// Many nodes on one thread.
    Network(LocalNetwork),
}

impl OwnTarget {
    /// Starts what the options ask for.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub fn start(options: &Options, membership: &Membership) -> Result<Self, String> {
        if let Some(nodes) = options.network {
            let (delay, seed) = (options.delay.unwrap_or_default(), options.seed);
            let (join_timeout, network) = (options.join_timeout, membership.network);
            let plan = NetworkPlan { network, nodes, delay, seed, join_timeout };
            return LocalNetwork::start(plan).map(Self::Network);
        }
        let node = LocalNode::start(membership, options.io.unwrap_or_default());
        node.map(Box::new).map(Self::Node).map_err(|error| error.to_string())
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Node(node) => vec![node.address()],
            Self::Network(network) => network.addresses().to_vec(),
        }
    }

    /// What to call it in a result.
    pub fn describe(&self) -> String {
        match self {
            Self::Node(node) => format!("{} ({})", node.address(), node.describe()),
            Self::Network(network) => network.describe(),
        }
    }

    /// How it receives and sends, where that is a driver's work.
    pub fn driver(&self) -> Option<String> {
        match self {
            Self::Node(node) => Some(node.driver()),
            Self::Network(_) => None,
        }
    }

    /// From now on, loses so much of what goes between its nodes.
    pub fn set_loss(&self, loss: Percent) {
        match self {
            Self::Node(_) => {}
            Self::Network(network) => network.set_loss(loss),
        }
    }

    /// Stops it, and fails if it had failed.
    pub fn stop(self) -> Result<(), String> {
        match self {
            Self::Node(node) => node.stop().map(drop),
            Self::Network(network) => network.stop(),
        }
    }
}

//! What a node is told once, when it is made.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::Id;
use crate::limits::{
    ALPHA_DEFAULT, EXPIRE_DEFAULT, K_DEFAULT, REPUBLISH_DEFAULT, STORE_BYTES_MAX, STORE_VALUES_MAX,
};
use crate::rng::SEED_BYTES;
use crate::wire::{NetworkId, Role};

/// Settings of one [`Node`](super::Node).
#[derive(Clone)]
pub struct Config {
    /// The node's id.
    pub id: Id,
    /// The network that it belongs to.
    pub network: NetworkId,
    /// Whether it serves, or only asks.
    pub role: Role,
    /// The address given to peers where it is not the datagrams' source.
    pub announce: Option<SocketAddr>,
    /// Replication, 1 to [`K_MAX`](crate::limits::K_MAX).
    pub k: usize,
    /// Lookup parallelism, 1 to [`ALPHA_MAX`](crate::limits::ALPHA_MAX).
    pub alpha: usize,
    /// Period in which the origin stores its values anew.
    pub republish: Duration,
    /// Life of a value that nobody publishes again.
    pub expire: Duration,
    /// Bytes of values stored for others.
    pub store_bytes_max: usize,
    /// Count of values stored for others.
    pub store_values_max: usize,
    /// Start of the node's random stream: transaction ids, tokens, jitter.
    pub seed: [u8; SEED_BYTES],
}

impl fmt::Debug for Config {
    /// All but the seed: who knows it can forge the node's tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("id", &self.id)
            .field("network", &self.network)
            .field("role", &self.role)
            .field("announce", &self.announce)
            .field("k", &self.k)
            .field("alpha", &self.alpha)
            .field("republish", &self.republish)
            .field("expire", &self.expire)
            .field("store_bytes_max", &self.store_bytes_max)
            .field("store_values_max", &self.store_values_max)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The defaults, for a node called `id` of the network called `default`.
    pub fn new(id: Id, seed: [u8; SEED_BYTES]) -> Self {
        Self {
            id,
            network: NetworkId::of_name("default"),
            role: Role::Peer,
            announce: None,
            k: K_DEFAULT,
            alpha: ALPHA_DEFAULT,
            republish: REPUBLISH_DEFAULT,
            expire: EXPIRE_DEFAULT,
            store_bytes_max: STORE_BYTES_MAX,
            store_values_max: STORE_VALUES_MAX,
            seed,
        }
    }
}

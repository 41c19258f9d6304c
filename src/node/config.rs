//! What a node is told once, when it is made.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::identity::IdPolicy;
use super::journal::Persistence;
use super::log_event::LogLevel;
use super::shard::ShardPosition;
use crate::id::Id;
use crate::limits::{
    ALPHA_DEFAULT, ALPHA_MAX, EXPIRE_DEFAULT, K_DEFAULT, K_MAX, REPUBLISH_DEFAULT, STORE_BYTES_MAX,
    STORE_VALUES_MAX, VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX,
};
use crate::rng::{Rng, SEED_BYTES};
use crate::wire::{NetworkId, Role};

/// Settings of one [`Node`](super::Node).
#[derive(Clone)]
pub struct Config {
    /// The node's id.
    pub id: Id,
    /// Whether it takes another where that cannot be used.
    pub id_policy: IdPolicy,
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
    /// Contacts of one /24 (IPv4) or /48 (IPv6) in a bucket, private addresses included;
    /// none for the default, by which those are exempt.
    pub peers_per_subnet: Option<usize>,
    /// Period in which the origin stores its values anew.
    pub republish: Duration,
    /// Life of a value that no node publishes again.
    pub expire: Duration,
    /// Largest value that is put, held for others, and fetched; at most
    /// [`VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX).
    pub value_bytes_max: usize,
    /// Bytes of values stored for others.
    pub store_bytes_max: usize,
    /// Count of values stored for others.
    pub store_values_max: usize,
    /// Where values live.
    pub persistence: Persistence,
    /// How much of its work the node tells as [`Event::Log`](super::Event::Log).
    pub log_level: LogLevel,
    /// Which shard of the node this is.
    pub position: ShardPosition,
    /// Start of the shard's random stream: transaction ids, hash keys, jitter.
    pub seed: [u8; SEED_BYTES],
    /// Key of the tokens that the node gives out; the same for all its shards.
    pub token_secret: [u8; 16],
}

impl fmt::Debug for Config {
    /// All but the secrets: a reader of the log could forge the node's tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("id", &self.id)
            .field("id_policy", &self.id_policy)
            .field("network", &self.network)
            .field("role", &self.role)
            .field("announce", &self.announce)
            .field("k", &self.k)
            .field("alpha", &self.alpha)
            .field("peers_per_subnet", &self.peers_per_subnet)
            .field("republish", &self.republish)
            .field("expire", &self.expire)
            .field("persistence", &self.persistence)
            .field("position", &self.position)
            .field("value_bytes_max", &self.value_bytes_max)
            .field("store_bytes_max", &self.store_bytes_max)
            .field("store_values_max", &self.store_values_max)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// # Panics
    /// When a setting is outside its limits.
    pub(super) fn assert_within_limits(&self) {
        assert!((1..=K_MAX).contains(&self.k), "k is from 1 to {K_MAX}");
        assert!((1..=ALPHA_MAX).contains(&self.alpha), "alpha is from 1 to {ALPHA_MAX}");
        assert!(
            self.republish >= Duration::from_secs(1),
            "a value is stored once a second at most"
        );
        assert!(
            (1..=VALUE_BYTES_MAX).contains(&self.value_bytes_max),
            "a value has at most {VALUE_BYTES_MAX} bytes"
        );
    }

    /// The defaults, for a node called `id` of the network called `default`.
    pub fn new(id: Id, seed: [u8; SEED_BYTES]) -> Self {
        Self {
            id,
            id_policy: IdPolicy::Replaceable,
            network: NetworkId::of_name("default"),
            role: Role::Peer,
            announce: None,
            k: K_DEFAULT,
            alpha: ALPHA_DEFAULT,
            peers_per_subnet: None,
            republish: REPUBLISH_DEFAULT,
            expire: EXPIRE_DEFAULT,
            value_bytes_max: VALUE_BYTES_DEFAULT,
            store_bytes_max: STORE_BYTES_MAX,
            store_values_max: STORE_VALUES_MAX,
            persistence: Persistence::Memory,
            log_level: LogLevel::Off,
            position: ShardPosition::ALONE,
            seed,
            token_secret: Rng::from_seed(seed).bytes(),
        }
    }

    /// The settings of each shard of a node that has `count` of them: the same id
    /// and secret, a random stream of its own, and an equal part of the store.
    pub fn shards(&self, count: usize) -> impl Iterator<Item = Self> + '_ {
        let mut seeds = Rng::from_seed(self.seed);
        (0..count).map(move |index| Self {
            position: ShardPosition::new(index, count),
            seed: seeds.seed(),
            store_bytes_max: self.store_bytes_max / count,
            store_values_max: self.store_values_max / count,
            ..self.clone()
        })
    }
}

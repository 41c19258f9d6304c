//! The flags of the protocol: the network, its lookups, and how long values live.

use std::time::Duration;

use clap::Args;
use kad_node::NetworkKey;
use kad_node::limits::{ALPHA_DEFAULT, ALPHA_MAX, K_DEFAULT, K_MAX};
use kad_node::quantity::parse_name;

use super::value;

/// Which network to use, and how to search it.
#[derive(Args, Debug)]
pub(crate) struct LookupArgs {
    /// Name of the network. Nodes of other networks are ignored.
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = parse_name)]
    pub(crate) network: String,
    /// File with the key of a private network, as `kad-node keygen` makes it: datagrams are
    /// encrypted, and who lacks the key is ignored. Repeatable, or several with commas, to
    /// change the key: the first one seals what is sent, each opens what is received.
    #[arg(long, value_name = "FILE", value_parser = value::network_key, value_delimiter = ',')]
    pub(crate) network_key: Vec<NetworkKey>,
    /// Replication: how many of the closest nodes hold a value, 1 to 28.
    #[arg(
        long,
        value_name = "N",
        default_value_t = K_DEFAULT,
        value_parser = value::number::<1, K_MAX>,
    )]
    pub(crate) k: usize,
    /// How many nodes a lookup queries at the same time, 1 to 16.
    #[arg(
        long,
        value_name = "N",
        default_value_t = ALPHA_DEFAULT,
        value_parser = value::number::<1, ALPHA_MAX>,
    )]
    pub(crate) alpha: usize,
    /// Largest value that is put, held for others and fetched, 16MiB at most. Nodes with a
    /// smaller limit refuse a larger value: give all nodes of a network the same.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = value::value_max)]
    pub(crate) value_max: usize,
    /// How many contacts of one /24 (IPv4) or /48 (IPv6) a k-bucket holds, and how many of
    /// the closest nodes of a lookup may be of one, 1 to 28. Without the flag 2, and addresses
    /// of this host and of private networks are exempt.
    #[arg(long, value_name = "N", value_parser = value::number::<1, K_MAX>)]
    pub(crate) peers_per_subnet: Option<usize>,
}

/// How long values live.
#[derive(Args, Debug)]
pub(crate) struct LifeArgs {
    /// How often a node republishes the values that were put there.
    #[arg(long, value_name = "PERIOD", default_value = "1h", value_parser = value::period)]
    pub(crate) republish: Duration,
    /// How long a value lives after it was last published.
    #[arg(long, value_name = "PERIOD", default_value = "24h", value_parser = value::period)]
    pub(crate) expire: Duration,
}

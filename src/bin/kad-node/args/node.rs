//! The flags of a node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kad_node::driver::{ShardCount, Steering};
use kad_node::id::Id;

use super::{
    Announce, DataArgs, HostPort, HttpArgs, IoArgs, LifeArgs, LogArgs, LookupArgs, PromptArgs,
    address, value,
};

/// A node with a prompt.
#[derive(Args, Debug)]
pub(crate) struct NodeArgs {
    /// File of settings, in TOML: `io = "mmsg"` is --io mmsg, and an array repeats a flag. A
    /// flag beats `KAD_IO` in the environment, which beats the file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// UDP address to bind; port 0 lets the system choose. A wildcard (0.0.0.0 or [::])
    /// receives at every address of this host, and each reply leaves from the address
    /// that the request was sent to.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:9001",
        value_parser = address::listen,
    )]
    pub(crate) listen: SocketAddr,
    /// Address that peers use to reach this node, when it differs from the bound one.
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) announce: Option<Announce>,
    /// A node of the network to join; repeatable, or several with commas. Addresses are
    /// retried until the node has joined; names are resolved again from time to time.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) bootstrap: Vec<HostPort>,
    /// Node id [default: random].
    #[arg(long, value_name = "HEX40")]
    pub(crate) id: Option<Id>,
    /// Number of shards. Each is a thread; several are pinned to a core each
    /// [default: the cores available].
    #[arg(
        long,
        value_name = "N",
        default_value_t = value::cores_available(),
        hide_default_value = true,
        value_parser = value::cores,
    )]
    pub(crate) cores: ShardCount,
    /// Whether the kernel delivers each datagram to the shard that owns its key: on,
    /// or off for experiments. With off, shards pass datagrams to each other.
    #[arg(long, value_name = "ON|OFF", default_value = "on", value_parser = value::steering)]
    pub(crate) steering: Steering,
    /// How much other nodes may store on this node, all shards together. Each value
    /// counts 128 bytes more than its size, for its key and the indexes. A full store
    /// makes room for a new value by removing those first that other nodes are closer to,
    /// then those of the subnet that stored most.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = value::store_bytes)]
    pub(crate) store_bytes: usize,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) lookup: LookupArgs,
    #[command(flatten)]
    pub(crate) life: LifeArgs,
    /// How long a stopping node (SIGINT, SIGTERM, SIGHUP, SIGQUIT, exit) may take to hand
    /// its values off to other nodes. With 0s it stops at once; a second signal
    /// other than SIGHUP stops it at once too. Keep it below the time that a supervisor
    /// allows: 10s for `docker stop`.
    #[arg(long, value_name = "PERIOD", default_value = "5s", value_parser = value::leave)]
    pub(crate) leave: Duration,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) prompt: PromptArgs,
}

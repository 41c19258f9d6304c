//! The flags of the commands that ask a running node over its HTTP API.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{HostPort, OutputArgs, value};

/// A running node, and how its answer is printed.
#[derive(Args, Debug)]
pub(crate) struct RemoteArgs {
    /// Where the node serves HTTP: the address of its --http.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9080")]
    pub(crate) http: HostPort,
    /// File with the bearer token that the node wants of other hosts [default: no token].
    #[arg(long = "http-token-file", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How long to wait for the answer.
    #[arg(long, value_name = "PERIOD", default_value = "10s", value_parser = value::timeout)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Show the counters of a node.
#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Show counters that are zero too.
    #[arg(long)]
    pub(crate) all: bool,
}

/// Show the routing table of a node.
#[derive(Args, Debug)]
pub(crate) struct PeersArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

/// Show each hop of a get.
#[derive(Args, Debug)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// The keys: 40 hexadecimal digits each.
    #[arg(value_name = "KEY", required = true)]
    pub(crate) key: Vec<OsString>,
}

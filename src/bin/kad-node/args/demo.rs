//! The flags of a network in one process.

use std::time::Duration;

use clap::Args;

use super::{DemoHttpArgs, IoArgs, LifeArgs, LogArgs, LookupArgs, PromptArgs, value};

/// Most nodes of one `demo`: each needs a thread and a socket.
pub(super) const DEMO_NODES_MAX: usize = 500;

/// A whole network in one process.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// How many nodes, 1 to 500.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        value_parser = value::number::<1, DEMO_NODES_MAX>,
    )]
    pub(crate) nodes: usize,
    /// Port of the first node on 127.0.0.1; the other nodes use the ports after it.
    /// With 0 the system chooses each port.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) base_port: u16,
    #[command(flatten)]
    pub(crate) http: DemoHttpArgs,
    #[command(flatten)]
    pub(crate) lookup: LookupArgs,
    /// How often a node republishes the values that were put there: often enough to watch it.
    #[arg(long, value_name = "PERIOD", default_value = "30s", value_parser = value::period)]
    pub(crate) republish: Duration,
    /// How long a value lives after it was last published.
    #[arg(long, value_name = "PERIOD", default_value = "24h", value_parser = value::period)]
    pub(crate) expire: Duration,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) prompt: PromptArgs,
}

impl DemoArgs {
    /// How long values live.
    pub(crate) const fn life(&self) -> LifeArgs {
        LifeArgs { republish: self.republish, expire: self.expire }
    }
}

//! The flags of the datagram path.

use clap::Args;
use kad_node::driver::{Coalescing, IoChoice};
use kad_node::quantity::Percent;

use super::value;

/// How datagrams are received and sent.
#[derive(Args, Debug)]
pub(crate) struct IoArgs {
    /// How datagrams are received and sent: auto, uring, tokio-uring or mmsg. Auto
    /// uses uring, or mmsg with a warning where uring is forbidden.
    #[arg(long, value_name = "DRIVER", default_value = "auto", value_parser = value::io_choice)]
    pub(crate) io: IoChoice,
    /// Whether datagrams to or from one peer pass through the kernel as one segmented
    /// message (GSO, GRO): on, or off for experiments. Where the kernel or a device
    /// does not support it, datagrams go one by one.
    #[arg(long, value_name = "ON|OFF", default_value = "on", value_parser = value::coalescing)]
    pub(crate) coalescing: Coalescing,
    /// Chance of dropping each datagram, sent or received, for experiments.
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    pub(crate) drop: Percent,
    /// Seed that decides which datagrams --drop drops.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) drop_seed: u64,
}

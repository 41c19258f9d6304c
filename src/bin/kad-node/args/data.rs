//! The flags of the folder of a node.

use std::path::PathBuf;

use clap::Args;
use kad_node::driver::SyncPolicy;

use super::{OutputArgs, value};

/// Where values live.
#[derive(Args, Debug)]
pub(crate) struct DataArgs {
    /// Folder for the node's id, its contacts and its values, which then survive a restart
    /// and kill -9. It is created if absent, and only one node may use it [default:
    /// memory only].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// With --data: when the disk is told to keep what was written: 1s (a power cut loses
    /// at most the last second), always (it loses nothing, and a put waits for the
    /// disk), or off.
    #[arg(long, value_name = "1s|always|off", default_value = "1s", value_parser = value::sync)]
    pub(crate) sync: SyncPolicy,
}

/// Verify a folder.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

//! The flags of the one-shot commands.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kad_node::NetworkKey;
use kad_node::quantity::parse_name;

use super::{HostPort, IoArgs, LogArgs, LookupArgs, OutputArgs, value};

/// Store texts and files.
#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// How long the network keeps the value.
    #[arg(long, value_name = "PERIOD", default_value = "24h", value_parser = value::period)]
    pub(crate) expire: Duration,
    /// A file whose bytes are a value; repeatable. Files come after the texts.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Texts, of --value-max at most each; `-` reads all of standard input, unchanged. Put
    /// `--` before a text that begins with a dash.
    #[arg(value_name = "TEXT", required_unless_present = "file")]
    pub(crate) text: Vec<OsString>,
}

/// How the values stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One on each line.
    Lines,
    /// One after another, each behind its length.
    Records,
}

/// Store the values of a file, many at a time.
#[derive(Args, Debug)]
#[command(mut_arg("timeout", |timeout| timeout.help("How long joining may take.")))]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// How long the network keeps the values.
    #[arg(long, value_name = "PERIOD", default_value = "24h", value_parser = value::period)]
    pub(crate) expire: Duration,
    /// How the values stand in FILE: lines, whose ends are not part of them and of which empty
    /// ones are skipped; or records, each of four bytes with the length of the value, the most
    /// significant first, and the value.
    #[arg(
        long,
        value_name = "lines|records",
        default_value = "lines",
        value_parser = value::layout,
    )]
    pub(crate) layout: Layout,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// The file; `-` reads standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Find values.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// Write the value of the one KEY to a file instead of standard output. The file appears
    /// when the value is there whole.
    #[arg(long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// The keys: 40 hexadecimal digits each.
    #[arg(value_name = "KEY", required = true)]
    pub(crate) key: Vec<OsString>,
}

/// Check that one node answers.
#[derive(Args, Debug)]
pub(crate) struct PingArgs {
    /// The node.
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:9001")]
    pub(crate) node: HostPort,
    /// The node's network.
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = parse_name)]
    pub(crate) network: String,
    /// File with the key of the node's network, where it is a private one; repeatable, or
    /// several with commas.
    #[arg(long, value_name = "FILE", value_parser = value::network_key, value_delimiter = ',')]
    pub(crate) network_key: Vec<NetworkKey>,
    /// How long to wait for an answer; the node is asked 3 times.
    #[arg(long, value_name = "PERIOD", default_value = "2s", value_parser = value::timeout)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of a client that joins for one operation.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// A node of the network; repeatable: all are tried.
    #[arg(long, value_name = "HOST:PORT", required = true, value_delimiter = ',')]
    pub(crate) bootstrap: Vec<HostPort>,
    /// How long joining and the operation may take together.
    #[arg(long, value_name = "PERIOD", default_value = "10s", value_parser = value::timeout)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) lookup: LookupArgs,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

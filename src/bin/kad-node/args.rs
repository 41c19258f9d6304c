//! The command line.

mod address;
#[cfg(test)]
mod numbers;
mod value;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kad_node::driver::{Coalescing, IoChoice, ShardCount, Steering, SyncPolicy};
use kad_node::id::Id;
use kad_node::limits::{ALPHA_DEFAULT, ALPHA_MAX, K_DEFAULT, K_MAX};
use kad_node::program;
use kad_node::quantity::Percent;

use crate::log;

pub(crate) use address::{Announce, HostPort};

/// Most nodes of one `demo`: each needs a thread and a socket.
const DEMO_NODES_MAX: usize = 500;

const PUT_STATUS: &str = "\
Exit status: 0 stored; 1 no node stored it; 2 bad usage; 3 the client itself failed; 4 no
node answers within --timeout.";

const GET_STATUS: &str = "\
Exit status: 0 found; 1 not found; 2 bad usage; 3 the client itself failed; 4 no node
answers within --timeout.";

/// A Kademlia distributed key-value store.
///
/// Without a subcommand it runs a node with a prompt on standard input. Type `help`
/// there.
#[derive(Debug, Parser)]
#[command(name = "kad-node", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) mode: Option<Mode>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Store TEXT in a network, print its key, and exit.
    #[command(after_help = PUT_STATUS)]
    Put(PutArgs),
    /// Find the value of KEY in a network, print it, and exit.
    ///
    /// Standard output carries the value's exact bytes. Standard error names the node
    /// that had it, or says NOTFOUND.
    #[command(after_help = GET_STATUS)]
    Get(GetArgs),
    /// Check that one node answers, and exit: status 0 when it does.
    Ping(PingArgs),
    /// Run a whole network in this process, over loopback UDP, with a prompt.
    Demo(DemoArgs),
    /// Verify the folder of a node (--data) that does not run, and print what is in it.
    ///
    /// Exit status: 0 all can be read; 1 something cannot, or the folder is in use; 2 bad
    /// usage.
    Check(CheckArgs),
}

/// A node with a prompt.
#[derive(Args, Debug)]
pub(crate) struct NodeArgs {
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
    /// A node of the network to join; repeatable. Addresses are retried until the node
    /// has joined; names are resolved again from time to time.
    #[arg(long, value_name = "HOST:PORT")]
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
    /// counts 480 bytes more than its size, for its key and the indexes. A full store
    /// makes room for a new value by removing values of the peer that stored most.
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
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

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
}

/// Store one text.
#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// How long the network keeps the value.
    #[arg(long, value_name = "PERIOD", default_value = "24h", value_parser = value::period)]
    pub(crate) expire: Duration,
    /// The text, of 1132 bytes at most; `-` reads all of standard input, unchanged. Put
    /// `--` before a text that begins with a dash.
    #[arg(value_name = "TEXT")]
    pub(crate) text: OsString,
}

/// Find one text.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The key: 40 hexadecimal digits.
    #[arg(value_name = "KEY")]
    pub(crate) key: OsString,
}

/// Check that one node answers.
#[derive(Args, Debug)]
pub(crate) struct PingArgs {
    /// The node.
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:9001")]
    pub(crate) node: HostPort,
    /// The node's network.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) network: String,
    /// How long to wait for an answer; the node is asked 3 times.
    #[arg(long, value_name = "PERIOD", default_value = "2s", value_parser = value::timeout)]
    pub(crate) timeout: Duration,
}

/// Options of a client that joins for one operation.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// A node of the network; repeatable: all are tried.
    #[arg(long, value_name = "HOST:PORT", required = true)]
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
    pub(crate) lookup: LookupArgs,
    #[command(flatten)]
    pub(crate) life: LifeArgs,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Which network to use, and how to search it.
#[derive(Args, Debug)]
pub(crate) struct LookupArgs {
    /// Name of the network. Nodes of other networks are ignored.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) network: String,
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

/// Options of the log.
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Least severe level to log to standard error: error, warn, info, debug, trace or
    /// off [default: `RUST_LOG`, or info].
    #[arg(long, value_name = "LEVEL", value_parser = value::log_level)]
    pub(crate) log: Option<tracing::level_filters::LevelFilter>,
}

/// Parses the command line. An error is the exit status: 0 after `--help`, 2 after a
/// usage error, which is reported on one line.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| program::exit_status(&error, |line| log::say(line)))
}

#[cfg(test)]
mod tests {
    use kad_node::limits::STORE_BYTES_MAX;

    use super::*;

    fn refusal(line: &str) -> String {
        let words = std::iter::once("kad-node").chain(line.split_whitespace());
        program::one_line(&Cli::try_parse_from(words).expect_err(line))
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_interface() {
        let cli = Cli::try_parse_from(["kad-node"]).expect("no flag is required");
        assert_eq!(cli.node.listen, "127.0.0.1:9001".parse().expect("an address"));
        assert_eq!((cli.node.lookup.k, cli.node.lookup.alpha), (20, 3));
        assert_eq!(cli.node.life.republish, Duration::from_hours(1));
        assert_eq!(cli.node.life.expire, Duration::from_hours(24));
        assert_eq!(cli.node.leave, Duration::from_secs(5));
        assert_eq!(cli.node.store_bytes, STORE_BYTES_MAX);
        assert_eq!(cli.node.io.drop, Percent::ZERO);
    }

    #[test]
    fn an_error_is_one_line_with_the_value_and_the_remedy() {
        for (line, value, remedy) in [
            ("--listen here", "'here'", "ADDR:PORT"),
            ("--announce here", "'here'", "ADDR"),
            ("--bootstrap seed", "'seed'", "HOST:PORT"),
            ("--bootstrap seed:0", "'seed:0'", "1 to 65535"),
            ("--bootstrap ::1:9001", "'::1:9001'", "[::1]:9001"),
            ("--id 12", "'12'", "40 hexadecimal digits"),
            ("--cores 0", "'0'", "1 to 64"),
            ("--cores 65", "'65'", "1 to 64"),
            ("--steering yes", "'yes'", "on or off"),
            ("--coalescing yes", "'yes'", "on or off"),
            ("--store-bytes lots", "'lots'", "16MiB"),
            ("--store-bytes 100KiB", "'100KiB'", "128KiB or more"),
            ("--io epoll", "'epoll'", "auto, uring, tokio-uring or mmsg"),
            ("--k 29", "'29'", "1 to 28"),
            ("--alpha 0", "'0'", "1 to 16"),
            ("--republish 5", "'5'", "15m"),
            ("--expire 0s", "'0s'", "longer"),
            ("--sync 2s", "'2s'", "1s, always or off"),
            ("--leave 5", "'5'", "250ms"),
            ("--leave 2h", "'2h'", "1h or shorter"),
            ("--drop 101", "'101'", "0 to 100"),
            ("--log loud", "'loud'", "debug"),
            ("demo --nodes 0", "'0'", "1 to 500"),
            ("ping seed", "'seed'", "HOST:PORT"),
            ("--colour", "'--colour'", ""),
            ("put --bootstrap a:1", "<TEXT>", "required"),
            ("get 00", "--bootstrap <HOST:PORT>", "required"),
        ] {
            let said = refusal(line);
            assert!(said.starts_with("error: "), "{line}: {said}");
            assert!(said.contains(value) && said.contains(remedy), "{line}: {said}");
            assert!(!said.contains('\n'), "{line}: {said}");
        }
    }
}

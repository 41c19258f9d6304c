//! The command line.

mod address;
#[cfg(test)]
mod numbers;
mod value;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use kad_node::driver::{Coalescing, IoChoice, ShardCount, Steering};
use kad_node::id::Id;
use kad_node::limits::{ALPHA_DEFAULT, ALPHA_MAX, K_DEFAULT, K_MAX};

use crate::log;

pub(crate) use address::{Announce, HostPort};
pub(crate) use value::Percent;

/// Nodes of one `demo` at most: each is a thread and a socket.
const DEMO_NODES_MAX: usize = 500;

const PUT_STATUS: &str = "\
Exit status: 0 stored; 1 no node took it; 2 bad usage; 3 the client itself failed; 4 no
node answers, or not within --timeout.";

const GET_STATUS: &str = "\
Exit status: 0 found; 1 not found; 2 bad usage; 3 the client itself failed; 4 no node
answers, or not within --timeout.";

/// A Kademlia distributed key-value store.
///
/// Without a subcommand it runs a node, with a prompt on standard input: type
/// `help` there.
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
    /// Store TEXT in a network, print its key, and leave.
    #[command(after_help = PUT_STATUS)]
    Put(PutArgs),
    /// Find the text of KEY in a network, print it, and leave.
    ///
    /// Standard output carries the value's exact bytes; which node had it, or NOTFOUND,
    /// goes to standard error.
    #[command(after_help = GET_STATUS)]
    Get(GetArgs),
    /// Ask one node whether it is there, and leave: exit status 0 when it is.
    Ping(PingArgs),
    /// Run a whole network in this process, over loopback UDP, with a prompt.
    Demo(DemoArgs),
}

/// A node with a prompt.
#[derive(Args, Debug)]
pub(crate) struct NodeArgs {
    /// UDP address to bind; port 0 lets the system choose. A wildcard (0.0.0.0 or [::])
    /// takes what comes to any address of this host, and answers from the one that was
    /// asked.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9001", value_parser = address::listen)]
    pub(crate) listen: SocketAddr,
    /// Address given to peers, where it differs from the bound one.
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) announce: Option<Announce>,
    /// A node of the network to join; repeatable. Names are resolved, and tried
    /// again for ever.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bootstrap: Vec<HostPort>,
    /// Node id [default: random].
    #[arg(long, value_name = "HEX40")]
    pub(crate) id: Option<Id>,
    /// Shards, each a thread, and pinned to a core where there are several
    /// [default: the cores available].
    #[arg(long, value_name = "N", default_value_t = value::cores_available(), hide_default_value = true, value_parser = value::cores)]
    pub(crate) cores: ShardCount,
    /// Whether the kernel brings each datagram to the shard that acts on it: on,
    /// or off for experiments; then the shards hand them to each other.
    #[arg(long, value_name = "ON|OFF", default_value = "on", value_parser = value::steering)]
    pub(crate) steering: Steering,
    /// How much others may store on this node, its shards together; each value
    /// counts 480 bytes more than it has, for its key and the indexes. Beyond it,
    /// values make way for new ones, first those of whoever has stored most.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = value::store_bytes)]
    pub(crate) store_bytes: usize,
    #[command(flatten)]
    pub(crate) lookup: LookupArgs,
    #[command(flatten)]
    pub(crate) life: LifeArgs,
    /// When the node is told to stop (SIGINT, SIGTERM, SIGHUP, SIGQUIT, exit), how long
    /// it may take to hand its values over to nodes that stay. A second signal other
    /// than SIGHUP stops it at once, and so does the first where this is 0s. Stay below
    /// what a supervisor grants: 10s by `docker stop`.
    #[arg(long, value_name = "PERIOD", default_value = "5s", value_parser = value::leave)]
    pub(crate) leave: Duration,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Store one text.
#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// How long the network keeps the value.
    #[arg(long, value_name = "PERIOD", default_value = "24h", value_parser = value::period)]
    pub(crate) expire: Duration,
    /// The text, of 1132 bytes at most; `-` reads it from standard input, to its end and as it is. One that
    /// begins with a dash comes after `--`.
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

/// Ask one node whether it is there.
#[derive(Args, Debug)]
pub(crate) struct PingArgs {
    /// The node.
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:9001")]
    pub(crate) node: HostPort,
    /// The node's network.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) network: String,
    /// How long to wait for its answer; it is asked 3 times.
    #[arg(long, value_name = "PERIOD", default_value = "2s", value_parser = value::timeout)]
    pub(crate) timeout: Duration,
}

/// What a client that joins for one operation is told.
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
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value::number::<1, DEMO_NODES_MAX>)]
    pub(crate) nodes: usize,
    /// The first node's port on 127.0.0.1, the others' following; 0 lets the
    /// system choose each.
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

/// The network and how it is searched.
#[derive(Args, Debug)]
pub(crate) struct LookupArgs {
    /// Nodes of another network are ignored.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) network: String,
    /// Replication: how many of the closest nodes hold a value, 1 to 28.
    #[arg(long, value_name = "N", default_value_t = K_DEFAULT, value_parser = value::number::<1, K_MAX>)]
    pub(crate) k: usize,
    /// How many nodes a lookup asks at a time, 1 to 16.
    #[arg(long, value_name = "N", default_value_t = ALPHA_DEFAULT, value_parser = value::number::<1, ALPHA_MAX>)]
    pub(crate) alpha: usize,
}

/// How long values live.
#[derive(Args, Debug)]
pub(crate) struct LifeArgs {
    /// Period in which a node stores what was put there anew.
    #[arg(long, value_name = "PERIOD", default_value = "1h", value_parser = value::period)]
    pub(crate) republish: Duration,
    /// Life of a value that nobody publishes again.
    #[arg(long, value_name = "PERIOD", default_value = "24h", value_parser = value::period)]
    pub(crate) expire: Duration,
}

/// How datagrams travel.
#[derive(Args, Debug)]
pub(crate) struct IoArgs {
    /// How datagrams are received and sent: auto, uring, tokio-uring or mmsg. Auto
    /// is uring, and mmsg where uring is forbidden, with a warning that says why.
    #[arg(long, value_name = "DRIVER", default_value = "auto", value_parser = value::io_choice)]
    pub(crate) io: IoChoice,
    /// Whether datagrams to or from the same peer pass through the kernel as one:
    /// on, or off for experiments. Where the kernel or a device takes no such
    /// trains, they go one by one anyway.
    #[arg(long, value_name = "ON|OFF", default_value = "on", value_parser = value::coalescing)]
    pub(crate) coalescing: Coalescing,
    /// Drop datagrams on purpose, each way, with this chance.
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    pub(crate) drop: Percent,
    /// Which datagrams are dropped.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) drop_seed: u64,
}

/// What is logged.
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Log to standard error from this level on: error, warn, info, debug, trace
    /// or off [default: what `RUST_LOG` says, or info].
    #[arg(long, value_name = "LEVEL", value_parser = value::log_level)]
    pub(crate) log: Option<tracing::level_filters::LevelFilter>,
}

/// The command line, or the status to exit with at once: 0 after `--help`, 2
/// after an error, told on one line.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // A reader that closed its pipe has seen what it wanted.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        log::say(format_args!("{} (try '--help')", one_line(&error.to_string())));
        ExitCode::from(2)
    })
}

/// What a clap error says, without its usage and tips, on one line.
fn one_line(error: &str) -> String {
    let said = error.lines().map(str::trim).take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    said.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use kad_node::limits::STORE_BYTES_MAX;

    use super::*;

    fn refusal(line: &str) -> String {
        let words = std::iter::once("kad-node").chain(line.split_whitespace());
        one_line(&Cli::try_parse_from(words).expect_err(line).to_string())
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
        assert!(cli.node.io.drop.is_zero());
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

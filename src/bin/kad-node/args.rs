//! The command line: the commands, and for each theme the flags in a file of its own.

mod address;
mod client;
mod data;
mod demo;
mod generate;
mod http;
mod io;
mod keygen;
mod log;
mod lookup;
mod node;
#[cfg(test)]
mod numbers;
mod output;
mod prompt;
mod remote;
mod sources;
mod value;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kad_node::program;

pub(crate) use address::{Announce, HostPort};
pub(crate) use client::{ClientArgs, GetArgs, ImportArgs, Layout, PingArgs, PutArgs};
pub(crate) use data::{CheckArgs, DataArgs};
pub(crate) use demo::DemoArgs;
pub(crate) use generate::{CompletionsArgs, ManArgs};
pub(crate) use http::{DemoHttpArgs, HttpAccessArgs, HttpArgs};
pub(crate) use io::IoArgs;
pub(crate) use keygen::KeygenArgs;
pub(crate) use log::LogArgs;
pub(crate) use lookup::{LifeArgs, LookupArgs};
pub(crate) use node::NodeArgs;
pub(crate) use output::{Format, OutputArgs};
pub(crate) use prompt::PromptArgs;
pub(crate) use remote::{PeersArgs, RemoteArgs, StatsArgs, TraceArgs};
use sources::SourceError;
pub(crate) use sources::{command, variable};

/// What `--version` says: the build, so that a report of a fault can name it.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("KAD_NODE_COMMIT"),
    ")\ntarget   ",
    env!("KAD_NODE_TARGET"),
    "\ndrivers  uring, tokio-uring, mmsg",
);

const PUT_STATUS: &str = "\
Exit status: 0 all stored; 1 no node stored one of them; 2 bad usage; 3 the client itself
failed; 4 no node answers within --timeout.";

const IMPORT_STATUS: &str = "\
Exit status: 0 all stored; 1 no node stored one of them; 2 bad usage, or a value that is none:
those before it are stored; 3 the client itself failed; 4 no node answers within --timeout; 130
and 143 ended by SIGINT and SIGTERM.";

const GET_STATUS: &str = "\
Exit status: 0 all found; 1 one of them not found; 2 bad usage; 3 the client itself failed;
4 no node answers within --timeout.";

const TRACE_STATUS: &str = "\
Exit status: 0 all found; 1 one of them not found; 2 bad usage; 3 the node refuses; 4 no node
serves HTTP there, or its answer takes longer than --timeout.";

const REMOTE_STATUS: &str = "\
Exit status: 0 printed; 2 bad usage; 3 the node refuses; 4 no node serves HTTP there, or its
answer takes longer than --timeout.";

const PING_STATUS: &str = "\
Exit status: 0 it answers; 1 it does not; 2 bad usage.";

/// A Kademlia distributed key-value store.
///
/// Without a subcommand it runs a node with a prompt on standard input. Type `help`
/// there.
#[derive(Debug, Parser)]
#[command(name = "kad-node", version, long_version = LONG_VERSION)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) mode: Option<Mode>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Store texts and files in a network, print their keys, and exit.
    #[command(after_help = PUT_STATUS)]
    Put(PutArgs),
    /// Store the values of a file in a network, many at a time, and print their keys.
    ///
    /// As many are in flight as the network takes. Keys are printed in the order of the values,
    /// each when its value is stored; a terminal shows how far it is. SIGINT ends it: it says
    /// how many are stored.
    #[command(after_help = IMPORT_STATUS)]
    Import(ImportArgs),
    /// Find the values of keys in a network, print them, and exit.
    ///
    /// Standard output carries the values' exact bytes, one after the other. Standard error
    /// names the node that had each, or says NOTFOUND.
    #[command(after_help = GET_STATUS)]
    Get(GetArgs),
    /// Check that one node answers, and exit: status 0 when it does.
    #[command(after_help = PING_STATUS)]
    Ping(PingArgs),
    /// Show what a running node counts, over its HTTP API.
    #[command(after_help = REMOTE_STATUS)]
    Stats(StatsArgs),
    /// Show the routing table of a running node, over its HTTP API.
    #[command(after_help = REMOTE_STATUS)]
    Peers(PeersArgs),
    /// Have a running node get keys, over its HTTP API, and show each hop.
    #[command(after_help = TRACE_STATUS)]
    Trace(TraceArgs),
    /// Run a whole network in this process, over loopback UDP, with a prompt.
    Demo(DemoArgs),
    /// Verify the folder of a node (--data) that does not run, and print what is in it.
    ///
    /// Exit status: 0 all can be read; 1 something cannot, or the folder is in use; 2 bad
    /// usage.
    Check(CheckArgs),
    /// Make the key of a private network (--network-key): 32 bytes that the system draws.
    Keygen(KeygenArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page of this program, or of one command, as roff.
    Man(ManArgs),
}

/// Parses the command line, the environment and the file of `--config`. An error is the exit
/// status: 0 after `--help`, 2 after a usage error, which is reported on one line.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    let line: Vec<_> = std::env::args_os().collect();
    sources::parse(&line).map_err(|error| match error {
        SourceError::Command(error, None) => {
            program::exit_status(error, |line| crate::log::say(line))
        }
        SourceError::Command(error, Some(variable)) => program::exit_status(error, |line| {
            crate::log::say(format_args!("{line}: {variable} in the environment says so"));
        }),
        SourceError::File(what) => {
            crate::log::fail(what);
            ExitCode::from(2)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kad_node::limits::{STORE_BYTES_MAX, VALUE_BYTES_DEFAULT};
    use kad_node::quantity::Percent;

    use super::*;

    fn refusal(line: &str) -> String {
        let words = std::iter::once("kad-node").chain(line.split_whitespace());
        program::one_line(Cli::try_parse_from(words).expect_err(line))
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
        assert_eq!(cli.node.lookup.value_max, VALUE_BYTES_DEFAULT);
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
            ("--peers-per-subnet 0", "'0'", "1 to 28"),
            ("--network=", "'' for '--network", "a name"),
            ("ping --network=", "'' for '--network", "a name"),
            ("--network-key /nowhere", "'/nowhere'", "kad-node keygen FILE"),
            ("ping --network-key /dev/null", "'/dev/null'", "32 bytes"),
            ("--republish 5", "'5'", "15m"),
            ("--expire 0s", "'0s'", "longer"),
            ("--sync 2s", "'2s'", "1s, always or off"),
            ("--http 9080", "'9080'", "ADDR:PORT"),
            ("--http-allow here", "'here'", "172.16.0.0/12"),
            ("--http-host a:1", "'a:1'", "without a port"),
            ("--leave 5", "'5'", "250ms"),
            ("--leave 2h", "'2h'", "1h or shorter"),
            ("--drop 101", "'101'", "0 to 100"),
            ("--log loud", "'loud'", "debug"),
            ("--log-format xml", "'xml'", "text or json"),
            ("demo --nodes 0", "'0'", "1 to 500"),
            ("ping seed", "'seed'", "HOST:PORT"),
            ("--colour", "'--colour'", ""),
            ("put --bootstrap a:1", "<TEXT>", "required"),
            ("import --bootstrap a:1", "<FILE>", "required"),
            ("import --bootstrap a:1 --layout csv f", "'csv'", "lines or records"),
            ("trace", "<KEY>", "required"),
            ("stats --output xml", "'xml'", "text or json"),
            ("peers --http 9080", "'9080'", "HOST:PORT"),
            ("get 00", "--bootstrap <HOST:PORT>", "required"),
        ] {
            let said = refusal(line);
            assert!(said.starts_with("error: "), "{line}: {said}");
            assert!(said.contains(value) && said.contains(remedy), "{line}: {said}");
            assert!(!said.contains('\n'), "{line}: {said}");
        }
    }
}

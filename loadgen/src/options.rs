//! The command line.

mod value;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use kad_node::NetworkKey;
use kad_node::driver::IoChoice;
use kad_node::program;
use kad_node::quantity::{Percent, parse_duration, parse_name};

use crate::assertion::Assertion;
use crate::corpus::{CORPUS_BYTES_MAX, Popularity};
use crate::cpu;
use crate::engine::Pace;
use crate::mix::{Kind, Mix, Scope};
use crate::say::say;
use crate::schedule::Arrivals;
use crate::sweep::Sweep;
use crate::value_sizes::{RPC_BYTES_MAX, ValueSizes};
use crate::worker::Waiting;

/// Most sockets of one thread.
const LINKS_MAX: usize = 4096;
/// Most drop rates of one sweep.
const DROPS_MAX: usize = 16;
/// Requests in flight in a closed loop, when nothing else is asked for.
const WINDOW_DEFAULT: u64 = 64;
/// Requests a second, when nothing else is asked for.
const RATE_DEFAULT: u64 = 100_000;
/// The same of a network: a put alone is dozens of datagrams.
const WHOLE_RATE_DEFAULT: u64 = 100;
/// How long each send waits, when nothing else is asked for.
const TIMEOUT_DEFAULT: Duration = Duration::from_millis(250);
/// The same of a whole operation: its own time-outs end it before.
const WHOLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Where a search begins, when nothing else is asked for.
const LOWEST_DEFAULT: u64 = 1_000;

/// Loads Kademlia nodes with requests and measures their latency.
///
/// An open loop: request i is due at i / rate whatever came of those before, and
/// its latency counts from then. Without --target it starts a node of its own.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub struct Cli {
    /// Something else than a run.
    #[command(subcommand)]
    pub mode: Option<Mode>,
    /// A run.
    #[command(flatten)]
    pub options: Options,
}

/// What loadgen does beside loading nodes.
#[derive(Debug, Subcommand)]
pub enum Mode {
    /// Sets results side by side: each file beside the first.
    Compare {
        /// What --json wrote; two files or more.
        #[arg(required = true, num_args = 2.., value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Writes a page with the curves of all of them, one over the other.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Joins the results of machines that loaded one target at the same time.
    Merge {
        /// What --json wrote on each machine; two files or more.
        #[arg(required = true, num_args = 2.., value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Where the joined results go.
        #[command(flatten)]
        results: ResultOptions,
    },
}

/// Where results go, and what must hold of them.
#[derive(Args, Clone, Debug)]
pub struct ResultOptions {
    /// Writes the results for programs; `-` for standard output, and then the report goes
    /// to standard error.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes a line of numbers for each run, separated by commas.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Writes the latency as `HdrHistogram`'s percentile table, for its plotter; of several
    /// runs, one file for each.
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
    /// Writes a page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// What must hold, such as 'p99<2ms', 'timed-out<0.1%' or 'rate>=95k';
    /// repeatable. Exit status 3 when it does not.
    #[arg(long = "assert", value_name = "CONDITION")]
    pub assertions: Vec<Assertion>,
}

/// What a run is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Node to load; repeatable [default: a node of its own].
    #[arg(long = "target", value_name = "HOST:PORT")]
    pub targets: Vec<String>,
    /// Requests a second in all; `max` for a closed loop, as fast as answers come
    /// [default: 100k; with --search 1k, where it begins; with --network 100].
    #[arg(long, value_name = "N", value_parser = value::rate)]
    pub rate: Option<Rate>,
    /// Seeks the highest rate at which this holds, such as 'p99<2ms'; repeatable: all must.
    /// It doubles --rate, bisects to 5 %, and confirms three times. Exit status 3 when the
    /// lowest rate fails.
    #[arg(long = "search", value_name = "CONDITION")]
    pub conditions: Vec<Assertion>,
    /// A run at each of several rates, FROM..TO or FROM..TO:STEPS: latency against throughput.
    #[arg(long, value_name = "RANGE", conflicts_with_all = ["conditions", "rate"])]
    pub sweep: Option<Sweep>,
    /// Requests in flight with `--rate max` [default: 64].
    #[arg(long, value_name = "N", value_parser = value::window)]
    pub window: Option<u64>,
    /// The measured time.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::duration)]
    pub duration: Duration,
    /// Time before the measured time.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = value::warmup)]
    pub warmup: Duration,
    /// Drops each request and each reply with this chance; several, separated by
    /// commas, make as many runs.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_delimiter = ',')]
    pub drop: Vec<Percent>,
    /// Kinds and weights: get, put, find-node, ping, and lookup, a whole iterative get.
    #[arg(long, value_name = "MIX", default_value = "get=100")]
    pub mix: Mix,
    /// How many keys requests are about.
    #[arg(long, value_name = "N", default_value = "10k", value_parser = value::keys)]
    pub keys: u64,
    /// How often each key is asked for: uniform, zipf, or zipf:EXPONENT.
    #[arg(long, value_name = "DIST", default_value = "uniform", value_parser = value::popularity)]
    pub key_dist: Popularity,
    /// Bytes of each value; several sizes with their weights as 100:90,1kB:10.
    #[arg(long, value_name = "SIZES", default_value = "100")]
    pub value_size: ValueSizes,
    /// How long each send of a request waits for an answer [default: 250ms; with --network 5s].
    #[arg(long, value_name = "TIME", value_parser = value::timeout)]
    pub timeout: Option<Duration>,
    /// Sends of a request after the first.
    #[arg(long, value_name = "N", default_value = "3", value_parser = value::retries)]
    pub retries: u8,
    /// How requests are spread over time: uniform or poisson.
    #[arg(long, value_name = "KIND", default_value = "uniform", value_parser = value::arrivals)]
    pub arrivals: Arrivals,
    /// Requests sent at once, through one socket; above 1 they are coalesced.
    #[arg(long, value_name = "N", default_value = "1", value_parser = value::burst)]
    pub burst: u64,
    /// Sockets for each target and thread: peers, as the node sees it.
    #[arg(long, value_name = "N", default_value = "1", value_parser = value::peers)]
    pub peers: usize,
    /// Threads of the generator.
    #[arg(long, value_name = "N", default_value = "1", value_parser = value::threads)]
    pub threads: u64,
    /// How threads wait for the next moment: spin, sleep, or auto, which spins
    /// where there are more cores than threads.
    #[arg(long, value_name = "KIND", default_value = "auto", value_parser = value::waiting)]
    pub wait: WaitChoice,
    /// Fixes kinds, keys, values, arrivals and drops.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long to try until each target answers and, with lookups, its network is joined.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub join_timeout: Duration,
    /// Loads a network of so many nodes, all on one thread of its own; then gets and puts are
    /// whole ones, as a user's, and --drop loses between the nodes as well.
    #[arg(long, value_name = "NODES", value_parser = value::nodes, conflicts_with = "targets")]
    pub network: Option<u64>,
    /// How long a datagram is under way in the network of its own.
    #[arg(long, value_name = "TIME", value_parser = value::delay, requires = "network")]
    pub delay: Option<Duration>,
    /// The name of the targets' network.
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = parse_name)]
    pub network_name: String,
    /// File with the key of the targets' private network; repeatable, or several with commas.
    #[arg(long, env = "KAD_NETWORK_KEY", value_name = "FILE", value_parser = value::key)]
    #[arg(value_delimiter = ',', hide_env_values = true, conflicts_with = "network")]
    pub network_key: Vec<NetworkKey>,
    /// How a node of its own receives and sends: auto, uring, tokio-uring
    /// or mmsg [default: auto].
    #[arg(long, value_name = "DRIVER")]
    pub io: Option<IoChoice>,
    /// Process of the target, whose CPU time per request is then measured.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<NonZeroU32>,
    /// Serves a live page and `OpenMetrics` (/metrics) while it runs, on a loopback address.
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// Where the results go.
    #[command(flatten)]
    pub results: ResultOptions,
}

/// How many requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// So many.
    PerSecond(u64),
    /// As many as answers come.
    Max,
}

/// How threads wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitChoice {
    /// As the number of cores suggests.
    Auto,
    /// Like this.
    Always(Waiting),
}

impl Options {
    /// Refuses what does not go together.
    fn check(&self) -> Result<(), String> {
        let rate = self.rate();
        if !self.conditions.is_empty() && rate == Rate::Max {
            return Err("'--rate max' has no rate to seek: give --search a number".into());
        }
        if !self.conditions.is_empty() && self.results.hgrm.is_some() {
            return Err("--hgrm is for rates that are known before: use --json".into());
        }
        if self.window.is_some() && rate != Rate::Max {
            return Err("--window is for a closed loop: add '--rate max', or leave it out".into());
        }
        if rate == Rate::Max && self.arrivals == Arrivals::Poisson {
            return Err("'--arrivals poisson' is for an open loop: give '--rate' a number".into());
        }
        let together = self.threads * self.burst;
        if rate == Rate::Max && self.window() < together {
            return Err(format!(
                "'--window {}' is less than one burst for each thread: use at least {together}",
                self.window()
            ));
        }
        if self.value_size.bytes_max(self.keys) > CORPUS_BYTES_MAX {
            return Err(format!(
                "'--keys {}' of {} bytes need more than {} GiB: use fewer or smaller ones",
                self.keys,
                self.value_size,
                CORPUS_BYTES_MAX >> 30
            ));
        }
        self.check_value_size()?;
        if self.targets.len().max(1) * self.peers > LINKS_MAX {
            return Err(format!("'--peers {}' are too many: {LINKS_MAX} in all", self.peers));
        }
        if self.drop.len() > DROPS_MAX {
            return Err(format!("'--drop' takes at most {DROPS_MAX} percentages"));
        }
        if let Some(io) = self.io
            && !self.targets.is_empty()
        {
            return Err(format!(
                "'--io {io}' is for a node of loadgen's own: leave it, or --target, out"
            ));
        }
        if self.mix.is_only_whole(self.scope()) {
            self.check_lookups()?;
        }
        if self.io.is_some() && self.network.is_some() {
            return Err("--io is for a single node: leave it, or --network, out".into());
        }
        if self.server_pid.is_some() && self.targets.is_empty() {
            return Err("--server-pid goes with --target: a node of its own is known".into());
        }
        Ok(())
    }

    /// Refuses a process that is not there.
    pub fn check_server_pid(&self) -> Result<(), String> {
        match self.server_pid {
            Some(process) if cpu::of_process_ns(process.get(), &[]).is_none() => Err(format!(
                "'--server-pid {process}': there is no such process: give the target's"
            )),
            _ => Ok(()),
        }
    }

    /// Refuses values that no single RPC carries where one has to.
    fn check_value_size(&self) -> Result<(), String> {
        let is_single = |kind: Kind| self.mix.contains(kind) && !kind.is_whole(self.scope());
        let is_carried = self.value_size.largest() <= RPC_BYTES_MAX;
        if is_carried || !is_single(Kind::Get) && !is_single(Kind::Put) {
            return Ok(());
        }
        Err(format!(
            "'--value-size {}' is more than the {RPC_BYTES_MAX} bytes that a single get or put \
             carries: add '--network 50', or use '--mix lookup'",
            self.value_size
        ))
    }

    /// Refuses what says nothing to lookups, which send their own datagrams.
    fn check_lookups(&self) -> Result<(), String> {
        let remedy = "leave it out, or add another kind to '--mix'";
        if self.burst > 1 {
            return Err(format!("'--burst {}' says nothing to lookups: {remedy}", self.burst));
        }
        if self.peers > 1 {
            return Err(format!("'--peers {}' says nothing to lookups: {remedy}", self.peers));
        }
        Ok(())
    }

    /// Requests in flight in a closed loop.
    pub fn window(&self) -> u64 {
        self.window.unwrap_or(WINDOW_DEFAULT.max(2 * self.threads * self.burst))
    }

    /// What gets and puts are asked of.
    pub const fn scope(&self) -> Scope {
        if self.network.is_some() { Scope::Network } else { Scope::Node }
    }

    /// How long each send waits.
    pub fn timeout(&self) -> Duration {
        let default = match self.scope() {
            Scope::Node => TIMEOUT_DEFAULT,
            Scope::Network => WHOLE_TIMEOUT_DEFAULT,
        };
        self.timeout.unwrap_or(default)
    }

    /// Requests a second; where a search begins.
    pub fn rate(&self) -> Rate {
        let default = match self.scope() {
            Scope::Network => WHOLE_RATE_DEFAULT,
            Scope::Node if self.conditions.is_empty() => RATE_DEFAULT,
            Scope::Node => LOWEST_DEFAULT,
        };
        self.rate.unwrap_or(Rate::PerSecond(default))
    }

    /// Whether rates change from run to run.
    pub const fn seeks_rate(&self) -> bool {
        !self.conditions.is_empty() || self.sweep.is_some()
    }

    /// What decides when a request is sent: of a closed loop's window, each
    /// thread has its part.
    pub fn pace(&self, rate: Rate) -> Pace {
        match rate {
            Rate::PerSecond(rate) => Pace::Open { rate, arrivals: self.arrivals },
            Rate::Max => Pace::Closed { window: self.window() / self.threads },
        }
    }

    /// How threads wait on a machine with so many cores.
    pub fn waiting(&self, cores: usize) -> Waiting {
        match self.wait {
            WaitChoice::Always(waiting) => waiting,
            WaitChoice::Auto if cores > self.threads as usize => Waiting::Spin,
            WaitChoice::Auto => Waiting::Sleep,
        }
    }
}

/// The command line, or the status to exit with at once: 0 after `--help`, 2
/// after an error, told on one line.
pub fn parse() -> Result<Cli, ExitCode> {
    parse_from(std::env::args_os()).map_err(|error| program::exit_status(error, |line| say(line)))
}

fn parse_from<T: Into<std::ffi::OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(arguments)?;
    cli.options.check().map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, error))?;
    Ok(cli)
}

#[cfg(test)]
impl Options {
    /// The options of a command line that is right.
    pub(crate) fn for_tests(line: &str) -> Self {
        let words = std::iter::once("loadgen").chain(line.split_whitespace());
        parse_from(words).map(|cli| cli.options).expect("a right command line")
    }
}

#[cfg(test)]
mod tests;

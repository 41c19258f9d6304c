//! The command line.

mod value;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use kad_node::driver::IoChoice;
use kad_node::program;
use kad_node::quantity::{Percent, parse_duration};

use crate::assertion::Assertion;
use crate::corpus::{CORPUS_BYTES_MAX, Popularity};
use crate::cpu;
use crate::engine::Pace;
use crate::mix::{Kind, Mix};
use crate::say::say;
use crate::schedule::Arrivals;
use crate::worker::Waiting;

/// Most sockets of one thread.
const LINKS_MAX: usize = 4096;
/// Most drop rates of one sweep.
const DROPS_MAX: usize = 16;
/// Requests in flight in a closed loop, when nothing else is asked for.
const WINDOW_DEFAULT: u64 = 64;

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
    /// Sets the results of two runs side by side.
    Compare {
        /// What --json wrote.
        a: PathBuf,
        /// What --json wrote.
        b: PathBuf,
    },
}

/// What a run is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Node to load; repeatable [default: a node of its own].
    #[arg(long = "target", value_name = "HOST:PORT")]
    pub targets: Vec<String>,
    /// Requests a second in all; `max` for a closed loop, as fast as answers come.
    #[arg(long, value_name = "N", default_value = "100k", value_parser = value::rate)]
    pub rate: Rate,
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
    /// Kinds and weights: get, put, find-node, ping, and lookup, a whole
    /// iterative get.
    #[arg(long, value_name = "MIX", default_value = "get=100")]
    pub mix: Mix,
    /// How many keys requests are about.
    #[arg(long, value_name = "N", default_value = "10k", value_parser = value::keys)]
    pub keys: u64,
    /// How often each key is asked for: uniform, zipf, or zipf:EXPONENT.
    #[arg(long, value_name = "DIST", default_value = "uniform", value_parser = value::popularity)]
    pub key_dist: Popularity,
    /// Bytes of each value.
    #[arg(long, value_name = "BYTES", default_value = "100", value_parser = value::value_bytes)]
    pub value_size: u64,
    /// How long each send of a request waits for an answer.
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = value::timeout)]
    pub timeout: Duration,
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
    /// The targets' network.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub network: String,
    /// How a node of its own receives and sends: auto, uring, tokio-uring
    /// or mmsg [default: auto].
    #[arg(long, value_name = "DRIVER")]
    pub io: Option<IoChoice>,
    /// Process of the target, whose CPU time per request is then measured.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<NonZeroU32>,
    /// Writes the results for programs; `-` for standard output, and then the report goes
    /// to standard error.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes the latency as `HdrHistogram`'s percentile table, for its plotter; of a
    /// sweep, one file for each drop rate.
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
        if self.window.is_some() && self.rate != Rate::Max {
            return Err("--window is for a closed loop: add '--rate max', or leave it out".into());
        }
        if self.rate == Rate::Max && self.arrivals == Arrivals::Poisson {
            return Err("'--arrivals poisson' is for an open loop: give '--rate' a number".into());
        }
        let together = self.threads * self.burst;
        if self.rate == Rate::Max && self.window() < together {
            return Err(format!(
                "'--window {}' is less than one burst for each thread: use at least {together}",
                self.window()
            ));
        }
        if self.keys * self.value_size > CORPUS_BYTES_MAX {
            return Err(format!(
                "'--keys {}' of {} bytes need more than {} GiB: use fewer or smaller ones",
                self.keys,
                self.value_size,
                CORPUS_BYTES_MAX >> 30
            ));
        }
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
        if self.mix.is_only(Kind::Lookup) {
            self.check_lookups()?;
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

    /// What decides when a request is sent: of a closed loop's window, each
    /// thread has its part.
    pub fn pace(&self) -> Pace {
        match self.rate {
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
    parse_from(std::env::args_os()).map_err(|error| program::exit_status(&error, |line| say(line)))
}

fn parse_from<T: Into<std::ffi::OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(arguments)?;
    cli.options.check().map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, error))?;
    Ok(cli)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Options, String> {
        let words = std::iter::once("loadgen").chain(line.split_whitespace());
        parse_from(words).map(|cli| cli.options).map_err(|error| program::one_line(&error))
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_interface() {
        let options = parse_line("").expect("no flag is required");
        assert_eq!(options.rate, Rate::PerSecond(100_000));
        assert_eq!(options.duration, Duration::from_secs(10));
        assert_eq!(options.warmup, Duration::from_secs(1));
        assert_eq!(options.drop, [Percent::ZERO]);
        assert_eq!(options.mix.to_string(), "get=100");
        assert_eq!((options.keys, options.value_size), (10_000, 100));
        assert_eq!((options.timeout, options.retries), (Duration::from_millis(250), 3));
        assert_eq!(options.arrivals, Arrivals::Uniform);
        assert_eq!((options.seed, options.threads, options.burst), (1, 1, 1));
    }

    #[test]
    fn a_window_is_shared_by_the_threads() {
        let pace = |line: &str| parse_line(line).expect(line).pace();
        assert_eq!(pace("--rate max"), Pace::Closed { window: 64 });
        assert_eq!(pace("--rate max --window 90 --threads 2"), Pace::Closed { window: 45 });
        assert_eq!(pace("--rate max --burst 64"), Pace::Closed { window: 128 });
    }

    #[test]
    fn threads_spin_only_where_a_core_is_left() {
        let options = parse_line("--threads 2").expect("valid");
        assert_eq!(options.waiting(2), Waiting::Sleep);
        assert_eq!(options.waiting(3), Waiting::Spin);
        let options = parse_line("--wait spin").expect("valid");
        assert_eq!(options.waiting(1), Waiting::Spin);
    }

    #[test]
    fn an_error_is_one_line_with_the_value_and_the_remedy() {
        for (line, value, remedy) in [
            ("--rate fast", "'fast'", "or max"),
            ("--rate 0", "'0'", "1 to"),
            ("--duration 10", "'10'", "10s"),
            ("--duration 1ms", "'1ms'", "10ms to"),
            ("--warmup 600years", "'600years'", "0s to"),
            ("--timeout 0s", "'0s'", "1ms to 1m"),
            ("--drop 101", "'101'", "0 to 100"),
            ("--drop 0,ten", "'ten'", "0 to 100"),
            ("--mix get=90,steal=10", "'steal'", "get, put"),
            ("--keys 0", "'0'", "1 to"),
            ("--value-size 2000", "2000", "1 to 1"),
            ("--key-dist normal", "'normal'", "zipf"),
            ("--key-dist zipf:0", "'zipf:0'", "above 0"),
            ("--burst 65", "'65'", "1 to 64"),
            ("--threads 0", "'0'", "1 to"),
            ("--arrivals late", "'late'", "poisson"),
            ("--wait long", "'long'", "sleep"),
            ("--io epoll", "'epoll'", "mmsg"),
            ("--assert p99", "'p99'", "p99<2ms"),
            ("--window 5", "--window", "--rate max"),
            ("--rate max --arrivals poisson", "poisson", "--rate"),
            ("--rate max --window 7 --burst 8", "--window 7", "at least 8"),
            ("--keys 10M --value-size 1000", "10000000", "fewer"),
            ("--server-pid 1", "--server-pid", "--target"),
            ("--io mmsg --target a:1", "'--io mmsg'", "--target"),
            ("--io auto --target a:1", "'--io auto'", "--target"),
            ("--mix lookup=1 --burst 8", "'--burst 8'", "--mix"),
            ("--mix lookup=1 --peers 3", "'--peers 3'", "--mix"),
            ("--colour", "'--colour'", ""),
            ("compare a.json", "<B>", "required"),
        ] {
            let said = parse_line(line).expect_err(line);
            assert!(said.starts_with("error: "), "{line}: {said}");
            assert!(said.contains(value) && said.contains(remedy), "{line}: {said}");
            assert!(!said.contains('\n'), "{line}: {said}");
        }
    }
}

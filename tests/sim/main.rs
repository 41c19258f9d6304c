//! A deterministic simulator of the production node.
//!
//! `cargo test --release --test sim -- --nodes 2000 --drop 30 --seed 42` runs
//! thousands of real nodes, not models of them, under a virtual clock and in a
//! simulated network that loses, delays, doubles, damages and cuts off. An
//! oracle that sees into every node says what must hold. A seed fixes the whole
//! run: the hash over every datagram that arrived is the same each time.
//!
//! ```text
//! main  ->  suite  ->  script  ->  world  ->  network  ->  faults  ->  ratio
//!             |           |          |-->  windows  ->  ahead  ->  turn
//!             |           |          |-->  peers  ->  shards, disks, attacker  ->  malice, crowd
//!             |           |          '-->  trace, queue, allocator
//!             |           |-->  oracle, checks, operations
//!             |           '-->  scenario
//!             |-->  catalogue, swarm, figures, growth, plots, costs  ->  scenario
//!             '-->  twins  ->  shards
//! ```
//!
//! An arrow goes from the user to what it uses. `windows` moves the clock; `oracle`,
//! `checks` and `operations` are what it is asked and told beside that.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "figures for people, of counts far below 2^52"
)]

mod ahead;
mod allocator;
mod attacker;
mod catalogue;
mod checks;
mod costs;
mod crew;
mod crowd;
#[path = "../harness/datagram.rs"]
mod datagram;
mod departing;
#[path = "../harness/disk.rs"]
mod disk;
mod disks;
mod faults;
mod figures;
mod growth;
mod joining;
mod large_pages;
mod malice;
mod network;
mod operations;
mod options;
mod oracle;
mod payload;
mod peers;
mod plots;
mod queue;
mod ratio;
mod regressions;
mod report;
mod same_trace;
mod samples;
mod scenario;
mod script;
mod shards;
mod spoilers;
mod suite;
mod surround;
mod swarm;
mod trace;
mod turn;
mod twins;
mod upkeep;
mod violation;
mod windows;
mod world;

use std::num::NonZero;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::Parser as _;
use kad_node::id::Id;

use crate::figures::Size;
use crate::options::Options;
use crate::report::line;
use crate::suite::{Job, Score};

fn main() -> ExitCode {
    let mut options = Options::parse();
    large_pages::ensure();
    if options.attackers {
        return ExitCode::from(u8::from(!plots::table(&options)));
    }
    if options.costs {
        costs::table(options.seed);
        return ExitCode::SUCCESS;
    }
    let jobs = match jobs(&options) {
        Ok(jobs) => jobs,
        Err(message) => {
            line(&[message]);
            return ExitCode::from(2);
        }
    };
    if options.list {
        line(&jobs.iter().map(|job| format!("{}: test", job.name())).collect::<Vec<_>>());
        return ExitCode::SUCCESS;
    }
    if !options.hash_only {
        line(&[introduction(&options, jobs.len())]);
    }
    let start = Instant::now();
    let processors = available_parallelism().map_or(1, NonZero::get);
    let threads = options.test_threads.map_or(processors, |threads| threads as usize);
    let side_by_side = if options.fresh.is_some() { threads } else { jobs.len().min(threads) };
    options.threads.get_or_insert((processors / side_by_side.max(1)).max(1) as u16);
    let score = match &options.fresh {
        Some(text) => run_fresh(text, start, threads, &options),
        None => suite::run(|index| jobs.get(index).cloned(), threads, &options),
    };
    conclude(score, start.elapsed(), &options)
}

/// The seed, and the options that are in force.
fn introduction(options: &Options, jobs: usize) -> String {
    let size = Size::of_options(options);
    let what = match (&options.fresh, &options.scenario) {
        (Some(text), _) => {
            format!("fresh swarm seeds that follow from {text:?}, for {} s", options.fresh_for)
        }
        (None, Some(name)) => format!("scenario {name}"),
        (None, None) if options.asks_for_figures() => format!("figures of {size}"),
        (None, None) => format!("{jobs} tests{}", options.choice()),
    };
    let hint = if jobs == 0 { "; --list names all there are" } else { "" };
    format!("seed {}; {what}{}{hint}", options.seed, options.beside())
}

/// What the options ask to run.
fn jobs(options: &Options) -> Result<Vec<Job>, String> {
    if let Some(name) = &options.scenario {
        let job = suite::find(name, options.seed, options.shards)
            .ok_or_else(|| format!("--scenario {name}: no such scenario; --list names them"))?;
        return Ok(vec![job]);
    }
    if options.asks_for_figures() {
        return Ok(vec![Job::Figures { size: Size::of_options(options), seed: options.seed }]);
    }
    let mut jobs = suite::all(options);
    jobs.retain(|job| options.chooses(&job.name()));
    Ok(jobs)
}

/// Runs the swarm under seeds that follow from `text` until the time is up.
fn run_fresh(text: &str, start: Instant, threads: usize, options: &Options) -> Score {
    let period = Duration::from_secs(options.fresh_for);
    let next = |index: usize| {
        let digest = Id::of_value(format!("{text} {index}").as_bytes()).to_bytes();
        // Six bytes make a seed that a person can still type.
        let seed = digest[..6].iter().fold(0, |seed, byte| (seed << 8) | u64::from(*byte));
        (start.elapsed() < period).then(|| suite::swarm_job(seed))
    };
    suite::run(next, threads, options)
}

fn conclude(score: Score, wall: Duration, options: &Options) -> ExitCode {
    let verdict = if score.failed == 0 { "ok" } else { "FAILED" };
    if !options.hash_only {
        line(&[format!(
            "\ntest result: {verdict}. {} passed; {} failed; finished in {:.1} s",
            score.passed,
            score.failed,
            wall.as_secs_f64()
        )]);
    }
    ExitCode::from(u8::from(score.failed > 0))
}

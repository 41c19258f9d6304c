//! Measures what large values cost: a get of 1 MiB between two nodes over loopback, beside
//! bare segmented messages of the same size, and TCP, in turn; a put to 20 nodes; what small
//! gets feel of transfers; and a get over a path with delay and loss, beside TCP.
//!
//! Run `cargo bench --bench transfer`. README.md beside this file explains the figures.
#![allow(clippy::cast_precision_loss)] // no count here is near 2^52
#![allow(clippy::print_stdout)] // results are what a benchmark is for

mod bare;
mod far;
mod nodes;
mod places;
mod put;
mod small;
mod tcp;

use std::error::Error;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of a value.
const VALUE_BYTES: usize = 1 << 20;
/// Values of a round, of each subject.
const VALUES: usize = 32;
const ROUNDS: usize = 7;

#[derive(Debug, Parser)]
#[command(name = "transfer")]
struct Options {
    /// Cargo gives this to every benchmark.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    /// What is measured; without one `get`, `put` and `small`.
    #[command(subcommand)]
    arm: Option<Arm>,
}

#[derive(Clone, Debug, Subcommand)]
enum Arm {
    /// Gets of 1 MiB, beside bare segmented messages and TCP.
    Get,
    /// Puts of 1 MiB to 20 nodes, beside as many gets.
    Put,
    /// Small gets, with and without ten transfers at once.
    Small,
    /// Gets of 1 MiB between two network namespaces, beside TCP: far.sh makes them.
    Far {
        /// The namespace of the node that holds the values.
        holder: String,
        /// Its address.
        address: std::net::IpAddr,
        /// The namespace of the node that gets them.
        reader: String,
    },
}

/// What a round of one subject took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    elapsed: Duration,
    /// Of all threads of this process: both ends.
    cpu: Duration,
}

impl Cost {
    fn of(run: impl FnOnce() -> Outcome<()>) -> Outcome<Self> {
        let (cpu, started) = (process_cpu()?, Instant::now());
        run()?;
        Ok(Self { elapsed: started.elapsed(), cpu: process_cpu()?.saturating_sub(cpu) })
    }

    fn mib_per_second(self) -> f64 {
        (VALUES * VALUE_BYTES) as f64 / f64::from(1 << 20) / self.elapsed.as_secs_f64()
    }

    fn ns_per_kib(self) -> f64 {
        self.cpu.as_nanos() as f64 / ((VALUES * VALUE_BYTES) >> 10) as f64
    }
}

fn process_cpu() -> Outcome<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| time.num_microseconds().unsigned_abs();
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A get beside bare messages, those that are verified, and TCP.
fn get() -> Outcome<()> {
    const NAMES: [&str; 4] = ["get of a node", "bare segments", "the same, verified", "TCP"];
    let mut nodes = nodes::Pair::start()?;
    let mut rounds: Vec<[Cost; NAMES.len()]> = Vec::new();
    for round in 0..ROUNDS {
        let keys = nodes.put(round)?;
        rounds.push([
            Cost::of(|| nodes.get(&keys))?,
            Cost::of(bare::segments)?,
            Cost::of(bare::verified_segments)?,
            Cost::of(tcp::over_loopback)?,
        ]);
        nodes.forget(&keys)?;
    }
    println!("{VALUES} values of {VALUE_BYTES} bytes, medians of {ROUNDS} rounds");
    for (subject, name) in NAMES.iter().enumerate() {
        let rate = median(rounds.iter().map(|round| round[subject].mib_per_second()).collect());
        let cost = median(rounds.iter().map(|round| round[subject].ns_per_kib()).collect());
        println!("{name:<18}  {rate:>7.0} MiB/s  {cost:>6.0} ns of CPU a KiB, both ends");
    }
    for (subject, name) in [(1, "bare"), (2, "verified")] {
        let ratio = |of: fn(Cost) -> f64| {
            median(rounds.iter().map(|round| of(round[0]) / of(round[subject])).collect())
        };
        println!("throughput, get / {name:<8}  {:.2}", ratio(Cost::mib_per_second));
        println!("CPU a byte, get / {name:<8}  {:.2}", ratio(Cost::ns_per_kib));
    }
    nodes.print_lost()
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    match options.arm {
        None => {
            get()?;
            put::measure()?;
            small::measure()
        }
        Some(Arm::Get) => get(),
        Some(Arm::Put) => put::measure(),
        Some(Arm::Small) => small::measure(),
        Some(Arm::Far { holder, address, reader }) => far::measure(&holder, address, &reader),
    }
}

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
    #[arg(long, hide = true)]
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

/// A get beside bare messages and TCP.
fn get() -> Outcome<()> {
    let mut nodes = nodes::Pair::start()?;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    let mut absolute = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let keys = nodes.put(round)?;
        let get = Cost::of(|| nodes.get(&keys))?;
        let bare = Cost::of(bare::segments)?;
        let tcp = Cost::of(tcp::over_loopback)?;
        rates.push(get.mib_per_second() / bare.mib_per_second());
        costs.push(get.ns_per_kib() / bare.ns_per_kib());
        for (all, cost) in absolute.iter_mut().zip([get, bare, tcp]) {
            all.push((cost.mib_per_second(), cost.ns_per_kib()));
        }
        nodes.forget(&keys)?;
    }
    println!("{VALUES} values of {VALUE_BYTES} bytes, medians of {ROUNDS} rounds");
    for (name, all) in ["get of a node", "bare segments", "TCP"].iter().zip(&absolute) {
        let (rate, cost) = (all.iter().map(|one| one.0), all.iter().map(|one| one.1));
        let (rate, cost) = (median(rate.collect()), median(cost.collect()));
        println!("{name:<14}  {rate:>7.0} MiB/s  {cost:>6.0} ns of CPU a KiB, both ends");
    }
    println!("throughput, get / bare  {:.2}", median(rates));
    println!("CPU a byte, get / bare  {:.2}", median(costs));
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

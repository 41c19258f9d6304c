//! Measures what a large value costs: a get of 1 MiB between two nodes over loopback, beside
//! bare segmented messages of the same size, and TCP, in turn.
//!
//! Run `cargo bench --bench transfer`. README.md beside this file explains the figures.
#![allow(clippy::cast_precision_loss)] // no count here is near 2^52
#![allow(clippy::print_stdout)] // results are what a benchmark is for

mod bare;
mod nodes;

use std::error::Error;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// Bytes of a value.
const VALUE_BYTES: usize = 1 << 20;
/// Values of a round, of each subject.
const VALUES: usize = 32;
const ROUNDS: usize = 7;

/// What a round of one subject took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    elapsed: Duration,
    /// Of all threads of this process: both ends.
    cpu: Duration,
}

impl Cost {
    fn of(run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Self, Box<dyn Error>> {
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

fn process_cpu() -> Result<Duration, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| time.num_microseconds().unsigned_abs();
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut nodes = nodes::Pair::start()?;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    let mut absolute = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let keys = nodes.put(round)?;
        let get = Cost::of(|| nodes.get(&keys))?;
        let bare = Cost::of(bare::segments)?;
        let tcp = Cost::of(bare::tcp)?;
        rates.push(get.mib_per_second() / bare.mib_per_second());
        costs.push(get.ns_per_kib() / bare.ns_per_kib());
        for (all, cost) in absolute.iter_mut().zip([get, bare, tcp]) {
            all.push((cost.mib_per_second(), cost.ns_per_kib()));
        }
    }
    println!("{VALUES} values of {VALUE_BYTES} bytes, medians of {ROUNDS} rounds");
    for (name, all) in ["get of a node", "bare segments", "TCP"].iter().zip(&absolute) {
        let (rate, cost) = (all.iter().map(|one| one.0), all.iter().map(|one| one.1));
        let (rate, cost) = (median(rate.collect()), median(cost.collect()));
        println!("{name:<14}  {rate:>7.0} MiB/s  {cost:>6.0} ns of CPU a KiB, both ends");
    }
    println!("throughput, get / bare  {:.2}", median(rates));
    println!("CPU a byte, get / bare  {:.2}", median(costs));
    Ok(())
}

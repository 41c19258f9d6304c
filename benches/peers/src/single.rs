//! Single requests: every peer has its turn in every round, and each round begins with
//! another one.

use std::fs;
use std::time::Instant;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::Options;
use crate::load::{Load, Outcome, Pace};
use crate::peer::Peer;
use crate::process::Process;
use crate::wire::Wire;

/// The generator's core. The peers have the next one.
const GENERATOR_CORE: usize = 0;

/// What single requests to a peer cost: a number for each round.
pub(crate) struct Single {
    pub(crate) peer: Peer,
    /// Answered a second in the closed loop.
    pub(crate) rates: Vec<f64>,
    /// CPU time of the peer for each answer in the closed loop.
    pub(crate) cpu_ns: Vec<f64>,
    /// Percentiles of the latency in the open loop.
    pub(crate) p50_ns: Vec<f64>,
    pub(crate) p99_ns: Vec<f64>,
    pub(crate) lost: u64,
    pub(crate) wrong: u64,
}

/// What all of them cost.
pub(crate) struct Singles {
    pub(crate) peers: Vec<Single>,
    /// Part of the time in which the generator waited for a core that something else had.
    pub(crate) queued_share: f64,
}

/// A peer that serves.
struct Running {
    process: Process,
    load: Load,
    wire: Box<dyn Wire>,
    single: Single,
}

pub(crate) fn measure(options: &Options) -> Result<Singles, String> {
    let mut running = Vec::new();
    for &peer in &options.peers {
        match start(peer, options) {
            Ok(Some(one)) => running.push(one),
            Ok(None) => {}
            Err(error) => eprintln!("skipped: {}: {error}", peer.name()),
        }
    }
    let mut core = CpuSet::new();
    let pinned = core.set(GENERATOR_CORE);
    let pinned = pinned.and_then(|()| sched_setaffinity(Pid::from_raw(0), &core));
    pinned.map_err(|error| format!("no core for the generator: {error}"))?;
    let count = running.len();
    let (began, queued_before_ns) = (Instant::now(), queued_ns());
    for round in 0..options.rounds {
        for turn in 0..count {
            running[(round + turn) % count].turn(options)?;
        }
    }
    let queued_share = (queued_ns() - queued_before_ns) as f64 / began.elapsed().as_nanos() as f64;
    Ok(Singles { peers: running.into_iter().map(|one| one.single).collect(), queued_share })
}

/// How long this thread has waited for a core, as the scheduler accounts for it.
fn queued_ns() -> u64 {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn start(peer: Peer, options: &Options) -> Result<Option<Running>, String> {
    let Some(mut wire) = peer.wire() else {
        return Ok(None);
    };
    let (process, address) = peer.serve(options)?;
    let load = Load::new(address)?;
    load.prepare(&mut *wire)?;
    let (rates, cpu_ns, p50_ns, p99_ns) = Default::default();
    let single = Single { peer, rates, cpu_ns, p50_ns, p99_ns, lost: 0, wrong: 0 };
    Ok(Some(Running { process, load, wire, single }))
}

impl Running {
    fn turn(&mut self, options: &Options) -> Result<(), String> {
        let cpu_before_ns = self.process.cpu_ns();
        let closed = self.run(Pace::Closed { window: options.window }, options)?;
        let cpu_ns = self.process.cpu_ns() - cpu_before_ns;
        let open = self.run(Pace::Open { rate: options.rate }, options)?;
        let single = &mut self.single;
        single.rates.push(closed.answered as f64 / closed.elapsed.as_secs_f64());
        single.cpu_ns.push(cpu_ns as f64 / closed.answered.max(1) as f64);
        single.p50_ns.push(open.latency_ns.value_at_quantile(0.5) as f64);
        single.p99_ns.push(open.latency_ns.value_at_quantile(0.99) as f64);
        Ok(())
    }

    fn run(&mut self, pace: Pace, options: &Options) -> Result<Outcome, String> {
        let outcome = self.load.run(&mut *self.wire, pace, options.turn());
        let outcome = outcome.map_err(|error| format!("{}: {error}", self.single.peer.name()))?;
        self.single.lost += outcome.lost;
        self.single.wrong += outcome.wrong;
        Ok(outcome)
    }
}

//! One measurement of one server under one load.
#![allow(clippy::cast_precision_loss)] // no count here is near 2^52

use std::time::Duration;

use crate::client::{Client, Tally};
use crate::drive::{self, Paces};
use crate::failure::Failure;
use crate::load::Load;
use crate::server::{Counters, Server};
use crate::stores::Stores;
use crate::subject::Shards;

/// The part of a measurement's time that is spent on warming up before it.
const WARM_UP_PART: u32 = 5;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) tally: Tally,
    elapsed: Duration,
    cpu: Duration,
    counters: Counters,
    /// Of a load at a rate.
    latency: Option<Times>,
    lateness: Option<Times>,
    /// STOREs that were sent, and that were answered by STORED.
    stores: Option<(u64, u64)>,
    load: Load,
}

/// More than one lost request in so many makes a sample void: each may stand for 100 ms in
/// which nothing happened.
const LOST_ONE_IN: u64 = 1000;
/// More than one reply in so many that a flooded server sent and the client did not
/// read makes a sample void: what was answered is then not what the server did.
const UNREAD_ONE_IN: u64 = 100;
/// More than one STORE in so many that is not answered by STORED makes a sample void.
const UNSTORED_ONE_IN: u64 = 100;
/// The client's own lateness may be this part of the latency: 1 / 4.
const LATE_PART: u32 = 4;

/// A figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Answers a second.
    Throughput,
    /// Microseconds of the server's CPU for each answer.
    CpuUs,
    /// Microseconds from when a request was due to its answer, the median.
    LatencyUs,
    /// The same, the 99th percentile.
    TailUs,
    /// Microseconds from when a request was due to its send, the median.
    LatenessUs,
    /// The part of the time in which the server was on a core: above one with
    /// several threads.
    Busy,
    /// System calls for a thousand answers.
    Calls,
    /// Waits for a thousand answers: `io_uring_enter`, `ppoll`.
    Waits,
    /// Datagrams that a turn of the server's loop took in.
    PerTurn,
    /// Values that it stored in a second.
    Stored,
}

impl Sample {
    /// Warms up, and measures for `time`. The CPU time and the counters cover exactly the
    /// counted requests: nothing is outstanding before or after.
    pub(crate) fn take(
        server: &mut Server,
        load: Load,
        shards: Shards,
        time: Duration,
    ) -> Result<Self, Failure> {
        let mut client = Client::connect(server, load)?;
        let mut paces = Paces::default();
        let stores = load.storing().map(|storing| Stores::connect(server, storing));
        let mut stores = stores.transpose()?;
        let mut run = |client: &mut Client, server: &Server, time| match (load, load.rate()) {
            (_, Some(rate)) => drive::open_loop(client, (rate, time), &mut paces, stores.as_mut()),
            (Load::Flood, None) => drive::flood(client, time),
            (Load::Backlog, None) => drive::backlog(client, server, shards, time),
            (_, None) => drive::closed_loop(client, time),
        };
        run(&mut client, server, time / WARM_UP_PART)?;
        client.tally = Tally::default();
        let counters = server.counters()?;
        let cpu = server.cpu()?;
        let elapsed = run(&mut client, server, time)?;
        let cpu = server.cpu()?.saturating_sub(cpu);
        let counters = server.counters()?.since(counters);
        let tally = client.tally;
        if tally.answered == 0 {
            return Err(Failure::Wrong("no request was answered".into()));
        }
        let [latency, lateness] = [paces.latencies, paces.lateness].map(Times::of);
        let stores = stores.map(|stores| (stores.sent, stores.stored));
        Ok(Self { tally, elapsed, cpu, counters, latency, lateness, stores, load })
    }

    /// Whether the sample says nothing about the server, and is used in no ratio.
    pub(crate) fn is_void(&self) -> bool {
        let Tally { answered, lost, .. } = self.tally;
        let late = self.lateness.zip(self.latency);
        let is_late = late.is_some_and(|(late, latency)| match self.load {
            Load::Paced => late.median * LATE_PART > latency.median,
            _ => late.tail * LATE_PART > latency.tail,
        });
        let is_unkept =
            self.stores.is_some_and(|(sent, stored)| (sent - stored) * UNSTORED_ONE_IN > sent);
        let unread = match self.load {
            Load::Flood => self.counters.datagrams_received.saturating_sub(answered),
            _ => 0,
        };
        let is_lossy = self.load != Load::Flood && lost * LOST_ONE_IN > answered + lost;
        is_late || is_unkept || is_lossy || unread * UNREAD_ONE_IN > answered
    }

    pub(crate) fn figure(&self, figure: Figure) -> Option<f64> {
        let answered = self.tally.answered as f64;
        let per_thousand = |count: u64| count as f64 * 1000.0 / answered;
        let Counters { turns, waits, receive_calls, send_calls, datagrams_received } =
            self.counters;
        Some(match figure {
            Figure::Throughput => answered / self.elapsed.as_secs_f64(),
            Figure::CpuUs => self.cpu.as_secs_f64() * 1e6 / answered,
            Figure::LatencyUs => self.latency?.median.as_secs_f64() * 1e6,
            Figure::TailUs => self.latency?.tail.as_secs_f64() * 1e6,
            Figure::LatenessUs => self.lateness?.median.as_secs_f64() * 1e6,
            Figure::Busy => self.cpu.as_secs_f64() / self.elapsed.as_secs_f64(),
            Figure::Calls => per_thousand(waits + receive_calls + send_calls),
            Figure::Waits => per_thousand(waits),
            Figure::PerTurn => datagrams_received as f64 / turns.max(1) as f64,
            Figure::Stored => self.stores?.1 as f64 / self.elapsed.as_secs_f64(),
        })
    }
}

/// Times of many requests.
#[derive(Clone, Copy, Debug)]
struct Times {
    median: Duration,
    /// The 99th percentile.
    tail: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).copied();
        Some(Self { median: at(50)?, tail: at(99)? })
    }
}

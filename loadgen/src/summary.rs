//! A run in numbers: what `--json` writes, and what every other form of a result
//! is made from.

mod moment;
mod percentiles;
mod stored;

use std::fmt;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use udp::Coalescing;

use crate::books::{Books, KindBooks, Operations};
use crate::engine::Pace;
use crate::machine::Machine;
use crate::parameters::Parameters;
use crate::quantity::{show_count, show_ns};
use crate::result::RunResult;
use crate::search::SearchSummary;
use crate::sweep::Knee;
use crate::verdict::Verdict;

pub use moment::Moment;
pub use percentiles::Percentiles;
pub use stored::StoredHistogram;

/// Version of the JSON form; another number means that fields have changed.
pub const FORMAT: u32 = 3;

/// The results of one call of the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The program and its version.
    pub program: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// Where it ran; of a merged report, the first of the machines.
    pub machine: Machine,
    /// What was asked for, as numbers.
    pub parameters: Parameters,
    /// What was asked for, by name: what the command line said, defaults included.
    pub setup: Vec<(String, String)>,
    /// Why it ended before all was measured; nothing where it did not.
    #[serde(default)]
    pub cut_short: Option<CutShort>,
    /// For each drop rate, the highest rate that was found, where one was sought.
    pub searches: Vec<SearchSummary>,
    /// For each drop rate, the knee of the curve, where rates were swept.
    pub knees: Vec<Knee>,
    /// The runs, in the order in which they were made.
    pub runs: Vec<RunSummary>,
}

/// Why a call of the program ended before all was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutShort {
    /// A signal's name, or an error.
    pub cause: String,
    /// Drop rates, in percent, of which there is no run.
    pub drops_left_out: Vec<f64>,
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut short by {}", self.cause)?;
        for (index, drop) in self.drops_left_out.iter().enumerate() {
            let before = if index == 0 { "; not measured: drop " } else { ", " };
            write!(f, "{before}{drop} %")?;
        }
        Ok(())
    }
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunSummary {
    /// Drops on purpose, each way, in percent.
    pub drop_percent: f64,
    /// Requests a second that were asked for; none in a closed loop.
    pub rate_per_s: Option<u64>,
    /// The measured time in seconds.
    pub duration_s: f64,
    /// Whether the run was cut short: the measured time is then less than was asked for,
    /// or requests are unfinished.
    #[serde(default)]
    pub cut_short: bool,
    /// The accounts. They close, or there would be no result.
    pub books: Books,
    /// The same by kind.
    pub kinds: Vec<KindSummary>,
    /// Requests answered for each second of the measured time.
    pub answered_per_s: f64,
    /// Latency of answers from when their requests were due.
    pub corrected: Percentiles,
    /// Latency of answers from when their requests were sent.
    pub uncorrected: Percentiles,
    /// As `corrected`, and each lost request counted at its time-out.
    pub with_lost: Percentiles,
    /// How long after they were due requests were sent.
    pub pacing: Percentiles,
    /// What the percentiles are taken from.
    pub histograms: Histograms,
    /// Whether the generator was the limit.
    pub verdict: Verdict,
    /// Datagrams that were no replies.
    pub strange: u64,
    /// Replies that the kernel dropped at our own sockets.
    pub receive_drops: u64,
    /// Whether bursts travelled as one; nothing where there were none.
    pub coalesced: Option<CoalescedSummary>,
    /// Requests that the kernel dropped at the target's sockets, where these are on
    /// this machine.
    pub target_receive_drops: Option<u64>,
    /// CPU time of the generator for each request sent, in nanoseconds: all of
    /// its threads' time where they spin.
    pub generator_cpu_ns: Option<u64>,
    /// Part of the measured time in which the generator's threads waited for a core
    /// that something else had, from 0 to 1.
    pub generator_queued_share: f64,
    /// Time of turns that had something to send or to receive, for each request sent,
    /// in nanoseconds: what is left when spinning is left out.
    pub generator_busy_ns: Option<u64>,
    /// CPU time of the target for each request sent, in nanoseconds, if known.
    pub server_cpu_ns: Option<u64>,
    /// Latency over time.
    pub timeline: Vec<Moment>,
}

/// Whether bursts travelled as one: the kernel or the device may refuse each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoalescedSummary {
    /// To the target (`UDP_SEGMENT`).
    pub sends: bool,
    /// From it (`UDP_GRO`).
    pub receives: bool,
}

/// One kind's part in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KindSummary {
    /// Its accounts.
    #[serde(flatten)]
    pub books: KindBooks,
    /// What its whole operations took; zeros where each is one RPC.
    #[serde(default)]
    pub operations: Operations,
    /// Latency of its answers from when they were due.
    pub corrected: Percentiles,
    /// What the percentiles are taken from.
    pub histogram: StoredHistogram,
}

/// The distributions of one run, in nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Histograms {
    /// Latency of answers from when their requests were due.
    pub corrected: StoredHistogram,
    /// Latency of answers from when their requests were sent.
    pub uncorrected: StoredHistogram,
    /// As `corrected`, and each lost request counted at its time-out.
    pub with_lost: StoredHistogram,
    /// How long after they were due requests were sent.
    pub pacing: StoredHistogram,
}

impl Histograms {
    /// Each of them.
    pub fn all(&self) -> [&Histogram<u64>; 4] {
        let Self { corrected, uncorrected, with_lost, pacing } = self;
        [&corrected.0, &uncorrected.0, &with_lost.0, &pacing.0]
    }
}

/// Above this part of the time, waiting for a core shows in the percentiles.
const QUEUED_SHARE_MAX: f64 = 0.02;

impl RunSummary {
    /// What tells it from others of the same call.
    pub fn label(&self) -> String {
        let drop = self.drop_percent;
        match self.rate_per_s {
            Some(rate) => format!("{} a second, drop {drop} %", show_count(rate)),
            None => format!("drop {drop} %"),
        }
    }

    /// What else is to be said of it.
    pub fn remarks(&self) -> Vec<String> {
        let parted = self.parted().map(str::to_owned);
        [self.ended_early(), self.crowded(), parted].into_iter().flatten().collect()
    }

    /// What to say when the machine had too much to do for a measurement.
    pub fn crowded(&self) -> Option<String> {
        let share = self.generator_queued_share;
        (share > QUEUED_SHARE_MAX).then(|| {
            format!(
                "the machine was crowded: for {:.0} % of the time the generator waited for a core",
                share * 100.0
            )
        })
    }

    /// What to say when the run was cut short.
    pub fn ended_early(&self) -> Option<String> {
        self.cut_short.then(|| {
            let measured_ns = (self.duration_s * 1e9).round() as u64;
            format!("this run was cut short, after {} of measured time", show_ns(measured_ns))
        })
    }

    /// What to say when bursts did not travel as one.
    pub fn parted(&self) -> Option<&'static str> {
        match self.coalesced? {
            CoalescedSummary { sends: true, receives: true } => None,
            CoalescedSummary { sends: false, receives: true } => {
                Some("bursts were sent one by one: the kernel or the device takes no UDP_SEGMENT")
            }
            CoalescedSummary { sends: true, receives: false } => {
                Some("replies came one by one: the kernel has no UDP_GRO")
            }
            CoalescedSummary { sends: false, receives: false } => Some(
                "bursts and replies went one by one: the kernel or the device takes no \
                 UDP_SEGMENT, and no UDP_GRO",
            ),
        }
    }

    /// The numbers of one run.
    pub fn of(result: &RunResult) -> Self {
        let books = result.record.books;
        let duration_s = result.duration_ns as f64 / 1e9;
        let kinds = result.record.kinds.iter().map(|kind| KindSummary {
            books: kind.books,
            operations: kind.operations,
            corrected: Percentiles::of(&kind.corrected),
            histogram: StoredHistogram(kind.corrected.clone()),
        });
        Self {
            drop_percent: result.drop.value(),
            rate_per_s: match result.pace {
                Pace::Open { rate, .. } => Some(rate),
                Pace::Closed { .. } => None,
            },
            duration_s,
            cut_short: result.is_cut_short,
            books,
            kinds: kinds.collect(),
            answered_per_s: books.answered as f64 / duration_s,
            corrected: Percentiles::of(&result.corrected),
            uncorrected: Percentiles::of(&result.record.uncorrected),
            with_lost: Percentiles::of(&result.with_lost),
            pacing: Percentiles::of(&result.record.pacing),
            histograms: Histograms {
                corrected: StoredHistogram(result.corrected.clone()),
                uncorrected: StoredHistogram(result.record.uncorrected.clone()),
                with_lost: StoredHistogram(result.with_lost.clone()),
                pacing: StoredHistogram(result.record.pacing.clone()),
            },
            verdict: Verdict::of(result),
            strange: result.strange,
            receive_drops: result.receive_drops,
            coalesced: result.coalescing.map(|coalescing| CoalescedSummary {
                sends: coalescing.sends == Coalescing::On,
                receives: coalescing.receives == Coalescing::On,
            }),
            generator_cpu_ns: result.generator.cpu_ns.checked_div(books.sent),
            target_receive_drops: result.target.receive_drops,
            generator_queued_share: result.generator.queued_ns as f64
                / (result.duration_ns * result.threads) as f64,
            generator_busy_ns: result.busy_ns.checked_div(books.sent),
            server_cpu_ns: result.target.cpu_ns.and_then(|ns| ns.checked_div(books.sent)),
            timeline: moment::moments(&result.record.timeline),
        }
    }
}

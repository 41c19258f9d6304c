//! A run in numbers: what `--json` writes, and what every other form of a result
//! is made from.

use std::fmt;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use udp::Coalescing;

use crate::books::{Books, KindBooks};
use crate::quantity::show_ns;
use crate::record::Timeline;
use crate::result::RunResult;
use crate::verdict::Verdict;

/// Version of the JSON form; another number means that fields have changed.
pub const FORMAT: u32 = 2;

/// The results of one call of the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The program and its version.
    pub program: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// What was asked for, by name: what the command line said, defaults included.
    pub setup: Vec<(String, String)>,
    /// Why it ended before all was measured; nothing where it did not.
    #[serde(default)]
    pub cut_short: Option<CutShort>,
    /// One run for each drop rate.
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
    /// Latency of its answers from when they were due.
    pub corrected: Percentiles,
}

/// A histogram's percentiles, in nanoseconds; zeros when nothing was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Values recorded.
    pub count: u64,
    /// Least.
    pub min_ns: u64,
    /// Mean.
    pub mean_ns: f64,
    /// Standard deviation.
    pub deviation_ns: f64,
    /// Median.
    pub p50_ns: u64,
    /// Of four, three are at most this.
    pub p75_ns: u64,
    /// Of ten, nine.
    pub p90_ns: u64,
    /// Of a hundred, 95.
    pub p95_ns: u64,
    /// Of a hundred, 99.
    pub p99_ns: u64,
    /// Of a thousand, 999.
    pub p99_9_ns: u64,
    /// Of ten thousand, all but one.
    pub p99_99_ns: u64,
    /// Of a hundred thousand, all but one.
    pub p99_999_ns: u64,
    /// Greatest.
    pub max_ns: u64,
}

/// One interval of the measured time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// When it began, in seconds.
    pub at_s: f64,
    /// Requests due then that were sent.
    pub sent: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, given up.
    pub timed_out: u64,
    /// Latency of these answers from when they were due: the median.
    pub p50_ns: u64,
    /// Of ten, nine.
    pub p90_ns: u64,
    /// Of a hundred, 99.
    pub p99_ns: u64,
    /// Greatest.
    pub max_ns: u64,
}

impl Percentiles {
    /// The percentiles of `histogram`.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            count: histogram.len(),
            min_ns: histogram.min(),
            mean_ns: histogram.mean(),
            deviation_ns: histogram.stdev(),
            p50_ns: at(0.5),
            p75_ns: at(0.75),
            p90_ns: at(0.9),
            p95_ns: at(0.95),
            p99_ns: at(0.99),
            p99_9_ns: at(0.999),
            p99_99_ns: at(0.9999),
            p99_999_ns: at(0.99999),
            max_ns: histogram.max(),
        }
    }
}

/// Above this part of the time, waiting for a core shows in the percentiles.
const QUEUED_SHARE_MAX: f64 = 0.02;

impl RunSummary {
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
            corrected: Percentiles::of(&kind.corrected),
        });
        Self {
            drop_percent: result.drop.value(),
            duration_s,
            cut_short: result.is_cut_short,
            books,
            kinds: kinds.collect(),
            answered_per_s: books.answered as f64 / duration_s,
            corrected: Percentiles::of(&result.corrected),
            uncorrected: Percentiles::of(&result.record.uncorrected),
            with_lost: Percentiles::of(&result.with_lost),
            pacing: Percentiles::of(&result.record.pacing),
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
            timeline: moments(&result.record.timeline),
        }
    }
}

fn moments(timeline: &Timeline) -> Vec<Moment> {
    let interval_s = timeline.interval_ns as f64 / 1e9;
    let moment = |(index, interval): (usize, &crate::record::Interval)| {
        let latency = &interval.corrected;
        let at =
            |quantile| if latency.is_empty() { 0 } else { latency.value_at_quantile(quantile) };
        Moment {
            at_s: index as f64 * interval_s,
            sent: interval.sent,
            answered: latency.len(),
            timed_out: interval.timed_out,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            max_ns: latency.max(),
        }
    };
    timeline.intervals.iter().enumerate().map(moment).collect()
}

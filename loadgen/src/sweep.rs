//! A curve of latency against throughput: rates from one to another, each so many times the
//! one before, and where the curve has its knee.

use std::fmt;
use std::str::FromStr;

use kad_node::quantity::parse_count;
use serde::{Deserialize, Serialize};

use crate::quantity::show_count;
use crate::summary::RunSummary;

/// Rates of a sweep, when nothing else is asked for.
const STEPS_DEFAULT: u32 = 10;
/// Rates of a sweep at least and at most.
const STEPS_MIN: u32 = 2;
const STEPS_MAX: u32 = 100;
/// Highest rate of a sweep.
const RATE_MAX: u64 = 100_000_000;

/// Rates of which each is as many times the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    from: u64,
    to: u64,
    steps: u32,
}

impl Sweep {
    /// The rates, in requests a second, ascending.
    pub fn rates(&self) -> Vec<u64> {
        let (from, ratio) = (self.from as f64, self.to as f64 / self.from as f64);
        let rate = |step: u32| {
            let part = f64::from(step) / f64::from(self.steps - 1);
            (from * ratio.powf(part)).round() as u64
        };
        let mut rates: Vec<u64> = (0..self.steps).map(rate).collect();
        rates.dedup();
        rates
    }
}

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected FROM..TO or FROM..TO:STEPS, such as 10k..400k:12".to_owned();
        let (range, steps) = match text.split_once(':') {
            Some((range, steps)) => (range, steps.parse().map_err(|_| wrong())?),
            None => (text, STEPS_DEFAULT),
        };
        let (from, to) = range.split_once("..").ok_or_else(wrong)?;
        let (from, to) = (parse_count(from.trim())?, parse_count(to.trim())?);
        if from == 0 || from >= to || to > RATE_MAX {
            return Err(format!("expected a range that ascends, from 1 to {RATE_MAX}"));
        }
        if !(STEPS_MIN..=STEPS_MAX).contains(&steps) {
            return Err(format!("expected {STEPS_MIN} to {STEPS_MAX} steps, not {steps}"));
        }
        Ok(Self { from, to, steps })
    }
}

/// Where the curve of one drop rate turns: up to here throughput grows faster than latency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// Drops on purpose, each way, in percent.
    pub drop_percent: f64,
    /// Requests a second that were asked for; none where the curve does not turn.
    pub rate_per_s: Option<u64>,
}

impl Knee {
    /// The knee of the runs with this drop rate. It is where throughput divided by mean
    /// latency is greatest (Kleinrock's "power"), lost requests at their time-out. A run whose
    /// generator was the limit does not count, and where the last that counts is the greatest,
    /// the curve has not turned yet.
    pub fn of(drop_percent: f64, runs: &[RunSummary]) -> Self {
        let counted: Vec<(u64, f64)> = runs
            .iter()
            .filter(|run| run.drop_percent.total_cmp(&drop_percent).is_eq())
            .filter(|run| !run.verdict.is_limit() && run.with_lost.count > 0)
            .filter_map(|run| {
                Some((run.rate_per_s?, run.answered_per_s / run.with_lost.mean_ns.max(1.0)))
            })
            .collect();
        let greatest = counted.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        let turned = greatest.filter(|knee| counted.last().is_some_and(|last| last.0 > knee.0));
        Self { drop_percent, rate_per_s: turned.map(|&(rate_per_s, _)| rate_per_s) }
    }
}

impl fmt::Display for Knee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drop = self.drop_percent;
        match self.rate_per_s {
            Some(rate) => {
                write!(f, "drop {drop} %: the knee is at {} requests a second", show_count(rate))
            }
            None => write!(f, "drop {drop} %: the curve has no knee at the rates that count"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::Kind;
    use crate::record::{Course, Record, Worth};
    use crate::result::RunResult;

    const SECOND_NS: u64 = 1_000_000_000;

    /// A second in which `rate` requests are answered, each after `taken_ns`.
    fn run(rate: u64, taken_ns: u64) -> RunSummary {
        let mut record = Record::new([Kind::Get].into_iter(), SECOND_NS);
        for _ in 0..rate {
            record.sent(Kind::Get, 0, 0);
            let course = Course { due_ns: 0, late_ns: 0, taken_ns };
            record.answered(Kind::Get, course, Worth::Fulfilled);
        }
        let run = RunSummary::of(&RunResult::for_tests(record, SECOND_NS));
        RunSummary { rate_per_s: Some(rate), ..run }
    }

    #[test]
    fn rates_ascend_by_the_same_ratio_from_end_to_end() {
        let rates = |text: &str| text.parse::<Sweep>().expect(text).rates();
        assert_eq!(rates("10k..160k:5"), [10_000, 20_000, 40_000, 80_000, 160_000]);
        assert_eq!(rates("10k..400k").len(), 10);
        assert_eq!(rates("1..3:50"), [1, 2, 3], "each rate once");
        for text in
            ["", "10k", "10k..", "0..5", "5..5", "9..5", "1..9:1", "1..9:x", "1..1G", "a..b"]
        {
            assert!(text.parse::<Sweep>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_knee_is_where_latency_begins_to_grow_faster_than_throughput() {
        let curve = [(100, 1000), (200, 1050), (400, 1300), (600, 9000), (700, 90_000)];
        let mut runs: Vec<RunSummary> =
            curve.into_iter().map(|(rate, taken_ns)| run(rate, taken_ns)).collect();
        assert_eq!(Knee::of(0.0, &runs).rate_per_s, Some(400));
        assert_eq!(Knee::of(0.0, &runs[..3]).rate_per_s, None, "it has not turned yet");
        assert_eq!(Knee::of(5.0, &runs).rate_per_s, None, "no run has this drop rate");
        // What the generator could not do says nothing of the target.
        for run in &mut runs[3..] {
            run.verdict = crate::verdict::Verdict::LostReplies { receive_drops: 1 };
        }
        assert_eq!(Knee::of(0.0, &runs).rate_per_s, None);
    }
}

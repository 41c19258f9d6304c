//! Conditions that a run must meet: `p99<2ms`, `timed-out<0.1%`, `rate>=95k`.

use std::fmt;
use std::str::FromStr;

use hdrhistogram::Histogram;
use kad_node::quantity::{Percent, parse_count, parse_duration};

use crate::books::Books;
use crate::quantity::{nanos, show_count, show_ns};
use crate::summary::{Histograms, RunSummary, StoredHistogram};
use crate::verdict::LATE_PART;

/// A condition on one number of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    text: String,
    metric: Metric,
    comparison: Comparison,
    limit: f64,
}

/// A number of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    /// In nanoseconds.
    Latency { of: Latency, point: Point },
    /// Requests answered for each second.
    Rate,
    /// Requests that ended like this.
    Count(End),
    /// The same, as a percentage of those that could have.
    Share(End),
    /// CPU time of the target for each request, in nanoseconds.
    ServerCpu,
}

/// Which latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Latency {
    Corrected,
    Uncorrected,
    WithLost,
    Pacing,
}

/// Where in a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    Quantile(f64),
    Mean,
    Max,
}

/// How requests ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    TimedOut,
    Unsent,
    Missed,
    Refused,
    Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

/// What the check of an assertion came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Whether it holds.
    pub holds: bool,
    /// The number that was found, for people.
    pub found: String,
}

/// The longer ones first, for `<` begins `<=`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl FromStr for Assertion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split = COMPARISONS.iter().find_map(|&(sign, comparison)| {
            let (metric, limit) = text.split_once(sign)?;
            Some((metric.trim(), comparison, limit.trim()))
        });
        let (name, comparison, limit) =
            split.ok_or("expected a condition, such as p99<2ms, timed-out<0.1% or rate>=95k")?;
        let (metric, limit) = parse_metric(name, limit)?;
        Ok(Self { text: text.to_owned(), metric, comparison, limit })
    }
}

fn parse_metric(name: &str, limit: &str) -> Result<(Metric, f64), String> {
    if name == "rate" {
        return Ok((Metric::Rate, parse_count(limit)? as f64));
    }
    if name == "server-cpu" {
        return Ok((Metric::ServerCpu, nanos(parse_duration(limit)?) as f64));
    }
    let end = match name {
        "timed-out" => Some(End::TimedOut),
        "unsent" => Some(End::Unsent),
        "missed" => Some(End::Missed),
        "refused" => Some(End::Refused),
        "wrong" => Some(End::Wrong),
        _ => None,
    };
    if let Some(end) = end {
        return if limit.ends_with('%') {
            Ok((Metric::Share(end), limit.parse::<Percent>()?.value()))
        } else {
            Ok((Metric::Count(end), parse_count(limit)? as f64))
        };
    }
    let metric = parse_latency(name).ok_or_else(|| {
        format!(
            "'{name}' is none of p50, p99.9 and so on, mean, max, each also after uncorrected., \
             with-lost. or pacing., nor rate, server-cpu, timed-out, unsent, missed, refused, wrong"
        )
    })?;
    Ok((metric, nanos(parse_duration(limit)?) as f64))
}

fn parse_latency(name: &str) -> Option<Metric> {
    let prefixes = [
        ("uncorrected.", Latency::Uncorrected),
        ("with-lost.", Latency::WithLost),
        ("pacing.", Latency::Pacing),
    ];
    let (point, of) = prefixes
        .into_iter()
        .find_map(|(prefix, of)| Some((name.strip_prefix(prefix)?, of)))
        .unwrap_or((name, Latency::Corrected));
    let point = match point {
        "mean" => Point::Mean,
        "max" => Point::Max,
        _ => {
            let percentile: f64 = point.strip_prefix('p')?.parse().ok()?;
            (0.0..=100.0).contains(&percentile).then_some(Point::Quantile(percentile / 100.0))?
        }
    };
    Some(Metric::Latency { of, point })
}

impl Assertion {
    /// Whether the generator's own lateness is a quarter of the latency that the condition is
    /// about, or more: then it is no condition on the target.
    pub fn is_of_generator(&self, run: &RunSummary) -> bool {
        let Metric::Latency { of, point } = self.metric else { return false };
        let latency = point.of(of.of(run)).unwrap_or(0.0);
        let late = point.of(Latency::Pacing.of(run)).unwrap_or(0.0);
        of != Latency::Pacing && late * LATE_PART as f64 > latency
    }

    /// Whether it holds for a run. A number that the run does not have, such as
    /// the latency of no answers, meets no condition.
    pub fn check(&self, run: &RunSummary) -> Checked {
        let Some(found) = self.metric.of(run) else {
            return Checked { holds: false, found: "nothing was measured".into() };
        };
        let holds = match self.comparison {
            Comparison::Less => found < self.limit,
            Comparison::AtMost => found <= self.limit,
            Comparison::More => found > self.limit,
            Comparison::AtLeast => found >= self.limit,
            // Both are whole numbers, or a share of a count.
            Comparison::Equal => found.total_cmp(&self.limit).is_eq(),
        };
        let found = match self.metric {
            Metric::Latency { .. } | Metric::ServerCpu => show_ns(found as u64),
            Metric::Rate => format!("{} a second", show_count(found as u64)),
            Metric::Count(_) => show_count(found as u64),
            Metric::Share(_) => format!("{found:.4} %"),
        };
        Checked { holds, found }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Latency {
    fn of(self, run: &RunSummary) -> &Histogram<u64> {
        let Histograms { corrected, uncorrected, with_lost, pacing } = &run.histograms;
        let StoredHistogram(histogram) = match self {
            Self::Corrected => corrected,
            Self::Uncorrected => uncorrected,
            Self::WithLost => with_lost,
            Self::Pacing => pacing,
        };
        histogram
    }
}

impl Point {
    fn of(self, histogram: &Histogram<u64>) -> Option<f64> {
        (!histogram.is_empty()).then(|| match self {
            Self::Quantile(quantile) => histogram.value_at_quantile(quantile) as f64,
            Self::Mean => histogram.mean(),
            Self::Max => histogram.max() as f64,
        })
    }
}

impl Metric {
    fn of(self, run: &RunSummary) -> Option<f64> {
        let books = &run.books;
        match self {
            Self::Latency { of, point } => point.of(of.of(run)),
            Self::Rate => Some(run.answered_per_s),
            Self::Count(end) => Some(end.count(books) as f64),
            Self::Share(end) => {
                let whole = if end == End::Unsent { books.scheduled } else { books.sent };
                (whole > 0).then(|| end.count(books) as f64 * 100.0 / whole as f64)
            }
            Self::ServerCpu => run.server_cpu_ns.map(|ns| ns as f64),
        }
    }
}

impl End {
    const fn count(self, books: &Books) -> u64 {
        match self {
            Self::TimedOut => books.timed_out,
            Self::Unsent => books.unsent,
            Self::Missed => books.missed,
            Self::Refused => books.refused,
            Self::Wrong => books.wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::Kind;
    use crate::record::{Course, Record, Worth};
    use crate::result::RunResult;

    fn assertion(text: &str) -> Assertion {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// 98 answers after 1 ms and two requests given up after 1 s, in a second.
    fn run() -> RunSummary {
        let second_ns = 1_000_000_000;
        let mut record = Record::new([Kind::Get].into_iter(), second_ns);
        for request in 0..100 {
            record.sent(Kind::Get, 0, 1_000);
            let course = |taken_ns| Course { due_ns: 0, late_ns: 1_000, taken_ns };
            if request < 98 {
                record.answered(Kind::Get, course(1_000_000), Worth::Fulfilled);
            } else {
                record.timed_out(course(second_ns));
            }
        }
        RunSummary::of(&RunResult::for_tests(record, second_ns))
    }

    #[test]
    fn conditions_hold_or_not() {
        let run = run();
        for (text, holds) in [
            ("p99<2ms", true),
            ("p99 < 900us", false),
            ("p50>=1ms", true),
            ("with-lost.p99<2ms", false),
            ("with-lost.p98<2ms", true),
            ("uncorrected.max<1ms", true),
            ("pacing.p100<2us", true),
            ("mean<=1002us", true),
            ("rate>=98", true),
            ("rate>98", false),
            ("timed-out<2%", false),
            ("timed-out<=2%", true),
            ("timed-out==2", true),
            ("unsent==0", true),
            ("wrong==0", true),
            ("missed>0", false),
            ("server-cpu<1s", false),
        ] {
            let checked = assertion(text).check(&run);
            assert_eq!(checked.holds, holds, "{text}: {}", checked.found);
        }
    }

    #[test]
    fn no_answers_meet_no_condition() {
        let nothing = Record::new([Kind::Get].into_iter(), 1);
        let nothing = RunSummary::of(&RunResult::for_tests(nothing, 1));
        for text in ["p99<2ms", "max>=0s", "timed-out<=100%"] {
            assert!(!assertion(text).check(&nothing).holds, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in [
            "",
            "p99",
            "p99<",
            "p99<2",
            "p101<2ms",
            "p<1ms",
            "speed<1ms",
            "rate>fast",
            "p99!2ms",
            "timed-out<200%",
            "slow.p99<1ms",
            "unsent<-1",
        ] {
            assert!(text.parse::<Assertion>().is_err(), "{text}");
        }
    }
}

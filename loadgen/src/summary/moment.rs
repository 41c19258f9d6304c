//! What happened over time.

use serde::{Deserialize, Serialize};

use crate::record::{Interval, Timeline};

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

pub(super) fn moments(timeline: &Timeline) -> Vec<Moment> {
    let interval_s = timeline.interval_ns as f64 / 1e9;
    let moment = |(index, interval): (usize, &Interval)| {
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

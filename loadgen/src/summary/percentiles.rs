//! A distribution in a few numbers.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

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

impl Percentiles {
    /// What reports show of them: p50, p90, p99, p99.9, p99.99, the greatest, the mean.
    pub fn shown_ns(&self) -> [u64; 7] {
        let mean_ns = self.mean_ns.round() as u64;
        let Self { p50_ns, p90_ns, p99_ns, p99_9_ns, p99_99_ns, max_ns, .. } = *self;
        [p50_ns, p90_ns, p99_ns, p99_9_ns, p99_99_ns, max_ns, mean_ns]
    }

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

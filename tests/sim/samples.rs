//! Numbers collected over a run, and their exact mean and percentiles.

use std::fmt;

/// Collected numbers.
#[derive(Clone, Default)]
pub(crate) struct Samples(Vec<u64>);

impl Samples {
    pub(crate) fn add(&mut self, sample: u64) {
        self.0.push(sample);
    }

    pub(crate) fn summary(&self) -> Option<Summary> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let max = *sorted.last()?;
        // The least sample that `percent` of all do not exceed.
        let percentile = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1];
        Some(Summary {
            mean: sorted.iter().sum::<u64>() as f64 / sorted.len() as f64,
            p50: percentile(50),
            p99: percentile(99),
            min: sorted[0],
            max,
        })
    }
}

/// What a run's figures show of collected numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mean {:.2}, p50 {}, p99 {}, max {}", self.mean, self.p50, self.p99, self.max)
    }
}

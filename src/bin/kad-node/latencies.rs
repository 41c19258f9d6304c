//! Latencies of what was asked at this prompt.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest latency told apart, in microseconds: a lookup ends well before.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Those of a session's operations.
#[derive(Default)]
pub(crate) struct SessionLatencies {
    pub(crate) puts: Latencies,
    pub(crate) gets: Latencies,
}

/// One kind of operation.
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_max(LATENCY_US_MAX, 3).expect("bounds that HdrHistogram takes"))
    }
}

impl Latencies {
    /// Counts one operation in.
    pub(crate) fn record(&mut self, elapsed: Duration) {
        self.0.saturating_record(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that `percent` of the operations do not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.0.value_at_percentile(percent))
    }

    /// The greatest latency.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }
}

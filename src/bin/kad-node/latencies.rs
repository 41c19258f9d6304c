//! Latencies of the puts and gets typed at this prompt.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest latency recorded exactly, in microseconds: a lookup ends well before.
const LATENCY_US_MAX: u64 = 600_000_000;

/// The latencies of a session.
#[derive(Default)]
pub(crate) struct SessionLatencies {
    pub(crate) puts: Latencies,
    pub(crate) gets: Latencies,
}

/// The latencies of one kind of operation.
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_max(LATENCY_US_MAX, 3).expect("bounds that HdrHistogram takes"))
    }
}

impl Latencies {
    /// Records one operation.
    pub(crate) fn record(&mut self, elapsed: Duration) {
        self.0.saturating_record(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many operations were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that `percent` % of the operations do not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.0.value_at_percentile(percent))
    }

    /// The greatest latency.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }
}

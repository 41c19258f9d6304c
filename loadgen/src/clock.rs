//! The clock of a run.

use std::time::{Duration, Instant};

use crate::quantity::nanos;

/// Nanoseconds since the run's start, which may lie ahead. Every thread has the
/// same.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that shows zero in `ahead` from now.
    pub fn starting_in(ahead: Duration) -> Self {
        Self { start: Instant::now() + ahead }
    }

    /// The time; zero before the start.
    pub fn now_ns(self) -> u64 {
        nanos(Instant::now().saturating_duration_since(self.start))
    }

    /// How long until the clock shows `time_ns`; nothing once it has.
    pub fn until(self, time_ns: u64) -> Duration {
        let time = self.start + Duration::from_nanos(time_ns);
        time.saturating_duration_since(Instant::now())
    }
}

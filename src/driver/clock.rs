//! The clock that a shard reads once a turn.

use std::time;

use crate::time::Instant;

/// `CLOCK_MONOTONIC`, counted from the moment at which the clock was made. All
/// shards of a node share one, so that a moment means the same to each of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: time::Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: time::Instant::now() }
    }

    pub(super) fn now(self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }
}

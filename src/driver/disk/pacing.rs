//! When a shard hands its changes over.
//!
//! Each batch wakes the writer's thread, and each that is kept wakes the shard: under many small
//! turns that costs more than the values, and the writer takes the shard's core for it. So a
//! shard hands over at once what comes after a pause, and then what has gathered within
//! [`GATHER_PERIOD`]. Where nothing gathers, because the senders wait for their answers, the
//! pause would only delay these: then a number of batches goes at once, twice as many after
//! each pause that was in vain.

use std::time::Duration;

use crate::time::Instant;

/// Between two batches of a shard, where pauses gather changes: some 20 us are spent on a
/// batch, so this is at most a fiftieth of a core.
const GATHER_PERIOD: Duration = Duration::from_millis(1);
/// Batches that go at once after a pause that was in vain, at first and at most.
const AT_ONCE_MIN: u32 = 8;
const AT_ONCE_MAX: u32 = 1024;

pub(super) struct Pacing {
    /// When a pause that begins now ends.
    due: Instant,
    /// Changes that waited when the pause began, in a pause.
    held: Option<usize>,
    /// Batches that still go at once.
    at_once: u32,
    /// How many go at once after the next pause in vain.
    at_once_next: u32,
}

impl Pacing {
    pub(super) const fn new(now: Instant) -> Self {
        Self { due: now, held: None, at_once: 0, at_once_next: AT_ONCE_MIN }
    }

    /// Whether the changes that wait, so many, are to be handed over now.
    pub(super) fn is_due(&mut self, now: Instant, changes: usize) -> bool {
        if changes == 0 {
            return false;
        }
        if now < self.due && self.at_once == 0 {
            self.held.get_or_insert(changes);
            return false;
        }
        self.at_once = match self.held.take() {
            Some(before) if changes == before => {
                let in_vain = self.at_once_next;
                self.at_once_next = (in_vain * 2).min(AT_ONCE_MAX);
                in_vain
            }
            Some(_) => {
                self.at_once_next = AT_ONCE_MIN;
                0
            }
            None => self.at_once.saturating_sub(1),
        };
        self.due = now + GATHER_PERIOD;
        true
    }

    /// When the pause ends in which changes wait.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.held.map(|_| self.due.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of `turns` turns, each with one change and so long after the one before. Where
    /// `closed`, a turn comes only when the changes of those before were handed over.
    fn batches(turns: u32, apart: Duration, closed: bool) -> u32 {
        let mut now = Instant::ZERO + Duration::from_secs(1);
        let mut pacing = Pacing::new(now);
        let (mut waiting, mut batches) = (0, 0);
        for _ in 0..turns {
            waiting += 1;
            loop {
                if pacing.is_due(now, waiting) {
                    (waiting, batches) = (0, batches + 1);
                }
                if !closed || waiting == 0 {
                    break;
                }
                now = now + pacing.wait(now).expect("a change waits");
            }
            now = now + apart;
        }
        assert!(now.since(Instant::ZERO) < Duration::from_secs(1) + apart * turns * 2);
        batches
    }

    #[test]
    fn what_comes_alone_goes_at_once() {
        assert_eq!(batches(100, GATHER_PERIOD, false), 100);
    }

    #[test]
    fn what_comes_fast_gathers() {
        let apart = Duration::from_micros(50);
        let count = batches(20_000, apart, false);
        assert!((900..=1100).contains(&count), "{count} batches in a second");
    }

    #[test]
    fn senders_that_wait_for_their_answers_are_hardly_delayed() {
        // That it takes less than twice the time is checked there.
        assert_eq!(batches(20_000, Duration::from_micros(50), true), 20_000);
    }
}

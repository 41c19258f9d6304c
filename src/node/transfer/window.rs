//! How many pieces may be on their way from one holder: slow start, then growth by delay as
//! LEDBAT has it (RFC 6817), less after a loss.
//!
//! The receiver does it all, since it asks for each piece; the holder keeps nothing. Delay is
//! that of a request's first piece, less the least that was seen: what grows is the queue on
//! the way, or in the holder. The window grows by up to a piece a round trip while that is
//! below [`target`], and shrinks above it, so that transfers leave room for what is small.
//!
//! A loss takes a half where a queue stands (RFC 5681), and 3 parts in 10 where none does: as
//! CUBIC (RFC 9438), since a path that loses at random is not the faster for a small window.

use core::time::Duration;

use crate::time::Instant;

/// To begin with: as many as TCP sends (RFC 6928).
const PIECES_FIRST: u32 = 12;
/// However much is lost: what keeps the round trip measured and losses noticed.
const PIECES_MIN: u32 = 8;
/// The same where no queue stands: what is lost there is lost at random, and a third of it
/// arrives at 35 % loss each way.
const PIECES_UNQUEUED_MIN: u32 = 24;
/// However much arrives: 4.6 MB, a round trip of 37 ms at 1 Gbit/s.
const PIECES_MAX: u32 = 4096;
/// Greatest delay by queues that is aimed at: less than the 100 ms of RFC 6817, as later
/// work on it has found enough.
const TARGET_MAX_US: u64 = 60_000;
/// Least: below this it is the threads' waking that is measured.
const TARGET_MIN_US: u64 = 2_000;
/// Of samples of the delay the least of so many counts.
const DELAYS: usize = 4;
/// How long the least round trip is remembered, at least.
const BASE_PERIOD: Duration = Duration::from_mins(1);
/// A part of one: what a piece that arrives adds to or takes from the window.
const UNIT: i64 = 1024;

#[derive(Debug)]
pub(super) struct Window {
    pieces: u32,
    is_slow_start: bool,
    /// Growth that does not make a piece yet, in units times pieces.
    growth: i64,
    /// The least round trips of the last two periods, and when the last one began.
    base_us: [u64; 2],
    base_since: Instant,
    delays_us: [u64; DELAYS],
    delay_next: usize,
    /// What was sent before this is of a round trip that has paid for its losses.
    reduced: Instant,
}

impl Window {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            pieces: PIECES_FIRST,
            is_slow_start: true,
            growth: 0,
            base_us: [u64::MAX; 2],
            base_since: now,
            delays_us: [u64::MAX; DELAYS],
            delay_next: 0,
            reduced: Instant::ZERO,
        }
    }

    pub(super) const fn pieces(&self) -> u32 {
        self.pieces
    }

    /// How many times the window is sent in a round trip, in fourths: twice while it
    /// doubles, then a fourth more than once.
    pub(super) const fn pace_fourths(&self) -> u64 {
        if self.is_slow_start { 8 } else { 5 }
    }

    /// The least round trip.
    pub(super) fn base(&self) -> Option<Duration> {
        let base_us = self.base_us[0].min(self.base_us[1]);
        (base_us < u64::MAX).then(|| Duration::from_micros(base_us))
    }

    /// Takes in the round trip of a request's first piece.
    pub(super) fn sample(&mut self, now: Instant, round_trip: Duration) {
        let sample_us = round_trip.as_micros() as u64;
        if now.since(self.base_since) > BASE_PERIOD {
            self.base_since = now;
            self.base_us = [u64::MAX, self.base_us[0]];
        }
        self.base_us[0] = self.base_us[0].min(sample_us);
        self.delays_us[self.delay_next] = sample_us;
        self.delay_next = (self.delay_next + 1) % DELAYS;
    }

    /// The delay by queues.
    fn queue_us(&self) -> u64 {
        let least = self.delays_us.iter().copied().min().unwrap_or(u64::MAX);
        let base_us = self.base_us[0].min(self.base_us[1]);
        if least == u64::MAX { 0 } else { least.saturating_sub(base_us) }
    }

    fn target_us(&self) -> u64 {
        let base_us = self.base_us[0].min(self.base_us[1]);
        (base_us.saturating_mul(2)).clamp(TARGET_MIN_US, TARGET_MAX_US)
    }

    /// A piece has arrived, while the window was in use or was not.
    pub(super) fn arrived(&mut self, is_full: bool) {
        let queue_us = self.queue_us().min(u64::from(u32::MAX)).cast_signed();
        let target_us = self.target_us().cast_signed();
        if self.is_slow_start {
            if queue_us * 2 > target_us {
                self.is_slow_start = false;
            } else if is_full {
                self.pieces = (self.pieces + 1).min(PIECES_MAX);
            }
            return;
        }
        let off_target = ((target_us - queue_us) * UNIT / target_us).max(-UNIT);
        if off_target > 0 && !is_full {
            return;
        }
        self.growth += off_target;
        let whole = i64::from(self.pieces) * UNIT;
        if self.growth >= whole {
            self.growth -= whole;
            self.pieces = (self.pieces + 1).min(PIECES_MAX);
        } else if self.growth <= -whole {
            self.growth += whole;
            self.pieces = (self.pieces - 1).max(PIECES_MIN);
        }
    }

    /// A piece that was asked for at `sent` is lost.
    pub(super) fn lost(&mut self, now: Instant, sent: Instant) {
        if sent < self.reduced {
            return;
        }
        self.reduced = now;
        self.is_slow_start = false;
        self.growth = 0;
        let is_queued = self.queue_us() * 2 > self.target_us();
        self.pieces = if is_queued {
            (self.pieces / 2).max(PIECES_MIN)
        } else {
            (self.pieces * 7 / 10).max(PIECES_UNQUEUED_MIN.min(self.pieces))
        };
    }

    /// Nothing has arrived for long: what is known of the path does not hold any more.
    pub(super) fn silent(&mut self, now: Instant) {
        self.reduced = now;
        self.growth = 0;
        self.pieces = PIECES_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    fn window_after(round_trip_ms: u64, pieces: u32) -> Window {
        let mut window = Window::new(at(0));
        window.sample(at(0), Duration::from_millis(20));
        for _ in 0..pieces {
            window.sample(at(1), Duration::from_millis(round_trip_ms));
            window.arrived(true);
        }
        window
    }

    #[test]
    fn it_doubles_each_round_trip_until_a_queue_stands_or_a_piece_is_lost() {
        let mut window = window_after(20, 500);
        assert_eq!(window.pieces(), PIECES_FIRST + 500);
        window.lost(at(50), at(30));
        let after = window.pieces();
        assert_eq!(after, (PIECES_FIRST + 500) * 7 / 10);
        window.lost(at(51), at(40));
        assert_eq!(window.pieces(), after, "once for a round trip");
        assert!(window_after(60, 500).pieces() < 2 * PIECES_FIRST, "a queue stands");
    }

    #[test]
    fn it_shrinks_while_the_queue_is_longer_than_aimed_at() {
        let mut window = window_after(20, 200);
        window.lost(at(50), at(30));
        let before = window.pieces();
        for _ in 0..10_000 {
            window.sample(at(60), Duration::from_millis(200));
            window.arrived(true);
        }
        assert!(window.pieces() < before / 2, "{}", window.pieces());
        assert!(window.pieces() >= PIECES_MIN);
    }

    #[test]
    fn it_does_not_grow_while_it_is_not_used() {
        let mut window = Window::new(at(0));
        window.sample(at(0), Duration::from_millis(20));
        for _ in 0..1000 {
            window.arrived(false);
        }
        assert_eq!(window.pieces(), PIECES_FIRST);
    }
}

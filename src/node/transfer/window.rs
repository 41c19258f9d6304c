//! How many pieces may be on their way from one holder: slow start, then growth by delay as
//! LEDBAT has it (RFC 6817), less after a loss.
//!
//! The receiver does it all, since it asks for each piece; the holder keeps nothing. The
//! delay by queues is the least round trip of the pieces that came lately, less the least
//! that was seen: a queue delays every piece, jitter some of them (`CURRENT_FILTER` of
//! RFC 6817). The window grows by up to a piece a round trip while that delay is below
//! [`target`](Window::target_us), and shrinks above it, so that transfers leave room for what
//! is small.
//!
//! A loss takes a half where a queue stands (RFC 5681), and 3 parts in 10 where none does: as
//! CUBIC (RFC 9438), since a path that loses at random is not the faster for a small window.
//! Where most of what was taken for lost comes after all, it was late, and the window is what
//! it was before (as the response of RFC 4015).

use core::time::Duration;

use crate::limits::RANGE_PIECES_MAX;
use crate::time::Instant;

/// To begin with: as many as TCP sends (RFC 6928).
const PIECES_FIRST: u32 = 12;
/// To begin with where the round trip is below [`NEAR`]: three ranges. A value of 1 MiB
/// would else take as long to double the window as to be sent.
const PIECES_FIRST_NEAR: u32 = 3 * RANGE_PIECES_MAX as u32;
/// Round trips below this are of the same host, or of the same wire.
pub(super) const NEAR: Duration = Duration::from_millis(2);
/// However much is lost: what keeps the round trip measured and losses noticed.
const PIECES_MIN: u32 = 8;
/// The same where no queue stands: what is lost there is lost at random, and a third of it
/// arrives at 35 % loss each way. At 1 % loss it keeps up with CUBIC, and half as many do not
/// (`benches/transfer`).
const PIECES_UNQUEUED_MIN: u32 = 64;
/// However much arrives: 4.6 MB, a round trip of 37 ms at 1 Gbit/s.
const PIECES_MAX: u32 = 4096;
/// Greatest delay by queues that is aimed at: less than the 100 ms of RFC 6817, as later
/// work on it has found enough.
const TARGET_MAX_US: u64 = 60_000;
/// Least: below this it is the threads' waking that is measured.
const TARGET_MIN_US: u64 = 2_000;
/// Pieces of which the least delay counts, at least; those of a round trip where they are
/// more. Of 32 whose jitter is as long as the path, one comes without most of it in four
/// cases of five.
const DELAYS_MIN: u32 = 32;
/// Intervals in a row in which a queue seems to stand before slow start ends (RFC 9406 has
/// five rounds); meanwhile the window is held.
const QUEUED_INTERVALS_MAX: u32 = 3;
/// How long the least round trip is remembered, at least.
const BASE_PERIOD: Duration = Duration::from_mins(1);
/// The window shrinks by one of so many parts a round trip where the delay is twice the
/// target: by a piece a round trip a queue that slow start has left would stand for long.
const SHRINK_PARTS: u32 = 8;
/// Pieces that were taken for lost: of so many half are forgotten.
const LOST_MAX: u32 = 64;
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
    /// The least round trips of this interval and of the one before, and when this began.
    /// An interval is a round trip, and [`DELAYS_MIN`] pieces at least.
    lately_us: [u64; 2],
    interval_since: Instant,
    interval_pieces: u32,
    /// Intervals in a row in which a queue seemed to stand.
    queued_intervals: u32,
    /// What was sent before this is of a round trip that has paid for its losses.
    reduced: Instant,
    /// What the window was before the losses since the last queue, and whether it was
    /// doubling.
    before: Option<(u32, bool)>,
    /// Pieces that were taken for lost lately, and those that came when they had been.
    lost: u32,
    late: u32,
}

impl Window {
    /// For a holder that takes as long to answer, as far as that is known.
    pub(super) fn new(now: Instant, round_trip: Option<Duration>) -> Self {
        let is_near = round_trip.is_some_and(|round_trip| round_trip < NEAR);
        Self {
            pieces: if is_near { PIECES_FIRST_NEAR } else { PIECES_FIRST },
            is_slow_start: true,
            growth: 0,
            base_us: [u64::MAX; 2],
            base_since: now,
            lately_us: [u64::MAX; 2],
            interval_since: now,
            interval_pieces: 0,
            queued_intervals: 0,
            reduced: Instant::ZERO,
            before: None,
            lost: 0,
            late: 0,
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

    /// Takes in the round trip of a piece, where it takes `smoothed` mostly.
    pub(super) fn sample(&mut self, now: Instant, round_trip: Duration, smoothed: Duration) {
        let sample_us = round_trip.as_micros() as u64;
        if now.since(self.base_since) > BASE_PERIOD {
            self.base_since = now;
            self.base_us = [u64::MAX, self.base_us[0]];
        }
        self.base_us[0] = self.base_us[0].min(sample_us);
        if self.interval_pieces >= DELAYS_MIN && now.since(self.interval_since) >= smoothed {
            let seems_queued = self.delay_us(self.lately_us[0]) * 2 > self.target_us();
            self.queued_intervals = if seems_queued { self.queued_intervals + 1 } else { 0 };
            self.lately_us = [u64::MAX, self.lately_us[0]];
            (self.interval_since, self.interval_pieces) = (now, 0);
        }
        self.interval_pieces += 1;
        self.lately_us[0] = self.lately_us[0].min(sample_us);
    }

    /// The delay by queues.
    fn queue_us(&self) -> u64 {
        let least = self.lately_us[0].min(self.lately_us[1]);
        if least == u64::MAX { 0 } else { self.delay_us(least) }
    }

    /// How much longer a round trip is than the least.
    fn delay_us(&self, round_trip_us: u64) -> u64 {
        round_trip_us.saturating_sub(self.base_us[0].min(self.base_us[1]))
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
            if self.queued_intervals >= QUEUED_INTERVALS_MAX {
                self.is_slow_start = false;
            } else if is_full && self.queued_intervals == 0 {
                self.pieces = (self.pieces + 1).min(PIECES_MAX);
            }
            return;
        }
        let off_target = ((target_us - queue_us) * UNIT / target_us).max(-UNIT);
        if off_target > 0 && !is_full {
            return;
        }
        let weight = if off_target < 0 { i64::from(self.pieces / SHRINK_PARTS).max(1) } else { 1 };
        self.growth += off_target * weight;
        let whole = i64::from(self.pieces) * UNIT;
        if self.growth >= whole {
            self.growth -= whole;
            self.pieces = (self.pieces + 1).min(PIECES_MAX);
        } else if self.growth <= -whole {
            self.growth += whole;
            self.pieces = (self.pieces - 1).max(PIECES_MIN);
        }
    }

    /// So many pieces that were asked for until `sent` are lost.
    pub(super) fn lost(&mut self, now: Instant, sent: Instant, pieces: u32) {
        if self.lost >= LOST_MAX {
            (self.lost, self.late) = (self.lost / 2, self.late / 2);
        }
        let are_late = self.are_mostly_late();
        self.lost += pieces;
        let is_queued = self.queue_us() * 2 > self.target_us();
        if sent < self.reduced || are_late && !is_queued {
            return;
        }
        let before = (self.pieces, self.is_slow_start);
        self.before = if is_queued { None } else { Some(self.before.unwrap_or(before)) };
        self.reduced = now;
        self.is_slow_start = false;
        self.growth = 0;
        self.pieces = if is_queued {
            (self.pieces / 2).max(PIECES_MIN)
        } else {
            (self.pieces * 7 / 10).max(PIECES_UNQUEUED_MIN.min(self.pieces))
        };
    }

    /// Whether most of what was taken for lost was late: that says nothing of the path's rate.
    const fn are_mostly_late(&self) -> bool {
        self.late * 2 > self.lost
    }

    /// A piece that was taken for lost has come.
    pub(super) fn was_late(&mut self) {
        self.late = (self.late + 1).min(self.lost);
        if self.are_mostly_late()
            && let Some((pieces, is_slow_start)) = self.before.take()
        {
            self.pieces = self.pieces.max(pieces);
            self.is_slow_start = is_slow_start;
        }
    }

    /// Nothing has arrived for long: what is known of the path does not hold any more.
    pub(super) fn silent(&mut self, now: Instant) {
        self.reduced = now;
        self.growth = 0;
        self.before = None;
        self.pieces = PIECES_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    const SMOOTHED: Duration = Duration::from_millis(20);

    fn sample(window: &mut Window, at_ms: u64, round_trip_ms: u64) {
        window.sample(at(at_ms), Duration::from_millis(round_trip_ms), SMOOTHED);
    }

    /// After so many pieces, a millisecond apart, the first of which took 20 ms.
    fn window_after(round_trip_ms: u64, pieces: u32) -> Window {
        let mut window = Window::new(at(0), None);
        sample(&mut window, 0, 20);
        for at_ms in 1..=pieces {
            sample(&mut window, at_ms.into(), round_trip_ms);
            window.arrived(true);
        }
        window
    }

    #[test]
    fn it_doubles_each_round_trip_until_a_queue_stands_or_a_piece_is_lost() {
        let mut window = window_after(20, 500);
        assert_eq!(window.pieces(), PIECES_FIRST + 500);
        window.lost(at(550), at(530), 1);
        let after = window.pieces();
        assert_eq!(after, (PIECES_FIRST + 500) * 7 / 10);
        window.lost(at(551), at(540), 1);
        assert_eq!(window.pieces(), after, "once for a round trip");
        assert!(window_after(60, 500).pieces() < 8 * PIECES_FIRST, "a queue stands");
    }

    #[test]
    fn jitter_that_is_longer_than_the_path_is_no_queue() {
        for seed in 0..50 {
            let mut window = Window::new(at(0), None);
            let mut rng = Rng::from_u64(seed);
            let mut now = Instant::ZERO;
            sample(&mut window, 0, 60);
            for _ in 0..12 {
                now = now + Duration::from_millis(160);
                for _ in 0..window.pieces() {
                    let round_trip_ms = 60 + rng.below(100) + rng.below(100);
                    let (round_trip, smoothed) =
                        (Duration::from_millis(round_trip_ms), Duration::from_millis(160));
                    window.sample(now, round_trip, smoothed);
                    window.arrived(true);
                }
            }
            assert!(window.pieces() > 300, "{} with seed {seed}", window.pieces());
        }
    }

    #[test]
    fn what_was_late_costs_nothing_and_what_is_lost_does() {
        for comes in [2, 3] {
            let mut window = window_after(20, 500);
            let before = window.pieces();
            window.lost(at(550), at(530), 3);
            window.lost(at(551), at(531), 1);
            for _ in 0..comes {
                window.was_late();
            }
            assert_eq!(window.pieces() == before, comes == 3, "{comes} of 4 come");
        }
    }

    #[test]
    fn it_shrinks_while_the_queue_is_longer_than_aimed_at() {
        let mut window = window_after(20, 200);
        window.lost(at(250), at(230), 1);
        let before = window.pieces();
        for at_ms in 250..10_000 {
            sample(&mut window, at_ms, 200);
            window.arrived(true);
        }
        assert!(window.pieces() < before / 2, "{}", window.pieces());
        assert!(window.pieces() >= PIECES_MIN);
    }

    #[test]
    fn it_does_not_grow_while_it_is_not_used() {
        let mut window = Window::new(at(0), None);
        sample(&mut window, 0, 20);
        for _ in 0..1000 {
            window.arrived(false);
        }
        assert_eq!(window.pieces(), PIECES_FIRST);
    }
}

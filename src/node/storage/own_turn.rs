//! When a node renews all that it holds for others, however lately these have.
//!
//! Any peer can have a holder postpone a replication, and holders that wait for one another would
//! go one by one. So each takes its turn once in K times [`REPLICATE`] on average, at a moment
//! that it draws: each value is renewed by one of its K holders once in a [`REPLICATE`] on
//! average. The turn is one for all values, so that its RENEWs are full.

use core::time::Duration;

use crate::limits::REPLICATE;
use crate::node::effect::Turn;
use crate::time::Instant;

/// The next turn of a shard, and the one after it.
pub(super) struct OwnTurn {
    next: Instant,
    second: Instant,
}

impl OwnTurn {
    pub(super) fn new(turn: &mut Turn) -> Self {
        let period_us = period(turn).as_micros() as u64;
        let next = turn.now + Duration::from_micros(turn.rng.below(period_us));
        Self { next, second: next + wait(turn) }
    }

    /// The first turn that is not before `due`, which is within a [`REPLICATE`].
    pub(super) fn after(&mut self, turn: &mut Turn, due: Instant) -> Instant {
        while self.next < turn.now {
            (self.next, self.second) = (self.second, self.second + wait(turn));
        }
        if due <= self.next { self.next } else { self.second.max(due) }
    }
}

fn period(turn: &Turn) -> Duration {
    REPLICATE * turn.config.k as u32
}

/// Half a period, and any part of another.
fn wait(turn: &mut Turn) -> Duration {
    let period = period(turn);
    period / 2 + Duration::from_micros(turn.rng.below(period.as_micros() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::node::Config;

    #[test]
    fn a_turn_comes_once_in_k_periods_for_all_values_that_are_due_before_it() {
        let mut turn = Turn::new(Config::new(Id::new([7; 20]), [7; 32]), Instant::ZERO);
        let own = &mut OwnTurn::new(&mut turn);
        let (mut turns, mut last) = (0, turn.now);
        let periods: u32 = 24_000;
        while turn.now.since(Instant::ZERO) < periods * REPLICATE {
            let due = turn.now + REPLICATE;
            let latest = own.after(&mut turn, due);
            assert!(latest >= due && latest.since(due) <= 2 * period(&turn));
            assert!(latest >= last);
            turns += u32::from(latest != last);
            (last, turn.now) = (latest, turn.now + REPLICATE / 4);
        }
        let expected = periods / turn.config.k as u32;
        assert!(turns.abs_diff(expected) < expected / 10, "{turns} of {expected}");
    }
}

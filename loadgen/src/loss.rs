//! Loss on purpose, each way, the same for the same seed.
//!
//! Whether a datagram is dropped is a hash of the seed, the way and the
//! datagram's place in the run: no stream of numbers, so that what is dropped
//! does not depend on the order in which answers happen to arrive.

use kad_node::quantity::Percent;

use crate::transaction::Transaction;

/// A datagram's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// To the target.
    Request,
    /// From the target.
    Reply,
}

/// How much of what one thread sends and receives is lost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    chance: Percent,
    seed: u64,
}

impl Loss {
    /// Loss with `chance` each way, for thread number `thread`.
    pub const fn new(chance: Percent, seed: u64, thread: u64) -> Self {
        Self { chance, seed: scramble(seed ^ scramble(thread)) }
    }

    /// Whether this send of a request, or the reply to it, is dropped.
    pub fn drops(&self, leg: Leg, transaction: Transaction) -> bool {
        if self.chance == Percent::ZERO {
            return false;
        }
        let place = transaction.sequence() << 9 | u64::from(transaction.send()) << 1;
        self.drops_at(place | leg as u64)
    }

    /// Whether the datagram with this place in the run is dropped.
    pub fn drops_at(&self, place: u64) -> bool {
        let draw = scramble(self.seed ^ scramble(place));
        let part = (u128::from(draw) * u128::from(Percent::WHOLE)) >> 64;
        part < u128::from(self.chance.parts())
    }
}

/// The finaliser of `SplitMix64`: every bit of the result depends on every bit of
/// the argument.
pub(crate) const fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(loss: Loss, leg: Leg) -> Vec<bool> {
        (0..100_000).map(|sequence| loss.drops(leg, Transaction::new(sequence, 0, 1))).collect()
    }

    #[test]
    fn the_chance_holds_on_each_leg_and_the_legs_are_independent() {
        let loss = Loss::new(Percent::new(30), 7, 0);
        let (requests, replies) = (drops(loss, Leg::Request), drops(loss, Leg::Reply));
        let share = |drops: &[bool]| drops.iter().filter(|drop| **drop).count() as f64 / 1e5;
        // Five standard deviations: 5 * sqrt(0.3 * 0.7 / 100 000).
        assert!((share(&requests) - 0.3).abs() < 0.0073);
        assert!((share(&replies) - 0.3).abs() < 0.0073);
        let both: Vec<bool> = requests.iter().zip(&replies).map(|(a, b)| *a && *b).collect();
        assert!((share(&both) - 0.09).abs() < 0.0046);
    }

    #[test]
    fn seed_thread_and_send_each_make_another_draw() {
        let chance = Percent::new(50);
        let base = drops(Loss::new(chance, 1, 0), Leg::Request);
        assert_eq!(base, drops(Loss::new(chance, 1, 0), Leg::Request));
        assert_ne!(base, drops(Loss::new(chance, 2, 0), Leg::Request));
        assert_ne!(base, drops(Loss::new(chance, 1, 1), Leg::Request));
        let loss = Loss::new(chance, 1, 0);
        let resent: Vec<bool> = (0..100_000)
            .map(|sequence| loss.drops(Leg::Request, Transaction::new(sequence, 0, 2)))
            .collect();
        assert_ne!(base, resent);
    }

    #[test]
    fn no_loss_and_total_loss_are_exact() {
        assert!(!drops(Loss::new(Percent::ZERO, 1, 0), Leg::Reply).contains(&true));
        let all = Loss::new(Percent::ALL, 1, 0);
        assert!(!drops(all, Leg::Reply).contains(&false));
    }
}

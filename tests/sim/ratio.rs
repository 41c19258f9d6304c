//! Probabilities as exact ratios: no floating point decides what happens.

use std::fmt;

use kad_node::rng::Rng;

/// `numerator` of `denominator` cases.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    pub(crate) const NEVER: Self = Self::percent(0);

    pub(crate) const fn new(numerator: u64, denominator: u64) -> Self {
        assert!(denominator > 0 && numerator <= denominator, "a probability is at most one");
        Self { numerator, denominator }
    }

    pub(crate) const fn percent(percent: u64) -> Self {
        Self::new(percent, 100)
    }

    pub(crate) const fn is_never(self) -> bool {
        self.numerator == 0
    }

    /// Whether the case comes up; without a draw where it never does.
    pub(crate) fn draw(self, rng: &mut Rng) -> bool {
        !self.is_never() && rng.ratio(self.numerator, self.denominator)
    }

    /// Whether a thing whose uniform hash is `hash` is among the chosen: the
    /// same answer each time for the same thing.
    pub(crate) fn chooses(self, hash: u64) -> bool {
        (u128::from(hash) * u128::from(self.denominator)) >> 64 < u128::from(self.numerator)
    }

    /// This share of `count`, rounded down.
    pub(crate) fn of(self, count: usize) -> usize {
        (count as u64 * self.numerator / self.denominator) as usize
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            100 => write!(f, "{} %", self.numerator),
            _ => write!(f, "{}/{}", self.numerator, self.denominator),
        }
    }
}

impl fmt::Debug for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Spreads `value` over all 64 bits (the finisher of splitmix64, by Steele, Lea
/// and Flood): for choices that hang on which peer is meant, not on when.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

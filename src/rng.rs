//! Randomness as the protocol core sees it: a stream fixed by the caller's seed.
//!
//! `ChaCha8` gives the same stream on every platform, so that a seed reproduces a
//! run, and a stream that peers cannot predict, so that transaction ids and
//! tokens cannot be guessed.

use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::id::{ID_BYTES, Id};

/// Bytes of randomness that start a stream.
pub const SEED_BYTES: usize = 32;

/// A deterministic random stream.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed`.
    pub fn from_seed(seed: [u8; SEED_BYTES]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// The stream of a small seed, such as one typed by a person.
    pub fn from_u64(seed: u64) -> Self {
        let mut bytes = [0; SEED_BYTES];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::from_seed(bytes)
    }

    /// A seed for another stream, independent of what this one gives next.
    pub fn seed(&mut self) -> [u8; SEED_BYTES] {
        self.bytes()
    }

    /// Uniform bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A uniform 32-bit number.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A uniform 64-bit number.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, each with its chance to within 2^-64 (Lemire's
    /// multiplication without the rejection).
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True in `numerator` of `denominator` cases.
    ///
    /// # Panics
    /// When `denominator` is zero.
    pub fn ratio(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// A uniform id.
    pub fn id(&mut self) -> Id {
        Id::new(self.bytes::<ID_BYTES>())
    }

    /// `period` less a uniform part of up to a quarter of it, so that what many
    /// nodes do each period does not fall together.
    pub fn jitter(&mut self, period: Duration) -> Duration {
        let micros = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros - self.below(micros / 4 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_the_stream() {
        let (mut first, mut second) = (Rng::from_u64(42), Rng::from_u64(42));
        assert_eq!(first.id(), second.id());
        assert_ne!(first.u64(), Rng::from_u64(43).u64());
        // The stream is part of what a printed seed promises.
        assert_eq!(Rng::from_u64(42).u64(), 6_424_161_053_832_095_879);
    }

    #[test]
    fn jitter_stays_within_a_quarter_below_the_period() {
        let mut rng = Rng::from_u64(1);
        let period = Duration::from_mins(1);
        for _ in 0..1000 {
            let jittered = rng.jitter(period);
            assert!(jittered <= period && jittered >= period * 3 / 4);
        }
    }
}

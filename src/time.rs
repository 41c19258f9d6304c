//! Time as the protocol core sees it: a number that its caller hands in.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment, in microseconds since an origin that the caller chooses: the
/// process's start under a driver, the world's start in the simulator. Arithmetic
/// on it stops at the origin and at the end of time, 584 000 years later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin itself.
    pub const ZERO: Self = Self(0);

    /// The end of time.
    pub(crate) const END: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

/// A moment to within a sixteenth of a second, for eight years after the origin, in four
/// bytes. What comes later counts as the end of the eighth: contacts then seem silent for
/// long, so they are pinged more often than need be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

const TICK_US: u64 = 1_000_000 / 16;

impl Tick {
    /// How long each lasts.
    pub(crate) const LENGTH: Duration = Duration::from_micros(TICK_US);

    /// The first.
    pub(crate) const ZERO: Self = Self(0);

    /// The tick in which `instant` falls.
    pub(crate) fn of(instant: Instant) -> Self {
        Self(u32::try_from(instant.as_micros() / TICK_US).unwrap_or(u32::MAX))
    }

    /// The moment at which it begins.
    pub(crate) const fn start(self) -> Instant {
        Instant::from_micros(self.0 as u64 * TICK_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_tick_begins_less_than_its_length_before_the_moment(micros: u64) {
            let instant = Instant::from_micros(micros);
            let start = Tick::of(instant).start();
            proptest::prop_assert!(start <= instant);
            let within = instant.since(start).as_micros() < u128::from(TICK_US);
            proptest::prop_assert!(within || Tick::of(instant) == Tick(u32::MAX));
        }
    }
}

//! How long a peer takes to answer, and so how long to wait for it (RFC 6298).

use core::time::Duration;

use crate::limits::{TIMEOUT_FIRST, TIMEOUT_LAST_MIN, TIMEOUT_MAX, TIMEOUT_MIN};

/// A peer's smoothed round trip and its variation, in microseconds; zero until
/// the first sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundTrip {
    smoothed_us: u32,
    variation_us: u32,
}

impl RoundTrip {
    /// Takes in one measured round trip.
    pub(super) fn sample(&mut self, round_trip: Duration) {
        // At least a microsecond, so that zero goes on meaning "not measured".
        let sample_us = round_trip.min(TIMEOUT_MAX).as_micros().max(1) as u32;
        if self.smoothed_us == 0 {
            self.smoothed_us = sample_us;
            self.variation_us = sample_us / 2;
        } else {
            let error_us = self.smoothed_us.abs_diff(sample_us);
            self.variation_us = self.variation_us - self.variation_us / 4 + error_us / 4;
            self.smoothed_us = (self.smoothed_us - self.smoothed_us / 8 + sample_us / 8).max(1);
        }
    }

    /// The smoothed round trip, once there is one.
    pub(super) fn smoothed(self) -> Option<Duration> {
        (self.smoothed_us > 0).then(|| Duration::from_micros(self.smoothed_us.into()))
    }

    /// How long to wait for the answer to send number `send`, counted from 0:
    /// twice as long each time.
    pub(super) fn timeout(self, send: u8) -> Duration {
        let first = if self.smoothed_us == 0 {
            TIMEOUT_FIRST
        } else {
            Duration::from_micros(u64::from(self.smoothed_us) + 4 * u64::from(self.variation_us))
        };
        let doubled = first.max(TIMEOUT_MIN) * (1 << send.min(8));
        doubled.min(TIMEOUT_MAX)
    }

    /// The same where others of this peer's kind took as long as `typical` and
    /// another send follows: a peer whose round trip is not known is sent the next
    /// as early as one of those. Only the last send waits as long as an unknown peer
    /// may take, so that one that is farther than all others is met none the less.
    pub(super) fn timeout_to_resend(self, send: u8, typical: Self) -> Duration {
        if self.smoothed_us > 0 {
            return self.timeout(send);
        }
        typical.timeout(send).min(self.timeout(send))
    }

    /// The same for the last send, after which the peer is given up: where its round
    /// trip is known, [`TIMEOUT_LAST_MIN`] at least, since a path may have become slower
    /// than anything that was measured on it.
    pub(super) fn timeout_to_give_up(self, send: u8) -> Duration {
        if self.smoothed_us == 0 {
            return self.timeout(send);
        }
        self.timeout(send).max(TIMEOUT_LAST_MIN)
    }
}

const _: () = assert!(TIMEOUT_MAX.as_micros() < u32::MAX as u128 / 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_peer_has_the_first_timeout_doubling_up_to_the_greatest() {
        let unknown = RoundTrip::default();
        assert_eq!(unknown.smoothed(), None);
        assert_eq!(unknown.timeout(0), TIMEOUT_FIRST);
        assert_eq!(unknown.timeout(1), TIMEOUT_FIRST * 2);
        assert_eq!(unknown.timeout(7), TIMEOUT_MAX);
    }

    #[test]
    fn the_timeout_follows_a_steady_peer_down_and_a_slow_one_up() {
        let mut steady = RoundTrip::default();
        for _ in 0..50 {
            steady.sample(Duration::from_millis(50));
        }
        assert_eq!(steady.smoothed(), Some(Duration::from_millis(50)));
        assert!(steady.timeout(0) < Duration::from_millis(52));
        steady.sample(Duration::from_millis(250));
        assert!(steady.timeout(0) > Duration::from_millis(250));

        let mut quick = RoundTrip::default();
        quick.sample(Duration::from_nanos(10));
        assert_eq!(quick.timeout(0), TIMEOUT_MIN);
    }

    #[test]
    fn an_unknown_peer_is_sent_the_next_as_early_as_a_typical_one_but_never_later_than_before() {
        let mut near = RoundTrip::default();
        let mut far = RoundTrip::default();
        for _ in 0..50 {
            near.sample(Duration::from_micros(100));
            far.sample(Duration::from_secs(1));
        }
        let unknown = RoundTrip::default();
        assert_eq!(unknown.timeout_to_resend(0, unknown), TIMEOUT_FIRST);
        assert_eq!(unknown.timeout_to_resend(0, near), TIMEOUT_MIN);
        assert_eq!(unknown.timeout_to_resend(1, near), TIMEOUT_MIN * 2);
        assert_eq!(unknown.timeout_to_resend(0, far), TIMEOUT_FIRST);
        assert_eq!(far.timeout_to_resend(0, near), far.timeout(0), "its own counts");
    }

    #[test]
    fn a_quick_peer_is_not_given_up_before_a_path_grown_slow_could_have_answered() {
        let mut quick = RoundTrip::default();
        quick.sample(Duration::from_micros(200));
        assert_eq!(quick.timeout_to_give_up(2), TIMEOUT_LAST_MIN);
        assert!(quick.timeout_to_resend(1, quick) < TIMEOUT_LAST_MIN, "it is sent again early");
        let unknown = RoundTrip::default();
        assert_eq!(unknown.timeout_to_give_up(0), TIMEOUT_FIRST, "nothing was measured");
    }

    proptest::proptest! {
        #[test]
        fn the_timeout_stays_within_its_limits_and_never_falls_from_send_to_send(
            samples_us in proptest::collection::vec(0..u64::MAX, 0..40),
        ) {
            let mut peer = RoundTrip::default();
            for &sample_us in &samples_us {
                peer.sample(Duration::from_micros(sample_us));
                let smoothed = peer.smoothed().expect("it was sampled");
                proptest::prop_assert!(smoothed <= TIMEOUT_MAX);
            }
            let timeouts: alloc::vec::Vec<Duration> =
                (0..=u8::MAX).map(|send| peer.timeout(send)).collect();
            proptest::prop_assert!(timeouts.is_sorted());
            let limits = TIMEOUT_MIN..=TIMEOUT_MAX;
            proptest::prop_assert!(timeouts.iter().all(|timeout| limits.contains(timeout)));
            proptest::prop_assert_eq!(timeouts[1], (timeouts[0] * 2).min(TIMEOUT_MAX));
        }
    }
}

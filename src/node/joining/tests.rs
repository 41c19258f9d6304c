//! How attempts to join are spaced.

use proptest::prelude::*;

use super::*;
use crate::node::samples::addr;
use crate::rng::Rng;

proptest! {
    #[test]
    fn waits_double_up_to_the_longest_and_never_end(seed: u64) {
        let mut rng = Rng::from_u64(seed);
        let mut joining = Joining::new();
        prop_assert!(!joining.is_trying());
        prop_assert!(!joining.take_attempt(Instant::ZERO, &mut rng), "nobody has asked it to");
        let mut now = Instant::from_micros(5_000_000);
        joining.start(now, Vec::new());
        let mut wait = BOOTSTRAP_WAIT_MIN;
        for _ in 0..40 {
            prop_assert_eq!(joining.next_attempt(), Some(now));
            prop_assert!(joining.take_attempt(now, &mut rng));
            prop_assert!(!joining.take_attempt(now, &mut rng), "once");
            let next = joining.next_attempt().expect("it goes on for ever");
            let waits = next.since(now);
            prop_assert!(wait * 3 / 4 <= waits && waits <= wait, "{:?} of {:?}", waits, wait);
            let early = Instant::from_micros(next.as_micros() - 1);
            prop_assert!(!joining.take_attempt(early, &mut rng), "not before its time");
            wait = (wait * 2).min(BOOTSTRAP_WAIT_MAX);
            now = next;
        }
        prop_assert_eq!(wait, BOOTSTRAP_WAIT_MAX);
        joining.stop();
        prop_assert!(!joining.is_trying() && !joining.take_attempt(now, &mut rng));
        joining.restart(now);
        prop_assert!(joining.take_attempt(now, &mut rng), "at once");
        let waits = joining.next_attempt().expect("and again").since(now);
        prop_assert!(waits <= BOOTSTRAP_WAIT_MIN, "after the shortest wait");
    }
}

#[test]
fn new_addresses_replace_the_old_ones_up_to_the_limit() {
    let mut joining = Joining::new();
    let many: Vec<SocketAddr> = (0..100).map(addr).collect();
    joining.start(Instant::ZERO, many.clone());
    assert_eq!(joining.addresses(), &many[..BOOTSTRAP_ADDRESSES_MAX]);
    joining.start(Instant::ZERO, many[90..].to_vec());
    assert_eq!(joining.addresses(), &many[90..]);
}

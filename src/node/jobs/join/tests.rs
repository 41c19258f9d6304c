//! How attempts to join are spaced.

use proptest::prelude::*;

use super::*;
use crate::node::samples::addr;
use crate::rng::Rng;

proptest! {
    #[test]
    fn waits_grow_by_half_up_to_the_longest_and_never_end(seed: u64) {
        let mut rng = Rng::from_u64(seed);
        let mut joining = Joining::new();
        prop_assert!(!joining.is_trying());
        prop_assert!(!joining.take_knock(Instant::ZERO, &mut rng), "nobody has asked it to");
        let mut now = Instant::from_micros(5_000_000);
        joining.start(now, Vec::new());
        let mut wait = BOOTSTRAP_WAIT_MIN;
        for _ in 0..40 {
            prop_assert_eq!(joining.next_knock(), Some(now));
            prop_assert!(joining.take_knock(now, &mut rng));
            prop_assert!(!joining.take_knock(now, &mut rng), "once");
            let next = joining.next_knock().expect("it goes on for ever");
            let waits = next.since(now);
            prop_assert!(wait * 3 / 4 <= waits && waits <= wait, "{:?} of {:?}", waits, wait);
            let early = Instant::from_micros(next.as_micros() - 1);
            prop_assert!(!joining.take_knock(early, &mut rng), "not before its time");
            wait = (wait + wait / 2).min(BOOTSTRAP_WAIT_MAX);
            now = next;
        }
        prop_assert_eq!(wait, BOOTSTRAP_WAIT_MAX);
        joining.answered();
        prop_assert!(!joining.is_trying() && !joining.take_knock(now, &mut rng));
        joining.restart(now);
        prop_assert!(joining.take_knock(now, &mut rng), "at once");
        let waits = joining.next_knock().expect("and again").since(now);
        prop_assert!(waits <= BOOTSTRAP_WAIT_MIN, "after the shortest wait");
    }
}

#[test]
fn knocks_in_vain_do_not_delay_the_lookup_nor_lookups_in_vain_the_knocks() {
    let mut rng = Rng::from_u64(7);
    let mut joining = Joining::new();
    let mut now = Instant::ZERO;
    joining.start(now, Vec::new());
    for _ in 0..20 {
        now = joining.next_knock().expect("nobody has answered");
        assert!(joining.take_knock(now, &mut rng));
    }
    joining.answered();
    joining.retry(now, &mut rng);
    let waits = joining.next_knock().expect("the lookup found nobody").since(now);
    assert!(waits <= BOOTSTRAP_WAIT_MIN, "the first lookup in vain: {waits:?}");
    for _ in 0..20 {
        joining.answered();
        joining.retry(now, &mut rng);
    }
    let waits = joining.next_knock().expect("the lookups found nobody").since(now);
    assert!(waits >= BOOTSTRAP_WAIT_MAX * 3 / 4, "many lookups in vain: {waits:?}");
    now = joining.next_knock().expect("as before");
    assert!(joining.take_knock(now, &mut rng));
    let waits = joining.next_knock().expect("and again").since(now);
    assert!(waits <= BOOTSTRAP_WAIT_MIN, "somebody had answered: {waits:?}");
}

#[test]
fn whoever_loses_everybody_while_it_looks_for_its_neighbours_does_not_look_twice() {
    let (now, mut rng) = (Instant::from_micros(1), Rng::from_u64(8));
    let mut joining = Joining::new();
    joining.start(now, Vec::new());
    joining.answered();
    joining.lost(now);
    assert!(!joining.is_trying(), "the lookup will say whether anybody is there");
    joining.retry(now, &mut rng);
    let next = joining.next_knock();
    joining.lost(now);
    assert_eq!(joining.next_knock(), next, "it is trying already");
    joining.answered();
    joining.joined();
    joining.lost(now);
    assert_eq!(joining.next_knock(), Some(now));
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

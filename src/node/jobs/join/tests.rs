//! How attempts to join are spaced.

use proptest::prelude::*;

use super::*;
use crate::node::samples::addr;
use crate::rng::Rng;

proptest! {
    #[test]
    fn waits_grow_by_half_up_to_the_longest_and_never_end(seed: u64) {
        let mut rng = Rng::from_u64(seed);
        let mut join = Join::new();
        prop_assert!(!join.is_trying());
        prop_assert!(!join.take_attempt(Instant::ZERO, &mut rng), "it was not asked to");
        let mut now = Instant::from_micros(5_000_000);
        join.start(now, Vec::new());
        let mut wait = BOOTSTRAP_WAIT_MIN;
        for _ in 0..40 {
            prop_assert_eq!(join.next_attempt(), Some(now));
            prop_assert!(join.take_attempt(now, &mut rng));
            prop_assert!(!join.take_attempt(now, &mut rng), "once");
            let next = join.next_attempt().expect("it goes on for ever");
            let waits = next.since(now);
            // An instant has whole microseconds.
            let longer = waits + Duration::from_micros(1);
            prop_assert!(wait * 3 / 4 <= longer && waits <= wait, "{:?} of {:?}", waits, wait);
            let early = Instant::from_micros(next.as_micros() - 1);
            prop_assert!(!join.take_attempt(early, &mut rng), "not before its time");
            wait = (wait + wait / 2).min(BOOTSTRAP_WAIT_MAX);
            now = next;
        }
        prop_assert_eq!(wait, BOOTSTRAP_WAIT_MAX);
        join.answered();
        prop_assert!(!join.is_trying() && !join.take_attempt(now, &mut rng));
        join.restart(now);
        prop_assert!(join.take_attempt(now, &mut rng), "at once");
        let waits = join.next_attempt().expect("and again").since(now);
        prop_assert!(waits <= BOOTSTRAP_WAIT_MIN, "after the shortest wait");
    }
}

#[test]
fn pings_in_vain_do_not_delay_the_lookup_nor_lookups_in_vain_the_pings() {
    let mut rng = Rng::from_u64(7);
    let mut join = Join::new();
    let mut now = Instant::ZERO;
    join.start(now, Vec::new());
    for _ in 0..20 {
        now = join.next_attempt().expect("no node has answered");
        assert!(join.take_attempt(now, &mut rng));
    }
    join.answered();
    join.retry(now, &mut rng);
    let waits = join.next_attempt().expect("the lookup found no node").since(now);
    assert!(waits <= BOOTSTRAP_WAIT_MIN, "the first lookup in vain: {waits:?}");
    for _ in 0..20 {
        join.answered();
        join.retry(now, &mut rng);
    }
    let waits = join.next_attempt().expect("the lookups found no node").since(now);
    assert!(waits >= BOOTSTRAP_WAIT_MAX * 3 / 4, "many lookups in vain: {waits:?}");
    now = join.next_attempt().expect("as before");
    assert!(join.take_attempt(now, &mut rng));
    let waits = join.next_attempt().expect("and again").since(now);
    assert!(waits <= BOOTSTRAP_WAIT_MIN, "a node had answered: {waits:?}");
}

#[test]
fn a_node_that_loses_its_contacts_while_it_looks_for_its_neighbours_does_not_look_twice() {
    let (now, mut rng) = (Instant::from_micros(1), Rng::from_u64(8));
    let mut join = Join::new();
    join.start(now, Vec::new());
    join.answered();
    join.lost(now);
    assert!(!join.is_trying(), "the lookup will say whether any node is there");
    join.retry(now, &mut rng);
    let next = join.next_attempt();
    join.lost(now);
    assert_eq!(join.next_attempt(), next, "it is trying already");
    join.answered();
    join.joined();
    join.lost(now);
    assert_eq!(join.next_attempt(), Some(now));
}

#[test]
fn new_addresses_replace_the_old_ones_up_to_the_limit() {
    let mut join = Join::new();
    let many: Vec<SocketAddr> = (0..100).map(addr).collect();
    join.start(Instant::ZERO, many.clone());
    assert_eq!(join.addresses(), &many[..BOOTSTRAP_ADDRESSES_MAX]);
    join.start(Instant::ZERO, many[90..].to_vec());
    assert_eq!(join.addresses(), &many[90..]);
}

//! What a node does with replicas that K contacts are closer to than it.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{EXPIRE_DEFAULT, K_DEFAULT, RENEW_LATE, RENEW_PEERS, REPLICATE};
use kad_node::wire::{Body, Renewal};

use crate::net::Net;
use crate::renewing::{holders, renew, store_on_first};

/// A network of 60, and a text whose key lies in the other half of the id space than node 0.
fn network(seed: u64) -> (Net, String) {
    let net = Net::joined(seed, 60);
    let own = net.id(0);
    let mut texts = (0..).map(|number| format!("value {number}"));
    let is_far = |text: &String| (Id::of_value(text.as_bytes()) ^ own).shared_prefix_bits() == 0;
    let text = texts.find(is_far).expect("one of two");
    (net, text)
}

/// How often node 0 has asked by a RENEW of no life whether `key` is held, and by a lookup step.
fn asked(net: &Net, key: Id) -> [usize; 2] {
    let names = |body: &Body<'_>| match body {
        Body::Renew(renewals) => renewals.iter().any(|it| it == Renewal { key, life_s: 0 }),
        _ => false,
    };
    let looks = |body: &Body<'_>| matches!(*body, Body::FindNode { target, .. } if target == key);
    [net.sent_by(0, names).len(), net.sent_by(0, looks).len()]
}

#[test]
fn a_node_that_k_others_are_closer_than_asks_few_of_them_once_and_looks_none_up() {
    for seed in 0..4 {
        let (mut net, text) = network(seed);
        let key = net.put(20, &text);
        net.run_for(Duration::from_secs(10));
        store_on_first(&mut net, &text);
        net.run_for(REPLICATE + RENEW_LATE);
        assert_eq!(asked(&net, key), [RENEW_PEERS, 0], "seed {seed}");
        net.run_for(6 * REPLICATE);
        assert_eq!(asked(&net, key), [RENEW_PEERS, 0], "it holds a copy; seed {seed}");
    }
}

#[test]
fn what_a_far_node_alone_holds_it_brings_to_the_closest() {
    for seed in 0..4 {
        let (mut net, text) = network(seed);
        let key = store_on_first(&mut net, &text);
        net.run_for(REPLICATE + RENEW_LATE);
        assert!(asked(&net, key)[1] > 0, "it looks them up; seed {seed}");
        assert!(holders(&net, key) >= K_DEFAULT, "seed {seed}");
    }
}

#[test]
fn a_far_node_stores_nothing_on_those_that_it_asks() {
    let (mut net, text) = network(5);
    let key = net.put(20, &text);
    net.run_for(Duration::from_secs(10));
    // One of the closest comes back with nothing: most of those that are asked hold it still.
    let mut numbers: Vec<u16> = (1..60).filter(|&number| number != 20).collect();
    numbers.sort_by_key(|&number| net.id(number) ^ key);
    let (closest, id) = (numbers[0], net.id(numbers[0]));
    net.kill(closest);
    net.add_with(closest, |config| config.id = id);
    store_on_first(&mut net, &text);
    net.run_for(REPLICATE + RENEW_LATE);
    let stores = net.sent_by(0, |body| matches!(body, Body::Store(store) if store.key == key));
    assert!(stores.is_empty());
    assert_eq!(asked(&net, key)[1], 0);
}

#[test]
fn who_only_asks_whether_a_value_is_held_postpones_no_renewal() {
    for (life, holders_expected) in [(EXPIRE_DEFAULT, 1), (Duration::ZERO, 5)] {
        let mut net = Net::joined(6, 5);
        let key = store_on_first(&mut net, "value");
        let end = net.now + REPLICATE + RENEW_LATE;
        while net.now < end {
            renew(&mut net, &[key], life);
            net.run_for(RENEW_LATE / 3);
        }
        assert_eq!(holders(&net, key), holders_expected, "{life:?}");
    }
}

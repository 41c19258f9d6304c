//! What a node does with replicas that K contacts are closer to than it.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{EXPIRE_DEFAULT, K_DEFAULT, RENEW_LATE, RENEW_PEERS, REPLICATE};
use kad_node::wire::{self, Body, Renewal};

use crate::datagram::datagram;
use crate::net::{Flying, Net, addr};
use crate::renewing::{holders, renew, store_on_first, store_on_first_for};

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
fn the_word_of_one_that_lacks_a_value_has_a_far_node_renew_it_on_all_of_the_closest() {
    let (mut net, text) = network(5);
    let key = net.put(20, &text);
    net.run_for(Duration::from_secs(10));
    // One of the closest comes back with nothing: the others that are asked hold it still.
    let mut numbers: Vec<u16> = (1..60).filter(|&number| number != 20).collect();
    numbers.sort_by_key(|&number| net.id(number) ^ key);
    let (closest, id) = (numbers[0], net.id(numbers[0]));
    net.kill(closest);
    net.add_with(closest, |config| config.id = id);
    store_on_first(&mut net, &text);
    net.run_for(REPLICATE + RENEW_LATE);
    assert!(asked(&net, key)[1] > 0, "it looks the closest up");
    assert!(net.nodes[&addr(closest)].holds(key));
}

#[test]
fn a_far_node_of_whose_peers_one_is_silent_believes_the_others() {
    let (mut net, text) = network(5);
    let key = net.put(20, &text);
    net.run_for(Duration::from_secs(10));
    store_on_first(&mut net, &text);
    let silent = addr((1..60).min_by_key(|&number| net.id(number) ^ key).expect("some"));
    let is_renew = |flying: &Flying| {
        matches!(wire::decode(&flying.bytes).expect("no garbage").body, Body::Renew(_))
    };
    net.use_delay(move |_, flying| {
        let is_lost = flying.to == silent && is_renew(flying);
        if is_lost { EXPIRE_DEFAULT } else { Duration::ZERO }
    });
    net.run_for(REPLICATE + RENEW_LATE);
    assert!(asked(&net, key)[0] > RENEW_PEERS, "one of them more than once");
    assert_eq!(asked(&net, key)[1], 0, "it looks none up");
}

#[test]
fn a_neighbour_that_holds_a_value_postpones_its_renewal_and_no_other_does() {
    let part = EXPIRE_DEFAULT / 2;
    for (life, by_store, holders_expected) in [
        (EXPIRE_DEFAULT, false, 5),
        (EXPIRE_DEFAULT, true, 5),
        (part, false, 1),
        (part, true, 1),
        (Duration::ZERO, false, 5),
    ] {
        let mut net = Net::joined(6, 5);
        let key = store_on_first(&mut net, "value");
        let end = net.now + REPLICATE + RENEW_LATE;
        while net.now < end {
            if by_store {
                store_on_first_for(&mut net, "value", life);
            } else {
                renew(&mut net, &[key], life);
            }
            net.run_for(RENEW_LATE / 3);
        }
        assert_eq!(holders(&net, key), holders_expected, "{life:?}, by STORE: {by_store}");
    }
}

#[test]
fn what_comes_from_afar_postpones_no_renewal() {
    let sender = datagram(0, Body::Ping).sender;
    let is_far = |id: Id| (id ^ sender).shared_prefix_bits() == 0;
    let seed = (0..64).find(|&seed| is_far(Net::joined(seed, 1).id(0))).expect("one of 64");
    for by_store in [false, true] {
        let mut net = Net::joined(seed, 60);
        let own = net.id(0);
        let mut texts = (0..).map(|number| format!("value {number}"));
        let shared = |text: &String| (Id::of_value(text.as_bytes()) ^ own).shared_prefix_bits();
        let text = texts.find(|text| shared(text) > 4).expect("one of 32");
        let key = store_on_first(&mut net, &text);
        let end = net.now + REPLICATE + RENEW_LATE;
        while net.now < end {
            if by_store {
                store_on_first_for(&mut net, &text, EXPIRE_DEFAULT / 2);
            } else {
                renew(&mut net, &[key], EXPIRE_DEFAULT / 2);
            }
            net.run_for(RENEW_LATE / 3);
        }
        assert!(holders(&net, key) >= K_DEFAULT, "by STORE: {by_store}");
    }
}

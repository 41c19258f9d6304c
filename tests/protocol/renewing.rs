//! How values are renewed where they are held, without their bytes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{
    EXPIRE_DEFAULT, K_DEFAULT, K_MAX, RENEW_AGAIN, RENEW_LATE, RENEW_PEERS, REPLICATE,
    REPUBLISH_DEFAULT,
};
use kad_node::wire::{self, Body, Contacts, Datagram, Renewal, Renewals, Renewed, Role, Store};

use crate::datagram::{datagram, store};
use crate::net::{Flying, Net, addr};
use crate::sharded::{Landing, Sharded};

const SENDER: u16 = 500;
const TEXTS: [&str; 4] = ["one", "two", "three", "four"];

/// A node without contacts that holds each of [`TEXTS`].
fn holder(seed: u64, shards: usize, landing: Landing) -> Net {
    let mut net = Net::new(seed);
    net.use_shards(shards, landing);
    net.add(0);
    for text in TEXTS {
        store_on_first(&mut net, text);
    }
    net
}

/// A client stores `text` on node 0 alone, as its origin would.
pub(crate) fn store_on_first(net: &mut Net, text: &str) -> Id {
    store_on_first_for(net, text, EXPIRE_DEFAULT)
}

/// A client stores `text` on node 0 alone, for so long.
pub(crate) fn store_on_first_for(net: &mut Net, text: &str, life: Duration) -> Id {
    let pong = &net.ask(addr(SENDER), 0, &datagram(1, Body::Ping))[0];
    let token = wire::decode(pong).expect("a PONG").token;
    let life_s = life.as_secs() as u32;
    let body = Body::Store(Store { life_s, ..store(text.as_bytes()) });
    let request = Datagram { token, role: Role::Client, ..datagram(2, body) };
    assert_eq!(body_of(&net.ask(addr(SENDER), 0, &request)), Some(BodyKind::Stored));
    Id::of_value(text.as_bytes())
}

#[derive(Debug, PartialEq, Eq)]
enum BodyKind {
    Stored,
    Other,
}

fn body_of(replies: &[Vec<u8>]) -> Option<BodyKind> {
    let body = wire::decode(replies.first()?).expect("nodes send no garbage").body;
    Some(if body == Body::Stored { BodyKind::Stored } else { BodyKind::Other })
}

/// What node 0 says of a RENEW of these keys, for so long.
pub(crate) fn renew(net: &mut Net, keys: &[Id], life: Duration) -> Renewed {
    let life_s = life.as_secs() as u32;
    let renewals: Vec<Renewal> = keys.iter().map(|&key| Renewal { key, life_s }).collect();
    let body = Body::Renew(Renewals::new(&renewals));
    let replies = net.ask(addr(SENDER), 0, &Datagram { role: Role::Client, ..datagram(3, body) });
    assert_eq!(replies.len(), 1, "one reply to each request");
    match wire::decode(&replies[0]).expect("nodes send no garbage").body {
        Body::Renewed(renewed) => renewed,
        other => panic!("{other:?}"),
    }
}

fn keys() -> Vec<Id> {
    TEXTS.iter().map(|text| Id::of_value(text.as_bytes())).collect()
}

fn held(net: &Net) -> usize {
    keys().into_iter().filter(|&key| net.nodes[&addr(0)].holds(key)).count()
}

#[test]
fn a_renewed_value_lives_on_and_one_that_is_not_held_is_named() {
    let mut net = holder(1, 1, Landing::Steered);
    net.run_for(EXPIRE_DEFAULT / 2);
    let mut asked = keys()[..2].to_vec();
    asked.push(Id::of_value(b"never stored"));
    // A sender without a token: the reply is no larger than the request.
    let renewed = renew(&mut net, &asked, EXPIRE_DEFAULT);
    assert_eq!(renewed, Renewed { answered: 0b111, lacking: 0b100 });
    net.run_for(EXPIRE_DEFAULT * 3 / 4);
    assert_eq!(held(&net), 2, "the others have expired");
    let stats = net.stats(0);
    assert_eq!((stats.renews_answered, stats.renewals_hit, stats.renewals_missed), (1, 2, 1));
}

#[test]
fn no_renew_shortens_a_life_or_makes_it_longer_than_a_store_may() {
    let mut net = holder(2, 1, Landing::Steered);
    renew(&mut net, &keys(), Duration::ZERO);
    net.run_for(EXPIRE_DEFAULT / 2);
    assert_eq!(held(&net), TEXTS.len());
    renew(&mut net, &keys(), EXPIRE_DEFAULT * 1000);
    net.run_for(EXPIRE_DEFAULT + Duration::from_secs(1));
    assert_eq!(held(&net), 0);
}

#[test]
fn shards_answer_for_their_own_keys_until_each_key_is_answered() {
    for landing in [Landing::Steered, Landing::InTurn] {
        let mut net = holder(3, 3, landing);
        let mut left = keys();
        left.push(Id::of_value(b"never stored"));
        left.sort_by_key(|key| key.last_byte());
        let (mut rounds, mut lacking) = (0, 0);
        while !left.is_empty() {
            let renewed = renew(&mut net, &left, EXPIRE_DEFAULT);
            assert_eq!(renewed.answered & 1, 1, "the first key steers");
            assert_eq!(renewed.lacking & !renewed.answered, 0);
            lacking += renewed.lacking.count_ones();
            let mut bits = (0..left.len()).map(|bit| renewed.answered >> bit & 1 == 1);
            left.retain(|_| !bits.next().expect("a bit for each"));
            rounds += 1;
        }
        assert!((2..=3).contains(&rounds), "{rounds} for three shards, {landing:?}");
        assert_eq!(lacking, 1);
    }
}

/// A network in which node 0 has put so many values, and their keys.
fn network_of_values(seed: u64, nodes: u16, values: usize) -> (Net, Vec<Id>) {
    let mut net = Net::joined(seed, nodes);
    let keys = (0..values).map(|number| net.put(0, &format!("value {number}"))).collect();
    net.run_for(Duration::from_secs(10));
    (net, keys)
}

pub(crate) fn holders(net: &Net, key: Id) -> usize {
    net.nodes.values().filter(|node| node.holds(key)).count()
}

/// STOREs, RENEWs and lookup steps that the nodes have sent.
fn requests(net: &Net) -> [usize; 3] {
    let count = |wanted: fn(&Body<'_>) -> bool| {
        let of = |sent: &&Flying| wanted(&wire::decode(&sent.bytes).expect("no garbage").body);
        net.sent.iter().filter(of).count()
    };
    [
        count(|body| matches!(body, Body::Store(_))),
        count(|body| matches!(body, Body::Renew(_))),
        count(|body| matches!(body, Body::FindNode { .. })),
    ]
}

#[test]
fn holders_renew_each_others_values_without_their_bytes_and_without_lookups() {
    const VALUES: usize = 120;
    let (mut net, keys) = network_of_values(4, 40, VALUES);
    net.kill(0);
    // Time in which the table forgets it, and others take what it held.
    net.run_for(REPLICATE * 2);
    let mut idle = Net::joined(4, 39);
    idle.run_for(REPLICATE * 2);
    net.sent.clear();
    idle.sent.clear();
    net.run_for(REPLICATE * 4);
    idle.run_for(REPLICATE * 4);
    assert!(keys.iter().all(|&key| holders(&net, key) >= K_DEFAULT));
    let ([stores, renews, lookups], [_, _, idle_lookups]) = (requests(&net), requests(&idle));
    assert!(renews > 0);
    assert!(stores < VALUES, "{stores} STOREs");
    // One a value and holder in an hour would be no gain: each names several.
    assert!(renews < VALUES * K_DEFAULT * 4, "{renews} RENEWs");
    assert!(lookups < idle_lookups * 3 / 2, "{lookups} lookup steps; {idle_lookups} when idle");
}

#[test]
fn a_value_that_one_node_alone_holds_is_on_others_a_quarter_of_a_period_after_its_turn() {
    for seed in 0..8 {
        let mut net = Net::new(seed);
        for number in 0..5 {
            net.add_with(number, |config| config.k = K_MAX);
            net.join(number, 0);
        }
        net.run_for(Duration::from_mins(10));
        // Where the one before has just been replicated, the next round is as far as can be.
        for text in TEXTS {
            let (key, latest) = (store_on_first(&mut net, text), net.now + REPLICATE + RENEW_LATE);
            while holders(&net, key) < 5 {
                assert!(net.now < latest, "{text}, seed {seed}");
                net.run_for(Duration::from_mins(1));
            }
        }
    }
}

#[test]
fn an_origin_renews_on_a_few_of_the_closest_and_its_values_outlive_their_expiry() {
    const VALUES: u64 = 30;
    const ORIGIN: u16 = 40;
    let mut net = Net::joined(5, ORIGIN);
    // It holds nothing for others, so that all that it renews was put there.
    net.add_with(ORIGIN, |config| config.role = Role::Client);
    net.join(ORIGIN, 0);
    let keys: Vec<Id> =
        (0..VALUES).map(|number| net.put(ORIGIN, &format!("value {number}"))).collect();
    net.run_for(EXPIRE_DEFAULT / 2);
    let stats = net.stats(ORIGIN);
    assert!(stats.values_republished >= 12 * VALUES, "hourly");
    assert!(stats.values_renewed <= stats.values_republished * RENEW_PEERS as u64);
    assert!(stats.values_renewed > stats.values_republished * 2);
    assert_eq!(stats.values_supplied, 0);
    net.run_for(EXPIRE_DEFAULT);
    assert!(keys.iter().all(|&key| holders(&net, key) >= K_DEFAULT));
}

/// A network of so many nodes in which node 0 has put a value.
fn network_of_few(seed: u64, nodes: u16) -> (Net, Id) {
    let mut net = Net::new(seed);
    (0..nodes).for_each(|number| _ = net.add(number));
    (1..nodes).for_each(|number| net.join(number, 0));
    net.run_for(Duration::from_mins(1));
    let key = net.put(0, "value");
    (net, key)
}

/// Runs until node 0 renews.
fn run_until_renewed(net: &mut Net) {
    let is_renew = |body: &Body<'_>| matches!(body, Body::Renew(_));
    let before = net.sent_by(0, is_renew).len();
    while net.sent_by(0, is_renew).len() == before {
        net.run_for(Duration::from_mins(1));
    }
}

#[test]
fn a_near_node_gives_up_a_replica_that_k_closer_ones_hold() {
    for seed in 0..4 {
        let mut net = Net::joined(seed, 60);
        let own = net.id(0);
        let is_near_but_beyond_k = |text: &String| {
            let key = Id::of_value(text.as_bytes());
            let closer = (1..60).filter(|&number| net.id(number) ^ key < own ^ key).count();
            (own ^ key).shared_prefix_bits() == 1 && closer > K_DEFAULT + 2
        };
        let texts = (0..1000).map(|number| format!("value {number}"));
        let text = texts.into_iter().find(is_near_but_beyond_k).expect("one of 1000");
        let key = net.put(20, &text);
        net.run_for(Duration::from_secs(10));
        store_on_first(&mut net, &text);
        assert!(net.nodes[&addr(0)].keeps_alive(key));
        net.run_for(REPLICATE + RENEW_LATE);
        let asks = |body: &Body<'_>| match body {
            Body::Renew(renewals) => renewals.iter().any(|it| it.key == key && it.life_s == 0),
            _ => false,
        };
        assert!(net.sent_by(0, asks).is_empty(), "it is not far; seed {seed}");
        assert!(!net.nodes[&addr(0)].keeps_alive(key), "seed {seed}");
        assert!(net.nodes[&addr(0)].holds(key), "a copy; seed {seed}");
    }
}

#[test]
fn an_origin_whose_peers_are_all_dead_finds_others_soon() {
    const NODES: u16 = 6;
    let (mut net, key) = network_of_few(15, NODES);
    run_until_renewed(&mut net);
    assert_eq!(holders(&net, key), usize::from(NODES), "the origin and those it remembers");
    (1..NODES).for_each(|number| net.kill(number));
    (NODES..NODES + 4).for_each(|number| _ = net.add(number));
    (NODES..NODES + 4).for_each(|number| net.join(number, 0));
    run_until_renewed(&mut net);
    assert_eq!(holders(&net, key), 1, "it asks those that it remembers");
    net.run_for(3 * RENEW_AGAIN);
    assert_eq!(holders(&net, key), 5);
}

#[test]
fn an_origin_that_republishes_often_brings_each_value_to_all_that_are_to_hold_it() {
    const VALUES: u64 = 12;
    let republish = Duration::from_secs(10);
    let mut net = Net::new(9);
    for number in 0..25 {
        net.add_with(number, |config| config.republish = republish);
        net.join(number, 0);
    }
    net.run_for(Duration::from_mins(1));
    let keys: Vec<Id> = (0..VALUES).map(|number| net.put(0, &format!("value {number}"))).collect();
    net.run_for(republish);
    for number in 20..25 {
        let id = net.id(number);
        net.kill(number);
        net.add_with(number, |config| config.id = id);
        net.join(number, 0);
    }
    net.run_for(republish * 3);
    for key in keys {
        let mut ids: Vec<Id> = net.nodes.values().map(Sharded::id).collect();
        ids.sort_by_key(|&id| id ^ key);
        let lacking = net.nodes.values().filter(|node| !node.holds(key));
        let lacking = lacking.filter(|node| ids[..K_DEFAULT].contains(&node.id())).count();
        assert_eq!(lacking, 0, "{key}");
    }
}

#[test]
fn what_a_peer_lacks_is_stored_there() {
    let (mut net, keys) = network_of_values(6, 30, 20);
    // It comes back with nothing at its old address, and under its old id.
    let id = net.id(7);
    net.kill(7);
    net.add_with(7, |config| config.id = id);
    net.join(7, 0);
    net.run_for(REPLICATE * 3 / 2);
    for key in keys {
        let mut ids: Vec<Id> = net.nodes.values().map(Sharded::id).collect();
        ids.sort_by_key(|&id| id ^ key);
        let is_close = ids[..K_DEFAULT].contains(&id);
        assert!(!is_close || net.nodes[&addr(7)].holds(key), "{key}");
    }
    assert!(net.nodes.values().map(|node| node.stats().values_supplied).sum::<u64>() > 0);
}

#[test]
fn a_node_that_comes_is_handed_what_it_is_to_hold_at_once() {
    for (shards, landing) in [(1, Landing::Steered), (3, Landing::Steered), (3, Landing::InTurn)] {
        let mut net = Net::new(7);
        net.use_shards(shards, landing);
        net.populate(40);
        let keys: Vec<Id> = (0..40).map(|number| net.put(0, &format!("value {number}"))).collect();
        net.run_for(Duration::from_mins(3));
        net.add(40);
        net.join(40, 0);
        net.run_for(Duration::from_mins(3));
        let id = net.id(40);
        let to_hold = keys.iter().filter(|&&key| {
            let mut ids: Vec<Id> = net.nodes.values().map(Sharded::id).collect();
            ids.sort_by_key(|&id| id ^ key);
            ids[..K_DEFAULT].contains(&id)
        });
        let to_hold: Vec<&Id> = to_hold.collect();
        assert!(to_hold.len() > 5);
        let held = to_hold.iter().filter(|&&&key| net.nodes[&addr(40)].holds(key)).count();
        assert_eq!(held, to_hold.len(), "{shards} shards, {landing:?}");
        let stores = net.stats(40).stores_accepted;
        assert!(stores <= to_hold.len() as u64 + 2, "{stores} STOREs for {}", to_hold.len());
    }
}

#[test]
fn it_is_told_how_long_that_waits_which_is_to_be_renewed() {
    for shards in [1, 3] {
        let mut net = Net::new(9);
        net.use_shards(shards, Landing::Steered);
        net.populate(3);
        let keys: Vec<Id> = (0..30).map(|number| net.put(0, &format!("{number}"))).collect();
        net.settle();
        assert_eq!(net.stats(0).renewal_wait_us, 0);
        // A request tells a shard the time; without a time-out it renews nothing.
        let waited = REPUBLISH_DEFAULT * 2;
        net.now = net.now + waited;
        for key in keys {
            net.ask(addr(SENDER), 0, &datagram(1, Body::FindValue { key, offset: 0 }));
        }
        let stats = net.stats(0);
        let waits = Duration::from_micros(stats.renewal_wait_us);
        assert!(waits > waited / 2 && waits < waited, "{waits:?}, of all shards the longest");
        assert_eq!(stats.values_overdue, 30);
        net.run_for(REPUBLISH_DEFAULT / 2);
        assert_eq!(net.stats(0).renewal_wait_us, 0, "all are renewed");
    }
}

#[test]
fn a_peer_of_an_older_release_is_sent_stores() {
    let (mut net, keys) = network_of_values(8, 20, 10);
    // As close to every key as any node may be, for K is as large as the network.
    let (stored, id) = (Rc::new(RefCell::new(BTreeSet::new())), Id::of_value(b"old"));
    let noted = Rc::clone(&stored);
    net.add_puppet(
        20,
        id,
        Box::new(move |request| match request.body {
            Body::Ping => Some(Body::Pong),
            Body::Store(store) => {
                noted.borrow_mut().insert(store.key);
                Some(Body::Stored)
            }
            Body::Renew(_) => None,
            _ => Some(Body::Nodes(Contacts::new(&[]))),
        }),
    );
    for number in 0..20 {
        net.introduce(20, number, id);
    }
    net.run_for(REPLICATE * 2);
    assert_eq!(stored.borrow().len(), keys.len());
    assert!(net.nodes.values().map(|node| node.stats().renew_fallbacks).sum::<u64>() > 0);
}

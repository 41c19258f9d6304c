//! Many puts at once: they share what their lookups find, and each value is on the nodes that a
//! lookup of its own would have found.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{K_DEFAULT, REGION_LIFE, REGION_PUTS_MIN};
use kad_node::node::{Command, Event, OperationId, Stored};
use kad_node::wire::{Body, Contact, Contacts};

use crate::net::{Net, addr};

/// Puts `count` values on node 0 at once, has all of them end well, and returns their keys.
fn put_many(net: &mut Net, name: &str, count: usize) -> Vec<Id> {
    net.events.clear();
    let keys: Vec<Id> = (0..count).map(|index| net.put(0, &format!("{name} {index}"))).collect();
    net.settle();
    let ended = |net: &Net| {
        let puts = net.events.iter().filter_map(|(_, event)| match event {
            Event::Put { key, outcome: Ok(stored), .. } => Some((*key, *stored)),
            _ => None,
        });
        puts.collect::<Vec<(Id, Stored)>>()
    };
    if ended(net).len() < count {
        net.run_for(Duration::from_secs(10)); // some wait for a node that does not answer
    }
    let ended = ended(net);
    let all = K_DEFAULT.min(net.nodes.len() - 1);
    assert!(ended.iter().all(|(_, stored)| stored.asked == all && stored.holders == all));
    let ended: BTreeSet<Id> = ended.into_iter().map(|(key, _)| key).collect();
    assert_eq!(ended, keys.iter().copied().collect());
    keys
}

/// The K nodes closest to `key`, but for node 0.
fn closest(net: &Net, key: Id) -> BTreeSet<SocketAddr> {
    let mut nodes: Vec<_> = net.nodes.iter().filter(|&(&at, _)| at != addr(0)).collect();
    nodes.sort_by_key(|(_, node)| node.id() ^ key);
    nodes.into_iter().take(K_DEFAULT).map(|(&addr, _)| addr).collect()
}

/// Whether the K closest nodes to `key` hold it, and no others.
fn is_on_the_closest(net: &Net, key: Id) -> bool {
    let nodes = net.nodes.iter().filter(|&(&at, node)| at != addr(0) && node.holds(key));
    nodes.map(|(&at, _)| at).collect::<BTreeSet<_>>() == closest(net, key)
}

/// A network of which node 0 knows all regions: it has put so many values, one after another.
fn explored(seed: u64, nodes: u16, waves: usize) -> Net {
    let mut net = Net::joined(seed, nodes);
    for wave in 0..waves {
        put_many(&mut net, &format!("wave {wave}"), 2 * REGION_PUTS_MIN);
    }
    net
}

#[test]
fn puts_share_lookups_and_go_where_their_own_would_have_sent_them() {
    for (nodes, waves) in [(30, 2), (150, 20)] {
        let mut net = explored(1, nodes, waves);
        let (before, sent) = (net.stats(0), net.sent.len());
        let keys = put_many(&mut net, "shared", 200);
        let after = net.stats(0);
        assert_eq!(after.lookups_started, before.lookups_started, "{nodes} nodes");
        assert_eq!(after.lookups_spared, before.lookups_spared + 200);
        assert!(net.sent.len() - sent < 200 * 2 * K_DEFAULT + 50, "a STORE and its answer each");
        for key in keys {
            assert!(is_on_the_closest(&net, key), "{nodes} nodes: {key}");
        }
    }
}

#[test]
fn a_few_puts_look_up_each() {
    let mut net = Net::joined(2, 30);
    for round in 0..4 {
        put_many(&mut net, &format!("round {round}"), REGION_PUTS_MIN - 1);
    }
    assert_eq!(net.stats(0).lookups_spared, 0);
}

#[test]
fn a_node_that_joins_has_its_share_of_the_puts_a_minute_later() {
    let mut net = explored(3, 30, 2);
    net.add(77);
    net.join(77, 5);
    net.run_for(REGION_LIFE);
    let started = net.stats(0).lookups_started;
    // The first wave looks up, the second knows what it has found.
    for name in ["first", "second"] {
        for key in put_many(&mut net, name, 100) {
            assert!(is_on_the_closest(&net, key), "{name}: {key}");
        }
    }
    assert!(net.stats(0).lookups_started > started);
    assert!(net.stats(0).lookups_spared >= 100);
}

#[test]
fn a_region_that_is_in_use_is_found_anew_before_its_end() {
    let mut net = explored(4, 30, 2);
    let started = net.stats(0).lookups_started;
    for second in 0..REGION_LIFE.as_secs() {
        put_many(&mut net, &format!("second {second}"), 50);
        net.run_for(Duration::from_secs(1));
    }
    let renewed = net.stats(0).lookups_started - started;
    assert!((2..200).contains(&renewed), "{renewed} of 3000 puts look up");
    let before = net.stats(0).lookups_spared;
    put_many(&mut net, "after the first life", 50);
    assert!(net.stats(0).lookups_spared > before + 40, "what was renewed lives on");
}

#[test]
fn a_put_whose_region_has_a_dead_node_looks_up_after_all_and_has_as_many_holders() {
    let mut net = explored(5, 30, 2);
    net.kill(9);
    let keys = put_many(&mut net, "missed", 40);
    assert!(net.stats(0).lookups_after_all > 0);
    for key in keys {
        assert!(is_on_the_closest(&net, key), "{key}");
    }
    let before = net.stats(0).lookups_started;
    put_many(&mut net, "known to be dead", 40);
    assert_eq!(net.stats(0).lookups_started, before, "the dead one is forgotten");
}

#[test]
fn a_node_that_departs_is_made_up_for() {
    let mut net = explored(6, 40, 3);
    net.command(9, Command::Depart { operation: OperationId(999) });
    let keys = put_many(&mut net, "departed", 40);
    net.kill(9);
    for key in keys {
        assert!(is_on_the_closest(&net, key), "{key}");
    }
}

/// An id that shares all but the last two bytes with `key`.
fn beside(key: Id, number: u16) -> Id {
    let mut bytes = key.to_bytes();
    bytes[ID_BYTES - 2..].copy_from_slice(&number.to_be_bytes());
    Id::new(bytes)
}

#[test]
fn liars_around_one_key_get_no_other_put_of_its_region_alone() {
    let mut net = Net::joined(7, 30);
    let victim = Id::of_value(b"victim");
    let liar = |index| Contact { id: beside(victim, index), addr: addr(500 + index) };
    let liars: &'static [Contact] =
        (0..K_DEFAULT as u16).map(liar).collect::<Vec<Contact>>().leak();
    for (index, liar) in liars.iter().enumerate() {
        // Each names the others alone, and says that it stores what it is given.
        net.add_puppet(
            500 + index as u16,
            liar.id,
            Box::new(move |request| match request.body {
                Body::Ping => Some(Body::Pong),
                Body::FindNode { .. } => Some(Body::Nodes(Contacts::new(liars))),
                Body::Store(_) => Some(Body::Stored),
                _ => None,
            }),
        );
        for number in 0..30 {
            net.introduce(500 + index as u16, number, liar.id);
        }
    }
    net.put(0, "victim");
    net.settle();
    put_many(&mut net, "with the victim", 3 * REGION_PUTS_MIN);
    for wave in 0..4 {
        put_many(&mut net, &format!("wave {wave}"), 2 * REGION_PUTS_MIN);
    }
    for key in put_many(&mut net, "in its region", 200) {
        let mut all: Vec<(Id, bool)> = liars.iter().map(|liar| (liar.id, true)).collect();
        let honest = net.nodes.iter().filter(|&(&at, _)| at != addr(0));
        all.extend(honest.map(|(_, node)| (node.id(), false)));
        all.sort_by_key(|&(id, _)| id ^ key);
        let due = all[..K_DEFAULT].iter().filter(|(_, lies)| !lies).count();
        let holders = net.nodes.iter().filter(|&(&at, node)| at != addr(0) && node.holds(key));
        assert!(holders.count() >= due, "{due} honest nodes are among the closest to {key}");
    }
}

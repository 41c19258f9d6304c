//! What lookups find, put together; the nodes are made up, and each lookup finds the K closest.

use alloc::collections::BTreeSet;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use super::*;
use crate::node::Config;
use crate::node::samples::{contact, id};

const K: usize = 20;

fn turn() -> Turn {
    let now = Instant::ZERO + Duration::from_hours(1);
    Turn::new(Config { k: K, ..Config::new(id(u16::MAX), [7; 32]) }, now)
}

/// The `count` closest of `nodes` to `target`.
fn closest(nodes: &[Contact], target: Id, count: usize) -> Vec<Contact> {
    let mut nodes = nodes.to_vec();
    nodes.sort_by_key(|node| node.id ^ target);
    nodes.truncate(count);
    nodes
}

/// A lookup for `target` that these nodes have answered.
fn answered(target: Id, nodes: &[Contact]) -> Lookup {
    let nodes = nodes.iter().map(|&node| (node, Known::default(), 1));
    Lookup::ended((target, K), SubnetLimit::new(None), nodes)
}

fn found(lookup: &Lookup) -> BTreeSet<SocketAddr> {
    lookup.closest().map(|node| node.contact.addr).collect()
}

fn network(nodes: u16) -> Vec<Contact> {
    (0..nodes).map(contact).collect()
}

#[test]
fn what_is_known_of_a_key_is_what_a_lookup_would_find() {
    for nodes in [25, 100, 2000] {
        let (mut turn, mut regions, nodes) = (turn(), Regions::default(), network(nodes));
        let mut known = 0;
        for number in 0..3000_u32 {
            let target = Id::of_value(&[1, number as u8, (number >> 8) as u8]);
            let due = closest(&nodes, target, K);
            match regions.lookup(&mut turn, target) {
                Some(lookup) => {
                    assert_eq!(found(&lookup), due.iter().map(|node| node.addr).collect());
                    known += 1;
                }
                None => assert!(regions.take(turn.now, &answered(target, &due))),
            }
        }
        assert!(known > 1000, "{known} of 3000 in a network of {}", nodes.len());
    }
}

#[test]
fn a_region_is_forgotten_at_the_end_of_its_life() {
    let (mut turn, mut regions, nodes) = (turn(), Regions::default(), network(30));
    let targets: Vec<Id> = (0..40).map(|number| Id::of_value(&[number])).collect();
    for &target in &targets {
        regions.take(turn.now, &answered(target, &closest(&nodes, target, K)));
    }
    assert!(targets.iter().all(|&target| regions.lookup(&mut turn, target).is_some()));
    turn.now = turn.now + REGION_LIFE;
    assert!(targets.iter().all(|&target| regions.lookup(&mut turn, target).is_none()));
    regions.take(turn.now, &answered(targets[0], &closest(&nodes, targets[0], K)));
    assert!(regions.lookup(&mut turn, targets[0]).is_none(), "the other half is as old as it was");
}

#[test]
fn a_small_network_is_known_whole_and_where_one_fails_not_at_all() {
    let (mut turn, mut regions, nodes) = (turn(), Regions::default(), network(5));
    regions.take(turn.now, &answered(id(50), &nodes));
    let lookup = regions.lookup(&mut turn, id(51)).expect("one lookup has found all");
    assert_eq!(lookup.closest().count(), 5);
    regions.forget(nodes[2], K);
    assert!(regions.lookup(&mut turn, id(51)).is_none());
}

#[test]
fn too_many_nodes_are_forgotten_and_found_anew() {
    let (turn, mut regions) = (turn(), Regions::default());
    let mut has_room = true;
    let mut wave = 0_u16;
    while has_room {
        assert!(wave < u16::MAX, "there is a bound");
        // Of ever other networks: each lookup finds nodes that none has found before.
        let target = id(wave);
        let node = |number: u8| {
            let mut bytes = target.to_bytes();
            bytes[2] = number;
            let ip = Ipv4Addr::from(u32::from(wave) << 8 | 10 << 24 | u32::from(number));
            Contact { id: Id::new(bytes), addr: (ip, 9000).into() }
        };
        let mut nodes: Vec<Contact> = (0..K as u8 - 1).map(node).collect();
        let mut far = target.to_bytes();
        far[1] ^= 0x20;
        nodes.push(Contact { id: Id::new(far), addr: (Ipv4Addr::new(10, 9, 9, 9), 1).into() });
        has_room = regions.take(turn.now, &answered(target, &nodes));
        wave += 1;
    }
    assert!(regions.members.is_empty() && regions.found.is_empty());
}

#[test]
fn a_lookup_that_passed_nodes_over_tells_nothing_of_other_keys() {
    let target = id(500);
    let nodes = closest(&network(100), target, K + 1);
    let explored = |crowd: usize| {
        // As many are of one subnet; each other is of its own.
        let place = |(index, node): (usize, &Contact)| {
            let subnet = if index < crowd { 200 } else { index as u8 };
            let addr = SocketAddr::from(([10, 1, subnet, index as u8], 9000));
            (Contact { addr, ..*node }, Known::default(), 1)
        };
        let nodes = nodes.iter().enumerate().map(place);
        Lookup::ended((target, K), SubnetLimit::new(Some(2)), nodes).explored_bits()
    };
    assert!(explored(2).is_some());
    assert_eq!(explored(3), None, "the third counts where it is one of the two closest");
}

//! Coming into the network, and back into it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::BOOTSTRAP_WAIT_MAX;
use kad_node::node::{Command, Event};
use kad_node::rng::Rng;
use kad_node::wire::{Body, Contacts, NetworkId, Role};

use crate::net::{Net, addr};

fn joined(net: &Net, number: u16) -> usize {
    let of = net.events.iter().filter(|(at, _)| *at == addr(number));
    of.filter(|(_, event)| matches!(event, Event::Joined { .. })).count()
}

#[test]
fn joining_by_an_address_makes_up_no_contact() {
    let mut net = Net::new(1);
    net.add(0);
    net.join(0, 77); // no node is there
    net.run_for(Duration::from_secs(30));
    assert_eq!(net.stats(0).contacts, 0);
    assert_eq!(joined(&net, 0), 0);

    net.add(1);
    net.join(0, 1);
    assert!(net.knows(0, net.id(1)), "the contact has the id under which it answered");
    assert_eq!(net.stats(0).contacts, 1);
    assert_eq!(joined(&net, 0), 1);
}

#[test]
fn a_node_tries_to_join_until_an_address_answers() {
    let mut net = Net::new(2);
    net.add(0);
    net.join(0, 1);
    net.run_for(Duration::from_hours(2));
    let pings = net.sent_by(0, |body| matches!(body, Body::Ping)).len();
    assert!((100..800).contains(&pings), "{pings} sends in 2 h: paced, and never given up");
    net.add(1);
    net.run_for(BOOTSTRAP_WAIT_MAX);
    assert_eq!(joined(&net, 0), 1);
    assert!(net.knows(1, net.id(0)), "and the other has met it");
}

#[test]
fn a_node_whose_lookup_finds_no_node_has_not_joined_and_tries_again() {
    let mut net = Net::new(8);
    net.add(0);
    // Every PING reaches the other node, but no FIND_NODE till later.
    let reached = Rc::new(Cell::new(false));
    let is_reached = Rc::clone(&reached);
    net.add_puppet(
        1,
        Id::of_value(b"one"),
        Box::new(move |request| match request.body {
            Body::Ping => Some(Body::Pong),
            _ => is_reached.get().then(|| Body::Nodes(Contacts::new(&[]))),
        }),
    );
    net.join(0, 1);
    net.run_for(Duration::from_mins(1));
    assert_eq!(joined(&net, 0), 0);
    reached.set(true);
    net.run_for(Duration::from_secs(10));
    assert_eq!(joined(&net, 0), 1);
}

#[test]
fn a_node_joins_soon_by_a_peer_that_one_send_in_four_reaches_and_comes_back_from() {
    for seed in 0..300 {
        let mut net = Net::new(seed);
        net.add(0);
        let mut dice = Rng::from_u64(seed);
        net.add_puppet(
            1,
            Id::of_value(b"one"),
            Box::new(move |request| {
                let answer = match request.body {
                    Body::Ping => Body::Pong,
                    _ => Body::Nodes(Contacts::new(&[])),
                };
                (dice.below(100) < 24).then_some(answer)
            }),
        );
        net.join(0, 1);
        net.run_for(Duration::from_mins(2));
        assert!(joined(&net, 0) > 0, "seed {seed}");
    }
}

#[test]
fn after_joining_a_node_knows_its_neighbours_and_they_know_it() {
    let net = Net::joined(3, 100);
    for (addr, node) in &net.nodes {
        let mut ids: Vec<_> = net.nodes.values().map(crate::sharded::Sharded::id).collect();
        ids.sort_by_key(|&id| id ^ node.id());
        let closest: Vec<_> =
            node.closest(node.id(), 20).iter().map(|contact| contact.id).collect();
        let missing = ids[1..=20].iter().filter(|id| !closest.contains(id)).count();
        assert!(missing <= 2, "{addr} misses {missing} of its 20 neighbours");
    }
}

#[test]
fn a_node_that_lost_all_contacts_comes_back_by_itself() {
    let mut net = Net::joined(4, 10);
    let others: Vec<_> =
        (1..10).map(|number| (addr(number), net.nodes.remove(&addr(number)))).collect();
    net.run_for(Duration::from_hours(1));
    assert_eq!(net.nodes[&addr(0)].closest(net.id(0), 20).len(), 0);
    for (addr, node) in others {
        net.nodes.insert(addr, node.expect("a node"));
    }
    net.run_for(BOOTSTRAP_WAIT_MAX * 2);
    assert!(net.nodes[&addr(0)].closest(net.id(0), 20).len() >= 8);
}

#[test]
fn a_node_whose_first_lookup_has_no_answer_has_not_joined_and_tries_again() {
    let mut net = Net::new(8);
    net.add(0);
    net.add(1);
    net.command(1, Command::Bootstrap { addresses: vec![addr(0)] });
    // The PONG arrives, and then the other is gone for a while.
    assert!(net.step() && net.step());
    let other = net.nodes.remove(&addr(0)).expect("a node");
    net.run_for(Duration::from_secs(20));
    assert_eq!(joined(&net, 1), 0);
    net.nodes.insert(addr(0), other);
    net.run_for(BOOTSTRAP_WAIT_MAX);
    assert_eq!(joined(&net, 1), 1);
}

#[test]
fn two_that_joined_by_each_other_soon_meet_the_rest() {
    let mut net = Net::new(12);
    net.add(0);
    net.add(1);
    // The node by which all join does not answer yet; the other one does.
    let addresses = vec![addr(0), addr(2)];
    net.command(1, Command::Bootstrap { addresses });
    net.settle();
    assert_eq!((joined(&net, 1), net.stats(1).contacts), (1, 1));
    for number in 2..12 {
        net.add(number);
    }
    for number in 3..12 {
        net.join(number, 2);
    }
    net.run_for(Duration::from_secs(30));
    assert!(net.stats(0).contacts >= 10 && net.stats(1).contacts >= 10);
}

#[test]
fn two_networks_that_meet_do_not_merge() {
    let mut net = Net::new(5);
    net.add(0);
    net.add_with(1, |config| config.network = NetworkId::of_name("another"));
    net.join(1, 0);
    net.run_for(Duration::from_mins(5));
    assert_eq!(net.stats(0).contacts + net.stats(1).contacts, 0);
    assert!(net.stats(0).datagrams_other_network > 0);
}

#[test]
fn a_value_put_before_joining_is_placed_after_it() {
    let mut net = Net::new(6);
    net.add(0);
    let key = net.put(0, "patience");
    for number in 1..5 {
        net.add(number);
    }
    for number in 2..5 {
        net.join(number, 1);
    }
    net.join(0, 1);
    net.run_for(Duration::from_mins(1));
    assert!((0..5).all(|number| net.nodes[&addr(number)].holds(key)));
}

#[test]
fn a_node_is_met_at_the_address_that_it_announces() {
    let mut net = Net::new(7);
    net.add(0);
    // Node 1 sends from its own address but is reached by another one.
    net.add_with(1, |config| config.announce = Some(addr(200)));
    let id = net.id(1);
    net.command(1, Command::Bootstrap { addresses: vec![addr(0)] });
    net.settle();
    assert!(net.sent.iter().any(|sent| sent.from == addr(0) && sent.to == addr(200)));
    assert!(!net.knows(0, id), "nothing answers there yet");
}

#[test]
fn a_client_joins_and_gets_without_waiting_for_the_dead() {
    let mut net = Net::joined(11, 50);
    let key = net.put(1, "outlives a third of the network");
    net.settle();
    // Fewer than K = 20, so that a holder is left; the others name them still.
    for number in 30..47 {
        net.kill(number);
    }
    for number in 100..110 {
        net.add_with(number, |config| config.role = Role::Client);
        net.join(number, 0);
        net.run_for(Duration::from_secs(1));
        assert_eq!(joined(&net, number), 1, "a dead candidate keeps a slot for 400 ms");
        let get = net.get(number, key);
        net.run_for(Duration::from_secs(5));
        assert_eq!(net.found(get).as_deref(), Some("outlives a third of the network"));
    }
}

#[test]
fn a_client_joins_by_the_only_node_that_is_left() {
    let mut net = Net::joined(12, 30);
    for number in 1..30 {
        net.kill(number);
    }
    net.add_with(100, |config| config.role = Role::Client);
    net.join(100, 0);
    net.run_for(Duration::from_secs(1));
    assert_eq!(joined(&net, 100), 1, "it does not wait for those that this node names");
}

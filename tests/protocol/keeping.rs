//! How long values live, and how they move.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{EXPIRE_DEFAULT, K_DEFAULT};
use kad_node::node::{Command, Event, Forgotten, OperationId};
use kad_node::wire::{self, Body, Contacts, Datagram, Renewed};

use crate::datagram::{datagram, store};
use crate::net::{Net, addr};

const ALMOST_EXPIRED: Duration = Duration::from_hours(23);
const _: () = assert!(ALMOST_EXPIRED.as_secs() < EXPIRE_DEFAULT.as_secs());

fn holders(net: &Net, key: Id) -> usize {
    net.nodes.values().filter(|node| node.holds(key)).count()
}

#[test]
fn republishing_moves_a_value_to_the_nodes_that_are_closest_now() {
    let mut net = Net::joined(1, 30);
    let key = net.put(0, "moving");
    net.settle();
    for number in 30..60 {
        net.add(number);
        net.join(number, 0);
    }
    net.run_for(Duration::from_mins(75));
    let mut nodes: Vec<_> = net.nodes.values().filter(|node| node.id() != net.id(0)).collect();
    nodes.sort_by_key(|node| node.id() ^ key);
    let placed = nodes[..K_DEFAULT].iter().filter(|node| node.holds(key)).count();
    assert_eq!(placed, K_DEFAULT);
}

#[test]
fn with_the_origin_gone_replication_keeps_a_value_until_it_expires() {
    let mut net = Net::joined(2, 40);
    let key = net.put(0, "orphan");
    net.settle();
    net.kill(0);
    net.run_for(ALMOST_EXPIRED);
    assert!(holders(&net, key) >= K_DEFAULT, "{} holders", holders(&net, key));
    assert!(net.nodes.values().map(|node| node.stats().values_replicated).sum::<u64>() > 0);
    net.run_for(Duration::from_hours(2));
    assert_eq!(holders(&net, key), 0, "no node publishes it any more");
}

#[test]
fn a_holder_skips_what_it_has_just_been_sent() {
    let mut net = Net::joined(3, 40);
    let key = net.put(0, "skipped");
    net.settle();
    net.kill(0);
    net.run_for(Duration::from_hours(10));
    let replicated: u64 = net.nodes.values().map(|node| node.stats().values_replicated).sum();
    // One holder's turn an hour would be 10 to 14; all holders' turns 200.
    assert!((9..60).contains(&replicated), "{replicated} replications of one value in 10 h");
    assert!(holders(&net, key) >= K_DEFAULT);
}

#[test]
fn a_forgotten_value_expires_and_one_that_was_never_put_is_unknown() {
    let mut net = Net::joined(4, 25);
    let key = net.put(0, "passing");
    net.settle();
    net.command(0, Command::Forget { operation: OperationId(900), key });
    net.command(0, Command::Forget { operation: OperationId(901), key });
    let outcomes: Vec<Forgotten> = net
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Forget { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, [Forgotten::Forgotten, Forgotten::Unknown]);
    net.run_for(ALMOST_EXPIRED);
    assert!(holders(&net, key) > 0);
    net.run_for(Duration::from_hours(3));
    assert_eq!(holders(&net, key), 0);
}

#[test]
fn a_published_value_outlives_its_expiry() {
    let mut net = Net::joined(5, 25);
    let key = net.put(0, "kept");
    net.run_for(EXPIRE_DEFAULT * 2);
    assert!(holders(&net, key) >= K_DEFAULT);
    assert!(net.stats(0).values_republished >= 40, "hourly, with jitter");
    assert!(net.nodes.contains_key(&addr(0)));
}

#[test]
fn nodes_that_only_say_that_they_store_a_value_do_not_end_what_others_hold() {
    const HONEST: u16 = 40;
    let mut net = Net::joined(6, HONEST);
    let key = net.put(0, "coveted");
    net.settle();
    // K liars as close to the key as no other node, and met by all.
    for liar in HONEST..HONEST + K_DEFAULT as u16 {
        let mut bytes = key.to_bytes();
        bytes[19] ^= liar as u8;
        let id = Id::new(bytes);
        net.add_puppet(
            liar,
            id,
            Box::new(|request| match request.body {
                Body::Ping => Some(Body::Pong),
                Body::Store(_) => Some(Body::Stored),
                Body::Renew(_) => Some(Body::Renewed(Renewed { answered: u64::MAX, lacking: 0 })),
                _ => Some(Body::Nodes(Contacts::new(&[]))),
            }),
        );
        for number in 0..HONEST {
            net.introduce(liar, number, id);
        }
        net.settle();
    }
    net.kill(0);
    net.run_for(Duration::from_mins(72));
    assert!(holders(&net, key) >= K_DEFAULT, "{} holders", holders(&net, key));
    net.run_for(EXPIRE_DEFAULT);
    assert_eq!(holders(&net, key), 0, "no node replicates it any more");
}

#[test]
fn a_value_that_a_peer_stores_again_and_again_is_replicated_all_the_same() {
    const NODES: u16 = 40;
    let mut net = Net::joined(7, NODES);
    let key = net.put(0, "wanted");
    net.settle();
    net.kill(0);
    for _ in 0..40 {
        net.run_for(Duration::from_mins(30));
        let holders: Vec<u16> =
            (1..NODES).filter(|&number| net.nodes[&addr(number)].holds(key)).collect();
        for number in holders {
            let pong = &net.ask(addr(500), number, &datagram(1, Body::Ping))[0];
            let token = wire::decode(pong).expect("a PONG").token;
            let body = Body::Store(store(b"wanted"));
            net.ask(addr(500), number, &Datagram { token, ..datagram(2, body) });
        }
    }
    let replicated: u64 = net.nodes.values().map(|node| node.stats().values_replicated).sum();
    // One holder's turn an hour on average.
    assert!((8..40).contains(&replicated), "{replicated} replications of one value in 20 h");
}

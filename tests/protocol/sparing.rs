//! Questions that a put and a get spare, where the node has heard lately from those that it would
//! ask; and what that must not cost.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{K_DEFAULT, TOKEN_EPOCH};
use kad_node::node::{Event, Stored};
use kad_node::wire::{Body, Contact, Contacts};

use crate::net::{Net, addr};

const NODES: u16 = 30;

fn is_find_node(body: &Body<'_>) -> bool {
    matches!(body, Body::FindNode { .. })
}

/// The `count` closest of the nodes that are there, but for node 0.
fn closest(net: &Net, key: Id, count: usize) -> BTreeSet<SocketAddr> {
    let mut nodes: Vec<_> = net.nodes.iter().filter(|&(&at, _)| at != addr(0)).collect();
    nodes.sort_by_key(|(_, node)| node.id() ^ key);
    nodes.into_iter().take(count).map(|(&at, _)| at).collect()
}

fn holders(net: &Net, key: Id) -> BTreeSet<SocketAddr> {
    let nodes = net.nodes.iter().filter(|&(&at, node)| at != addr(0) && node.holds(key));
    nodes.map(|(&at, _)| at).collect()
}

/// Puts a value on node 0. Returns its key and how many nodes were asked before.
fn put(net: &mut Net, text: &str) -> (Id, usize) {
    let before = net.sent_by(0, is_find_node).len();
    let key = net.put(0, text);
    net.settle();
    (key, net.sent_by(0, is_find_node).len() - before)
}

/// Has node 0 hear from the others.
fn hear_from_all(net: &mut Net) {
    for index in 0..40 {
        put(net, &format!("value {index}"));
    }
}

fn stored(net: &Net) -> Option<Stored> {
    net.events.iter().rev().find_map(|(_, event)| match event {
        Event::Put { outcome, .. } => outcome.as_ref().ok().copied(),
        _ => None,
    })
}

#[test]
fn a_put_asks_half_of_the_closest_where_it_has_heard_from_all_and_stores_on_each() {
    let mut net = Net::joined(1, NODES);
    hear_from_all(&mut net);
    let (key, asked) = put(&mut net, "known to all");
    assert_eq!(asked, K_DEFAULT / 2);
    assert_eq!(holders(&net, key), closest(&net, key, K_DEFAULT));
}

#[test]
fn a_put_asks_all_of_the_closest_where_what_it_heard_is_old() {
    let mut net = Net::joined(2, NODES);
    hear_from_all(&mut net);
    net.run_for(TOKEN_EPOCH);
    let (_, asked) = put(&mut net, "quiet");
    assert!(asked >= K_DEFAULT, "{asked}");
}

#[test]
fn a_put_has_as_many_holders_where_a_node_that_was_not_asked_is_dead() {
    let mut net = Net::joined(3, NODES);
    hear_from_all(&mut net);
    let key = Id::of_value(b"missed");
    let farthest =
        closest(&net, key, K_DEFAULT).into_iter().max_by_key(|at| net.nodes[at].id() ^ key);
    net.nodes.remove(&farthest.expect("there are K"));
    let (key, asked) = put(&mut net, "missed");
    assert_eq!(asked, K_DEFAULT / 2, "it does not know");
    net.run_for(Duration::from_secs(10));
    assert_eq!(holders(&net, key), closest(&net, key, K_DEFAULT));
    let stored = stored(&net).expect("it has ended");
    assert_eq!((stored.asked, stored.holders), (K_DEFAULT + 1, K_DEFAULT));
}

#[test]
fn a_put_shows_the_tokens_that_it_is_given_by_its_stores_alone() {
    let mut net = Net::joined(4, 80);
    net.add(77);
    net.join(77, 5);
    net.run_for(Duration::from_secs(10)); // its buckets are filled
    let known = |net: &Net| {
        let others = (0..80).map(|number| net.stats(number));
        others.map(|stats| stats.contacts + stats.replacements).sum::<u64>()
    };
    let is_bare = |body: &Body<'_>| matches!(body, Body::Ping | Body::Proof);
    let bare = |net: &Net| net.sent_by(77, is_bare).len();
    let before = (known(&net), bare(&net));
    for index in 0..8 {
        net.put(77, &format!("value {index}"));
        net.settle();
    }
    assert!(known(&net) > before.0, "those that had room for it know it now");
    assert_eq!(bare(&net), before.1);
}

#[test]
fn a_get_asks_one_node_where_it_has_heard_lately_from_those_that_hold_the_value() {
    let mut net = Net::joined(5, NODES);
    let key = net.put(7, "held by many");
    net.settle();
    let outside = (0..NODES).find(|&number| !net.nodes[&addr(number)].holds(key));
    let outside = outside.expect("there are more than K");
    let is_find_value = |body: &Body<'_>| matches!(body, Body::FindValue { .. });
    let get = net.get(outside, key);
    net.settle();
    assert_eq!(net.found(get).as_deref(), Some("held by many"));
    assert_eq!(net.sent_by(outside, is_find_value).len(), 1);
}

/// An id that shares all but the last two bytes with `key`.
fn beside(key: Id, number: u16) -> Id {
    let mut bytes = key.to_bytes();
    bytes[ID_BYTES - 2..].copy_from_slice(&number.to_be_bytes());
    Id::new(bytes)
}

/// Adds a peer that names these alone, and says that it stores what it is given.
fn add_liar(net: &mut Net, number: u16, id: Id, named: &'static [Contact]) {
    net.add_puppet(
        number,
        id,
        Box::new(move |request| match request.body {
            Body::Ping => Some(Body::Pong),
            Body::FindNode { .. } => Some(Body::Nodes(Contacts::new(named))),
            Body::Store(_) => Some(Body::Stored),
            _ => None,
        }),
    );
}

#[test]
fn fewer_liars_beside_a_key_than_half_of_the_closest_hide_no_other_from_its_put() {
    const LIARS: u16 = K_DEFAULT as u16 / 2 - 1;
    let mut net = Net::new(6);
    net.add(0);
    let key = Id::of_value(b"wanted");
    for index in 0..LIARS {
        add_liar(&mut net, 500 + index, beside(key, index), &[]);
        net.introduce(500 + index, 0, beside(key, index));
    }
    for number in 1..150 {
        net.add(number);
        net.join(number, 0);
    }
    net.run_for(Duration::from_secs(30));
    hear_from_all(&mut net);
    let due = closest(&net, key, K_DEFAULT - usize::from(LIARS));
    let named: &'static [Contact] = net.nodes[&addr(0)].closest(key, K_DEFAULT).leak();
    let is_named = |at: &SocketAddr| named.iter().any(|contact| contact.addr == *at);
    assert!(named[..usize::from(LIARS)].iter().all(|contact| contact.addr >= addr(500)));
    assert!(!due.iter().all(is_named), "node 0 has to be told of some");
    for index in 0..LIARS {
        add_liar(&mut net, 500 + index, beside(key, index), named); // what it knows already
    }
    put(&mut net, "wanted");
    assert_eq!(holders(&net, key), due);
}

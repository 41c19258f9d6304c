//! What enters the routing table, what stays, and what makes way.

use std::time::Duration;

use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{CONTACT_FRESH, FAILURES_STALE, K_DEFAULT};
use kad_node::wire::{Body, Contact, Contacts};

use crate::datagram::datagram;
use crate::net::{Net, addr};

const K: u16 = K_DEFAULT as u16;

/// Ids of one bucket of the all-zero node: the first bit set, the rest a number.
fn far(number: u16) -> Id {
    let mut bytes = [0; ID_BYTES];
    bytes[0] = 0x80;
    bytes[ID_BYTES - 2..].copy_from_slice(&number.to_be_bytes());
    Id::new(bytes)
}

/// A hub, and peers `1..=count` that all fall into its farthest bucket and have
/// asked it something, so that it has met them in that order.
fn hub_with(count: u16) -> Net {
    let mut net = Net::new(1);
    net.add_with(0, |config| config.id = Id::new([0; ID_BYTES]));
    for number in 1..=count {
        net.add_with(number, |config| config.id = far(number));
        net.join(number, 0);
    }
    net
}

fn is_ping(body: &Body<'_>) -> bool {
    matches!(body, Body::Ping)
}

#[test]
fn a_live_oldest_contact_is_pinged_without_waiting_and_keeps_its_place() {
    let mut net = hub_with(K);
    assert!((1..=K).all(|number| net.knows(0, far(number))));
    // All of them silent for a while, but alive.
    net.run_for(CONTACT_FRESH);
    let pings = net.sent_by(0, is_ping).len();

    net.add_with(K + 1, |config| config.id = far(K + 1));
    net.command(K + 1, kad_node::node::Command::Bootstrap { addresses: vec![addr(0)] });
    while net.sent_by(0, is_ping).len() < pings + 1 {
        assert!(net.step(), "the oldest contact is pinged");
    }
    // With that PING unanswered the hub goes on serving.
    assert_eq!(net.ask(addr(500), 0, &datagram(9, Body::Ping)).len(), 1);

    net.run_for(Duration::from_secs(10));
    assert!((1..=K).all(|number| net.knows(0, far(number))), "no live contact is evicted");
    assert!(!net.knows(0, far(K + 1)));
    assert_eq!(net.stats(0).replacements, 1, "the newcomer waits in the replacement cache");
}

#[test]
fn a_dead_contact_is_replaced_out_of_the_replacement_cache() {
    let mut net = hub_with(K + 3);
    assert_eq!(net.stats(0).replacements, 3);
    net.kill(4);
    // The hub's own lookups find out.
    net.run_for(Duration::from_mins(20));
    assert!(!net.knows(0, far(4)), "the dead contact is gone");
    let newcomers = (K + 1..=K + 3).filter(|&number| net.knows(0, far(number))).count();
    assert_eq!(newcomers, 1, "one that waited has come in its place");
    assert!(net.stats(0).contacts_replaced >= 1);
    assert_eq!(net.stats(0).contacts, u64::from(K));
}

#[test]
fn dead_contacts_stay_known_while_nothing_can_replace_them_and_come_back() {
    let mut net = hub_with(3);
    let sleeping: Vec<_> =
        (1..=3).map(|number| (addr(number), net.nodes.remove(&addr(number)))).collect();
    net.run_for(Duration::from_mins(30));
    assert!((1..=3).all(|number| !net.knows(0, far(number))), "they are not handed to others");
    assert_eq!(net.stats(0).contacts, 3, "but they are not forgotten");
    for (addr, node) in sleeping {
        net.nodes.insert(addr, node.expect("a node"));
    }
    net.run_for(Duration::from_mins(15));
    assert!((1..=3).all(|number| net.knows(0, far(number))));
    assert!(u64::from(FAILURES_STALE) <= net.stats(0).rpcs_failed);
}

#[test]
fn a_stale_contact_that_asks_something_is_back_at_once() {
    let mut net = hub_with(2);
    let sleeping = net.nodes.remove(&addr(1)).expect("a node");
    net.run_for(Duration::from_mins(20));
    assert!(!net.knows(0, far(1)));
    net.nodes.insert(addr(1), sleeping);
    net.get(1, far(500));
    net.settle();
    assert!(net.knows(0, far(1)));
}

#[test]
fn contacts_named_by_others_enter_the_table_only_when_they_answer() {
    let mut net = hub_with(1);
    let named: Vec<Contact> =
        (100..110).map(|number| Contact { id: far(number), addr: addr(number) }).collect();
    net.add(105); // another node lives at one of the addresses
    let id = far(2);
    let named: &'static [Contact] = named.leak();
    net.add_puppet(
        2,
        id,
        Box::new(move |request| match request.body {
            Body::Ping => Some(Body::Pong),
            Body::FindNode { .. } => Some(Body::Nodes(Contacts::new(named))),
            _ => None,
        }),
    );
    net.join(0, 2);
    net.run_for(Duration::from_mins(1));
    assert!(net.knows(0, id));
    let asked = named.iter().filter(|contact| net.sent.iter().any(|sent| sent.to == contact.addr));
    assert_eq!(asked.count(), named.len(), "the lookup has tried them all");
    for contact in named {
        assert!(!net.knows(0, contact.id), "{} never answered under that id", contact.addr);
    }
}

#[test]
fn every_answer_names_exactly_the_k_closest_contacts() {
    let net = Net::joined(3, 50);
    for number in [0, 17, 49] {
        let node = &net.nodes[&addr(number)];
        let known = node.closest(node.id(), usize::MAX);
        assert!(known.len() > K_DEFAULT);
        for target in net.nodes.values().map(crate::sharded::Sharded::id).chain((0..200).map(far)) {
            let mut expected = known.clone();
            expected.sort_by_key(|contact| contact.id ^ target);
            expected.truncate(K_DEFAULT);
            assert_eq!(node.closest(target, K_DEFAULT), expected);
        }
    }
}

#[test]
fn a_node_that_comes_back_under_a_new_id_replaces_its_old_self() {
    let mut net = hub_with(2);
    net.kill(1);
    net.add_with(1, |config| config.id = far(77));
    net.join(1, 0);
    net.run_for(Duration::from_mins(30));
    assert!(net.knows(0, far(77)));
    assert!(!net.knows(0, far(1)));
    assert_eq!(net.stats(0).contacts, 2);
}

#[test]
fn a_client_is_served_and_enters_no_table() {
    let mut net = hub_with(2);
    net.add_with(9, |config| config.role = kad_node::wire::Role::Client);
    let id = net.id(9);
    net.join(9, 0);
    let key = net.put(9, "from a client");
    net.run_for(Duration::from_secs(10));
    assert!((0..=2).all(|number| !net.knows(number, id)));
    assert!((0..=2).all(|number| net.nodes[&addr(number)].holds(key)));
}

//! How a node leaves, and what becomes of what it held.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{DEPART_QUERIES_MAX, K_DEFAULT, REPLICATE};
use kad_node::node::{Command, Config, Event, OperationId};
use kad_node::wire::{self, Body, Contacts, Datagram, ErrorCode, Role, Token};

use crate::datagram::{datagram, encoded, store};
use crate::net::{Net, addr};
use crate::sharded::Landing;

const DEPART_OPERATION: OperationId = OperationId(7000);

/// How a node goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    Politely,
    AsInACrash,
}

impl Net {
    fn depart(&mut self, number: u16) {
        self.command(number, Command::Depart { operation: DEPART_OPERATION });
    }

    /// What each shard of node `number` has told of its departure: values handed off,
    /// and those that no other node took.
    fn departed(&self, number: u16) -> Vec<(usize, usize)> {
        let of_node = self.events.iter().filter(|(node, _)| *node == addr(number));
        of_node
            .filter_map(|(_, event)| match event {
                Event::Departed { operation: DEPART_OPERATION, handed_off, failed } => {
                    Some((*handed_off, *failed))
                }
                _ => None,
            })
            .collect()
    }

    /// Node `number` goes. A polite one has a second for it.
    fn go(&mut self, number: u16, going: Going) {
        if going == Going::Politely {
            self.depart(number);
            self.run_for(Duration::from_secs(1));
            let shards = self.nodes[&addr(number)].shards().len();
            assert_eq!(self.departed(number).len(), shards, "node {number} has departed");
        }
        self.kill(number);
    }

    fn numbers(&self) -> Vec<u16> {
        (0..u16::MAX).filter(|number| self.nodes.contains_key(&addr(*number))).collect()
    }

    fn holders(&self, key: Id) -> Vec<u16> {
        let mut numbers = self.numbers();
        numbers.retain(|number| self.nodes[&addr(*number)].holds(key));
        numbers
    }

    /// The K nodes closest to `key`, of those that are there.
    fn closest_to(&self, key: Id) -> Vec<u16> {
        let mut numbers = self.numbers();
        numbers.sort_by_key(|number| self.id(*number) ^ key);
        numbers.truncate(K_DEFAULT);
        numbers
    }
}

/// A network of 60 from which all that hold a value, its origin among them, go one
/// after the other within a minute, and what a get of another node finds then.
fn found_after_its_holders_went(shards: usize, landing: Landing, going: Going) -> Option<String> {
    let mut net = Net::new(11);
    net.use_shards(shards, landing);
    net.populate(60);
    let key = net.put(0, "passed on");
    net.settle();
    let begun = net.now;
    let holders = net.holders(key);
    assert!(holders.len() >= K_DEFAULT);
    for number in holders {
        net.go(number, going);
    }
    assert!(net.now.since(begun) < Duration::from_mins(1));
    assert_eq!(net.nodes.values().map(|node| node.stats().values_replicated).sum::<u64>(), 0);
    if going == Going::Politely {
        let mut holders = net.holders(key);
        let mut closest = net.closest_to(key);
        holders.sort_unstable();
        closest.sort_unstable();
        assert!(closest.iter().all(|number| holders.contains(number)), "{closest:?}: {holders:?}");
    }
    let reader = net.numbers()[0];
    let operation = net.get(reader, key);
    net.run_for(Duration::from_secs(30));
    net.found(operation)
}

#[test]
fn a_value_outlives_all_its_holders_where_they_leave_one_after_the_other() {
    let found = found_after_its_holders_went(1, Landing::Steered, Going::Politely);
    assert_eq!(found.as_deref(), Some("passed on"));
}

#[test]
fn a_value_is_gone_with_its_holders_where_they_crash() {
    let found = found_after_its_holders_went(1, Landing::Steered, Going::AsInACrash);
    assert_eq!(found, None);
}

#[test]
fn nodes_of_several_shards_leave_as_nodes_of_one_do() {
    for landing in [Landing::Steered, Landing::InTurn] {
        let found = found_after_its_holders_went(4, landing, Going::Politely);
        assert_eq!(found.as_deref(), Some("passed on"), "{landing:?}");
    }
}

#[test]
fn four_nodes_in_five_leave_at_once_and_hand_off_to_those_that_stay() {
    let mut net = Net::joined(12, 50);
    let keys: Vec<Id> = (0..100).map(|number| net.put(number % 50, &format!("{number}"))).collect();
    net.run_for(Duration::from_mins(6));
    for number in 10..50 {
        net.depart(number);
    }
    net.run_for(Duration::from_secs(1));
    for number in 10..50 {
        let [(handed_off, failed)] = net.departed(number)[..] else {
            panic!("{number} has not departed")
        };
        assert!(handed_off > 0 && failed == 0, "{number}: {handed_off}, {failed}");
        net.kill(number);
    }
    for key in keys {
        assert_eq!(net.holders(key), (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn contacts_drop_a_node_that_leaves_and_newcomers_do_not_join_by_it() {
    let mut net = Net::joined(13, 30);
    let departing = net.id(4);
    // Tokens of the join are no longer valid: the goodbye takes a second PING.
    net.run_for(Duration::from_mins(6));
    let contacts = net.nodes[&addr(4)].closest(departing, usize::MAX).len();
    assert_eq!(contacts, 29);
    net.depart(4);
    net.settle();
    assert_eq!(net.departed(4), [(0, 0)]);
    assert!((0..30).filter(|&number| number != 4).all(|number| !net.knows(number, departing)));
    // It stays for a while, answers, and does not become a contact again for that.
    let key = net.put(4, "late");
    net.add(40);
    net.command(40, Command::Bootstrap { addresses: vec![addr(4)] });
    net.run_for(Duration::from_mins(30));
    assert_eq!(net.nodes[&addr(40)].closest(departing, 1), []);
    assert!((0..30).filter(|&number| number != 4).all(|number| !net.knows(number, departing)));
    assert_eq!(net.holders(key).len(), 1 + K_DEFAULT, "its origin, and those that stay");
}

#[test]
fn a_node_that_leaves_does_no_maintenance_and_takes_no_value() {
    let mut net = Net::joined(14, 15);
    let key = net.put(3, "held");
    net.settle();
    net.depart(3);
    net.run_for(Duration::from_secs(1));
    let before = net.stats(3);
    assert_eq!((before.values_handed_off, before.values_to_hand_off), (1, 0));
    net.run_for(REPLICATE * 3);
    let after = net.stats(3);
    assert_eq!(after.requests_sent, before.requests_sent);
    assert_eq!(after.lookups_started, before.lookups_started);
    // A node that knows it still may ask.
    let operation = net.get(3, key);
    assert_eq!(net.found(operation).as_deref(), Some("held"));
    let asked = datagram(9, Body::Ping);
    let pong = net.ask(addr(500), 3, &asked);
    let pong = wire::decode(&pong[0]).expect("a PONG");
    assert_eq!((pong.body, pong.role), (Body::Pong, Role::Departing));
    let value = b"too late";
    let body = Body::Store(store(value));
    let refused = net.ask(addr(500), 3, &Datagram { token: pong.token, body, ..asked });
    let refused = wire::decode(&refused[0]).expect("an ERROR");
    assert_eq!(refused.body, Body::Error(ErrorCode::Full));
    assert_eq!(net.stats(3).stores_while_departing, before.stores_while_departing + 1);
}

#[test]
fn a_goodbye_counts_only_from_the_contacts_own_address_and_with_its_token() {
    let mut net = Net::joined(15, 8);
    let contact = net.id(5);
    let goodbye =
        |role, token| Datagram { role, token, sender: contact, ..datagram(9, Body::Ping) };
    // A neighbour of the same host has the token, and another port.
    let mut neighbour = addr(5);
    neighbour.set_port(1);
    let pong = net.ask(neighbour, 0, &goodbye(Role::Client, Token::NONE));
    let token = wire::decode(&pong[0]).expect("a PONG").token;
    net.ask(neighbour, 0, &goodbye(Role::Departing, token));
    assert!(net.knows(0, contact), "from another port");
    for (token, is_known) in [(Token::NONE, true), (Token::new([8; 8]), true), (token, false)] {
        net.inject(addr(5), 0, &encoded(&goodbye(Role::Departing, token)));
        assert_eq!(net.knows(0, contact), is_known, "{token:?}");
    }
    // It was not its own, so it comes back with its next request.
    net.get(5, Id::of_value(b"nothing"));
    net.settle();
    assert!(net.knows(0, contact));
}

#[test]
fn a_network_of_one_has_no_node_to_hand_off_to_and_is_done_at_once() {
    let mut net = Net::joined(16, 1);
    net.depart(0);
    assert_eq!(net.departed(0), [(0, 0)]);
    let mut net = Net::joined(17, 1);
    net.put(0, "alone");
    net.put(0, "as well");
    net.depart(0);
    assert_eq!(net.departed(0), [(0, 2)]);
    assert_eq!(net.stats(0).values_not_handed_off, 2);
}

#[test]
fn a_command_to_depart_is_answered_each_time() {
    let mut net = Net::joined(18, 5);
    net.put(0, "one value");
    net.settle();
    net.depart(0);
    net.depart(0);
    assert_eq!(net.departed(0), []);
    net.run_for(Duration::from_secs(1));
    assert_eq!(net.departed(0), [(1, 0); 2]);
    net.depart(0);
    assert_eq!(net.departed(0), [(1, 0); 3]);
}

/// How many STOREs, RENEWs and lookup steps node `number` has sent.
fn requests(net: &Net, number: u16) -> [usize; 3] {
    [
        net.sent_by(number, |body| matches!(body, Body::Store(_))).len(),
        net.sent_by(number, |body| matches!(body, Body::Renew(_))).len(),
        net.sent_by(number, |body| matches!(body, Body::FindNode { .. })).len(),
    ]
}

#[test]
fn what_others_hold_is_handed_off_without_its_bytes_and_without_lookups() {
    for (shards, landing) in [(1, Landing::Steered), (3, Landing::InTurn)] {
        let mut net = Net::new(21);
        net.use_shards(shards, landing);
        net.populate(60);
        let keys: Vec<Id> =
            (0..200).map(|number| net.put(number % 60, &format!("{number}"))).collect();
        net.run_for(Duration::from_mins(1));
        net.sent.clear();
        net.depart(7);
        net.run_for(Duration::from_secs(1));
        let told = net.departed(7);
        let handed_off: usize = told.iter().map(|(handed_off, _)| handed_off).sum();
        assert!(handed_off >= 40 && told.iter().all(|(_, failed)| *failed == 0), "{told:?}");
        let [stores, renews, lookup_steps] = requests(&net, 7);
        assert_eq!(lookup_steps, 0, "the table knows the closest of what it holds");
        // One takes the place of the node that goes; what it put it need not have held itself.
        assert!(stores <= handed_off + 10, "{stores} STOREs for {handed_off} values");
        assert!(renews <= 60 * 4 * shards * shards, "{renews} RENEWs");
        net.kill(7);
        for key in keys {
            let holders = net.holders(key);
            assert!(net.closest_to(key).iter().all(|number| holders.contains(number)));
        }
    }
}

#[test]
fn values_are_handed_off_to_peers_of_an_older_release_by_stores() {
    let mut net = Net::joined(22, 1);
    let stored = Rc::new(RefCell::new(BTreeSet::new()));
    for number in 1..4 {
        let noted = Rc::clone(&stored);
        let id = Id::of_value(&[number as u8]);
        net.add_puppet(
            number,
            id,
            Box::new(move |request| match request.body {
                Body::Ping => Some(Body::Pong),
                Body::Store(store) => {
                    noted.borrow_mut().insert((number, store.key));
                    Some(Body::Stored)
                }
                Body::Renew(_) => None,
                _ => Some(Body::Nodes(Contacts::new(&[]))),
            }),
        );
        net.introduce(number, 0, id);
    }
    let keys: Vec<Id> = (0..3).map(|number| net.put(0, &format!("{number}"))).collect();
    net.run_for(Duration::from_secs(1));
    stored.borrow_mut().clear();
    net.depart(0);
    net.run_for(Duration::from_secs(5));
    assert_eq!(net.departed(0), [(keys.len(), 0)]);
    assert_eq!(stored.borrow().len(), 3 * keys.len());
}

#[test]
fn so_many_values_are_handed_off_at_a_time_and_no_more() {
    let values = 2 * DEPART_QUERIES_MAX as u64 + 10;
    let mut net = Net::joined(19, 5);
    for number in 0..values {
        net.put(0, &format!("{number}"));
        net.settle();
    }
    for number in 1..5 {
        net.kill(number);
    }
    net.depart(0);
    assert_eq!(net.stats(0).values_to_hand_off, values);
    let mut peak = 0;
    while net.departed(0).is_empty() {
        net.run_for(Duration::from_millis(10));
        peak = peak.max(net.stats(0).lookups);
    }
    assert_eq!(peak, DEPART_QUERIES_MAX as u64);
    assert_eq!(net.stats(0).values_to_hand_off, 0);
    assert_eq!(net.departed(0), [(0, values as usize)], "no node is there to take them");
}

#[test]
fn values_that_no_other_node_is_known_to_hold_are_handed_off_first() {
    let mut net = Net::joined(20, 25);
    let placed: Vec<Id> = (0..3).map(|number| net.put(0, &format!("placed {number}"))).collect();
    net.settle();
    let (id, seed) = (Id::of_value(b"cut off"), [3; 32]);
    net.add_with(30, |config| *config = Config::new(id, seed));
    let alone: Vec<Id> = (0..3).map(|number| net.put(30, &format!("alone {number}"))).collect();
    // It is met, and does not know that it might place them now.
    net.join(0, 30);
    net.settle();
    assert!(alone.iter().all(|&key| net.holders(key) == [30]), "as the test wants it");
    let last = net.put(30, "placed 30");
    net.settle();
    assert!(net.holders(last).len() > 1);
    let before = net.sent.len();
    net.depart(30);
    net.run_for(Duration::from_secs(1));
    let mut named = Vec::new();
    for sent in &net.sent[before..] {
        if let Body::Renew(renewals) = wire::decode(&sent.bytes).expect("no garbage").body {
            named.extend(renewals.iter().map(|renewal| renewal.key));
        }
    }
    let first = |key: &Id| named.iter().position(|other| other == key).expect("renewed");
    assert!(alone.iter().map(first).max() < Some(first(&last)), "{named:?}");
    for key in alone.into_iter().chain([last]).chain(placed) {
        assert!(net.holders(key).len() >= K_DEFAULT);
    }
}

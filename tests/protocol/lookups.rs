//! Puts and gets.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{K_DEFAULT, SEEDINGS_MAX, TIMEOUT_LAST_MIN};
use kad_node::node::{Command, Event, Hop, HopAnswer, OperationId, Refusal, Stored};
use kad_node::wire::{self, Body, Value};

use crate::net::{Net, addr};

fn is_store(body: &Body<'_>) -> bool {
    matches!(body, Body::Store(_))
}

/// The nodes of `net` other than `number`, the closest to `key` first.
fn by_distance(net: &Net, number: u16, key: Id) -> Vec<SocketAddr> {
    let mut nodes: Vec<_> = net.nodes.iter().filter(|&(&at, _)| at != addr(number)).collect();
    nodes.sort_by_key(|(_, node)| node.id() ^ key);
    nodes.into_iter().map(|(&addr, _)| addr).collect()
}

#[test]
fn a_value_put_on_one_node_is_found_by_every_other() {
    let mut net = Net::joined(1, 50);
    let key = net.put(7, "hello");
    net.settle();
    for number in 0..50 {
        let operation = net.get(number, key);
        net.settle();
        assert_eq!(net.found(operation).as_deref(), Some("hello"), "node {number}");
    }
}

#[test]
fn a_put_stores_on_the_k_closest_nodes() {
    let mut net = Net::joined(2, 60);
    let key = net.put(5, "spread");
    net.settle();
    let closest = by_distance(&net, 5, key);
    let holders: BTreeSet<_> =
        closest.iter().copied().filter(|addr| net.nodes[addr].holds(key)).collect();
    assert_eq!(holders, closest[..K_DEFAULT].iter().copied().collect());
    let stored = net.events.iter().find_map(|(_, event)| match event {
        Event::Put { outcome: Ok(stored), .. } => Some(*stored),
        _ => None,
    });
    assert!(matches!(stored, Some(Stored { holders: K_DEFAULT, asked: K_DEFAULT, .. })));
}

#[test]
fn a_lone_nodes_put_succeeds_and_its_get_is_local() {
    let mut net = Net::new(1);
    net.add(0);
    let key = net.put(0, "alone");
    assert!(matches!(
        net.events[..],
        [(_, Event::Put { outcome: Ok(Stored { holders: 0, asked: 0, .. }), .. })]
    ));
    let operation = net.get(0, key);
    assert_eq!(net.found(operation).as_deref(), Some("alone"));
}

#[test]
fn a_lookup_goes_on_until_all_of_the_k_closest_have_answered() {
    let mut net = Net::joined(4, 80);
    for seed in 0..20_u8 {
        let key = Id::of_value(&[seed]);
        let operation = net.get(3, key);
        net.settle();
        let answered: BTreeSet<SocketAddr> = net
            .answers(operation)
            .filter_map(|event| match event {
                Event::Hop {
                    hop: Hop { contact, answer: HopAnswer::Contacts { .. }, .. }, ..
                } => Some(contact.addr),
                _ => None,
            })
            .collect();
        let closest = by_distance(&net, 3, key);
        for addr in &closest[..K_DEFAULT] {
            assert!(answered.contains(addr), "{addr} is among the K closest and was not asked");
        }
        assert!(
            net.answers(operation)
                .any(|event| matches!(event, Event::Get { outcome: Ok(None), .. }))
        );
    }
}

#[test]
fn stores_leave_all_at_once_whichever_nodes_are_dead() {
    let mut net = Net::joined(5, 40);
    let start = net.now;
    net.put(0, "at once");
    while net.sent_by(0, is_store).is_empty() {
        assert!(net.step());
    }
    assert_eq!(net.now, start, "the lookup took no time");
    assert_eq!(net.sent_by(0, is_store).len(), K_DEFAULT);
    // Half of those that were chosen die before the STORE reaches them.
    let targets: Vec<SocketAddr> = net.sent_by(0, is_store).iter().map(|sent| sent.to).collect();
    for dead in &targets[..K_DEFAULT / 2] {
        net.nodes.remove(dead);
    }
    net.settle();
    let holders = |net: &Net| {
        let key = Id::of_value(b"at once");
        targets
            .iter()
            .filter(|addr| net.nodes.get(addr).is_some_and(|node| node.holds(key)))
            .count()
    };
    assert_eq!(holders(&net), K_DEFAULT / 2, "the living wait for no dead");
    net.run_for(Duration::from_secs(10));
    // The next closest takes the place of one. The living name no others yet.
    assert!(net.events.iter().any(|(_, event)| matches!(
        event,
        Event::Put { outcome: Ok(Stored { holders: 11, asked: 21, .. }), .. }
    )));
}

#[test]
fn a_put_stores_on_those_that_have_answered_while_its_lookup_waits_for_a_late_one() {
    let mut net = Net::joined(5, 40);
    let key = Id::of_value(b"meanwhile");
    let before = by_distance(&net, 0, key);
    net.nodes.remove(&before[3]).expect("a node");
    let closest = by_distance(&net, 0, key);
    let holders = |net: &Net| closest.iter().filter(|addr| net.nodes[addr].holds(key)).count();
    let has_ended =
        |net: &Net| net.events.iter().any(|(_, event)| matches!(event, Event::Put { .. }));
    net.put(0, "meanwhile");
    net.run_for(TIMEOUT_LAST_MIN / 2);
    assert!(!has_ended(&net), "the dead one is not given up yet");
    assert_eq!(holders(&net), K_DEFAULT - 1);
    net.run_for(Duration::from_secs(5));
    assert!(net.events.iter().any(|(_, event)| matches!(
        event,
        Event::Put { outcome: Ok(Stored { holders: K_DEFAULT, asked: K_DEFAULT, .. }), .. }
    )));
    assert!(closest[..K_DEFAULT].iter().all(|addr| net.nodes[addr].holds(key)));
}

#[test]
fn a_get_that_asks_a_single_node_finds_the_value() {
    let mut net = Net::new(6);
    net.add(0);
    let key = net.put(0, "early");
    net.add(1);
    net.join(1, 0);
    let operation = net.get(1, key);
    net.settle();
    assert_eq!(net.found(operation).as_deref(), Some("early"));
    assert!(net.nodes[&addr(1)].holds(key), "the requester keeps a copy");
}

#[test]
fn a_get_of_a_key_that_no_node_has_on_a_node_without_contacts_is_not_found() {
    let mut net = Net::new(6);
    net.add(0);
    let operation = net.get(0, Id::of_value(b"nothing"));
    assert!(matches!(
        net.answers(operation).collect::<Vec<_>>()[..],
        [Event::Get { outcome: Ok(None), asked: 0, .. }]
    ));
}

/// A network of lookups to the 4 closest.
fn narrow(seed: u64, count: u16) -> Net {
    let mut net = Net::new(seed);
    for number in 0..count {
        net.add_with(number, |config| config.k = 4);
        if number > 0 {
            net.join(number, 0);
        }
    }
    net.run_for(Duration::from_secs(30));
    net
}

#[test]
fn a_get_goes_beyond_the_k_closest_contacts_where_they_are_all_dead() {
    let contacts = |net: &Net, key| net.nodes[&addr(0)].closest(key, 5);
    // Those that are closer than the fifth hold the value: with them dead it is the closest.
    let of_fifth = |net: &Net, number: u32| {
        let text = format!("value {number}");
        let key = Id::of_value(text.as_bytes());
        let fifth = contacts(net, key).get(4)?.addr;
        let all = by_distance(net, u16::MAX, key);
        let closer: Vec<_> = all.into_iter().take_while(|&closer| closer != fifth).collect();
        let origin = (1..30).find(|&number| addr(number) == fifth)?;
        (closer.len() <= 4 && !closer.contains(&addr(0))).then_some((text, origin))
    };
    let of_seed = |seed| {
        let net = narrow(seed, 30);
        let (text, origin) = (0..100).find_map(|number| of_fifth(&net, number))?;
        Some((net, text, origin))
    };
    let (mut net, text, origin) = (10..20).find_map(of_seed).expect("of most seeds");
    let key = net.put(origin, &text);
    net.settle();
    let closest = contacts(&net, key).into_iter().take(4).map(|contact| contact.addr);
    let holders = net.nodes.iter().filter(|(_, node)| node.holds(key)).map(|(addr, _)| *addr);
    let mut dead: BTreeSet<_> = closest.chain(holders).collect();
    dead.remove(&addr(origin));
    assert!(!dead.contains(&addr(0)), "the reader asks the network");
    for addr in dead {
        net.nodes.remove(&addr);
    }
    let operation = net.get(0, key);
    net.run_for(Duration::from_mins(1));
    assert_eq!(net.found(operation), Some(text));
    assert_eq!(net.stats(0).lookups_seeded_again, 1);
}

#[test]
fn a_get_of_a_node_that_is_cut_off_ends_and_asks_no_more_than_it_may() {
    let mut net = narrow(10, 60);
    for number in 1..60 {
        net.kill(number);
    }
    let known = net.stats(0).contacts as usize;
    let most = SEEDINGS_MAX * 4;
    assert!(known > most, "{known} contacts");
    let operation = net.get(0, Id::of_value(b"nothing"));
    net.run_for(Duration::from_mins(5));
    let outcome = net.answers(operation).find_map(|event| match event {
        Event::Get { outcome, asked, .. } => Some((outcome.clone(), *asked)),
        _ => None,
    });
    assert_eq!(outcome, Some((Ok(None), most)));
    assert_eq!(net.stats(0).lookups_seeded_again, SEEDINGS_MAX as u64 - 1);
}

#[test]
fn a_get_leaves_a_copy_on_the_closest_node_that_did_not_have_the_value() {
    let mut net = Net::joined(8, 60);
    let key = net.put(0, "path");
    net.settle();
    // Newcomers, of which some are closer to the key than its holders.
    for number in 60..120 {
        net.add(number);
        net.join(number, 0);
    }
    let mut copies = 0;
    for reader in 60..120 {
        let cached = net.stats(reader).values_path_cached;
        let operation = net.get(reader, key);
        net.settle();
        let asked_in_vain = net.answers(operation).filter_map(|event| match event {
            Event::Hop { hop, .. } if matches!(hop.answer, HopAnswer::Contacts { .. }) => {
                Some(hop.contact)
            }
            _ => None,
        });
        let closest = asked_in_vain.min_by_key(|contact| contact.id ^ key);
        if let Some(closest) = closest {
            assert!(net.nodes[&closest.addr].holds(key), "the closest asked has a copy now");
            assert_eq!(net.stats(reader).values_path_cached, cached + 1);
            copies += 1;
        }
    }
    assert!(copies > 0, "some reader has asked in vain");
}

#[test]
fn a_value_that_does_not_hash_to_its_key_is_not_returned() {
    let mut net = Net::joined(9, 30);
    let key = net.put(0, "the truth");
    net.settle();
    // A liar that claims to be closest, and that every node has met.
    let mut bytes = key.to_bytes();
    bytes[19] ^= 1;
    net.add_puppet(
        99,
        Id::new(bytes),
        Box::new(|request| match request.body {
            Body::Ping => Some(Body::Pong),
            Body::FindValue { .. } => {
                Some(Body::Value(Value { offset: 0, total: 5, life_s: 60, value: b"a lie" }))
            }
            _ => Some(Body::Nodes(wire::Contacts::new(&[]))),
        }),
    );
    net.add(50);
    net.command(50, kad_node::node::Command::Bootstrap { addresses: vec![addr(99), addr(1)] });
    net.run_for(Duration::from_mins(1));
    assert!(net.knows(50, Id::new(bytes)), "the reader knows the liar");
    let operation = net.get(50, key);
    net.settle();
    assert_eq!(net.found(operation).as_deref(), Some("the truth"));
    assert_eq!(net.stats(50).values_mismatched, 1, "the lie was heard, and counted");
}

#[test]
fn a_get_and_a_put_that_are_abandoned_end_at_once_and_are_forgotten() {
    let mut net = Net::joined(10, 30);
    (1..30).for_each(|number| net.kill(number));
    let absent = Id::of_value(b"absent");
    let get = net.get(0, absent);
    let put = net.put(0, "kept");
    assert_eq!(net.stats(0).lookups, 2);
    // Of the operations in progress, each is named by its own number and key.
    let put_operation = OperationId(get.0 + 1);
    net.command(0, Command::Abandon { operation: put_operation, key: absent });
    assert_eq!(net.stats(0).lookups, 2);

    net.command(0, Command::Abandon { operation: get, key: absent });
    net.command(0, Command::Abandon { operation: put_operation, key: put });
    net.command(0, Command::Abandon { operation: put_operation, key: put });
    for (operation, answers) in [(get, 1), (put_operation, 1)] {
        let abandoned = net.answers(operation).filter(|event| {
            matches!(
                event,
                Event::Get { outcome: Err(Refusal::Abandoned), .. }
                    | Event::Put { outcome: Err(Refusal::Abandoned), .. }
            )
        });
        assert_eq!(abandoned.count(), answers);
    }
    assert_eq!(net.stats(0).lookups, 0);
    assert!(net.nodes[&addr(0)].holds(put), "the value is kept here, and republished");

    let sent = net.sent_by(0, |body| matches!(body, Body::FindValue { .. })).len();
    net.run_for(Duration::from_secs(10));
    let later = net.sent_by(0, |body| matches!(body, Body::FindValue { .. })).len();
    assert_eq!(later, sent, "what was asked for the get is not asked again");
}

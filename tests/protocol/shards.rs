//! Nodes of several shards behave as nodes of one do.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{BOOTSTRAP_WAIT_MAX, K_DEFAULT, OUTBOX_HANDOFFS_MAX};
use kad_node::node::{Command, Config, Event, Node, OperationId, Outbox};
use kad_node::time::Instant;
use kad_node::wire::{Body, Contacts, Datagram};

use crate::datagram::request;
use crate::net::{Net, addr};
use crate::sharded::Landing;

const LANDINGS: [Landing; 2] = [Landing::Steered, Landing::InTurn];

/// A hub of `shards` shards that 80 nodes of one shard have asked in turn, of
/// which some have died and some have come since.
fn hub(shards: usize, landing: Landing) -> Net {
    let mut net = Net::new(1);
    net.use_shards(shards, landing);
    net.add_with(0, |config| config.id = Id::new([0x55; ID_BYTES]));
    net.use_shards(1, Landing::Steered);
    for number in 1..=80 {
        net.add_with(number, |config| config.id = Id::of_value(&number.to_be_bytes()));
        net.join(number, 0);
    }
    for number in 1..=10 {
        net.kill(number * 3);
    }
    net.run_for(Duration::from_mins(40));
    for number in 81..=90 {
        net.add_with(number, |config| config.id = Id::of_value(&number.to_be_bytes()));
        net.join(number, 0);
    }
    net.run_for(Duration::from_mins(40));
    net
}

#[test]
fn every_shard_answers_with_the_same_contacts() {
    for landing in LANDINGS {
        for shards in [2, 3, 8] {
            let net = hub(shards, landing);
            let node = &net.nodes[&addr(0)];
            assert!(node.closest(node.id(), usize::MAX).len() > 40);
            for target in (0..300_u16).map(|number| Id::of_value(&number.to_le_bytes())) {
                let first = node.shards()[0].closest(target, K_DEFAULT);
                assert_eq!(first.len(), K_DEFAULT);
                for shard in node.shards() {
                    assert_eq!(shard.closest(target, K_DEFAULT), first);
                }
            }
        }
    }
}

#[test]
fn a_node_of_many_shards_knows_the_contacts_that_a_node_of_one_knows() {
    let ids = |net: &Net| {
        let node = &net.nodes[&addr(0)];
        let mut ids: Vec<Id> =
            node.closest(node.id(), usize::MAX).iter().map(|contact| contact.id).collect();
        ids.sort_unstable();
        ids
    };
    let one = ids(&hub(1, Landing::Steered));
    for landing in LANDINGS {
        let many = ids(&hub(4, landing));
        // The farthest bucket overflows, and which node is there when a contact dies
        // depends on the order of messages; every other bucket is the same.
        let near = |ids: &[Id]| {
            let own = Id::new([0x55; ID_BYTES]);
            ids.iter()
                .copied()
                .filter(|&id| (id ^ own).shared_prefix_bits() > 1)
                .collect::<Vec<_>>()
        };
        assert!(near(&one).len() >= 15);
        assert_eq!(near(&one), near(&many));
        assert_eq!(one.len(), many.len());
    }
}

#[test]
fn values_are_stored_and_found_wherever_datagrams_land() {
    for landing in LANDINGS {
        let mut net = Net::new(2);
        net.use_shards(4, landing);
        net.populate(30);
        let keys: Vec<Id> =
            (0..20).map(|number| net.put(number, &format!("value {number}"))).collect();
        net.settle();
        for (number, &key) in keys.iter().enumerate() {
            for reader in [0, 11, 29] {
                let operation = net.get(reader, key);
                net.settle();
                assert_eq!(net.found(operation), Some(format!("value {number}")));
            }
        }
        let missteered: u64 =
            net.nodes.values().map(|node| node.stats().datagrams_missteered).sum();
        assert_eq!(missteered == 0, landing == Landing::Steered, "{missteered} missteered");
    }
}

#[test]
fn a_value_is_held_by_the_shard_that_owns_its_key_alone() {
    let mut net = Net::new(3);
    net.use_shards(8, Landing::InTurn);
    net.populate(10);
    for number in 0..50_u16 {
        let key = net.put(number % 10, &format!("owned {number}"));
        net.settle();
        let owner = usize::from(key.last_byte()) * 8 / 256;
        for node in net.nodes.values() {
            for (index, shard) in node.shards().iter().enumerate() {
                assert_eq!(shard.holds(key), index == owner);
            }
        }
    }
}

#[test]
fn each_contact_is_counted_and_shown_by_the_owner_of_its_bucket_alone() {
    let mut net = hub(8, Landing::InTurn);
    net.command(0, Command::Peers { operation: OperationId(1) });
    let shown: Vec<usize> = net
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Peers { buckets, .. } => Some(buckets),
            _ => None,
        })
        .flatten()
        .flat_map(|bucket| bucket.contacts.iter().map(|_| bucket.index))
        .collect();
    assert_eq!(shown.len() as u64, net.stats(0).contacts);
    let known = net.nodes[&addr(0)].closest(net.id(0), usize::MAX).len();
    assert!(known > 40 && shown.len() >= known, "{} shown of {known}", shown.len());
    assert!(net.stats(0).contacts_evicted >= 5, "the dead have made way");
}

#[test]
fn a_node_of_many_shards_comes_back_when_it_has_lost_all_contacts() {
    let mut net = Net::new(4);
    net.use_shards(4, Landing::InTurn);
    net.populate(8);
    let others: Vec<_> =
        (1..8).map(|number| (addr(number), net.nodes.remove(&addr(number)))).collect();
    net.run_for(Duration::from_hours(1));
    assert!(
        net.nodes[&addr(0)].shards().iter().all(|shard| shard.closest(shard.id(), 1).is_empty())
    );
    for (addr, node) in others {
        net.nodes.insert(addr, node.expect("a node"));
    }
    net.run_for(Duration::from_mins(2));
    for shard in net.nodes[&addr(0)].shards() {
        assert!(shard.closest(shard.id(), 20).len() >= 6);
    }
}

/// The first shard joins for all, and hears of the loss from another.
#[test]
fn a_node_tries_to_join_at_once_whichever_shard_owned_its_last_contact() {
    for bucket in 0..8 {
        let mut net = Net::new(5);
        net.use_shards(4, Landing::Steered);
        let mut id = [0x55; ID_BYTES];
        net.add_with(0, |config| config.id = Id::new(id));
        id[0] ^= 0x80 >> bucket;
        // It answers, and asks nothing.
        let answers = Rc::new(Cell::new(true));
        let (lives, none) = (Rc::clone(&answers), Contacts::new(&[]));
        let answer = move |request: &Datagram<'_>| match request.body {
            _ if !lives.get() => None,
            Body::Ping => Some(Body::Pong),
            _ => Some(Body::Nodes(none)),
        };
        net.add_puppet(1, Id::new(id), Box::new(answer));
        net.join(0, 1);
        // By then the next lookup for its own id is minutes away.
        net.run_for(Duration::from_hours(1));

        let knows = |net: &Net, shard: usize| {
            let shard = &net.nodes[&addr(0)].shards()[shard];
            !shard.closest(shard.id(), 1).is_empty()
        };
        assert!((0..4).all(|shard| knows(&net, shard)));
        answers.set(false);
        for number in 0_u16..20 {
            if knows(&net, 0) {
                net.get(0, Id::of_value(&number.to_be_bytes()));
                net.run_for(Duration::from_secs(1));
            }
        }
        assert!((0..4).all(|shard| !knows(&net, shard)), "bucket {bucket}");
        // No request is under way any more.
        net.run_for(Duration::from_secs(30));
        answers.set(true);
        net.run_for(BOOTSTRAP_WAIT_MAX);
        assert!((0..4).all(|shard| knows(&net, shard)), "bucket {bucket}");
    }
}

#[test]
fn an_outbox_holds_so_many_foreign_datagrams_and_is_low() {
    let config = Config::new(Id::new([0x55; ID_BYTES]), [1; 32]);
    let config = config.shards(2).next().expect("the first");
    let mut node = Node::new(config, Instant::ZERO);
    // The last byte of its key is of the second shard.
    let body = Body::FindValue { key: Id::new([0xff; ID_BYTES]), offset: 0 };
    let foreign = request(1, body);
    let mut outbox = Outbox::new();
    for _ in 0..3 {
        for _ in 0..OUTBOX_HANDOFFS_MAX {
            assert!(!outbox.is_low());
            node.handle_datagram(Instant::ZERO, addr(1), &foreign, &mut outbox);
        }
        assert!(outbox.is_low());
        assert_eq!(outbox.take_handoffs().count(), OUTBOX_HANDOFFS_MAX);
    }
}

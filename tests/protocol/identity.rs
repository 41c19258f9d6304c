//! Whether a node's id is its own.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{Event, IdFault, IdPolicy};
use kad_node::wire::{Body, Contact, Contacts};

use crate::net::{Net, addr};
use crate::sharded::Landing;

const SQUATTER: u16 = 500;
const NEWCOMER: u16 = 100;

/// What node `number` has found wrong with its id.
fn faults(net: &Net, number: u16) -> Vec<(IdFault, Option<Id>)> {
    let of = net.events.iter().filter(|(at, _)| *at == addr(number));
    of.filter_map(|(_, event)| match event {
        Event::BadId { fault, replaced_by, .. } => Some((*fault, *replaced_by)),
        _ => None,
    })
    .collect()
}

/// Adds a peer that answers under `id` and names no contact, and makes it known to the first
/// `count` nodes.
fn squat(net: &mut Net, id: Id, count: u16) {
    net.add_puppet(
        SQUATTER,
        id,
        Box::new(|request| match request.body {
            Body::Ping => Some(Body::Pong),
            Body::FindNode { .. } => Some(Body::Nodes(Contacts::new(&[]))),
            _ => None,
        }),
    );
    for number in 0..count {
        net.introduce(SQUATTER, number, id);
        assert!(net.knows(number, id));
    }
}

#[test]
fn a_node_whose_id_was_taken_before_it_joins_takes_another_and_is_listed() {
    for shards in [1, 3] {
        let mut net = Net::new(1);
        net.use_shards(shards, Landing::InTurn);
        net.populate(20);
        let taken = Id::of_value(b"newcomer");
        squat(&mut net, taken, 20);
        net.add_with(NEWCOMER, |config| config.id = taken);
        net.join(NEWCOMER, 0);
        net.run_for(Duration::from_mins(1));
        let new = net.id(NEWCOMER);
        assert_ne!(new, taken);
        assert!(
            matches!(faults(&net, NEWCOMER)[..], [(IdFault::Taken { .. }, Some(id))] if id == new)
        );
        assert_eq!((net.stats(NEWCOMER).ids_taken, net.stats(NEWCOMER).ids_replaced), (1, 1));
        assert!((0..20).all(|number| net.knows(number, new)), "every node lists it");
        assert!((0..20).all(|number| net.knows(NEWCOMER, net.id(number))));
        let key = net.put(NEWCOMER, "under a new id");
        net.settle();
        let holders = (0..20).filter(|&number| net.nodes[&addr(number)].holds(key)).count();
        assert!(holders >= 19, "the squatter is one of the 20 closest: {holders}");
    }
}

#[test]
fn a_node_keeps_the_id_that_it_was_given_and_says_that_it_is_taken() {
    let mut net = Net::joined(2, 20);
    let taken = Id::of_value(b"newcomer");
    squat(&mut net, taken, 20);
    net.add_with(NEWCOMER, |config| {
        (config.id, config.id_policy) = (taken, IdPolicy::Fixed);
    });
    net.join(NEWCOMER, 0);
    net.run_for(Duration::from_mins(1));
    assert_eq!(net.id(NEWCOMER), taken);
    assert!(matches!(faults(&net, NEWCOMER)[..], [(IdFault::Taken { .. }, None)]));
}

#[test]
fn a_node_that_comes_back_at_another_address_keeps_its_id() {
    let mut net = Net::joined(3, 20);
    let id = net.id(7);
    net.kill(7);
    net.add_with(NEWCOMER, |config| config.id = id);
    net.join(NEWCOMER, 0);
    net.run_for(Duration::from_mins(2));
    assert_eq!(net.id(NEWCOMER), id);
    assert_eq!(faults(&net, NEWCOMER), []);
    let contact = |number: u16| net.nodes[&addr(number)].closest(id, 1)[0];
    assert!((0..7).all(|number| contact(number) == Contact { id, addr: addr(NEWCOMER) }));
}

#[test]
fn one_liar_does_not_make_a_node_give_up_its_id() {
    let mut net = Net::joined(4, 10);
    let id = Id::of_value(b"newcomer");
    let named: &'static [Contact] =
        [NEWCOMER, SQUATTER].map(|number| Contact { id, addr: addr(number) }).to_vec().leak();
    let liar = Id::of_value(b"liar");
    net.add_puppet(
        SQUATTER,
        liar,
        Box::new(|request| match request.body {
            Body::Ping => Some(Body::Pong),
            Body::FindNode { .. } => Some(Body::Nodes(Contacts::new(named))),
            _ => None,
        }),
    );
    (0..10).for_each(|number| net.introduce(SQUATTER, number, liar));
    net.add_with(NEWCOMER, |config| config.id = id);
    net.join(NEWCOMER, 0);
    net.run_for(Duration::from_mins(30));
    assert_eq!(net.id(NEWCOMER), id);
    assert_eq!(faults(&net, NEWCOMER), []);
}

#[test]
fn a_node_that_no_neighbour_lists_says_so_and_keeps_its_id() {
    let mut net = Net::joined(5, 10);
    // It announces an address at which nothing answers.
    net.add_with(NEWCOMER, |config| config.announce = Some(addr(600)));
    let id = net.id(NEWCOMER);
    net.join(NEWCOMER, 0);
    net.run_for(Duration::from_mins(1));
    assert_eq!(net.id(NEWCOMER), id);
    assert!(matches!(faults(&net, NEWCOMER)[..], [(IdFault::Unlisted { .. }, None)]));
}

#[test]
fn both_that_claim_an_id_are_asked_by_a_lookup() {
    let mut net = Net::joined(6, 10);
    let id = Id::of_value(b"claimed");
    squat(&mut net, id, 1);
    net.introduce(SQUATTER + 1, 0, id);
    net.get(0, id);
    net.settle();
    let asked = |number| {
        net.sent.iter().any(|sent| {
            sent.from == addr(0)
                && sent.to == addr(number)
                && matches!(
                    kad_node::wire::decode(&sent.bytes).expect("no garbage").body,
                    Body::FindValue { .. }
                )
        })
    };
    assert!(asked(SQUATTER) && asked(SQUATTER + 1));
}

//! Whether a node's id is its own.

use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{Event, IdFault, IdPolicy, id_fits};
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

/// Where a node is to believe that it is, and where liars say that it is.
const OUTSIDE: [u8; 4] = [192, 0, 2, 1];
const LIE: [u8; 4] = [198, 51, 100, 1];

/// Adds a peer for each of `says`, all of which know each other, and which see every node at
/// the address that they say, and list it there. A number of 256 is in the next subnet.
fn witnesses(net: &mut Net, says: &[(u16, [u8; 4])]) {
    let name = |number: u16| Id::of_value(&number.to_be_bytes());
    let all: Vec<Contact> =
        says.iter().map(|&(number, _)| Contact { id: name(number), addr: addr(number) }).collect();
    for &(number, seen) in says {
        let seen = SocketAddr::from((seen, 9000));
        let others = all.clone();
        net.add_puppet(
            number,
            name(number),
            Box::new(move |request| match request.body {
                Body::Ping => Some(Body::Pong),
                Body::FindNode { target } => {
                    let mut named = vec![Contact { id: target, addr: seen }; 2];
                    named.extend(&others);
                    Some(Body::Nodes(Contacts::new(named.leak())))
                }
                _ => None,
            }),
        );
    }
}

#[test]
fn an_id_is_to_fit_the_address_at_which_the_peers_of_most_subnets_see_the_node() {
    for shards in [1, 3] {
        let mut net = Net::new(7);
        net.use_shards(shards, Landing::InTurn);
        // Of one subnet there are as many liars as others in all, and the node joins by one.
        let liars = (1..=4).map(|number| (0x100 + number, LIE));
        let others = (2..=4).map(|subnet| (subnet << 8, OUTSIDE));
        witnesses(&mut net, &liars.chain(others).collect::<Vec<_>>());
        net.add(0);
        net.join(0, 0x101);
        net.run_for(Duration::from_secs(10));
        let ip = OUTSIDE.into();
        let new = net.id(0);
        assert_eq!(faults(&net, 0), [(IdFault::Unfit { ip }, Some(new))]);
        assert!(id_fits(new, ip));
        net.run_for(Duration::from_mins(30));
        assert_eq!(net.id(0), new);
    }
}

#[test]
fn few_peers_are_believed_when_they_have_said_the_same_again_and_again() {
    let mut net = Net::new(8);
    witnesses(&mut net, &[(0x100, OUTSIDE), (0x200, OUTSIDE)]);
    net.add(0);
    net.join(0, 0x100);
    net.run_for(Duration::from_secs(10));
    assert_eq!(faults(&net, 0), []);
    net.run_for(Duration::from_mins(1));
    let fault = IdFault::Unfit { ip: OUTSIDE.into() };
    assert_eq!(faults(&net, 0), [(fault, Some(net.id(0)))]);

    let mut net = Net::new(8);
    witnesses(&mut net, &[(0x100, OUTSIDE), (0x200, LIE)]);
    net.add(0);
    net.join(0, 0x100);
    net.run_for(Duration::from_hours(1));
    assert_eq!(faults(&net, 0), [], "they do not agree");
}

/// Gets the value at every node but `but`, and asserts that each finds it.
fn assert_found(net: &mut Net, key: Id, text: &str, but: Option<u16>) {
    for number in (0..20).filter(|&number| Some(number) != but) {
        let get = net.get(number, key);
        net.run_for(Duration::from_secs(10));
        assert_eq!(net.found(get).as_deref(), Some(text), "at {number}");
    }
}

/// It was paused, as by SIGSTOP: it knows nothing of the time that has passed.
#[test]
fn an_id_that_was_taken_while_its_owner_was_paused_comes_back_to_it_or_is_given_up() {
    const OWNER: u16 = 7;
    for stays in [true, false] {
        let mut net = Net::joined(9, 20);
        let (id, key) = (net.id(OWNER), net.put(OWNER, "kept"));
        net.settle();
        let owner = net.nodes.remove(&addr(OWNER)).expect("a node");
        squat(&mut net, id, 0);
        for number in (0..20).filter(|&number| number != OWNER) {
            net.introduce(SQUATTER, number, id);
        }
        net.run_for(Duration::from_mins(1));
        let listed = |net: &Net, id| net.nodes[&addr(0)].closest(id, 1)[0];
        assert_eq!(listed(&net, id), Contact { id, addr: addr(SQUATTER) });
        assert_found(&mut net, key, "kept", Some(OWNER));
        if !stays {
            net.kill_puppet(SQUATTER);
        }
        net.nodes.insert(addr(OWNER), owner);
        net.run_for(Duration::from_mins(15));
        let now = net.id(OWNER);
        assert_eq!(now == id, !stays, "{:?}", faults(&net, OWNER));
        for number in (0..20).filter(|&number| number != OWNER) {
            let contact = net.nodes[&addr(number)].closest(now, 1)[0];
            assert_eq!(contact, Contact { id: now, addr: addr(OWNER) }, "at {number}");
        }
        assert_found(&mut net, key, "kept", None);
    }
}

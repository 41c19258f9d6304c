//! What a node goes on doing when it has more to do than it may at a time.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{
    ALPHA_DEFAULT, ALPHA_MAX, IN_FLIGHT_MAX, K_DEFAULT, MAINTENANCE_PACE, MAINTENANCE_QUERIES_MAX,
    OUTBOX_BYTES_MAX, QUERIES_MAX, RENEWALS_MAX, REPLICATE, REPUBLISH_DEFAULT, TIMEOUT_MAX,
};
use kad_node::node::{Command, Event, OperationId, Outbox, Refusal, Trace};
use kad_node::wire::{self, Body, Contacts, Datagram, Store, Token};

use crate::datagram::{datagram, store};
use crate::net::{Net, addr};

/// As many gets as the node begins, of which none is answered yet.
fn get_all_at_once(net: &mut Net) {
    let mut outbox = Outbox::new();
    let node = net.nodes.get_mut(&addr(0)).expect("a node");
    for number in 0..=QUERIES_MAX as u64 {
        let (operation, key) = (OperationId(number), Id::of_value(&number.to_be_bytes()));
        node.handle_command(
            net.now,
            Command::Get { operation, key, trace: Trace::Off },
            &mut outbox,
        );
        outbox.clear();
    }
    assert!(
        outbox
            .take_events()
            .any(|event| matches!(event, Event::Get { outcome: Err(Refusal::Busy), .. }))
    );
}

#[test]
fn maintenance_goes_on_while_the_user_keeps_the_node_busy() {
    let mut net = Net::joined(1, 2);
    net.put(0, "kept");
    net.run_for(Duration::from_mins(1));
    // The value is due, and so is a refresh, when the user wants everything.
    net.now = net.now + REPUBLISH_DEFAULT;
    get_all_at_once(&mut net);
    let mut outbox = Outbox::new();
    let node = net.nodes.get_mut(&addr(0)).expect("a node");
    node.handle_timeout(net.now, &mut outbox);
    assert!(node.next_timeout().is_some_and(|next| next > net.now), "it does not spin");
    let before = net.stats(0).values_republished;
    net.run_for(Duration::from_secs(10));
    assert_eq!(net.stats(0).values_republished, before + 1);
}

#[test]
fn maintenance_begins_lookups_at_a_pace_however_much_is_due() {
    const VALUES: u64 = 400;
    let mut net = Net::new(4);
    // The closest node to a key is that to no other, so that each value takes a lookup.
    for number in 0..30 {
        net.add_with(number, |config| {
            config.k = 1;
            config.republish = REPLICATE / 2;
        });
        if number > 0 {
            net.join(number, 0);
        }
    }
    for number in 0..VALUES {
        net.put(0, &format!("value {number}"));
        net.settle();
    }
    assert_eq!(net.stats(0).values_published, VALUES);
    // All are due at once, and peers answer in no time.
    net.now = net.now + REPLICATE;
    let most = 1 + 1000 / MAINTENANCE_PACE.as_millis() as u64;
    let before = net.stats(0);
    for _ in 0..10 {
        let started = net.stats(0).lookups_started;
        net.run_for(Duration::from_secs(1));
        let started = net.stats(0).lookups_started - started;
        assert!(started <= most, "{started} lookups in a second");
        assert!(started + 2 >= most, "{started} lookups in a second: the pace is what bounds them");
    }
    net.run_for(Duration::from_secs(VALUES / most + 10));
    assert!(net.stats(0).values_republished >= before.values_republished + VALUES * 9 / 10);
}

#[test]
fn replicas_that_are_due_at_once_are_renewed_in_one_round_without_lookups() {
    const REPLICAS: u64 = 400;
    let mut net = Net::joined(4, 30);
    replicate_to(&mut net, 0, REPLICAS);
    assert_eq!(net.stats(0).values, REPLICAS);
    net.now = net.now + REPLICATE * 2;
    let before = net.stats(0);
    net.run_for(Duration::from_secs(10));
    let after = net.stats(0);
    assert_eq!(after.values_replicated - before.values_replicated, REPLICAS);
    let lookups = after.lookups_started - before.lookups_started;
    assert!(lookups <= 20, "{lookups} lookups, all of them refreshes");
    let renews = after.renews_sent - before.renews_sent;
    assert!(renews <= 29 * REPLICAS.div_ceil(RENEWALS_MAX as u64), "{renews} RENEWs");
    // The peer has stored each on this node alone.
    let supplied = after.values_supplied - before.values_supplied;
    assert_eq!(supplied, REPLICAS * K_DEFAULT as u64);
}

/// Has a peer store so many values on node `number`, to be kept alive.
fn replicate_to(net: &mut Net, number: u16, count: u64) {
    let token = ask_of(net, number, Token::NONE, Body::Ping);
    for index in 0..count {
        let value = index.to_be_bytes();
        let store = Store { life_s: 24 * 3600, ..store(&value) };
        ask_of(net, number, token, Body::Store(store));
    }
}

/// Asks node `number`, and returns the token that comes with its answer.
fn ask_of(net: &mut Net, number: u16, token: Token, body: Body<'_>) -> Token {
    let request = Datagram { token, ..datagram(9, body) };
    let replies = net.ask(addr(900), number, &request);
    wire::decode(&replies[0]).expect("nodes send no garbage").token
}

#[test]
fn a_put_that_is_refused_leaves_nothing_behind() {
    let mut net = Net::joined(2, 2);
    let known = net.put(0, "put before");
    net.settle();
    get_all_at_once(&mut net);
    let key = net.put(0, "too much");
    net.put(0, "put before");
    let refused = net
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Put { outcome: Err(Refusal::Busy), .. }));
    assert_eq!(refused.count(), 2);
    assert!(!net.nodes[&addr(0)].holds(key));
    assert_eq!(net.stats(0).values_published, 1);
    assert!(net.nodes[&addr(0)].holds(known), "what was put before stays");
}

/// A node that knows `count` peers, which answer all but STOREs.
fn among_forgetful_peers(count: u16) -> Net {
    among_forgetful_peers_with(count, ALPHA_DEFAULT)
}

/// The same, with `alpha` of them asked at a time.
fn among_forgetful_peers_with(count: u16, alpha: usize) -> Net {
    let mut net = Net::new(3);
    net.add_with(0, |config| config.alpha = alpha);
    for number in 1..=count {
        let answer = |body: &Body<'_>| match body {
            Body::Ping => Some(Body::Pong),
            Body::FindNode { .. } => Some(Body::Nodes(Contacts::new(&[]))),
            _ => None,
        };
        let id = Id::of_value(&number.to_be_bytes());
        net.add_puppet(number, id, Box::new(move |request| answer(&request.body)));
    }
    let addresses = (1..=count).map(addr).collect();
    net.command(0, Command::Bootstrap { addresses });
    net.settle();
    assert_eq!(net.stats(0).contacts, u64::from(count));
    net
}

#[test]
fn a_get_that_could_not_ask_every_candidate_does_not_call_the_value_absent() {
    // More than K, so that there are others to ask when those fail.
    let mut net = among_forgetful_peers_with(30, ALPHA_MAX);
    let gets = QUERIES_MAX - MAINTENANCE_QUERIES_MAX;
    assert!(gets * ALPHA_MAX > IN_FLIGHT_MAX, "together they want more than may be in flight");
    for number in 0..gets as u64 {
        net.get(0, Id::of_value(&number.to_be_bytes()));
    }
    net.run_for(Duration::from_mins(1));
    let outcomes = net.events.iter().filter_map(|(_, event)| match event {
        Event::Get { outcome, .. } => Some(outcome),
        _ => None,
    });
    let (busy, absent): (Vec<_>, Vec<_>) = outcomes.partition(|outcome| outcome.is_err());
    assert_eq!(busy.len() + absent.len(), gets);
    assert!(busy.iter().all(|outcome| matches!(outcome, Err(Refusal::Busy))));
    // The first gets had their requests in flight, the last had none.
    assert!(busy.len() >= gets - IN_FLIGHT_MAX / ALPHA_MAX, "{} were busy", busy.len());
    assert_eq!(net.stats(0).lookups_seeded_again, 0, "no other node could be asked either");
}

#[test]
fn what_is_overdue_waits_for_room_in_the_outbox() {
    let mut net = among_forgetful_peers(20);
    for number in 0..200 {
        net.put(0, &format!("{number:01100}"));
        net.settle();
    }
    let (before, mut outbox) = (net.stats(0), Outbox::new());
    assert!(before.rpcs * 1000 > OUTBOX_BYTES_MAX as u64, "{} STOREs are under way", before.rpcs);
    net.now = net.now + TIMEOUT_MAX;
    let node = net.nodes.get_mut(&addr(0)).expect("a node");
    while node.next_timeout().is_some_and(|next| next <= net.now) {
        node.handle_timeout(net.now, &mut outbox);
        outbox.clear();
    }
    let after = net.stats(0);
    assert_eq!(after.outbox_full, 0, "none is lost at home");
    assert!(after.requests_retransmitted >= before.requests_retransmitted + before.rpcs);
}

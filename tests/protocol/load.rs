//! What a node goes on doing when it has more to do than it may at a time.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{LOOKUPS_MAX, REPUBLISH_DEFAULT};
use kad_node::node::{Command, Event, OperationId, Outbox, Refusal, Trace};

use crate::net::{Net, addr};

/// As many gets as the node begins, of which none is answered yet.
fn get_all_at_once(net: &mut Net) {
    let mut outbox = Outbox::new();
    let node = net.nodes.get_mut(&addr(0)).expect("a node");
    for number in 0..=LOOKUPS_MAX as u64 {
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

//! What a node tells of its lookups and shows of its values, to those that watch it.

use std::net::IpAddr;

use kad_node::id::Id;
use kad_node::limits::{K_DEFAULT, KEYS_SHOWN_MAX, SUBNET_OVERHEAD_BYTES};
use kad_node::node::{
    Command, Event, Holding, HopAnswer, LogEvent, LogLevel, OperationId, Trace, ValuesView,
};

use crate::net::{Net, addr};

/// What node 0 has told since `from`.
fn told(net: &Net, from: usize) -> Vec<LogEvent> {
    let own = net.events[from..].iter().filter(|(at, _)| *at == addr(0));
    let told = own.filter_map(|(_, event)| match event {
        Event::Log { event, .. } => Some(*event),
        _ => None,
    });
    told.collect()
}

#[test]
fn puts_and_plain_gets_tell_each_answer_once_it_is_asked_for_and_no_longer_than_that() {
    let mut net = Net::joined(1, 40);
    let mut put_elsewhere = |number: usize| {
        let key = net.put(1, &format!("unwatched {number}"));
        net.settle();
        key
    };
    let keys: Vec<Id> = (0..20).map(&mut put_elsewhere).collect();
    let far = keys.into_iter().find(|&key| !net.nodes[&addr(0)].holds(key));
    let key = far.expect("half of the nodes hold each");
    assert!(told(&net, 0).is_empty(), "it was not asked for");

    net.command(0, Command::Log { level: LogLevel::Hops });
    let from = net.events.len();
    let put = net.put(0, "watched");
    net.settle();
    let events = told(&net, from);
    let asked = events.iter().filter(|event| {
        matches!(event, LogEvent::LookupHop { purpose: "put", target, hop, operation }
            if *target == put && hop.depth > 0 && operation.is_some()
                && matches!(hop.answer, HopAnswer::Contacts { .. }))
    });
    assert!(asked.count() >= K_DEFAULT);
    let stored = events.iter().filter(|event| {
        matches!(event, LogEvent::StoreEnded { purpose: "put", key, is_stored: true, .. }
            if *key == put)
    });
    assert_eq!(stored.count(), K_DEFAULT);

    let from = net.events.len();
    let operation = OperationId(77);
    net.command(0, Command::Get { operation, key, trace: Trace::Off });
    net.settle();
    assert!(net.found(operation).is_some());
    let found = told(&net, from).into_iter().any(|event| {
        matches!(event, LogEvent::LookupHop { purpose: "get", target, hop, .. }
            if target == key && matches!(hop.answer, HopAnswer::Value { bytes } if bytes > 9))
    });
    assert!(found);

    net.command(0, Command::Log { level: LogLevel::Off });
    let from = net.events.len();
    net.put(0, "unwatched again");
    net.settle();
    assert!(told(&net, from).is_empty());
}

/// What node `number` holds.
fn values(net: &mut Net, number: u16) -> ValuesView {
    let from = net.events.len();
    net.command(number, Command::Values { operation: OperationId(7) });
    let shards = net.events[from..].iter().filter_map(|(_, event)| match event {
        Event::Values { values, .. } => Some((**values).clone()),
        _ => None,
    });
    ValuesView::merged(shards)
}

#[test]
fn the_values_of_a_node_are_shown_by_kind_and_by_source() {
    let mut net = Net::joined(2, 3);
    let key = net.put(0, "put at 0");
    net.put(1, "put at 1");
    net.settle();
    let view = values(&mut net, 0);
    assert_eq!((view.published, view.replicas, view.cached), (1, 1, 0));
    assert!(view.keys.contains(&(key, Holding::Published)));
    assert_eq!(view.keys.len(), 2);
    let [source] = view.sources[..] else { panic!("one source: {view:?}") };
    assert_eq!(source.source, Some(addr(1).ip()));
    assert_eq!((source.values, source.bytes + SUBNET_OVERHEAD_BYTES as u64), (1, view.bytes));
    assert!(view.bytes > 8 && view.bytes < view.bytes_max);

    // A get leaves a copy, of this node's own.
    net.add(9);
    net.join(9, 0);
    net.get(9, key);
    net.settle();
    let view = values(&mut net, 9);
    assert_eq!((view.published, view.replicas, view.cached), (0, 0, 1), "{view:?}");
    assert_eq!(view.sources[0].source, None::<IpAddr>);
}

#[test]
fn a_node_that_holds_much_shows_a_bounded_part() {
    let mut net = Net::joined(3, 2);
    for number in 0..2 * KEYS_SHOWN_MAX {
        net.put(0, &format!("many {number}"));
        net.settle();
    }
    let view = values(&mut net, 1);
    assert_eq!(view.replicas, 2 * KEYS_SHOWN_MAX as u64);
    assert_eq!(view.keys.len(), KEYS_SHOWN_MAX);
}

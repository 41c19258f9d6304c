//! Values larger than one datagram: put, found, republished and handed off whole.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{
    K_DEFAULT, PIECE_BYTES_MAX, RANGE_PIECES_MAX, VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX,
};
use kad_node::node::{Command, Event, HopAnswer, KeyedValue, OperationId, Refusal, Stored, Trace};
use kad_node::wire::{Body, Contacts, Datagram, Range, Value};

use crate::net::{Net, addr};
use crate::sharded::Landing;

/// A value of `bytes` bytes in which no piece is like another.
pub(crate) fn value_of(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

pub(crate) fn put(net: &mut Net, number: u16, operation: u64, value: &[u8]) -> Id {
    let value = KeyedValue::new(value);
    let (key, operation) = (value.key(), OperationId(operation));
    net.command(number, Command::Put { operation, value });
    key
}

pub(crate) fn stored(net: &Net, operation: u64) -> Option<Stored> {
    net.answers(OperationId(operation)).find_map(|event| match event {
        Event::Put { outcome, .. } => Some(outcome.expect("it is carried out")),
        _ => None,
    })
}

pub(crate) fn get(net: &mut Net, number: u16, operation: u64, key: Id) {
    let operation = OperationId(operation);
    net.command(number, Command::Get { operation, key, trace: Trace::Hops });
}

/// What a get has come to: the value, none, or why not.
pub(crate) fn got(net: &Net, operation: u64) -> Option<Result<Option<Vec<u8>>, Refusal>> {
    net.answers(OperationId(operation)).find_map(|event| match event {
        Event::Get { outcome, .. } => {
            Some(outcome.clone().map(|found| found.map(|found| found.value.to_vec())))
        }
        _ => None,
    })
}

/// `count` nodes that take values of any size.
fn joined(seed: u64, count: u16) -> Net {
    let mut net = Net::new(seed);
    for number in 0..count {
        net.add_with(number, |config| config.value_bytes_max = VALUE_BYTES_MAX);
        if number > 0 {
            net.join(number, 0);
        }
    }
    net.run_for(Duration::from_secs(30));
    net
}

#[test]
fn a_large_value_that_is_put_twice_at_once_ends_both_puts() {
    let mut net = joined(2, 30);
    let value = value_of(RANGE_PIECES_MAX * PIECE_BYTES_MAX);
    put(&mut net, 3, 1, &value);
    put(&mut net, 3, 2, &value);
    net.run_for(Duration::from_secs(30));
    for operation in [1, 2] {
        assert_eq!(stored(&net, operation).expect("it has ended").holders, K_DEFAULT);
    }
}

#[test]
fn a_value_of_any_size_is_put_and_found_byte_for_byte() {
    let mut net = joined(1, 30);
    let sizes = [
        PIECE_BYTES_MAX,
        PIECE_BYTES_MAX + 1,
        2 * PIECE_BYTES_MAX,
        RANGE_PIECES_MAX * PIECE_BYTES_MAX,
        RANGE_PIECES_MAX * PIECE_BYTES_MAX + 1,
        (RANGE_PIECES_MAX + 1) * PIECE_BYTES_MAX + 1,
        VALUE_BYTES_DEFAULT,
    ];
    for (operation, bytes) in (1000..).step_by(2).zip(sizes) {
        let value = value_of(bytes);
        let key = put(&mut net, 3, operation, &value);
        net.run_for(Duration::from_secs(1));
        let stored = stored(&net, operation).expect("the put has ended");
        assert_eq!((stored.holders, stored.asked), (K_DEFAULT, K_DEFAULT), "{bytes} bytes");
        let reader = (0..30).find(|&number| !net.nodes[&addr(number)].holds(key));
        let reader = reader.expect("20 of 30 hold it");
        get(&mut net, reader, operation + 1, key);
        net.run_for(Duration::from_secs(1));
        assert_eq!(got(&net, operation + 1), Some(Ok(Some(value))), "{bytes} bytes");
    }
    assert_eq!(net.stats(3).values_mismatched, 0);
}

#[test]
fn the_largest_value_is_put_and_found() {
    let mut net = joined(2, 4);
    let value = value_of(VALUE_BYTES_MAX);
    let key = put(&mut net, 0, 900, &value);
    net.run_for(Duration::from_secs(5));
    assert_eq!(stored(&net, 900).map(|stored| stored.holders), Some(3));
    net.add_with(9, |config| config.value_bytes_max = VALUE_BYTES_MAX);
    net.join(9, 0);
    get(&mut net, 9, 901, key);
    net.run_for(Duration::from_secs(5));
    assert!(got(&net, 901) == Some(Ok(Some(value))), "the bytes are those that were put");
}

#[test]
fn every_shard_pulls_what_it_owns_wherever_datagrams_land() {
    for landing in [Landing::Steered, Landing::InTurn] {
        let mut net = Net::new(3);
        net.use_shards(4, landing);
        net.populate(25);
        for operation in 500..510 {
            let value = value_of(60_000 + operation as usize);
            let key = put(&mut net, 1, operation, &value);
            net.run_for(Duration::from_secs(2));
            let stored = stored(&net, operation).expect("the put has ended");
            assert_eq!(stored.holders, K_DEFAULT, "{landing:?}");
            get(&mut net, 24, operation + 100, key);
            net.run_for(Duration::from_secs(2));
            assert_eq!(got(&net, operation + 100), Some(Ok(Some(value))), "{landing:?}");
        }
    }
}

#[test]
fn a_node_that_holds_a_value_is_not_sent_it_again() {
    let mut net = Net::joined(4, 25);
    let key = put(&mut net, 0, 700, &value_of(300_000));
    net.run_for(Duration::from_secs(2));
    let pulled = |net: &Net| (0..25).map(|number| net.stats(number).pieces_received).sum::<u64>();
    let before = pulled(&net);
    assert!(before >= 264 * K_DEFAULT as u64);
    net.run_for(Duration::from_mins(70));
    assert!(net.stats(0).values_republished >= 1);
    assert_eq!(pulled(&net), before, "all K have it already");
    assert!((0..25).filter(|&number| net.nodes[&addr(number)].holds(key)).count() >= K_DEFAULT);
}

#[test]
fn a_departing_node_hands_large_values_off() {
    let mut net = Net::joined(5, 3);
    let key = put(&mut net, 0, 700, &value_of(200_000));
    net.run_for(Duration::from_secs(2));
    for number in 3..8 {
        net.add(number);
        net.join(number, 1);
    }
    net.run_for(Duration::from_secs(30));
    net.command(0, Command::Depart { operation: OperationId(1) });
    net.run_for(Duration::from_secs(5));
    assert!(
        net.events.iter().any(|(_, event)| {
            matches!(event, Event::Departed { handed_off: 1, failed: 0, .. })
        })
    );
    assert!((1..8).all(|number| net.nodes[&addr(number)].holds(key)));
}

/// Adds a holder of `value` whose pieces `change` may alter, close to the value's key. Returns
/// the pieces that it was asked for.
pub(crate) fn add_holder(
    net: &mut Net,
    number: u16,
    value: Vec<u8>,
    change: impl Fn(usize, &mut [u8]) + 'static,
) -> Rc<RefCell<BTreeSet<usize>>> {
    let key = Id::of_value(&value);
    let mut id = key.to_bytes();
    id[19] ^= number as u8;
    let asked = Rc::new(RefCell::new(BTreeSet::new()));
    let seen = Rc::clone(&asked);
    let piece = move |offset: usize| {
        seen.borrow_mut().insert(offset / PIECE_BYTES_MAX);
        let end = (offset + PIECE_BYTES_MAX).min(value.len());
        let mut bytes = value[offset..end].to_vec();
        change(offset / PIECE_BYTES_MAX, &mut bytes);
        let (offset, total) = (offset as u32, value.len() as u32);
        Body::Value(Value { offset, total, life_s: 60, value: bytes.leak() })
    };
    let answer = move |request: &Datagram<'_>| match request.body {
        Body::Ping => vec![Body::Pong],
        Body::FindValue { key: wanted, .. } if wanted == key => vec![piece(0)],
        Body::FindRange(Range { offset, length, .. }) => {
            let end = (offset + length) as usize;
            (offset as usize..end).step_by(PIECE_BYTES_MAX).map(&piece).collect()
        }
        Body::Store(_) => vec![],
        _ => vec![Body::Nodes(Contacts::new(&[]))],
    };
    net.add_puppet_of_many(number, Id::new(id), Box::new(answer));
    asked
}

/// A node 0 that knows holders, and gets the value of `key` from them.
fn get_of_holders(net: &mut Net, holders: &[u16], key: Id) {
    for &number in holders {
        net.join(0, number);
    }
    get(net, 0, 50, key);
    net.run_for(Duration::from_mins(2));
}

#[test]
fn a_liar_in_the_last_piece_costs_only_time_and_is_named() {
    let value = value_of(400_000);
    let key = Id::of_value(&value);
    let last = value.len() / PIECE_BYTES_MAX;
    for honest in [1, 3] {
        let mut net = Net::new(6);
        net.add(0);
        let lie = move |piece: usize, bytes: &mut [u8]| bytes[0] ^= u8::from(piece == last);
        // The liars are closer to the key.
        for number in 1..=2 {
            add_holder(&mut net, number, value.clone(), lie);
        }
        let honest: Vec<u16> = (10..10 + honest).collect();
        for &number in &honest {
            add_holder(&mut net, number, value.clone(), |_, _| {});
        }
        let all = [&[1, 2], &honest[..]].concat();
        get_of_holders(&mut net, &all, key);
        assert_eq!(got(&net, 50), Some(Ok(Some(value.clone()))));
        let named = net.answers(OperationId(50)).filter(
            |event| matches!(event, Event::Hop { hop, .. } if hop.answer == HopAnswer::WrongValue),
        );
        assert!(named.count() <= 2);
    }
}

#[test]
fn where_all_holders_lie_there_is_no_value() {
    let value = value_of(50_000);
    let key = Id::of_value(&value);
    let mut net = Net::new(7);
    net.add(0);
    for number in 1..=3 {
        add_holder(&mut net, number, value.clone(), |piece, bytes| {
            bytes[9] ^= u8::from(piece == 7);
        });
    }
    get_of_holders(&mut net, &[1, 2, 3], key);
    assert_eq!(got(&net, 50), Some(Ok(None)));
    let named = net.answers(OperationId(50)).filter(
        |event| matches!(event, Event::Hop { hop, .. } if hop.answer == HopAnswer::WrongValue),
    );
    assert_eq!(named.count(), 3, "each lies by itself");
    assert!(net.stats(0).values_mismatched >= 3);
    assert_eq!(net.stats(0).transfers, 0);
}

#[test]
fn a_large_value_comes_from_several_holders_at_once() {
    let value = value_of(900_000);
    let key = Id::of_value(&value);
    let mut net = Net::new(8);
    net.add(0);
    let asked: Vec<_> =
        (1..=4).map(|number| add_holder(&mut net, number, value.clone(), |_, _| {})).collect();
    get_of_holders(&mut net, &[1, 2, 3, 4], key);
    assert_eq!(got(&net, 50), Some(Ok(Some(value))));
    for asked in asked {
        assert!(asked.borrow().len() > 50, "{} pieces", asked.borrow().len());
    }
}

//! Values larger than one datagram: over paths that are slow, or seem so, and from holders
//! that send next to nothing.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{FETCH_CHECK, PIECE_BYTES_MAX};
use kad_node::node::{Event, OperationId, Refusal};
use kad_node::rng::Rng;
use kad_node::wire::{self, Body, Contacts, Datagram, Range};

use crate::datagram::datagram;
use crate::large::{add_holder, get, got, put, stored, value_of};
use crate::net::{Flying, Net, addr};

/// How long a get took.
fn elapsed(net: &Net, operation: u64) -> Option<Duration> {
    net.answers(OperationId(operation)).find_map(|event| match event {
        Event::Get { elapsed, .. } => Some(*elapsed),
        _ => None,
    })
}

/// How long a get of 1 MiB takes where a datagram is under way for `delay_ms`, and up to
/// `jitter_ms` more.
fn get_over(delay_ms: u64, jitter_ms: u64, seed: u64) -> Duration {
    let mut net = Net::joined(1, 2);
    let value = value_of(1 << 20);
    net.add_with(9, |config| config.store_bytes_max = 0);
    let key = put(&mut net, 0, 900, &value);
    net.run_for(Duration::from_secs(2));
    net.kill(1);
    net.join(9, 0);
    let mut rng = Rng::from_u64(seed);
    net.use_delay(move |_, _| {
        Duration::from_micros(delay_ms * 1000 + rng.below(jitter_ms * 1000 + 1))
    });
    get(&mut net, 9, 901, key);
    net.run_for(Duration::from_mins(3));
    assert!(got(&net, 901) == Some(Ok(Some(value))), "it is found");
    elapsed(&net, 901).expect("it has ended")
}

#[test]
fn a_get_takes_as_long_over_a_path_with_jitter_as_over_one_without() {
    let steady = get_over(80, 0, 0);
    for seed in 0..12 {
        let jittery = get_over(30, 100, seed);
        assert!(jittery < steady * 3 / 2, "{jittery:?} with seed {seed}, {steady:?} without");
    }
}

/// Has some nodes take so long to answer, and the pieces that they send come one after
/// another. The others offer the value later still, so that they are not the first to be asked.
fn drip(net: &mut Net, nodes: Vec<u16>, each: Duration) {
    let mut latest = vec![net.now; nodes.len()];
    net.use_delay(move |now, datagram: &Flying| {
        let body = wire::decode(&datagram.bytes).expect("nodes send no garbage").body;
        let is_offer = matches!(body, Body::Value(value) if value.offset == 0);
        let is_piece = matches!(body, Body::Value(value) if value.offset > 0);
        let Some(place) = nodes.iter().position(|&node| addr(node) == datagram.from) else {
            return if is_offer {
                each + Duration::from_millis(200)
            } else {
                Duration::from_millis(10)
            };
        };
        if !is_piece {
            return each;
        }
        latest[place] = latest[place].max(now) + each;
        latest[place].since(now)
    });
}

#[test]
fn a_holder_that_sends_a_piece_each_second_gives_way_to_others() {
    // With less than is pulled from several holders, too.
    for bytes in [100_000, 1 << 20] {
        let value = value_of(bytes);
        let key = Id::of_value(&value);
        let mut net = Net::new(2);
        net.add(0);
        // The slow ones are closer to the key, and as many as a value is pulled from.
        let slow = vec![1, 2, 3, 4];
        for &number in &slow {
            add_holder(&mut net, number, value.clone(), |_, _| {});
        }
        for number in [200, 201] {
            add_holder(&mut net, number, value.clone(), |_, _| {});
        }
        for number in [1, 2, 3, 4, 200, 201] {
            net.join(0, number);
        }
        drip(&mut net, slow, Duration::from_secs(1));
        get(&mut net, 0, 50, key);
        net.run_for(Duration::from_mins(5));
        assert!(got(&net, 50) == Some(Ok(Some(value))), "{bytes} bytes are found");
        let elapsed = elapsed(&net, 50).expect("it has ended");
        assert!(elapsed < FETCH_CHECK * 2, "{elapsed:?} for {bytes} bytes");
    }
}

#[test]
fn a_get_from_a_holder_that_sends_a_piece_each_second_alone_ends_with_a_reason() {
    let value = value_of(1 << 20);
    let (key, bytes) = (Id::of_value(&value), value.len());
    let mut net = Net::new(3);
    net.add(0);
    add_holder(&mut net, 1, value, |_, _| {});
    net.join(0, 1);
    drip(&mut net, vec![1], Duration::from_secs(1));
    get(&mut net, 0, 50, key);
    net.run_for(FETCH_CHECK * 2);
    assert_eq!(got(&net, 50), Some(Err(Refusal::Unfinished { bytes })));
    assert_eq!((net.stats(0).transfers, net.stats(0).sources_given_up), (0, 1));
}

#[test]
fn a_holder_that_pulls_a_piece_now_and_then_does_not_hold_a_put() {
    let mut net = Net::new(4);
    net.add(0);
    let answer = |request: &Datagram<'_>| {
        Some(match request.body {
            Body::Ping => Body::Pong,
            Body::Store(_) => Body::Pending,
            _ => Body::Nodes(Contacts::new(&[])),
        })
    };
    net.add_puppet(1, Id::of_value(b"slow"), Box::new(answer));
    net.join(0, 1);
    let pong = &net.ask(addr(1), 0, &datagram(1, Body::Ping))[0];
    let token = wire::decode(pong).expect("a PONG").token;
    let key = put(&mut net, 0, 900, &value_of(1 << 20));
    for second in 0..60 {
        let range = Range { key, offset: second * PIECE_BYTES_MAX as u32, length: 1 };
        net.ask(addr(1), 0, &Datagram { token, ..datagram(2, Body::FindRange(range)) });
        net.run_for(Duration::from_secs(1));
    }
    assert_eq!(stored(&net, 900).map(|stored| (stored.holders, stored.asked)), Some((0, 1)));
    assert_eq!(net.stats(0).uploads, 0);
}

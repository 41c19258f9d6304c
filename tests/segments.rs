//! Tests of segmented messages (GSO, GRO): datagrams that pass the kernel as one message
//! give the same result as datagrams sent one by one.
#![cfg(feature = "std")]

#[macro_use]
mod harness;
#[path = "harness/seccomp.rs"]
mod seccomp;

use std::net::UdpSocket;

use kad_node::driver::{
    Coalescing, DriverStats, IoChoice, Running, Settings, ShardStats, Steering, start,
};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::Stats;
use kad_node::wire::Body;

use harness::{connected, number_of, receive, sharded, split_into, stats_when};
use seccomp::without_option;

/// Segments of one message: as many as every kernel accepts.
const SEGMENTS: u64 = 64;

/// Request number `number`: a `FIND_VALUE` for a key that any shard may own.
fn request(number: u64) -> Vec<u8> {
    let key = Id::of_value(&number.to_be_bytes());
    harness::request(number, Body::FindValue { key, offset: 0 })
}

/// A peer that sends segmented messages and receives single datagrams.
struct Peer {
    socket: UdpSocket,
}

impl Peer {
    fn new(node: &Running) -> Self {
        Self { socket: connected("127.0.0.1", node.address()) }
    }

    /// Sends these datagrams as one message. All but the last are of equal length.
    fn send(&self, datagrams: &[Vec<u8>]) {
        split_into(&self.socket, datagrams[0].len());
        let message = datagrams.concat();
        assert_eq!(self.socket.send(&message).expect("loopback takes it"), message.len());
    }

    /// Asserts that each request of these numbers is answered once.
    fn assert_answered(&self, mut missing: Vec<u64>) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while !missing.is_empty() {
            let answer = receive(&self.socket, &mut buffer);
            assert!(matches!(answer.body, Body::Nodes(_)), "{:?}", answer.body);
            let number = number_of(&answer);
            let index = missing.iter().position(|one| *one == number);
            missing.swap_remove(index.expect("each is answered once"));
        }
    }

    /// Sends `count` messages of requests, each when all of the previous are answered.
    fn exchange(&self, count: u64) {
        for message in 0..count {
            let numbers = message * SEGMENTS..(message + 1) * SEGMENTS;
            self.send(&numbers.clone().map(request).collect::<Vec<_>>());
            self.assert_answered(numbers.collect());
        }
    }
}

fn node(io: IoChoice, shards: usize, steering: Steering, coalescing: Coalescing) -> Running {
    start(Settings { coalescing, ..sharded(io, "127.0.0.1:0", shards, steering) })
        .expect("loopback is there")
}

/// Whether the driver receives segmented messages whole: the library under `tokio-uring`
/// does not support control messages.
fn receives_segments(io: IoChoice) -> bool {
    io != IoChoice::TokioUring
}

fn stopped(node: Running) -> (Stats, DriverStats) {
    let ShardStats { node, driver, .. } = node.stop().expect("it stops").total();
    (node, driver)
}

for_each_driver! {
    fn every_segment_is_answered_and_the_answers_leave_as_one_message(io: IoChoice) {
        let node = node(io, 1, Steering::Off, Coalescing::On);
        Peer::new(&node).exchange(100);
        let (node, driver) = stopped(node);
        let received = (driver.segmented_received, driver.segments_received);
        assert_eq!(received, if receives_segments(io) { (100, 100 * SEGMENTS) } else { (0, 0) });
        if receives_segments(io) {
            assert_eq!((driver.segmented_sent, driver.segments_sent), (100, 100 * SEGMENTS));
        }
        assert_eq!(driver.datagrams_received, 100 * SEGMENTS);
        assert_eq!(driver.datagrams_sent, 100 * SEGMENTS);
        assert_eq!((driver.segmented_refused, node.datagrams_received), (0, 100 * SEGMENTS));
    }

    /// A message lands whole on the shard that owns its first segment.
    fn segments_for_other_shards_are_passed_on_and_none_is_lost(io: IoChoice) {
        for (shards, steering) in
            [(2, Steering::Kernel), (4, Steering::Kernel), (8, Steering::Off)]
        {
            let node = node(io, shards, steering, Coalescing::On);
            Peer::new(&node).exchange(100);
            let (node, driver) = stopped(node);
            // With two shards about half of the segments are for the other.
            let foreign = node.datagrams_missteered;
            assert!(foreign > 100 * SEGMENTS / 4, "{foreign} were foreign");
            assert_eq!((driver.handoffs_sent, node.handoffs_received), (foreign, foreign));
            assert_eq!((driver.handoffs_dropped, driver.kernel_drops), (0, 0));
        }
    }

    fn without_coalescing_datagrams_go_one_by_one(io: IoChoice) {
        let node = node(io, 1, Steering::Off, Coalescing::Off);
        Peer::new(&node).exchange(10);
        let (_, driver) = stopped(node);
        assert_eq!((driver.segmented_received, driver.segmented_sent), (0, 0));
        assert_eq!(driver.datagrams_received, 10 * SEGMENTS);
        assert_eq!(driver.datagrams_sent, 10 * SEGMENTS);
    }

    /// As on Linux before 5.0.
    fn without_gro_datagrams_are_received_one_by_one(io: IoChoice) {
        let start = || node(io, 1, Steering::Off, Coalescing::On);
        let node = without_option(libc::UDP_GRO, start);
        Peer::new(&node).exchange(10);
        let (_, driver) = stopped(node);
        assert_eq!((driver.segmented_received, driver.datagrams_received), (0, 10 * SEGMENTS));
    }

    /// As on Linux before 4.18, which would send the segments as one long datagram.
    fn without_gso_datagrams_are_sent_one_by_one(io: IoChoice) {
        let start = || node(io, 1, Steering::Off, Coalescing::On);
        let node = without_option(libc::UDP_SEGMENT, start);
        Peer::new(&node).exchange(10);
        let (_, driver) = stopped(node);
        assert_eq!((driver.segmented_sent, driver.segmented_refused), (0, 0));
        assert_eq!(driver.datagrams_sent, 10 * SEGMENTS);
        assert_eq!(driver.segmented_received, if receives_segments(io) { 10 } else { 0 });
    }

    fn garbage_does_not_affect_other_segments_of_its_message(io: IoChoice) {
        let node = node(io, 1, Steering::Off, Coalescing::On);
        let peer = Peer::new(&node);
        let whole = request(1);
        let (garbage, runt) = (vec![0xff; whole.len()], whole[..10].to_vec());
        // Only the last segment may be shorter than the others.
        peer.send(&[garbage.clone(), whole, garbage, request(2), runt]);
        peer.assert_answered(vec![1, 2]);
        // Datagrams of one byte, and datagrams that are too long.
        peer.send(&vec![vec![request(1)[0]]; SEGMENTS as usize]);
        peer.send(&vec![vec![7; 2 * DATAGRAM_BYTES_MAX]; 10]);
        let (node, driver) =
            stats_when(&node, |node, _| node.datagrams_oversized == 10);
        assert_eq!((node.datagrams_foreign, node.datagrams_truncated), (2, 1 + SEGMENTS));
        assert_eq!((driver.receives_truncated, driver.datagrams_sent), (10, 2));
        assert_eq!(driver.segmented_received, if receives_segments(io) { 3 } else { 0 });
    }
}

//! The ways in which a multishot receive ends, on real rings that are far too
//! small.

use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::ops::Range;
use std::time::Instant;

use super::ring::Sizes;
use super::*;
use crate::driver::bell::Alarm;
use crate::handoff::{Waiter, Wake, waker};

/// Time in which what has been sent over loopback has long arrived: it has
/// arrived when the sender's system call returns.
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

/// Longest wait for what must come: only a failing test ever waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    uring: Uring,
    alarm: Alarm,
    waiter: Waiter,
    peer: StdSocket,
}

impl Rig {
    fn new(sizes: Sizes) -> Self {
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let socket = UdpSocket::bind(listen).expect("loopback is there");
        let peer = StdSocket::bind(listen).expect("loopback is there");
        peer.connect(socket.address()).expect("no packet is sent");
        let (waiter, waker) = waker();
        let alarm = Alarm { waker, bell: Arc::new(Bell::new().expect("an eventfd")) };
        let ring = Ring::open(sizes, BUFFER_BYTES).expect("this kernel gives rings");
        let uring = Uring::new(ring, socket, Arc::clone(&alarm.bell));
        Self { uring, alarm, waiter, peer }
    }

    /// Sends datagrams of these numbers.
    fn send(&self, numbers: Range<u32>) {
        for number in numbers {
            self.peer.send(&number.to_be_bytes()).expect("loopback takes it");
        }
    }

    /// What one turn brings: the datagrams' numbers, none for an empty one.
    fn turn(&mut self, timeout: Option<Duration>) -> Vec<Option<u32>> {
        let mut numbers = Vec::new();
        self.uring.wait(timeout).expect("the ring is sound");
        while self.uring.advance().expect("the socket is sound") == Advance::Datagram {
            let (source, bytes) = self.uring.datagram();
            assert_eq!(Some(source), self.peer.local_addr().ok());
            numbers.push(bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)));
        }
        numbers
    }

    /// Takes turns until datagrams of these numbers have come, in order.
    fn assert_received(&mut self, numbers: Range<u32>) {
        let mut expected = numbers.clone();
        // A turn that brings nothing re-arms at least, so two bring something.
        for _ in 0..=2 * numbers.len() {
            for number in self.turn(AT_ONCE) {
                assert_eq!(number, expected.next(), "in the order in which they were sent");
            }
            if expected.is_empty() {
                return;
            }
        }
        panic!("{expected:?} never came: {:?}", self.uring.stats);
    }
}

#[test]
fn every_datagram_comes_though_the_buffers_run_out() {
    let mut rig = Rig::new(Sizes { buffers: 4, completions: 64 });
    for round in 0..20 {
        let numbers = round * 50..(round + 1) * 50;
        rig.send(numbers.clone());
        rig.assert_received(numbers);
    }
    let stats = rig.uring.stats;
    assert!(stats.buffers_exhausted >= 20, "{stats:?}");
    assert!(stats.receives_rearmed >= stats.buffers_exhausted, "{stats:?}");
    assert_eq!(stats.receives_failed, 0, "to run out of buffers is no failure");
}

#[test]
fn every_datagram_comes_though_the_completions_overflow() {
    let mut rig = Rig::new(Sizes { buffers: 64, completions: 8 });
    for round in 0..20 {
        let numbers = round * 60..(round + 1) * 60;
        rig.send(numbers.clone());
        rig.assert_received(numbers);
    }
    let stats = rig.uring.stats;
    assert!(stats.receives_rearmed >= 20, "{stats:?}");
    assert_eq!(stats.buffers_exhausted, 0, "there were enough of them");
    assert!(stats.completions_overflowed > 0, "{stats:?}");
}

#[test]
fn the_receive_is_begun_again_after_a_zero_length_datagram() {
    let mut rig = Rig::new(Sizes::SHARD);
    assert_eq!(rig.turn(AT_ONCE), []);
    for number in 0..10 {
        rig.peer.send(&[]).expect("loopback takes it");
        rig.send(number..number + 1);
        let mut received = rig.turn(AT_ONCE);
        received.extend(rig.turn(AT_ONCE));
        assert_eq!(received, [None, Some(number)]);
        assert_eq!(rig.uring.stats.receives_rearmed, u64::from(number) + 1);
    }
}

#[test]
fn buffers_come_back_however_many_datagrams_there_were() {
    let mut rig = Rig::new(Sizes { buffers: 8, completions: 64 });
    // The tail of the ring of buffers wraps around at 65 536.
    for number in 0..70_000 {
        rig.send(number..number + 1);
        rig.assert_received(number..number + 1);
    }
    assert_eq!(rig.uring.stats.receives_rearmed, 0, "{:?}", rig.uring.stats);
}

#[test]
fn the_bell_ends_a_wait_each_time() {
    let mut rig = Rig::new(Sizes::SHARD);
    for round in 1..=100 {
        assert!(rig.waiter.begin_wait(|| true));
        assert_eq!(rig.alarm.raise(), Wake::Needed);
        assert_eq!(rig.alarm.raise(), Wake::NotNeeded);
        let begun = Instant::now();
        assert_eq!(rig.turn(Some(PATIENCE)), []);
        assert!(begun.elapsed() < PATIENCE, "the bell was not heard");
        rig.waiter.end_wait();
        assert_eq!(rig.uring.stats.wakes_received, round);
    }
}

#[test]
fn a_turn_costs_one_enter() {
    let mut rig = Rig::new(Sizes::SHARD);
    assert_eq!(rig.turn(AT_ONCE), []);
    rig.send(0..300);
    assert_eq!(rig.turn(None).len(), 300);
    assert_eq!(rig.uring.stats.waits, 2);
}

#[test]
fn a_ring_is_dropped_while_datagrams_arrive() {
    for _ in 0..50 {
        let mut rig = Rig::new(Sizes { buffers: 64, completions: 64 });
        assert_eq!(rig.turn(AT_ONCE), []);
        rig.send(0..10);
        let Rig { uring, peer, .. } = rig;
        drop(uring);
        // Nobody is there any more, and nobody's memory is written.
        let _ = peer.send(&[1; 100]);
    }
}

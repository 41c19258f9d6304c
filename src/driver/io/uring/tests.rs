//! The ways in which a multishot receive ends, on real rings that are far too
//! small.

use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::ops::Range;
use std::time::Instant;

use super::ring::Sizes;
use super::*;
use crate::driver::bind::SOCKET_BUFFERS;
use crate::driver::mailbox::wake::WakeHandle;
use crate::handoff::{Waiter, Wake, waker};

/// No wait: what is there is taken.
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

/// Longest wait for what must come: only a failing test ever waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    uring: Uring,
    wake_handle: WakeHandle,
    waiter: Waiter,
    peer: StdSocket,
}

impl Rig {
    fn new(sizes: Sizes) -> Self {
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let socket = UdpSocket::bind(listen, SOCKET_BUFFERS).expect("loopback is there");
        let peer = StdSocket::bind(listen).expect("loopback is there");
        peer.connect(socket.address()).expect("no packet is sent");
        let (waiter, waker) = waker();
        let wake_handle =
            WakeHandle { waker, wake_fd: Arc::new(WakeFd::new().expect("an eventfd")) };
        let buffer = socket.coalesce_receives(Coalescing::On);
        let ring = Ring::open(sizes, payload_offset(socket.control_bytes()) + buffer.bytes());
        let ring = ring.expect("this kernel gives rings");
        let uring = Uring::new(ring, socket, Arc::clone(&wake_handle.wake_fd), Coalescing::On);
        Self { uring, wake_handle, waiter, peer }
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
        while self.uring.advance().expect("the socket is sound") {
            let (source, bytes) = self.uring.datagram();
            assert_eq!(Some(source), self.peer.local_addr().ok());
            numbers.push(bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)));
        }
        numbers
    }

    /// Takes turns until datagrams of these numbers have come, in order.
    ///
    /// What is sent over loopback has mostly arrived when the sender's system call
    /// returns. On a busy machine the kernel may leave it to a thread of its own, so
    /// that turns may find nothing for a while.
    fn assert_received(&mut self, mut expected: Range<u32>) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            for number in self.turn(AT_ONCE) {
                assert_eq!(number, expected.next(), "in the order in which they were sent");
            }
            if expected.is_empty() {
                return;
            }
        }
        panic!("{expected:?} never came: {:?}", self.uring.stats);
    }

    /// Sends `count` datagrams at once, and sees them come, over and over until
    /// `enough` says so: mostly all have arrived before the turn.
    fn assert_received_until(&mut self, count: u32, enough: impl Fn(&DriverStats) -> bool) {
        let begun = Instant::now();
        for round in 0.. {
            let numbers = round * count..(round + 1) * count;
            self.send(numbers.clone());
            self.assert_received(numbers);
            if enough(&self.uring.stats) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never enough: {:?}", self.uring.stats);
        }
    }
}

#[test]
fn every_datagram_comes_though_the_buffers_run_out() {
    let mut rig = Rig::new(Sizes { buffers: 4, completions: 64 });
    rig.assert_received_until(50, |stats| stats.buffers_exhausted >= 20);
    let stats = rig.uring.stats;
    assert!(stats.receives_rearmed >= stats.buffers_exhausted, "{stats:?}");
    assert_eq!(stats.receives_failed, 0, "to run out of buffers is no failure");
}

#[test]
fn every_datagram_comes_though_the_completions_overflow() {
    let mut rig = Rig::new(Sizes { buffers: 64, completions: 8 });
    rig.assert_received_until(60, |stats| {
        stats.receives_rearmed >= 20 && stats.completions_overflowed > 0
    });
    assert_eq!(rig.uring.stats.buffers_exhausted, 0, "there were enough of them");
}

#[test]
fn the_receive_is_begun_again_after_a_zero_length_datagram() {
    let mut rig = Rig::new(Sizes::SHARD);
    assert_eq!(rig.turn(AT_ONCE), []);
    for number in 0..10 {
        rig.peer.send(&[]).expect("loopback takes it");
        rig.send(number..number + 1);
        let mut received = Vec::new();
        while received.len() < 2 {
            let begun = Instant::now();
            received.extend(rig.turn(Some(PATIENCE)));
            assert!(begun.elapsed() < PATIENCE, "only {received:?} came");
        }
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
fn waking_ends_a_wait_each_time() {
    let mut rig = Rig::new(Sizes::SHARD);
    for round in 1..=100 {
        assert!(rig.waiter.begin_wait(|| true));
        assert_eq!(rig.wake_handle.wake(), Wake::Needed);
        assert_eq!(rig.wake_handle.wake(), Wake::NotNeeded);
        let begun = Instant::now();
        assert_eq!(rig.turn(Some(PATIENCE)), []);
        assert!(begun.elapsed() < PATIENCE, "it was not woken");
        rig.waiter.end_wait();
        assert_eq!(rig.uring.stats.wakes_received, round);
    }
}

#[test]
fn a_turn_costs_one_enter() {
    const COUNT: u32 = 100;
    let mut rig = Rig::new(Sizes::SHARD);
    assert_eq!(rig.turn(AT_ONCE), []);
    let begun = Instant::now();
    // Until all have arrived before the turn, as they mostly have.
    for round in 0.. {
        let numbers = round * COUNT..(round + 1) * COUNT;
        rig.send(numbers.clone());
        let before = rig.uring.stats.waits;
        let received = rig.turn(Some(PATIENCE)).len() as u32;
        assert_eq!(rig.uring.stats.waits, before + 1);
        if received == COUNT {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "no turn brings more than {received}");
        rig.assert_received(numbers.start + received..numbers.end);
    }
}

#[test]
fn a_ring_is_dropped_while_datagrams_arrive() {
    for _ in 0..50 {
        let mut rig = Rig::new(Sizes { buffers: 64, completions: 64 });
        assert_eq!(rig.turn(AT_ONCE), []);
        rig.send(0..10);
        let Rig { uring, peer, .. } = rig;
        drop(uring);
        // Nothing is there any more, and no memory is written.
        let _ = peer.send(&[1; 100]);
    }
}

#[test]
fn a_completion_that_makes_no_sense_is_counted() {
    // IORING_CQE_F_BUFFER, and buffer number 0.
    const BUFFER: u32 = 1;
    let mut rig = Rig::new(Sizes::SHARD);
    // More than a buffer holds, less than what stands before a datagram, no buffer.
    for (result, flags) in [(i32::MAX, BUFFER), (1, BUFFER), (64, 0)] {
        rig.uring.received(result, flags).expect("it passes");
        assert!(rig.uring.current.is_none());
    }
    assert_eq!(rig.uring.stats.receives_failed, 3);
}

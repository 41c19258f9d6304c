//! What the library leaves to its user: to submit, to wait for several things at
//! once, to leave nothing behind.

use std::net::UdpSocket as StdSocket;
use std::ops::Range;
use std::time::Instant as StdInstant;

use super::*;
use crate::driver::bind::SOCKET_BUFFERS;
use crate::driver::mailbox::wake::WakeHandle;
use crate::handoff::{Waiter, Wake, waker};

/// No wait: what is there is taken.
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

/// Longest wait for what must come: only a failing test ever waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Datagrams that are sent at once: more than there are receives, and few enough
/// for the smallest buffer of a socket that kernels are set up with.
const BURST: u32 = 2 * receive_pool::SIZE_MAX as u32;

struct Rig {
    tokio_uring: TokioUring,
    wake_handle: WakeHandle,
    waiter: Waiter,
    peer: StdSocket,
}

impl Rig {
    fn new(ip: &str) -> Self {
        let listen: SocketAddr = format!("{ip}:0").parse().expect("an address");
        let socket = UdpSocket::bind(listen, SOCKET_BUFFERS).expect("loopback is there");
        let peer = StdSocket::bind("127.0.0.1:0").expect("loopback is there");
        let node = SocketAddr::from(([127, 0, 0, 1], socket.address().port()));
        peer.connect(node).expect("no packet is sent");
        let (waiter, waker) = waker();
        let wake_handle =
            WakeHandle { waker, wake_fd: Arc::new(WakeFd::new().expect("an eventfd")) };
        let tokio_uring =
            TokioUring::open(socket, Arc::clone(&wake_handle.wake_fd), Coalescing::On);
        let tokio_uring = tokio_uring.expect("this kernel gives rings");
        Self { tokio_uring, wake_handle, waiter, peer }
    }

    /// Sends datagrams of these numbers.
    fn send(&self, numbers: Range<u32>) {
        for number in numbers {
            self.peer.send(&number.to_be_bytes()).expect("loopback takes it");
        }
    }

    /// What one turn brings: the datagrams' numbers.
    fn turn(&mut self, timeout: Option<Duration>) -> Vec<u32> {
        let mut numbers = Vec::new();
        self.tokio_uring.wait(timeout).expect("the ring is sound");
        while self.tokio_uring.advance().expect("the socket is sound") {
            let (source, bytes) = self.tokio_uring.datagram();
            assert_eq!(Some(source), self.peer.local_addr().ok());
            numbers.push(u32::from_be_bytes(bytes.try_into().expect("a number")));
        }
        numbers
    }

    /// Takes turns until datagrams of these numbers have come, in order.
    ///
    /// What is sent over loopback has mostly arrived when the sender's system call
    /// returns. On a busy machine the kernel may leave it to a thread of its own, so
    /// that turns without a wait may find nothing for a while.
    fn assert_received(&mut self, mut expected: Range<u32>, timeout: Option<Duration>) {
        let begun = StdInstant::now();
        while begun.elapsed() < PATIENCE {
            for number in self.turn(timeout) {
                assert_eq!(Some(number), expected.next(), "in the order in which they were sent");
            }
            if expected.is_empty() {
                return;
            }
        }
        panic!("{expected:?} never came: {:?}", self.tokio_uring.stats);
    }
}

/// A busy shard asks again and again without waiting: its receives are submitted
/// all the same.
#[test]
fn every_datagram_comes_in_order_however_long_the_wait() {
    for timeout in [AT_ONCE, Some(PATIENCE), None] {
        let mut rig = Rig::new("127.0.0.1");
        for round in 0..20 {
            let numbers = round * BURST..(round + 1) * BURST;
            rig.send(numbers.clone());
            rig.assert_received(numbers, timeout);
        }
        assert_eq!(rig.tokio_uring.stats.receives_failed, 0);
    }
}

/// Datagrams of the longest turn, when shards that are behind have some of so many
/// peers that ask in turn.
fn longest_turn(peers: usize) -> u32 {
    let Rig { mut tokio_uring, peer, .. } = Rig::new("127.0.0.1");
    let bound = |_| StdSocket::bind("127.0.0.1:0").expect("loopback is there");
    let peers: Vec<_> = (0..peers).map(bound).collect();
    let node = peer.peer_addr().expect("connected");
    let mut longest = 0;
    for _ in 0..20 {
        for peer in peers.iter().cycle().take(BURST as usize) {
            peer.send_to(&[0], node).expect("loopback takes it");
        }
        let (begun, mut missing) = (StdInstant::now(), BURST);
        while missing > 0 {
            assert!(begun.elapsed() < PATIENCE, "{missing} never came: {:?}", tokio_uring.stats);
            tokio_uring.wait(AT_ONCE).expect("the ring is sound");
            let mut turn = 0;
            while tokio_uring.advance().expect("the socket is sound") {
                turn += 1;
            }
            missing -= turn;
            longest = longest.max(turn);
        }
    }
    longest
}

#[test]
fn a_turn_of_a_shard_that_is_behind_is_longer_than_the_pool_if_it_is_of_several_peers() {
    assert!(
        longest_turn(1) <= receive_pool::SIZE_MAX as u32,
        "what goes to one peer goes together"
    );
    assert!(longest_turn(2) > receive_pool::SIZE_MAX as u32);
}

#[test]
fn a_source_at_a_dual_socket_is_an_ipv4_address() {
    if StdSocket::bind("[::]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let mut rig = Rig::new("[::]");
    rig.send(0..1);
    rig.assert_received(0..1, None);
    assert!(rig.tokio_uring.current.is_none(), "its buffer was handed back");
}

#[test]
fn waking_ends_a_wait_each_time() {
    let mut rig = Rig::new("127.0.0.1");
    for round in 1..=100 {
        assert!(rig.waiter.begin_wait(|| true));
        assert_eq!(rig.wake_handle.wake(), Wake::Needed);
        assert_eq!(rig.wake_handle.wake(), Wake::NotNeeded);
        let begun = StdInstant::now();
        assert_eq!(rig.turn(Some(PATIENCE)), []);
        assert!(begun.elapsed() < PATIENCE, "it was not woken");
        rig.waiter.end_wait();
        assert_eq!(rig.tokio_uring.stats.wakes_received, round);
    }
    // It is clear again: nothing but the deadline ends this one.
    assert_eq!(rig.turn(Some(Duration::from_millis(1))), []);
    assert_eq!(rig.tokio_uring.stats.wakes_received, 100);
}

#[test]
fn a_deadline_ends_a_wait_though_a_later_one_was_set_before() {
    let mut rig = Rig::new("127.0.0.1");
    let far = PATIENCE * 3;
    rig.send(0..1);
    rig.assert_received(0..1, Some(far));
    let begun = StdInstant::now();
    for _ in 0..20 {
        assert_eq!(rig.turn(Some(Duration::from_millis(1))), []);
    }
    assert!(begun.elapsed() < PATIENCE, "the deadlines were not kept");
}

#[test]
fn a_deadline_ends_one_wait_and_no_more() {
    let mut rig = Rig::new("127.0.0.1");
    rig.send(0..1);
    rig.assert_received(0..1, Some(Duration::from_millis(1)));
    // Only the deadline can end this one.
    rig.tokio_uring.wait(Some(Duration::from_millis(1))).expect("the ring is sound");
    assert_eq!(rig.tokio_uring.timer.due, None);
    rig.send(1..2);
    rig.assert_received(1..2, None);
}

#[test]
fn no_receive_is_left_when_it_is_dropped_while_datagrams_arrive() {
    for _ in 0..50 {
        let mut rig = Rig::new("127.0.0.1");
        // So that there are many receives.
        rig.send(0..BURST);
        rig.assert_received(0..BURST, AT_ONCE);
        rig.send(BURST..BURST + 10);
        let Rig { tokio_uring, peer, .. } = rig;
        let (pool, runtime) = (tokio_uring.pool.clone(), Rc::downgrade(&tokio_uring.runtime));
        drop(tokio_uring);
        assert_eq!(pool.pending(), 0);
        assert!(runtime.upgrade().is_none(), "it was taken down");
        // Nothing is there any more, and no memory is written.
        let _ = peer.send(&[1; 100]);
    }
}

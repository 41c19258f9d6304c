//! A request over a real socket allocates nothing, from the system call that
//! brings it to the one that sends its answer: whichever thread, so that a test
//! of its own counts them all. Under `tokio-uring` the library allocates.
#![cfg(feature = "std")]
#![allow(unsafe_code)] // an allocator that counts is one

#[path = "driver/harness.rs"]
mod harness;

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};

use kad_node::driver::{IoChoice, start};
use kad_node::limits::DATAGRAM_BYTES_MAX;
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

use harness::{PATIENCE, ping, settings};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

impl Counting {
    /// Counts, but for the process's first thread: the test harness, which allocates
    /// when it likes.
    fn count() {
        // SAFETY: no arguments.
        let thread = unsafe { libc::gettid() };
        let is_first = thread.cast_unsigned() == std::process::id();
        ALLOCATIONS.fetch_add(u64::from(!is_first), Ordering::Relaxed);
    }
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promises are those that the system asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, and so from the system.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        Self::count();
        // SAFETY: `pointer` came from `alloc` above, and so from the system.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Datagrams of a train.
const TRAIN: usize = 64;

/// Sends `rounds` trains of PINGs and receives their answers, without allocating.
fn exchange(socket: &UdpSocket, train: &[u8], rounds: usize) {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    for _ in 0..rounds {
        socket.send(train).expect("loopback takes it");
        for _ in 0..TRAIN {
            socket.recv(&mut buffer).expect("an answer within the patience");
        }
    }
}

#[test]
fn a_request_allocates_nothing() {
    for io in [IoChoice::Uring, IoChoice::Mmsg] {
        let node = start(settings(io, "127.0.0.1:0")).expect("loopback is there");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
        socket.connect(node.address()).expect("no packet is sent");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let ping = ping(1);
        let length = i32::try_from(ping.len()).expect("a datagram's length");
        setsockopt(&socket, UdpGsoSegment, &length).expect("UDP_SEGMENT, since Linux 4.18");
        let train = ping.repeat(TRAIN);
        exchange(&socket, &train, 100);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        exchange(&socket, &train, 1000);
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!(allocations, 0, "{io}: in {} requests", 1000 * TRAIN);
        let driver = node.stop().expect("it was told to").total().driver;
        assert_eq!(driver.trains_sent, 1100, "the answers travelled together");
    }
}

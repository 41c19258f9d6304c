//! Tests that a request over a real socket allocates nothing, from the system call that
//! receives it to the one that sends its answer. All threads count, so this test has a
//! process of its own. Not for `tokio-uring`, whose library allocates.
#![cfg(feature = "std")]

#[path = "harness/allocator.rs"]
mod allocator;
mod harness;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};

use kad_node::driver::{IoChoice, Running, Steering, start};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire::{Body, Datagram};

use allocator::Counting;
use harness::{
    connected, datagram, encoded, node, ping, put, receive, request, sharded, split_into, store,
};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Counts allocations, except on the process's first thread: the test harness allocates at
/// any time.
fn count(allocations: u64, _bytes: isize) {
    let is_first = nix::unistd::gettid() == nix::unistd::getpid();
    ALLOCATIONS.fetch_add(if is_first { 0 } else { allocations }, Ordering::Relaxed);
}

#[global_allocator]
static COUNTING: Counting = Counting(count);

/// Segments of a message.
const SEGMENTS: usize = 64;
/// Messages before the count begins, and while it runs.
const WARM_UP: usize = 100;
const ROUNDS: usize = 1000;

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Together,
    OneByOne,
}

/// A client that sends the same requests again and again.
struct Client {
    socket: UdpSocket,
    leaving: Leaving,
    /// The requests, all of equal length, one after another.
    requests: Vec<u8>,
    length: usize,
}

impl Client {
    fn new(node: &Running, leaving: Leaving, requests: &[Vec<u8>]) -> Self {
        let socket = connected("127.0.0.1", ([127, 0, 0, 1], node.address().port()).into());
        let length = requests[0].len();
        if leaving == Leaving::Together {
            split_into(&socket, length);
        }
        Self { socket, leaving, requests: requests.concat(), length }
    }

    /// Sends the requests `rounds` times and receives the answers, which are of `kind`,
    /// without allocating. Returns how many allocations any thread made.
    fn exchange(&self, kind: u8, rounds: usize) -> u64 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..rounds {
            let message = match self.leaving {
                Leaving::Together => self.requests.len(),
                Leaving::OneByOne => self.length,
            };
            for message in self.requests.chunks(message) {
                self.socket.send(message).expect("loopback takes it");
            }
            for _ in 0..self.requests.len() / self.length {
                let length = self.socket.recv(&mut buffer).expect("an answer within the patience");
                assert!(length > KIND && buffer[KIND] == kind, "{:?}", &buffer[..length]);
            }
        }
        ALLOCATIONS.load(Ordering::Relaxed) - before
    }
}

/// Offset of a datagram's kind, and the kinds of answers.
const KIND: usize = 2;
const PONG: u8 = 0x81;
const VALUE: u8 = 0x83;
const STORED: u8 = 0x84;

/// An address, and a wildcard, at which a node is told the address that is asked.
const LISTEN: [&str; 2] = ["127.0.0.1:0", "0.0.0.0:0"];

/// Keys of values that the node holds: of two shards each owns one.
fn put_both(node: &Running) -> [Id; 2] {
    let value = |half: u8| {
        let mut values = (0..u8::MAX).map(|number| [number; 100]);
        values.find(|value| Id::of_value(value).last_byte() >> 7 == half).expect("one in two")
    };
    [0, 1].map(|half| {
        let value = value(half);
        put(node, &value);
        Id::of_value(&value)
    })
}

/// Asserts that answering requests allocates nothing, however they are sent.
fn assert_nothing_is_allocated(io: IoChoice, listen: &str, shards: usize) {
    let settings = sharded(io, listen, shards, Steering::Kernel);
    let node = start(settings).expect("loopback is there");
    let keys = put_both(&node);
    let hit = |key: Id| request(1, Body::FindValue { key, offset: 0 });
    let (pings, hits) = (vec![ping(1); SEGMENTS], vec![hit(keys[0]); SEGMENTS]);
    let alternating: Vec<_> = keys.iter().cycle().take(SEGMENTS).map(|key| hit(*key)).collect();
    for (leaving, kind, requests) in [
        (Leaving::Together, PONG, &pings),
        (Leaving::OneByOne, PONG, &pings),
        // A segmented message is for one shard; single datagrams are for both.
        (Leaving::Together, VALUE, &hits),
        (Leaving::OneByOne, VALUE, &alternating),
    ] {
        let client = Client::new(&node, leaving, requests);
        client.exchange(kind, WARM_UP);
        let allocations = client.exchange(kind, ROUNDS);
        assert_eq!(
            allocations, 0,
            "{io}, {listen}, {shards} shards, {leaving:?}, answers {kind:#x}"
        );
    }
    let stopped = node.stop().expect("it stops");
    let total = stopped.total();
    let messages = 2 * (WARM_UP + ROUNDS) as u64;
    assert!(total.driver.segmented_sent >= messages, "answers leave as segmented messages");
    assert_eq!(total.node.datagrams_missteered, 0);
    let answers = stopped.shards.iter().map(|shard| shard.driver.datagrams_sent);
    assert!(answers.min() > Some(0), "each shard has answered");
}

/// Asserts that the counter counts: storing a new value allocates on the shard's thread.
fn assert_a_new_value_is_counted(io: IoChoice) {
    let node = node(io);
    let client = Client::new(&node, Leaving::OneByOne, &[ping(1)]);
    client.exchange(PONG, 1);
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    client.socket.send(&ping(2)).expect("loopback takes it");
    let token = receive(&client.socket, &mut buffer).token;
    let stores = (0..SEGMENTS as u8).map(|number| {
        let value = [number; 100];
        encoded(&Datagram { token, ..datagram(1, Body::Store(store(&value))) })
    });
    let stores: Vec<_> = stores.collect();
    let client = Client { requests: stores.concat(), length: stores[0].len(), ..client };
    let allocations = client.exchange(STORED, 1);
    assert!(allocations >= SEGMENTS as u64, "{io}: {allocations} for as many values");
}

#[test]
fn a_request_allocates_nothing() {
    for io in [IoChoice::Uring, IoChoice::Mmsg] {
        assert_a_new_value_is_counted(io);
        for listen in LISTEN {
            for shards in [1, 2] {
                assert_nothing_is_allocated(io, listen, shards);
            }
        }
    }
}

//! Tests that the hot path does not allocate: answering PING, `FIND_NODE` and
//! `FIND_VALUE`, from the received datagram to the datagram in the outbox, once the node
//! and its outbox have warmed up. Drivers are not part of this: the library under
//! `tokio-uring` allocates three times for each receive.

#[path = "harness/allocator.rs"]
mod allocator;
#[path = "harness/datagram.rs"]
mod datagram;

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::{Config, Node, Outbox};
use kad_node::rng::{Rng, SEED_BYTES};
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Datagram, Role, Token};

use allocator::Counting;
use datagram::{datagram, encoded, store};

thread_local! {
    /// Allocations of this thread: other threads, such as the test harness's, allocate at
    /// any time.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count(allocations: u64, _bytes: isize) {
    ALLOCATIONS.with(|count| count.set(count.get() + allocations));
}

#[global_allocator]
static COUNTING: Counting = Counting(count);

const VALUE: &[u8] = &[7; 100];
const PEERS: u16 = 200;

/// A node with about a hundred known peers, and the time.
struct World {
    node: Node,
    outbox: Outbox,
    now: Instant,
    tokens: Vec<Token>,
}

fn addr(peer: u16) -> SocketAddr {
    let [high, low] = peer.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 9000))
}

fn id(peer: u16) -> Id {
    Id::of_value(&peer.to_be_bytes())
}

fn from(peer: u16, role: Role, token: Token, body: Body<'_>) -> Datagram<'_> {
    Datagram { sender: id(peer), role, token, ..datagram(9, body) }
}

impl World {
    fn new() -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let node = Node::new(Config::new(id(u16::MAX), [5; SEED_BYTES]), now);
        let mut world = Self { node, outbox: Outbox::new(), now, tokens: Vec::new() };
        for peer in 0..PEERS {
            world.meet(peer);
        }
        world.store();
        assert!(world.node.stats().contacts >= 40, "some buckets are full");
        assert!(world.node.holds(Id::of_value(VALUE)));
        world
    }

    /// A peer sends a request, and another with the token that it is asked for and keeps.
    fn meet(&mut self, peer: u16) {
        self.receive(peer, &encoded(&from(peer, Role::Peer, Token::NONE, Body::Ping)));
        let (_, pong) = self.outbox.datagrams().next().expect("it is answered");
        let token = wire::decode(pong).expect("a node sends no garbage").token;
        self.tokens.push(token);
        self.receive(peer, &encoded(&from(peer, Role::Peer, token, Body::Ping)));
        self.outbox.clear();
    }

    fn store(&mut self) {
        let store = Body::Store(store(VALUE));
        self.receive(3, &encoded(&from(3, Role::Peer, self.tokens[3], store)));
        self.outbox.clear();
    }

    fn receive(&mut self, peer: u16, bytes: &[u8]) {
        self.node.handle_datagram(self.now, addr(peer), bytes, &mut self.outbox);
    }

    /// Allocations while answering `requests` again and again, after a warm-up, in turns
    /// of 64 with a clock reading in between.
    fn allocations(&mut self, requests: &[(u16, Vec<u8>)]) -> u64 {
        let mut before = 0;
        for round in 0..4 {
            before = ALLOCATIONS.with(Cell::get);
            for turn in requests.chunks(64) {
                for (peer, bytes) in turn {
                    self.receive(*peer, bytes);
                }
                self.now = self.now + Duration::from_micros(50);
                assert!(self.node.next_timeout().is_some());
                let replies = self.outbox.datagrams().filter(|(_, bytes)| bytes[2] & 0x80 != 0);
                assert_eq!(replies.count(), turn.len(), "each is answered, in round {round}");
                self.outbox.clear();
            }
        }
        ALLOCATIONS.with(Cell::get) - before
    }

    /// Requests with the same body from each peer: as a peer and as a client, with its
    /// token and without.
    fn requests(&self, body: Body<'_>) -> Vec<(u16, Vec<u8>)> {
        let mut requests = Vec::new();
        for peer in 0..PEERS {
            for role in [Role::Peer, Role::Client] {
                for token in [self.tokens[usize::from(peer)], Token::NONE] {
                    requests.push((peer, encoded(&from(peer, role, token, body))));
                }
            }
        }
        requests
    }
}

#[test]
fn answering_a_ping_allocates_nothing() {
    let mut world = World::new();
    let requests = world.requests(Body::Ping);
    assert_eq!(world.allocations(&requests), 0);
}

#[test]
fn answering_a_find_node_allocates_nothing() {
    let mut world = World::new();
    let mut rng = Rng::from_u64(1);
    for _ in 0..20 {
        let requests = world.requests(Body::FindNode { target: rng.id() });
        assert_eq!(world.allocations(&requests), 0);
    }
}

#[test]
fn answering_a_find_value_allocates_nothing() {
    let mut world = World::new();
    for key in [Id::of_value(VALUE), Id::of_value(b"not stored here")] {
        let requests = world.requests(Body::FindValue { key, offset: 0 });
        assert_eq!(world.allocations(&requests), 0);
    }
    let stats = world.node.stats();
    assert!(stats.find_values_hit > 0 && stats.find_values_missed > 0);
}

#[test]
fn dropping_garbage_allocates_nothing() {
    let mut world = World::new();
    let ping = encoded(&from(1, Role::Peer, world.tokens[1], Body::Ping));
    let before = ALLOCATIONS.with(Cell::get);
    for length in 0..ping.len() {
        world.receive(1, &ping[..length]);
    }
    world.receive(1, &[0; DATAGRAM_BYTES_MAX]);
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    let stats = world.node.stats();
    assert_eq!(stats.datagrams_truncated + stats.datagrams_foreign, ping.len() as u64 + 1);
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(vec![0_u8; 100]));
    assert_eq!(ALLOCATIONS.with(Cell::get), before + 1);
}

//! What values held for others cost in memory, and that only a new one allocates: renewing,
//! evicting and expiring take no memory.
#![allow(clippy::cast_precision_loss)] // no count here is near 2^52

#[path = "harness/allocator.rs"]
mod allocator;
#[path = "harness/datagram.rs"]
mod datagram;

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{Config, Node, Outbox};
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Datagram, Store, Token};

use allocator::Counting;
use datagram::{datagram, encoded, store};

thread_local! {
    /// Calls of this thread that took memory.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    /// Bytes that it has.
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

/// A call that makes a piece smaller takes none.
fn count(allocations: u64, bytes: isize) {
    let is_new = allocations == 1 && bytes > 0;
    TAKEN.with(|taken| taken.set(taken.get() + u64::from(is_new)));
    BYTES.with(|held| held.set(held.get() + bytes));
}

#[global_allocator]
static COUNTING: Counting = Counting(count);

/// What the system's allocator takes for the value of 100 bytes beside its bytes: its own
/// word, and what is left of 16 bytes.
const ALLOCATOR_BYTES: f64 = 12.0;

const VALUES: u32 = 100_000;
const LIFE: Duration = Duration::from_mins(1);

struct World {
    node: Node,
    outbox: Outbox,
    now: Instant,
}

/// Each in a subnet of its own.
fn host(number: u32) -> SocketAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    SocketAddr::from(([high, middle, low, 1], 9000))
}

impl World {
    fn new(values_max: u32) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let config = Config {
            store_values_max: values_max as usize,
            ..Config::new(Id::of_value(b"node"), [5; 32])
        };
        Self { node: Node::new(config, now), outbox: Outbox::new(), now }
    }

    fn answer(&mut self, from: u32, request: &[u8]) -> &[u8] {
        self.outbox.clear();
        self.node.handle_datagram(self.now, host(from), request, &mut self.outbox);
        self.outbox.datagrams().next().expect("every request is answered").1
    }

    fn token(&mut self, from: u32) -> Token {
        let answer = self.answer(from, &encoded(&datagram(9, Body::Ping)));
        wire::decode(answer).expect("a PONG").token
    }

    /// Has a host store values of 100 bytes, and says how often that took memory.
    fn store(&mut self, from: u32, numbers: std::ops::Range<u32>) -> u64 {
        let token = self.token(from);
        let mut calls = 0;
        for number in numbers {
            let value = [number.to_be_bytes(); 25].concat();
            let store = Store { life_s: LIFE.as_secs() as u32, ..store(&value) };
            let request = encoded(&Datagram { token, ..datagram(9, Body::Store(store)) });
            self.now = self.now + Duration::from_micros(1);
            let before = TAKEN.with(Cell::get);
            let answer = wire::decode(self.answer(from, &request));
            calls += TAKEN.with(Cell::get) - before;
            assert_eq!(answer.map(|reply| reply.body), Ok(Body::Stored), "{number}");
        }
        calls
    }
}

#[test]
fn a_value_of_100_bytes_takes_no_more_than_238_and_what_is_counted_is_what_is_used() {
    let mut world = World::new(VALUES);
    world.store(0, 0..1);
    let before = BYTES.with(Cell::get);
    world.store(1, 1..VALUES);
    let used = (BYTES.with(Cell::get) - before) as f64 / f64::from(VALUES) + ALLOCATOR_BYTES;
    assert!(used <= 238.0, "{used} bytes for each");
    let counted = world.node.stats().value_bytes as f64 / f64::from(VALUES);
    assert!((0.95..=1.05).contains(&(counted / used)), "{counted} counted, {used} used");
}

#[test]
fn what_it_takes_to_know_many_sources_is_counted() {
    const SOURCES: u32 = 20_000;
    let mut world = World::new(VALUES);
    world.store(0, 0..1);
    let before = BYTES.with(Cell::get);
    for source in 1..=SOURCES {
        world.store(source, source..source + 1);
    }
    let used = (BYTES.with(Cell::get) - before) as f64 / f64::from(SOURCES);
    // Five pieces of memory for each: the value, and room for a share and for a subnet.
    let used = used + ALLOCATOR_BYTES + 4.0 * 8.0;
    let counted = world.node.stats().value_bytes as f64 / f64::from(SOURCES);
    assert!((0.95..=1.05).contains(&(counted / used)), "{counted} counted, {used} used");
}

#[test]
fn only_a_new_value_takes_memory() {
    let mut world = World::new(VALUES);
    world.store(0, 0..VALUES);
    world.now = world.now + Duration::from_secs(1);
    assert_eq!(world.store(0, 0..VALUES), 0, "to renew takes none");
    let evicting = VALUES / 4;
    let taken = world.store(1, VALUES..VALUES + evicting);
    assert_eq!(world.node.stats().values_evicted, u64::from(evicting));
    assert!(taken <= u64::from(evicting) * 102 / 100, "one for each value: {taken}");
    world.now = world.now + LIFE + Duration::from_secs(1);
    let (mut taken, mut turns) = (0, 0);
    while world.node.stats().values > 0 {
        let before = TAKEN.with(Cell::get);
        world.node.handle_timeout(world.now, &mut world.outbox);
        taken += TAKEN.with(Cell::get) - before;
        turns += 1;
        assert!(turns < VALUES, "they expire");
    }
    assert_eq!(taken, 0, "to expire takes none");
}

#[test]
fn what_values_took_is_given_back_when_they_are_gone() {
    let mut world = World::new(VALUES);
    world.store(0, 0..1);
    let before = BYTES.with(Cell::get);
    world.store(1, 1..VALUES);
    world.now = world.now + LIFE + Duration::from_secs(1);
    while world.node.stats().values > 0 {
        world.node.handle_timeout(world.now, &mut world.outbox);
    }
    let left = BYTES.with(Cell::get) - before;
    assert!(left < 64 << 10, "{left} bytes are left");
}

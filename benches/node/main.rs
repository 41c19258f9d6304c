//! Measures the protocol without a kernel: a request's way through the node, from the
//! received datagram to the datagram in the outbox.
//!
//! Run `cargo bench --bench node`. On a shared machine only ratios are meaningful;
//! `benches/node/instructions.sh` counts the same work in instructions.

#![allow(clippy::cast_precision_loss)] // no count here is near 2^52

#[path = "../../tests/harness/datagram.rs"]
mod datagram;
mod lookup;
mod put;
mod repeat;
mod world;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use kad_node::id::Id;
use kad_node::limits::{DATAGRAM_BYTES_MAX, K_DEFAULT, STORE_VALUES_MAX};
use kad_node::rng::Rng;
use kad_node::wire::{self, Body, Contact, Contacts};

use self::lookup::Lookup;
use self::world::{PEERS, VALUE, World};

/// `FIND_NODE`s with targets all over the id space, so that the branch predictor cannot
/// learn them.
fn find_nodes(world: &World) -> Vec<Vec<u8>> {
    let mut rng = Rng::from_u64(2);
    (0..1024).map(|_| world.request(Body::FindNode { target: rng.id() })).collect()
}

fn requests(criterion: &mut Criterion) {
    let mut world = World::new(PEERS);
    let key = Id::of_value(&VALUE);
    let mut group = criterion.benchmark_group("answer");
    let ping = world.request(Body::Ping);
    group.bench_function("ping", |bench| bench.iter(|| world.answer(black_box(&ping)).len()));
    let finds = find_nodes(&world);
    let mut turn = finds.iter().cycle();
    group.bench_function("find_node", |bench| {
        bench.iter(|| world.answer(black_box(turn.next().expect("it never ends"))).len());
    });
    let find = world.request(Body::FindValue { key, offset: 0 });
    group.bench_function("find_value_hit_100_bytes", |bench| {
        bench.iter(|| world.answer(black_box(&find)).len());
    });
    group.finish();
}

/// The K closest contacts of tables of different sizes, as a `FIND_NODE` asks for them. With
/// only 20 contacts nothing is searched, so the difference to the others is the search.
fn closest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("k_closest_among");
    for peers in [20, 100, 1000, 10_000] {
        let mut world = World::new(peers);
        let contacts = world.contacts();
        let finds = find_nodes(&world);
        let mut turn = finds.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(contacts), |bench| {
            bench.iter(|| world.answer(black_box(turn.next().expect("it never ends"))).len());
        });
    }
    group.finish();
}

/// STOREs of values that the node has already, as from a republisher: each is still hashed.
fn store(criterion: &mut Criterion) {
    let mut world = World::new(PEERS);
    let values = (0..1024u32).map(|number| [number.to_be_bytes(); 25].concat());
    let stores: Vec<_> = values.map(|value| world.store(&value)).collect();
    for store in &stores {
        world.now = world.now + GAP;
        assert_stored(world.answer(store));
    }
    let mut turn = stores.iter().cycle();
    let mut group = criterion.benchmark_group("store");
    group.bench_function("again_100_bytes", |bench| {
        bench.iter(|| {
            world.now = world.now + GAP;
            world.answer(black_box(turn.next().expect("it never ends"))).len()
        });
    });
    group.bench_function("insert_100_bytes", |bench| {
        let mut fresh = Fresh::new(STORE_VALUES_MAX);
        bench.iter_custom(|count| fresh.store(count));
    });
    group.bench_function("insert_and_evict_100_bytes", |bench| {
        let mut fresh = Fresh::new(FEW);
        // Filled, so that each evicts another.
        fresh.store(2 * FEW as u64);
        bench.iter_custom(|count| fresh.store(count));
        let stats = fresh.world.node.stats();
        assert!(stats.values <= FEW as u64 + 1, "they and the node's own: {}", stats.values);
        assert!(stats.values_evicted >= FEW as u64, "each has made room");
    });
    group.finish();
}

/// Values of a node with little room.
const FEW: usize = 1024;
/// Values of a node after which it is replaced by a new one, far from full.
const MANY: u64 = 100_000;

/// From one to the next.
const GAP: Duration = Duration::from_micros(20);

const _: () = assert!(MANY < STORE_VALUES_MAX as u64);

/// Stores new values.
struct Fresh {
    world: World,
    room: usize,
    count: u64,
}

impl Fresh {
    fn new(room: usize) -> Self {
        Self { world: World::with_room(PEERS, room), room, count: 0 }
    }

    /// The time that the node takes for so many.
    fn store(&mut self, count: u64) -> Duration {
        let mut time = Duration::ZERO;
        for _ in 0..count {
            if self.count == MANY {
                *self = Self::new(self.room);
                if self.room < MANY as usize {
                    self.store(2 * self.room as u64);
                }
            }
            self.count += 1;
            // A source replaces only those of its values that expire before the new one.
            self.world.now = self.world.now + GAP;
            let mut value = [5; 100];
            value[..8].copy_from_slice(&self.count.to_be_bytes());
            let store = self.world.store(&value);
            let begun = Instant::now();
            let answer = self.world.answer(black_box(&store));
            time += begun.elapsed();
            assert_stored(answer);
        }
        time
    }
}

fn assert_stored(answer: &[u8]) {
    assert_eq!(wire::decode(answer).map(|reply| reply.body), Ok(Body::Stored));
}

/// One reply of a lookup, and a whole lookup. The latter includes making and reading all
/// replies; criterion's rate is in replies.
fn lookups(criterion: &mut Criterion) {
    let mut lookup = Lookup::new(World::new(PEERS), Id::of_value(b"absent"));
    let replies = lookup.run().replies;
    assert!(replies >= K_DEFAULT as u64, "the closest have all been asked");
    let mut group = criterion.benchmark_group("lookup");
    group.bench_function("step_of_a_get", |bench| {
        bench.iter_custom(|steps| {
            let (mut done, mut time) = (0, Duration::ZERO);
            while done < steps {
                let run = lookup.run();
                assert_eq!(run.replies, replies, "each get takes as many");
                (done, time) = (done + run.replies, time + run.time);
            }
            // Whole lookups, of which so many steps were asked for.
            time.mul_f64(steps as f64 / done as f64)
        });
    });
    group.throughput(Throughput::Elements(replies));
    group.bench_function(format!("get_of_{replies}_replies"), |bench| {
        bench.iter(|| assert_eq!(lookup.run().replies, replies, "each get takes as many"));
    });
    group.finish();
}

fn codec(criterion: &mut Criterion) {
    let mut world = World::new(PEERS);
    let find = world.request(Body::FindNode { target: Id::of_value(b"target") });
    let nodes = world.answer(&find).to_vec();
    let mut group = criterion.benchmark_group("codec");
    group.bench_function("decode_find_node", |bench| bench.iter(|| wire::decode(black_box(&find))));
    group.bench_function("decode_nodes", |bench| bench.iter(|| wire::decode(black_box(&nodes))));
    let Body::Nodes(contacts) = wire::decode(&nodes).expect("a NODES").body else {
        unreachable!("FIND_NODE is answered by NODES");
    };
    let contacts: Vec<Contact> = contacts.iter().collect();
    let datagram = world.datagram(Body::Nodes(Contacts::new(&contacts)));
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    group.bench_function("encode_nodes", |bench| {
        bench.iter(|| wire::encode(black_box(&datagram), &mut buffer));
    });
    group.finish();
}

criterion_group!(benches, requests, closest, store, lookups, codec);

fn main() -> ExitCode {
    if let Some(outcome) = repeat::asked_for() {
        return outcome;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    ExitCode::SUCCESS
}

//! A request's way through the node, from the datagram received to the datagram
//! in the outbox, without a kernel: the price of the protocol itself.
//!
//! `cargo bench --bench node`. On a shared machine only the ratios mean something;
//! `benches/node/instructions.sh` counts the same work in instructions.

mod lookup;
mod repeat;
mod world;

use std::hint::black_box;
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, criterion_group};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::rng::Rng;
use kad_node::wire::{self, Body, Contact, Contacts};

use self::lookup::Lookup;
use self::world::{PEERS, VALUE, World};

/// `FIND_NODE`s with targets all over the id space, so that no branch is learned by
/// heart.
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

/// The K closest of tables of different sizes: what `find_node` is made of.
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

/// Values that are there already, as from a republisher: each is hashed all the same.
fn store(criterion: &mut Criterion) {
    let mut world = World::new(PEERS);
    let values = (0..1024u32).map(|number| [number.to_be_bytes(); 25].concat());
    let stores: Vec<_> = values.map(|value| world.store(&value)).collect();
    let reply = wire::decode(world.answer(&stores[0])).expect("a node sends no garbage");
    assert_eq!(reply.body, Body::Stored);
    let mut turn = stores.iter().cycle();
    criterion.bench_function("store/again_100_bytes", |bench| {
        bench.iter(|| world.answer(black_box(turn.next().expect("it never ends"))).len());
    });
}

/// A whole lookup; the time is that of each reply in it.
fn lookups(criterion: &mut Criterion) {
    let mut lookup = Lookup::new(World::new(PEERS), Id::of_value(b"nobody has it"));
    let replies = lookup.run();
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(criterion::Throughput::Elements(replies));
    group.bench_function(format!("get_of_{replies}_replies"), |bench| bench.iter(|| lookup.run()));
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

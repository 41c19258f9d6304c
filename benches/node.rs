//! A request's way through the node, from the datagram received to the datagram
//! in the outbox, without a kernel: the price of the protocol itself.
//!
//! `cargo bench --bench node`. On a shared machine only the ratios mean something;
//! `valgrind --tool=callgrind` counts the same work in instructions.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::{Command, Config, Node, OperationId, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{
    self, Body, Contact, Contacts, Datagram, NetworkId, Role, Token, TransactionId,
};

const PEERS: u16 = 400;
const VALUE: [u8; 100] = [7; 100];

/// A node with full buckets and one value, and a client with a token of it.
struct World {
    node: Node,
    outbox: Outbox,
    now: Instant,
    client: SocketAddr,
    token: Token,
}

fn encoded(datagram: &Datagram<'_>) -> Vec<u8> {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(datagram, &mut buffer);
    buffer[..length].to_vec()
}

impl World {
    fn new() -> Self {
        let mut rng = Rng::from_u64(1);
        let now = Instant::ZERO + Duration::from_secs(1);
        let node = Node::new(Config::new(rng.id(), rng.seed()), now);
        let client = SocketAddr::from(([10, 1, 0, 1], 9000));
        let mut world = Self { node, outbox: Outbox::new(), now, client, token: Token::NONE };
        let value = Box::new(VALUE);
        let put = Command::Put { operation: OperationId(0), value };
        world.node.handle_command(now, put, &mut world.outbox);
        for peer in 0..PEERS {
            world.meet(peer, rng.id());
        }
        let ping = world.request(Body::Ping);
        world.token = wire::decode(world.answer(&ping)).expect("a PONG").token;
        assert!(world.node.stats().contacts > 100, "several buckets are full");
        world
    }

    /// A peer asks, is pinged back, and answers.
    fn meet(&mut self, peer: u16, sender: Id) {
        let [high, low] = peer.to_be_bytes();
        let source = SocketAddr::from(([10, 0, high, low], 9000));
        let asked = Datagram { role: Role::Peer, sender, ..self.datagram(Body::Ping) };
        self.outbox.clear();
        self.node.handle_datagram(self.now, source, &encoded(&asked), &mut self.outbox);
        let pings = self.outbox.datagrams().filter_map(|(_, bytes)| {
            let received = wire::decode(bytes).expect("a node sends no garbage");
            let pong = Datagram { transaction: received.transaction, body: Body::Pong, ..asked };
            (received.body == Body::Ping).then(|| encoded(&pong))
        });
        for pong in pings.collect::<Vec<_>>() {
            self.node.handle_datagram(self.now, source, &pong, &mut self.outbox);
        }
    }

    fn datagram<'a>(&self, body: Body<'a>) -> Datagram<'a> {
        Datagram {
            network: NetworkId::of_name("default"),
            transaction: TransactionId::new([9; 8]),
            sender: Id::of_value(b"client"),
            role: Role::Client,
            announce: None,
            token: self.token,
            body,
        }
    }

    fn request(&self, body: Body<'_>) -> Vec<u8> {
        encoded(&self.datagram(body))
    }

    fn answer(&mut self, request: &[u8]) -> &[u8] {
        self.outbox.clear();
        self.node.handle_datagram(self.now, self.client, request, &mut self.outbox);
        self.outbox.datagrams().next().expect("every request is answered").1
    }
}

fn requests(criterion: &mut Criterion) {
    let mut world = World::new();
    let mut rng = Rng::from_u64(2);
    let key = Id::of_value(&VALUE);
    let mut group = criterion.benchmark_group("answer");
    let ping = world.request(Body::Ping);
    group.bench_function("ping", |bench| bench.iter(|| world.answer(black_box(&ping)).len()));
    // Targets all over the id space, so that no branch is learned by heart.
    let finds: Vec<Vec<u8>> =
        (0..1024).map(|_| world.request(Body::FindNode { target: rng.id() })).collect();
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

fn codec(criterion: &mut Criterion) {
    let mut world = World::new();
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

criterion_group!(benches, requests, codec);
criterion_main!(benches);

//! One node, of one or two shards, under any sequence of datagrams, time-outs, commands and
//! handoffs. After each its bounds are checked, and its tables now and then.

mod check;
mod made;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{
    Backlog, Command, Config, Event, Handoff, Kept, Node, OperationId, Outbox, Persistence, Route,
    ShardPosition, Trace,
};
use kad_node::time::Instant;
use kad_node::wire::{self, NetworkId};

use crate::input::Input;

/// Steps of an input at most: a longer one says nothing more, and takes longer.
const STEPS_MAX: usize = 400;
/// Datagrams of the node's own that are remembered, for replies to them.
const SENT_MAX: usize = 64;
/// Messages that are under way between two shards at most.
const RING_MAX: usize = 16;
/// Addresses that datagrams come from.
const SOURCES: usize = 48;
/// Time-outs at one moment until nothing is due any more: a shard that never comes to that
/// spins.
const TIMEOUTS_MAX: usize = 1 << 12;

pub(crate) fn one_shard(bytes: &[u8]) {
    run(bytes, 1);
}

pub(crate) fn two_shards(bytes: &[u8]) {
    run(bytes, 2);
}

fn run(bytes: &[u8], shards: usize) {
    let mut input = Input::new(bytes);
    let mut world = World::new(&mut input, shards);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.check_bounds();
    }
    world.settle();
    world.check_tables();
}

/// The node, and what is around it.
struct World {
    now: Instant,
    config: Config,
    shards: Vec<Node>,
    outbox: Outbox,
    /// From the shard of its place to the other.
    rings: Vec<Ring>,
    /// The latest requests of the node, each with its destination.
    sent: VecDeque<(SocketAddr, Vec<u8>)>,
    /// The latest token that the node gave to each source.
    tokens: Vec<wire::Token>,
    /// Keys that were spoken of.
    keys: Vec<Id>,
    operations: u64,
    /// Puts and gets that have not ended.
    unended: u64,
    buckets: Vec<kad_node::node::BucketView>,
}

/// The way from one shard to the other.
#[derive(Default)]
struct Ring {
    under_way: VecDeque<Handoff>,
    backlog: Backlog<Handoff>,
}

impl Ring {
    fn push(&mut self, handoff: Handoff) {
        let Self { under_way, backlog } = self;
        backlog.push(handoff.weight(), handoff, |handoff| launch(under_way, handoff));
    }

    fn pop(&mut self) -> Option<Handoff> {
        let Self { under_way, backlog } = self;
        let first = under_way.pop_front();
        backlog.drain(|handoff| launch(under_way, handoff));
        first
    }
}

fn launch(under_way: &mut VecDeque<Handoff>, handoff: Handoff) -> Result<(), Handoff> {
    if under_way.len() < RING_MAX {
        under_way.push_back(handoff);
        return Ok(());
    }
    Err(handoff)
}

impl World {
    fn new(input: &mut Input<'_>, shards: usize) -> Self {
        let mut config = Config::new(Id::of_value(b"node"), [7; 32]);
        config.k = [1, 2, 8, 20][input.below(4)];
        config.alpha = 1 + input.below(3);
        config.peers_per_subnet = [None, Some(1), Some(8)][input.below(3)];
        config.store_bytes_max = [4 << 10, 64 << 10, 1 << 20][input.below(3)];
        config.store_values_max = [4, 64][input.below(2)];
        config.value_bytes_max = [2000, 20_000][input.below(2)];
        config.persistence = [Persistence::Memory, Persistence::Journal][input.below(2)];
        let now = Instant::from_micros(1 << 40);
        let nodes = match shards {
            1 => vec![Node::new(config.clone(), now)],
            _ => config.shards(shards).map(|config| Node::new(config, now)).collect(),
        };
        Self {
            now,
            config,
            shards: nodes,
            outbox: Outbox::new(),
            rings: (0..shards).map(|_| Ring::default()).collect(),
            sent: VecDeque::new(),
            tokens: vec![wire::Token::NONE; SOURCES],
            keys: vec![Id::of_value(b"node"), Id::of_value(&[1; 100])],
            operations: 0,
            unended: 0,
            buckets: Vec::new(),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let shard = input.below(self.shards.len());
        match input.below(10) {
            0 => self.wait(input),
            1 => {
                let length = input.number() as usize % 1400;
                let (source, bytes) = (source(input.below(SOURCES)), input.take(length).to_vec());
                self.receive(shard, source, &bytes);
            }
            2 | 3 => {
                let (source, bytes) = self.made_request(input);
                self.receive(shard, source, &bytes);
            }
            4..=6 => {
                if let Some((source, bytes)) = self.made_reply(input) {
                    self.receive(shard, source, &bytes);
                }
            }
            7 => self.command(input),
            8 => self.pass_on(shard),
            _ => self.keep(shard, input),
        }
    }

    /// Time passes, mostly up to what is due.
    fn wait(&mut self, input: &mut Input<'_>) {
        let due = self.shards.iter().filter_map(Node::next_timeout).min();
        let waited = match input.below(4) {
            0 => Some(self.now + Duration::from_millis(u64::from(input.byte()))),
            1 => Some(self.now + Duration::from_secs(60 * u64::from(input.byte()))),
            _ => due,
        };
        self.now = waited.unwrap_or(self.now).max(self.now);
        for shard in 0..self.shards.len() {
            self.time_out(shard);
        }
    }

    fn time_out(&mut self, shard: usize) {
        for _ in 0..TIMEOUTS_MAX {
            self.shards[shard].handle_timeout(self.now, &mut self.outbox);
            self.empty(shard);
            if self.shards[shard].next_timeout().is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("something is due again and again");
    }

    fn receive(&mut self, shard: usize, source: SocketAddr, bytes: &[u8]) {
        self.shards[shard].handle_datagram(self.now, source, bytes, &mut self.outbox);
        self.empty(shard);
    }

    fn command(&mut self, input: &mut Input<'_>) {
        self.operations += 1;
        let operation = OperationId(self.operations);
        let key = self.keys[input.below(self.keys.len())];
        let command = match input.below(16) {
            0..=4 => {
                let value = vec![input.byte(); input.number() as usize % 3000];
                self.keys.push(Id::of_value(&value));
                self.unended += 1;
                Command::put(operation, value)
            }
            5..=9 => {
                self.unended += 1;
                let trace = [Trace::Off, Trace::Hops][input.below(2)];
                Command::Get { operation, key, trace }
            }
            10 => Command::Forget { operation, key },
            11 => {
                let earlier = 1 + u64::from(input.byte()) % self.operations;
                Command::Abandon { operation: OperationId(earlier), key }
            }
            12 => Command::Values { operation },
            13 if input.below(8) == 0 => Command::Depart { operation },
            _ => {
                let addresses = (0..input.below(6)).map(|_| source(input.below(SOURCES))).collect();
                Command::Bootstrap { addresses }
            }
        };
        self.order(command);
    }

    fn order(&mut self, command: Command) {
        match ShardPosition::new(0, self.shards.len()).route(&command) {
            Route::One(shard) => self.order_one(shard.as_usize(), command),
            Route::Every => {
                for shard in 0..self.shards.len() {
                    self.order_one(shard, command.clone());
                }
            }
        }
    }

    fn order_one(&mut self, shard: usize, command: Command) {
        self.shards[shard].handle_command(self.now, command, &mut self.outbox);
        self.empty(shard);
    }

    /// Delivers the oldest message that is on its way to `shard`.
    fn pass_on(&mut self, shard: usize) {
        let from = (shard + 1) % self.shards.len();
        if let Some(handoff) = self.rings[from].pop() {
            self.shards[shard].handle_handoff(self.now, handoff, &mut self.outbox);
            self.empty(shard);
        }
    }

    /// The disk keeps a batch of changes, or fails.
    fn keep(&mut self, shard: usize, input: &mut Input<'_>) {
        let kept = if input.below(8) == 0 { Kept::InMemory } else { Kept::OnDisk };
        if let Some(batch) = self.shards[shard].take_journal() {
            let number = batch.number;
            self.shards[shard].handle_kept(self.now, number, kept, &mut self.outbox);
            self.empty(shard);
        }
    }

    /// Looks at what a call has written, and forgets it.
    fn empty(&mut self, shard: usize) {
        for (destination, bytes) in self.outbox.datagrams() {
            let datagram = wire::decode(bytes).expect("what is sent can be read");
            assert_eq!(datagram.network, NetworkId::of_name("default"));
            assert_eq!(datagram.sender, self.config.id);
            assert!(wire::is_reachable(destination), "{destination}");
            if let Some(source) = number_of(destination) {
                self.tokens[source] = datagram.token;
            }
            if datagram.body.is_request() {
                if self.sent.len() == SENT_MAX {
                    self.sent.pop_front();
                }
                self.sent.push_back((destination, bytes.to_vec()));
            }
        }
        for event in self.outbox.take_events() {
            match event {
                Event::Put { .. } | Event::Get { .. } => {
                    self.unended = self.unended.checked_sub(1).expect("each ends once");
                }
                Event::Peers { buckets, .. } => self.buckets.extend(buckets),
                _ => {}
            }
        }
        for (to, handoff) in self.outbox.take_handoffs() {
            assert_ne!(to.as_usize(), shard, "no shard hands anything to itself");
            self.rings[shard].push(handoff);
        }
        self.outbox.clear();
    }

    /// Delivers all that is under way, until nothing is.
    fn settle(&mut self) {
        while self.rings.iter().any(|ring| !ring.under_way.is_empty()) {
            for shard in 0..self.shards.len() {
                self.pass_on(shard);
            }
        }
    }
}

/// The address of a source: several subnets, and both families.
fn source(number: usize) -> SocketAddr {
    let last = number as u8;
    match number % 4 {
        0 => ([10, 0, 0, last], 9001).into(),
        1 => ([192, 0, 2, last], 9001).into(),
        2 => ([198, 51, last, 1], 9001).into(),
        _ => ([0x2001, 0xdb8, u16::from(last), 0, 0, 0, 0, 1], 9001).into(),
    }
}

/// The source at an address.
fn number_of(addr: SocketAddr) -> Option<usize> {
    (0..SOURCES).find(|&number| source(number) == addr)
}

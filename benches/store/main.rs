//! Measures what values held for others cost: memory of the process, beside memcached's where
//! it is installed, time of a request, and the longest turn while a million of them expire; and
//! what values cost that are put here.
//!
//! Run `cargo bench --bench store` (ten million values of 100 bytes on one shard, 2.4 GB, and as
//! much by memcached before), or `cargo bench --bench store -- VALUES`: of a node with ten
//! million on eight shards, one has 1250000.

#![allow(clippy::cast_precision_loss)] // no count here is near 2^52
#![allow(clippy::print_stdout)] // results are what a benchmark is for

#[path = "../../tests/harness/datagram.rs"]
mod datagram;
mod memcached;
mod memory;

use std::env;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant as Clock};

use kad_node::driver;
use kad_node::id::Id;
use kad_node::limits::RENEWALS_MAX;
use kad_node::node::{Command, Config, Node, OperationId, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Datagram, Renewal, Renewals, Store, Token};

use datagram::{datagram, encoded, store};
use memory::{Process, resident};

const VALUES: u64 = 10_000_000;
const VALUE_BYTES: usize = 100;
/// Values that expire at one moment.
const EXPIRING: u64 = 1_000_000;
/// Requests of each kind that are timed.
const TIMED: u64 = 1_000_000;
/// Values that are put here.
const PUT: u64 = 1_000_000;
/// Hosts that store the values.
const HOSTS: u64 = 1000;
/// Life of a value, and of one that is to expire while others do not.
const LIFE: Duration = Duration::from_hours(1);
const SHORT_LIFE: Duration = Duration::from_mins(10);

struct Bench {
    node: Node,
    outbox: Outbox,
    now: Instant,
    tokens: Vec<Token>,
}

fn host(number: u64) -> SocketAddr {
    let [.., high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 9000))
}

fn value(number: u64) -> [u8; VALUE_BYTES] {
    let mut value = [5; VALUE_BYTES];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value
}

impl Bench {
    fn new(values: u64) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let config = Config {
            store_bytes_max: usize::MAX,
            store_values_max: values as usize,
            ..Config::new(Id::of_value(b"node"), [5; 32])
        };
        let (node, outbox) = (Node::new(config, now), Outbox::new());
        let mut bench = Self { node, outbox, now, tokens: Vec::new() };
        for number in 0..=HOSTS {
            let answer = bench.answer(number, &encoded(&datagram(9, Body::Ping)));
            let token = wire::decode(answer).expect("a PONG").token;
            bench.tokens.push(token);
        }
        bench
    }

    fn answer(&mut self, from: u64, request: &[u8]) -> &[u8] {
        self.outbox.clear();
        self.node.handle_datagram(self.now, host(from), request, &mut self.outbox);
        self.outbox.datagrams().next().expect("every request is answered").1
    }

    fn request(&self, from: u64, body: Body<'_>) -> Vec<u8> {
        encoded(&Datagram { token: self.tokens[from as usize], ..datagram(9, body) })
    }

    fn store(&self, from: u64, number: u64, life: Duration) -> Vec<u8> {
        let value = value(number);
        let store = Store { life_s: life.as_secs() as u32, ..store(&value) };
        self.request(from, Body::Store(store))
    }

    /// Sends requests, each `is_answered` so, and prints how long they took.
    fn time(
        &mut self,
        name: &str,
        count: u64,
        request: impl Fn(&Self, u64) -> (u64, Vec<u8>),
        is_answered: impl Fn(Body<'_>) -> bool,
    ) {
        let mut times = Times::default();
        for number in 0..count {
            let (from, request) = request(self, number);
            self.now = self.now + Duration::from_micros(1);
            let begun = Clock::now();
            let answer = black_box(self.answer(from, black_box(&request)));
            times.add(begun.elapsed());
            let body = wire::decode(answer).expect("a node sends no garbage").body;
            assert!(is_answered(body), "{name} {number}: {body:?}");
        }
        times.print(name);
    }

    /// Puts values here, where no other node takes them.
    fn put(&mut self, count: u64) {
        let (before, mut times) = (resident(Process::This), Times::default());
        for number in 0..count {
            let command = Command::put(OperationId(number), value(number));
            self.now = self.now + Duration::from_micros(1);
            self.outbox.clear();
            let begun = Clock::now();
            self.node.handle_command(self.now, command, &mut self.outbox);
            times.add(begun.elapsed());
            black_box(self.outbox.take_events().count());
        }
        times.print("put");
        let taken = (resident(Process::This) - before) / count;
        println!("{count} values put here: {taken} bytes of the process for each");
    }

    /// Lets the values with a short life expire, with a get after each turn.
    fn expire(&mut self) {
        let (mut turns, mut gets) = (Times::default(), Times::default());
        let key = Id::of_value(&value(EXPIRING));
        let find = self.request(0, Body::FindValue { key, offset: 0 });
        self.now = self.now + SHORT_LIFE;
        let mut before = None;
        while before != Some(self.node.stats().values_expired) {
            before = Some(self.node.stats().values_expired);
            self.outbox.clear();
            let begun = Clock::now();
            self.node.handle_timeout(self.now, &mut self.outbox);
            let turn = begun.elapsed();
            black_box(self.answer(0, &find));
            turns.add(turn);
            gets.add(begun.elapsed());
        }
        turns.print("a turn in which values expire");
        gets.print("a get that waits for such a turn");
    }
}

/// Durations in nanoseconds.
#[derive(Default)]
struct Times(Vec<u32>);

impl Times {
    fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
    }

    fn print(&mut self, name: &str) {
        let count = self.0.len();
        let mean = self.0.iter().map(|&time| u64::from(time)).sum::<u64>() / count as u64;
        self.0.sort_unstable();
        // In parts of ten thousand.
        let quantile = |part: usize| f64::from(self.0[(count - 1) * part / 10_000]) / 1e3;
        let mean = mean as f64 / 1e3;
        let [half, most, nearly, all] = [5000, 9900, 9999, 10_000].map(quantile);
        println!(
            "{name:34} {count:9}  us: mean {mean:.2}, p50 {half:.2}, p99 {most:.2}, \
             p99.99 {nearly:.2}, longest {all:.2}"
        );
    }
}

fn main() {
    let asked = env::args().skip(1).find_map(|argument| argument.parse().ok());
    driver::join_freed_memory(); // as the program has it
    let values: u64 = asked.unwrap_or(VALUES).max(EXPIRING + 1);
    let memcached = memcached::bytes_a_value(values);
    let mut origin = Bench::new(1);
    origin.put(PUT);
    // What it frees would be used for the values of others, and not be counted.
    std::mem::forget(origin);
    let mut bench = Bench::new(values);
    let before = resident(Process::This);
    let stored = |body: Body<'_>| body == Body::Stored;
    let short = |number| if number < EXPIRING { SHORT_LIFE } else { LIFE };
    bench.time(
        "insert",
        values,
        // The values with a short life are spread over all the others.
        |bench, number| {
            let number = number * 7919 % values;
            (number % HOSTS, bench.store(number % HOSTS, number, short(number)))
        },
        stored,
    );
    let held = bench.node.stats().values;
    let (resident, counted) = (resident(Process::This) - before, bench.node.stats().value_bytes);
    println!(
        "{held} values of {VALUE_BYTES} bytes: {} bytes of the process for each, {} counted, \
         {:.3} of them",
        resident / held,
        counted / held,
        counted as f64 / resident as f64,
    );
    if let Some(bytes) = memcached {
        let ratio = (resident / held) as f64 / bytes as f64;
        println!("memcached: {bytes} for each; kad-node / memcached: {ratio:.3}");
    }
    let mut rng = Rng::from_u64(3);
    let some: Vec<u64> = (0..TIMED).map(|_| rng.below(values)).collect();
    let find = |bench: &Bench, number: u64| {
        let key = Id::of_value(&value(some[number as usize]));
        (0, bench.request(0, Body::FindValue { key, offset: 0 }))
    };
    bench.time("hit", TIMED, find, |body| matches!(body, Body::Value(_)));
    let renew = |bench: &Bench, number: u64| {
        let number = some[number as usize];
        (number % HOSTS, bench.store(number % HOSTS, number, short(number)))
    };
    bench.time("renew by STORE", TIMED, renew, stored);
    let renew_many = |bench: &Bench, number: u64| {
        let first = number as usize * RENEWALS_MAX;
        let named = &some[first..first + RENEWALS_MAX];
        let renewals: Vec<Renewal> = named
            .iter()
            .map(|&number| Renewal {
                key: Id::of_value(&value(number)),
                life_s: short(number).as_secs() as u32,
            })
            .collect();
        (0, bench.request(0, Body::Renew(Renewals::new(&renewals))))
    };
    let renewed = |body: Body<'_>| matches!(body, Body::Renewed(renewed) if renewed.lacking == 0);
    let name = format!("renew {RENEWALS_MAX} by RENEW");
    bench.time(&name, TIMED / RENEWALS_MAX as u64, renew_many, renewed);
    // Of a host that has none: the ones that have the most make way.
    let evict = |bench: &Bench, number: u64| (HOSTS, bench.store(HOSTS, values + number, LIFE));
    bench.time("insert and evict", TIMED.min(values / HOSTS / 2), evict, stored);
    bench.expire();
}

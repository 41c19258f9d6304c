//! Measures the handoff ring per message, and the waker per call.
//!
//! For each batch size: both ends on one thread, which costs only instructions; on two
//! threads, which adds the transfer of cache lines between cores; and on two threads with a
//! wake for each batch. Two threads are timed from the moment when both run to the last
//! message. When they share a core, the scheduler dominates the result.

use std::hint::{black_box, spin_loop};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kad_node::handoff::{Consumer, Producer, Wake, Waker, ring, waker};

const CAPACITY: usize = 1024;
const BATCHES: [u64; 3] = [1, 8, 64];

/// About the size of the descriptor of a datagram between shards.
type Message = [u64; 4];

/// Whether the sender wakes the receiver after each batch.
#[derive(Clone, Copy)]
enum Waking {
    Never,
    EachBatch,
}

fn send(producer: &mut Producer<Message>, messages: u64, batch: u64, waker: Option<&Waker>) {
    let mut number = 0;
    while number < messages {
        for _ in 0..batch.min(messages - number) {
            while producer.push([number; 4]).is_err() {
                producer.publish();
                spin_loop();
            }
            number += 1;
        }
        producer.publish();
        if let Some(waker) = waker
            && waker.wake() == Wake::Needed
        {
            unreachable!("no shard waits");
        }
    }
}

/// Receives the waiting messages, and checks that none is missing.
fn take(consumer: &mut Consumer<Message>, next: &mut u64) {
    let before = *next;
    for [number, ..] in consumer.drain() {
        assert_eq!(black_box(number), *next, "each message once, in order");
        *next += 1;
    }
    if *next == before {
        spin_loop();
    }
}

fn one_thread(messages: u64, batch: u64) -> Duration {
    let (mut producer, mut consumer) = ring(CAPACITY);
    let start = Instant::now();
    let mut next = 0;
    while next < messages {
        for number in next..messages.min(next + batch) {
            producer.push([number; 4]).expect("the ring was empty");
        }
        producer.publish();
        take(&mut consumer, &mut next);
    }
    start.elapsed()
}

fn two_threads(messages: u64, batch: u64, waking: Waking) -> Duration {
    let (mut producer, mut consumer) = ring(CAPACITY);
    let (_waiter, peer) = waker();
    let peer = match waking {
        Waking::Never => None,
        Waking::EachBatch => Some(peer),
    };
    let both = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            both.wait();
            send(&mut producer, messages, batch, peer.as_ref());
        });
        both.wait();
        let start = Instant::now();
        let mut next = 0;
        while next < messages {
            take(&mut consumer, &mut next);
        }
        start.elapsed()
    })
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handoff");
    group.throughput(Throughput::Elements(1));
    for batch in BATCHES {
        group.bench_function(BenchmarkId::new("one_thread", batch), |bench| {
            bench.iter_custom(|messages| one_thread(messages, batch));
        });
        group.bench_function(BenchmarkId::new("two_threads", batch), |bench| {
            bench.iter_custom(|messages| two_threads(messages, batch, Waking::Never));
        });
        group.bench_function(BenchmarkId::new("two_threads_with_wakes", batch), |bench| {
            bench.iter_custom(|messages| two_threads(messages, batch, Waking::EachBatch));
        });
    }
    group.finish();
}

fn wakes(criterion: &mut Criterion) {
    let (mut waiter, waker) = waker();
    let mut group = criterion.benchmark_group("waker");
    group.bench_function("wake_of_a_running_shard", |bench| bench.iter(|| waker.wake()));
    // Earlier signals are consumed first, so that each of these waits begins.
    if waiter.begin_wait(|| true) {
        waiter.end_wait();
    }
    group.bench_function("begin_and_end_a_wait", |bench| {
        bench.iter(|| {
            let begun = waiter.begin_wait(|| true);
            if begun {
                waiter.end_wait();
            }
            begun
        });
    });
    group.finish();
}

criterion_group!(benches, messages, wakes);
criterion_main!(benches);

//! Nanoseconds per message through the handoff ring, and per call of the waker.
//!
//! For each size of batch: both ends on one thread, which is the instructions
//! alone; two threads, which adds the cache lines' travel between cores; and the
//! same with a wake for each batch.

#![allow(clippy::print_stdout)] // results are what a benchmark is for

use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::{Duration, Instant};

use kad_node::handoff::{Consumer, Producer, Wake, Waker, ring, waker};

const MESSAGES: u32 = 4_000_000;
const CAPACITY: usize = 1024;
const RUNS: usize = 7;

/// About what a handed-over datagram's descriptor takes.
type Message = [u64; 4];

/// Whether the sender wakes the receiver after each batch.
#[derive(Clone, Copy)]
enum Waking {
    Never,
    EachBatch,
}

fn send(producer: &mut Producer<Message>, batch: u32, waker: Option<&Waker>) {
    for first in (0..MESSAGES).step_by(batch as usize) {
        for number in first..first + batch {
            while producer.push([number.into(); 4]).is_err() {
                producer.publish();
                spin_loop();
            }
        }
        producer.publish();
        if let Some(waker) = waker
            && waker.wake() == Wake::Needed
        {
            unreachable!("nobody waits");
        }
    }
}

fn take(consumer: &mut Consumer<Message>, batch: u32) -> u32 {
    if batch == 1 {
        u32::from(consumer.pop().map(black_box).is_some())
    } else {
        consumer.drain().map(black_box).count() as u32
    }
}

fn one_thread(batch: u32) -> Duration {
    let (mut producer, mut consumer) = ring(CAPACITY);
    let start = Instant::now();
    for first in (0..MESSAGES).step_by(batch as usize) {
        for number in first..first + batch {
            producer.push([number.into(); 4]).expect("the ring was empty");
        }
        producer.publish();
        assert_eq!(take(&mut consumer, batch), batch);
    }
    start.elapsed()
}

fn two_threads(batch: u32, waking: Waking) -> Duration {
    let (mut producer, mut consumer) = ring(CAPACITY);
    let (_waiter, peer) = waker();
    let peer = match waking {
        Waking::Never => None,
        Waking::EachBatch => Some(peer),
    };
    let start = Instant::now();
    let sender = thread::spawn(move || send(&mut producer, batch, peer.as_ref()));
    let mut received = 0;
    while received < MESSAGES {
        match take(&mut consumer, batch) {
            0 => spin_loop(),
            count => received += count,
        }
    }
    let elapsed = start.elapsed();
    sender.join().expect("the sender ends");
    elapsed
}

fn wake_of_a_running_shard() -> Duration {
    let (_waiter, waker) = waker();
    let start = Instant::now();
    for _ in 0..MESSAGES {
        let _ = black_box(waker.wake());
    }
    start.elapsed()
}

fn begin_and_end_a_wait() -> Duration {
    let (mut waiter, _waker) = waker();
    let start = Instant::now();
    for _ in 0..MESSAGES {
        if waiter.begin_wait(|| true) {
            waiter.end_wait();
        }
    }
    start.elapsed()
}

fn report(name: &str, run: impl Fn() -> Duration) {
    let mut nanoseconds = [(); RUNS].map(|()| run().as_secs_f64() * 1e9 / f64::from(MESSAGES));
    nanoseconds.sort_by(f64::total_cmp);
    println!(
        "{name:44} {:6.2} ns (best {:.2}, worst {:.2})",
        nanoseconds[RUNS / 2],
        nanoseconds[0],
        nanoseconds[RUNS - 1],
    );
}

fn main() {
    println!("median of {RUNS} runs of {MESSAGES} messages of 32 bytes, ring of {CAPACITY}");
    for batch in [1, 8, 64] {
        report(&format!("one thread, batches of {batch}"), || one_thread(batch));
        report(&format!("two threads, batches of {batch}"), || two_threads(batch, Waking::Never));
        report(&format!("two threads, batches of {batch}, with wakes"), || {
            two_threads(batch, Waking::EachBatch)
        });
    }
    report("wake of a running shard", wake_of_a_running_shard);
    report("begin and end a wait", begin_and_end_a_wait);
}

//! What loom checks: every interleaving of two or three threads, and every stale
//! value that the memory model lets a load return, within the bound on
//! preemptions. `tests/loom-mutations.sh` shows that these tests can fail.
//!
//! A thread tries a fixed number of times rather than until it succeeds, where
//! that will do: loops would only add interleavings that differ in nothing.

#![allow(clippy::unwrap_used)] // a test that cannot go on shall fail where it stands

mod waking;

use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ring::ring_from;
use super::{Producer, ring};

/// So that the indices wrap around while two messages are on their way.
const NEAR_THE_END: usize = usize::MAX;

/// Preemptions of one run when `LOOM_MAX_PREEMPTIONS` does not say. Every fault of
/// `tests/loom-mutations.sh` shows with 2.
const PREEMPTIONS_MAX: usize = 3;

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS_MAX);
    builder.check(check);
}

/// Pushes one message after another, each published by itself, and returns how
/// many found room.
fn offer_singly(producer: &mut Producer<usize>, attempts: usize) -> usize {
    let mut accepted = 0;
    for _ in 0..attempts {
        match producer.push(accepted) {
            Ok(()) => accepted += producer.publish(),
            Err(returned) => assert_eq!(returned, accepted),
        }
    }
    accepted
}

fn singles_arrive_once_and_in_order(capacity: usize) {
    model(move || {
        let (mut producer, mut consumer) = ring_from(capacity, NEAR_THE_END);
        let sender = thread::spawn(move || offer_singly(&mut producer, 6));

        let mut received = Vec::new();
        for _ in 0..5 {
            received.extend(consumer.pop());
        }
        let accepted = sender.join().unwrap();
        received.extend(consumer.drain());
        assert!(accepted >= capacity);
        assert_eq!(received, (0..accepted).collect::<Vec<_>>());
    });
}

#[test]
fn singles_arrive_once_and_in_order_at_capacity_1() {
    singles_arrive_once_and_in_order(1);
}

#[test]
fn singles_arrive_once_and_in_order_at_capacity_2() {
    singles_arrive_once_and_in_order(2);
}

fn batches_arrive_once_and_in_order(capacity: usize) {
    model(move || {
        let (mut producer, mut consumer) = ring_from(capacity, NEAR_THE_END);
        let sender = thread::spawn(move || {
            let mut accepted = 0;
            for _ in 0..4 {
                while producer.push(accepted).is_ok() {
                    accepted += 1;
                }
                producer.publish();
            }
            accepted
        });

        let mut received = Vec::new();
        for _ in 0..4 {
            received.extend(consumer.drain());
        }
        let accepted = sender.join().unwrap();
        received.extend(consumer.drain());
        assert!(accepted >= capacity);
        assert_eq!(received, (0..accepted).collect::<Vec<_>>());
    });
}

#[test]
fn batches_arrive_once_and_in_order_at_capacity_1() {
    batches_arrive_once_and_in_order(1);
}

#[test]
fn batches_arrive_once_and_in_order_at_capacity_2() {
    batches_arrive_once_and_in_order(2);
}

#[test]
fn a_ring_holds_its_capacity_and_no_more() {
    model(|| {
        for capacity in [1, 2] {
            let (mut producer, mut consumer) = ring_from(capacity, NEAR_THE_END);
            for round in 0..3 {
                assert!(consumer.is_empty());
                assert_eq!(consumer.pop(), None, "round {round}");
                for message in 0..capacity {
                    assert_eq!(producer.push(message), Ok(()));
                }
                assert_eq!(producer.push(capacity), Err(capacity), "round {round}");
                assert!(consumer.is_empty(), "a batch is not seen before it is published");
                assert_eq!(producer.publish(), capacity);
                assert_eq!(producer.publish(), 0);
                assert!(!consumer.is_empty());
                assert_eq!(consumer.drain().len(), capacity);
                assert_eq!(consumer.pop(), Some(0));
                assert!(consumer.drain().eq(1..capacity), "round {round}");
            }
        }
    });
}

/// A message that counts its drops. The counters are plain statics, reset by each
/// run of the model, so that a message dropped twice fails an assertion and not
/// the allocator.
struct Counted(&'static AtomicUsize);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn reset(drops: &'static [AtomicUsize]) {
    for counter in drops {
        counter.store(0, Ordering::SeqCst);
    }
}

fn assert_each_dropped_once(drops: &'static [AtomicUsize]) {
    let counts: Vec<_> = drops.iter().map(|counter| counter.load(Ordering::SeqCst)).collect();
    assert!(counts.iter().all(|&count| count == 1), "drops of each message: {counts:?}");
}

#[test]
fn messages_inside_are_dropped_once_whichever_end_goes_first() {
    static DROPS: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
    model(|| {
        reset(&DROPS);
        let (mut producer, mut consumer) = ring_from(4, NEAR_THE_END);
        let sender = thread::spawn(move || {
            for counter in &DROPS {
                assert!(producer.push(Counted(counter)).is_ok());
                if std::ptr::eq(counter, &raw const DROPS[1]) {
                    producer.publish();
                }
            }
        });
        drop(consumer.pop());
        drop(consumer);
        sender.join().unwrap();
        assert_each_dropped_once(&DROPS);
    });
}

#[test]
fn a_message_that_a_forgotten_drain_took_is_not_dropped_again() {
    static DROPS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    model(|| {
        reset(&DROPS);
        let (mut producer, mut consumer) = ring(2);
        for counter in &DROPS {
            assert!(producer.push(Counted(counter)).is_ok());
        }
        producer.publish();
        let mut drain = consumer.drain();
        drop(drain.next());
        std::mem::forget(drain);
        drop(consumer);
        assert!(producer.is_closed());
        drop(producer);
        assert_each_dropped_once(&DROPS);
    });
}

#[test]
fn a_slot_that_a_forgotten_drain_read_is_written_after_the_reading() {
    model(|| {
        let (mut producer, mut consumer) = ring(1);
        producer.push(1).unwrap();
        producer.publish();
        let receiver = thread::spawn(move || {
            let mut drain = consumer.drain();
            assert_eq!(drain.next(), Some(1));
            std::mem::forget(drain);
        });
        let _ = producer.push(2);
        receiver.join().unwrap();
    });
}

#[test]
fn a_closed_ring_shows_all_that_was_pushed() {
    model(|| {
        let (mut producer, mut consumer) = ring(1);
        let sender = thread::spawn(move || producer.push(7).unwrap());
        if consumer.is_closed() {
            assert_eq!(consumer.pop(), Some(7));
        }
        sender.join().unwrap();
        assert!(consumer.is_closed());
    });
}

//! The ring and the waker on real threads, and the ring against a plain queue.

#![allow(clippy::unwrap_used)] // a test that cannot go on shall fail where it stands

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::ring::ring_from;
use super::{Consumer, Producer, Wake, ring, waker};

/// Messages that cross from thread to thread in each test, at most.
const MESSAGES: usize = if cfg!(miri) { 300 } else { 1_000_000 };
/// Of these at least, whatever the time.
const MESSAGES_MIN: usize = if cfg!(miri) { MESSAGES } else { 10_000 };
/// Time after which no more than [`MESSAGES_MIN`] are sent. A million take a second
/// or two where each of both threads has a core; on one core that others want as
/// well each change from one thread to the other may take milliseconds, which would
/// add up to an hour.
const SENDING_MAX: Duration = Duration::from_secs(10);
/// How often the time is looked at.
const LOOK_MESSAGES: usize = 64;

/// Calls `attempt` until it gives something, letting other threads run: there may
/// be fewer cores than threads.
fn eventually<R>(mut attempt: impl FnMut() -> Option<R>) -> R {
    loop {
        for _ in 0..64 {
            if let Some(result) = attempt() {
                return result;
            }
            std::hint::spin_loop();
        }
        thread::yield_now();
    }
}

/// The numbers from 0 to `count`, or to fewer where time runs out, but to
/// [`MESSAGES_MIN`] at least.
fn numbers(count: usize) -> impl Iterator<Item = usize> {
    let begun = Instant::now();
    (0..count).take_while(move |&number| {
        let is_look = number >= MESSAGES_MIN && number.is_multiple_of(LOOK_MESSAGES);
        !is_look || begun.elapsed() < SENDING_MAX
    })
}

/// Pushes the numbers up to `MESSAGES`, on the heap so that a message lost or taken
/// twice shows, publishing every `batch`th and whenever the ring is full. Returns
/// how many they were.
fn push_all(producer: &mut Producer<Box<usize>>, batch: usize) -> usize {
    let mut count = 0;
    for number in numbers(MESSAGES) {
        count += 1;
        let mut message = Some(Box::new(number));
        eventually(|| match producer.push(message.take()?) {
            Ok(()) => Some(()),
            Err(returned) => {
                producer.publish();
                message = Some(returned);
                None
            }
        });
        if number % batch == batch - 1 {
            producer.publish();
        }
    }
    producer.publish();
    count
}

fn singles_arrive_once_and_in_order(capacity: usize) {
    let (mut producer, mut consumer) = ring(capacity);
    let sender = thread::spawn(move || push_all(&mut producer, 1));
    let mut expected = 0;
    // What was published before the end is there once the end is seen.
    let mut await_message = || {
        eventually(|| {
            let is_closed = consumer.is_closed();
            let message = consumer.pop();
            (is_closed || message.is_some()).then_some(message)
        })
    };
    while let Some(message) = await_message() {
        assert_eq!(*message, expected);
        expected += 1;
    }
    assert_eq!(sender.join().unwrap(), expected);
    assert!(expected >= MESSAGES_MIN, "{expected} messages are no trial");
}

#[test]
fn a_million_singles_pass_a_ring_of_1() {
    singles_arrive_once_and_in_order(1);
}

#[test]
fn a_million_singles_pass_a_ring_of_2() {
    singles_arrive_once_and_in_order(2);
}

#[test]
fn a_million_singles_pass_a_ring_of_1024() {
    singles_arrive_once_and_in_order(1024);
}

fn batches_arrive_once_and_in_order(capacity: usize, batch: usize) {
    let (mut producer, mut consumer) = ring(capacity);
    let sender = thread::spawn(move || push_all(&mut producer, batch));
    let mut expected = 0;
    loop {
        eventually(|| (!consumer.is_empty() || consumer.is_closed()).then_some(()));
        let is_closed = consumer.is_closed();
        for message in consumer.drain() {
            assert_eq!(*message, expected);
            expected += 1;
        }
        if is_closed {
            break;
        }
    }
    assert_eq!(sender.join().unwrap(), expected);
    assert!(expected >= MESSAGES_MIN, "{expected} messages are no trial");
}

#[test]
fn a_million_messages_pass_a_ring_of_2_in_batches() {
    batches_arrive_once_and_in_order(2, 2);
}

#[test]
fn a_million_messages_pass_a_ring_of_1024_in_batches() {
    batches_arrive_once_and_in_order(1024, 64);
}

#[test]
fn a_shard_that_sleeps_whenever_it_is_idle_gets_every_message() {
    const PEERS: usize = 2;
    let (mut waiter, waker) = waker();
    let shard = thread::current();
    let mut consumers = Vec::new();
    let peers = [(); PEERS].map(|()| {
        let (mut producer, consumer) = ring(64);
        consumers.push(consumer);
        let (waker, shard) = (waker.clone(), shard.clone());
        thread::spawn(move || {
            for number in 0..MESSAGES / 10 {
                eventually(|| producer.push(number).ok());
                producer.publish();
                if waker.wake() == Wake::Needed {
                    shard.unpark(); // sticky, as the transport must be
                }
            }
        })
    });
    let mut expected = [0; PEERS];
    while expected != [MESSAGES / 10; PEERS] {
        let is_signalled = waiter.take_signal();
        for (consumer, expected) in consumers.iter_mut().zip(&mut expected) {
            for number in is_signalled.then(|| consumer.drain()).into_iter().flatten() {
                assert_eq!(number, *expected);
                *expected += 1;
            }
        }
        let done = expected == [MESSAGES / 10; PEERS];
        if !done && waiter.begin_wait(|| consumers.iter().all(Consumer::is_empty)) {
            thread::park();
            waiter.end_wait();
        }
    }
    for peer in peers {
        peer.join().unwrap();
    }
}

#[test]
fn ends_that_go_with_messages_inside_leave_none_alive() {
    for (taken, consumer_first) in [(0, true), (0, false), (2, true), (2, false)] {
        let witness = Arc::new(());
        let (mut producer, mut consumer) = ring_from(8, usize::MAX - 2);
        for _ in 0..5 {
            producer.push(Arc::clone(&witness)).unwrap();
        }
        assert_eq!(producer.publish(), 5);
        producer.push(Arc::clone(&witness)).unwrap();
        consumer.drain().take(taken).for_each(drop);
        assert_eq!(Arc::strong_count(&witness), 1 + 6 - taken);
        if consumer_first {
            drop(consumer);
            assert!(producer.is_closed());
        } else {
            drop(producer);
            assert!(consumer.is_closed());
            assert_eq!(consumer.drain().len(), 6 - taken, "what was pushed is published");
        }
    }
}

#[test]
fn whichever_end_goes_last_drops_what_is_inside() {
    let witness = Arc::new(());
    let (mut producer, consumer) = ring(4);
    producer.push(Arc::clone(&witness)).unwrap();
    drop(consumer);
    producer.push(Arc::clone(&witness)).unwrap();
    assert_eq!(Arc::strong_count(&witness), 3);
    drop(producer);
    assert_eq!(Arc::strong_count(&witness), 1);

    let (mut producer, consumer) = ring(4);
    producer.push(Arc::clone(&witness)).unwrap();
    drop(producer);
    assert_eq!(Arc::strong_count(&witness), 2);
    drop(consumer);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
#[should_panic(expected = "a ring of 3 slots: take a power of two")]
fn a_capacity_that_is_not_a_power_of_two_is_refused() {
    let _ = ring::<()>(3);
}

#[test]
#[should_panic(expected = "a ring of 0 slots")]
fn a_ring_without_slots_is_refused() {
    let _ = ring::<()>(0);
}

#[derive(Clone, Debug)]
enum Step {
    Push,
    Publish,
    Pop,
    Drain { at_most: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Push),
        3 => Just(Step::Publish),
        2 => Just(Step::Pop),
        1 => (0_usize..8).prop_map(|at_most| Step::Drain { at_most }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_ring_does_what_a_queue_with_a_batch_does(
        capacity_log2 in 0_u32..4,
        start in prop_oneof![Just(0), (usize::MAX - 20)..=usize::MAX],
        steps in prop::collection::vec(step(), 0..100),
    ) {
        let capacity = 1 << capacity_log2;
        let (mut producer, mut consumer) = ring_from(capacity, start);
        let (mut visible, mut batch) = (VecDeque::new(), VecDeque::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push if visible.len() + batch.len() < capacity => {
                    prop_assert_eq!(producer.push(number), Ok(()));
                    batch.push_back(number);
                    prop_assert_eq!(producer.batch(), batch.len());
                }
                Step::Push => prop_assert_eq!(producer.push(number), Err(number)),
                Step::Publish => {
                    prop_assert_eq!(producer.publish(), batch.len());
                    visible.append(&mut batch);
                    prop_assert_eq!(producer.batch(), 0);
                }
                Step::Pop => prop_assert_eq!(consumer.pop(), visible.pop_front()),
                Step::Drain { at_most } => {
                    let drain = consumer.drain();
                    prop_assert_eq!(drain.len(), visible.len());
                    let expected = visible.drain(..at_most.min(visible.len()));
                    prop_assert!(drain.take(at_most).eq(expected));
                }
            }
            prop_assert_eq!(consumer.is_empty(), visible.is_empty());
        }
    }
}

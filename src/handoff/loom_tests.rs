//! What loom checks: every interleaving of two or three threads, and every stale
//! value that the memory model lets a load return, within the bound on
//! preemptions. `tests/loom-mutations.sh` shows that these tests can fail.
//!
//! A thread tries a fixed number of times rather than until it succeeds, where
//! that will do: loops would only add interleavings that differ in nothing.

#![allow(clippy::unwrap_used)] // a test that cannot go on shall fail where it stands

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ring::ring_from;
use super::{Consumer, Producer, Wake, Waker, ring, waker};

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

/// Stands for an eventfd: a send that finds no waiter stays.
#[derive(Default)]
struct Transport {
    sent: Mutex<bool>,
    arrival: Condvar,
}

impl Transport {
    fn send(&self) {
        *self.sent.lock().unwrap() = true;
        self.arrival.notify_one();
    }

    fn wait(&self) {
        let mut sent = self.sent.lock().unwrap();
        while !*sent {
            sent = self.arrival.wait(sent).unwrap();
        }
        *sent = false;
    }

    fn wake(&self, waker: &Waker) {
        if waker.wake() == Wake::Needed {
            self.send();
        }
    }
}

/// How the first wait of a test's shard ends.
#[derive(Clone, Copy)]
enum FirstWait {
    /// By the transport, like every other.
    Transport,
    /// By something else: a datagram, a deadline.
    Other,
}

/// A shard that sleeps until it has taken `count` messages: loom reports a
/// message that it sleeps through as a deadlock.
fn sleep_until_received(
    consumers: &mut [Consumer<usize>],
    waiter: &mut super::Waiter,
    transport: &Transport,
    count: usize,
    mut first_wait: FirstWait,
) -> Vec<usize> {
    let mut received = Vec::new();
    loop {
        for consumer in &mut *consumers {
            received.extend(consumer.drain());
        }
        if received.len() >= count {
            return received;
        }
        if waiter.begin_wait(|| consumers.iter().all(Consumer::is_empty)) {
            match first_wait {
                FirstWait::Transport => transport.wait(),
                FirstWait::Other => first_wait = FirstWait::Transport,
            }
            waiter.end_wait();
        }
    }
}

fn one_peer_and_a_sleeper(first_wait: FirstWait) {
    model(move || {
        let (mut producer, consumer) = ring(4);
        let (mut waiter, waker) = waker();
        let transport = Arc::new(Transport::default());
        let peer = thread::spawn({
            let transport = Arc::clone(&transport);
            move || {
                for message in 0..3 {
                    producer.push(message).unwrap();
                    producer.publish();
                    transport.wake(&waker);
                }
            }
        });
        let received =
            sleep_until_received(&mut [consumer], &mut waiter, &transport, 3, first_wait);
        assert_eq!(received, [0, 1, 2]);
        peer.join().unwrap();
    });
}

#[test]
fn no_message_of_one_peer_is_slept_through() {
    one_peer_and_a_sleeper(FirstWait::Transport);
}

#[test]
fn no_message_is_slept_through_after_a_wait_that_ended_for_another_reason() {
    one_peer_and_a_sleeper(FirstWait::Other);
}

#[test]
fn no_message_of_two_peers_is_slept_through() {
    model(|| {
        let (mut waiter, waker) = waker();
        let transport = Arc::new(Transport::default());
        let mut consumers = Vec::new();
        let peers = [0, 1].map(|message| {
            let (mut producer, consumer) = ring(1);
            consumers.push(consumer);
            let (waker, transport) = (waker.clone(), Arc::clone(&transport));
            thread::spawn(move || {
                producer.push(message).unwrap();
                producer.publish();
                transport.wake(&waker);
            })
        });
        let mut received =
            sleep_until_received(&mut consumers, &mut waiter, &transport, 2, FirstWait::Transport);
        received.sort_unstable();
        assert_eq!(received, [0, 1]);
        for peer in peers {
            peer.join().unwrap();
        }
    });
}

#[test]
fn a_sleeper_learns_that_its_producer_is_gone() {
    model(|| {
        let (producer, consumer) = ring::<usize>(1);
        let (mut waiter, waker) = waker();
        let transport = Arc::new(Transport::default());
        let peer = thread::spawn({
            let transport = Arc::clone(&transport);
            move || {
                drop(producer);
                transport.wake(&waker);
            }
        });
        while !consumer.is_closed() {
            if waiter.begin_wait(|| consumer.is_empty() && !consumer.is_closed()) {
                transport.wait();
                waiter.end_wait();
            }
        }
        peer.join().unwrap();
    });
}

#[test]
fn of_two_peers_that_wake_a_waiting_shard_one_sends() {
    model(|| {
        let (mut waiter, waker) = waker();
        assert!(waiter.begin_wait(|| true));
        let peer = thread::spawn({
            let waker = waker.clone();
            move || waker.wake()
        });
        let answers = [waker.wake(), peer.join().unwrap()];
        let needed = answers.iter().filter(|&&answer| answer == Wake::Needed).count();
        assert_eq!(needed, 1);
    });
}

#[test]
fn a_running_shard_costs_its_peers_no_system_call() {
    model(|| {
        let (mut waiter, waker) = waker();
        assert_eq!(waker.wake(), Wake::NotNeeded, "a shard runs at first");
        assert!(!waiter.begin_wait(|| false));
        assert_eq!(waker.wake(), Wake::NotNeeded, "a shard that is not idle runs on");
        assert!(waiter.begin_wait(|| true));
        assert_eq!(waker.wake(), Wake::Needed, "a wake while it ran does not count");
        assert_eq!(waker.wake(), Wake::NotNeeded, "one transport is enough");
        waiter.end_wait();
        assert_eq!(waker.wake(), Wake::NotNeeded, "a shard that woke up runs");
    });
}

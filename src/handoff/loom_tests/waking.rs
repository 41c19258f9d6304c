//! What is published for a shard is found by it, whether it waits, is about to, or never does.

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::super::{Consumer, Waiter, Wake, Waker, ring, waker};
use super::model;

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
    waiter: &mut Waiter,
    transport: &Transport,
    count: usize,
    mut first_wait: FirstWait,
) -> Vec<usize> {
    let mut received = Vec::new();
    loop {
        if waiter.take_signal() {
            for consumer in &mut *consumers {
                received.extend(consumer.drain());
            }
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

#[test]
fn a_shard_that_never_waits_is_told_of_every_message() {
    model(|| {
        let (mut producer, mut consumer) = ring(2);
        let (mut waiter, waker) = waker();
        let peer = thread::spawn(move || {
            for message in 0..2 {
                producer.push(message).unwrap();
                producer.publish();
                let _ = waker.wake();
            }
        });
        let mut received = Vec::new();
        let mut turn = || {
            waiter.end_wait();
            if waiter.take_signal() {
                received.extend(consumer.drain());
            }
        };
        turn();
        turn();
        peer.join().unwrap();
        turn();
        assert_eq!(received, [0, 1]);
    });
}

#[test]
fn a_shard_that_was_not_woken_looks_at_no_ring() {
    model(|| {
        let (mut waiter, waker) = waker();
        let look = || unreachable!("no peer has published anything since");
        assert!(waiter.begin_wait(look));
        waiter.end_wait();
        assert!(!waiter.take_signal());
        let _ = waker.wake();
        waiter.end_wait();
        assert!(waiter.take_signal());
        assert!(!waiter.take_signal(), "it was told once");
        assert!(waiter.begin_wait(look));
    });
}

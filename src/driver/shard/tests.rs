//! The loop over a datapath that is made up.

mod burst;
mod floods;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, mpsc};

use super::*;
use crate::driver::events::{Events, events};
use crate::driver::launch::Threads;
use crate::driver::mailbox::peers::ring_capacity;
use crate::driver::mailbox::{self, Mailboxes};
use crate::driver::{Io, Ready, Running, ShardCount, ShardError, Steering};
use crate::id::Id;
use crate::limits::OUTBOX_BYTES_MAX;
use crate::node::{Command, Config, OperationId};
use crate::wire::{self, Body};
use burst::{Burst, Ending, Neighbour};

fn config() -> Config {
    Config::new(Id::of_value(b"node"), [1; 32])
}

/// A commander, the links of `count` shards, and their events.
fn rig(count: usize) -> (Mailboxes, Vec<EventSender>, Events) {
    let count = ShardCount::new(count).expect("a few");
    let (senders, events) =
        events(count, config().shards(count.get()).map(|config| config.position.index()));
    (mailbox::join(count).expect("an eventfd"), senders, events)
}

#[test]
fn a_full_outbox_is_sent_in_the_middle_of_a_turn() {
    let (mut mailboxes, mut senders, _events) = rig(1);
    let datapath = Burst::new(0, Ending::Fails);
    let pings = 3 * OUTBOX_BYTES_MAX / datapath.bytes.len();
    let node = Node::new(config(), Instant::ZERO);
    let (links, sender) = (mailboxes.links.remove(0), senders.remove(0));
    let datapath = Burst::new(pings, Ending::Fails);
    let mut shard = Shard::new(node, datapath, links, sender, Clock::start());
    assert!(shard.turn().expect("the first is sound").is_continue());
    let datapath = &shard.outlet.datapath;
    assert_eq!(datapath.answered, pings);
    assert!(datapath.submissions > 3, "{} submissions", datapath.submissions);
    assert_eq!(shard.node.stats().outbox_full, 0);
}

/// The kernel counts no sleep of the machine into a wait, whose end would come so much late.
#[test]
fn an_idle_shard_looks_at_the_clock_again_soon() {
    let (mut mailboxes, mut senders, _events) = rig(1);
    let node = Node::new(config(), Instant::ZERO);
    let (links, sender) = (mailboxes.links.remove(0), senders.remove(0));
    let datapath = Burst::new(0, Ending::Fails);
    let mut shard = Shard::new(node, datapath, links, sender, Clock::start());
    assert!(shard.turn().expect("the first is sound").is_continue());
    let longest = shard.outlet.datapath.longest.expect("it waits not for ever");
    assert!(!longest.is_zero() && longest <= WAIT_MAX, "{longest:?}");
}

#[test]
fn a_turn_of_foreign_datagrams_is_passed_on_while_it_lasts() {
    let (mut mailboxes, mut senders, _events) = rig(2);
    let foreign = 2 * ring_capacity(2);
    let config = config().shards(2).next().expect("the first");
    let mut keys = (0..u8::MAX).map(|number| Id::of_value(&[number]));
    let key = keys.find(|&key| config.position.of_key(key) != config.position.index());
    let body = Body::FindValue { key: key.expect("one in two"), offset: 0 };
    let mut datapath = Burst::of(foreign, body, Ending::Fails);
    let ring = mailboxes.links[1].inbox.handoffs.remove(0);
    datapath.neighbour = Some(Neighbour { ring, taken: 0 });
    let node = Node::new(config, Instant::ZERO);
    let (links, sender) = (mailboxes.links.remove(0), senders.remove(0));
    let mut shard = Shard::new(node, datapath, links, sender, Clock::start());
    assert!(shard.turn().expect("the first is sound").is_continue());
    let Burst { stats, neighbour, .. } = &mut shard.outlet.datapath;
    let Neighbour { ring, taken } = neighbour.as_mut().expect("it is there");
    assert_eq!((stats.handoffs_sent, stats.handoffs_dropped), (foreign as u64, 0));
    assert_eq!(*taken + ring.drain().count(), foreign);
}

#[test]
fn each_reply_leaves_from_the_address_that_was_asked_and_no_sooner_than_needed() {
    for (asked, submissions) in [(&[2][..], 1), (&[2, 3], 9)] {
        let (mut mailboxes, mut senders, _events) = rig(1);
        let node = Node::new(config(), Instant::ZERO);
        let (links, sender) = (mailboxes.links.remove(0), senders.remove(0));
        let datapath = Burst::new(9, Ending::Fails).at_wildcard(asked);
        let mut shard = Shard::new(node, datapath, links, sender, Clock::start());
        assert!(shard.turn().expect("the first is sound").is_continue());
        let datapath = &shard.outlet.datapath;
        let expected = (0..9).rev().map(|left: usize| datapath.asked[left % asked.len()]);
        assert_eq!(datapath.sources, expected.map(Some).collect::<Vec<_>>());
        assert_eq!(datapath.submissions, submissions);
    }
}

#[test]
fn a_datagram_is_passed_on_with_the_address_that_it_came_to() {
    let (mailboxes, senders, _events) = rig(2);
    let configs: Vec<_> = config().shards(2).collect();
    let position = configs[0].position;
    let mut keys = (0..u8::MAX).map(|number| Id::of_value(&[number]));
    let key = keys.find(|&key| position.of_key(key) != position.index());
    let body = Body::FindValue { key: key.expect("one in two"), offset: 0 };
    let mut shards = Vec::new();
    let parts = mailboxes.links.into_iter().zip(senders).zip(configs);
    for (((links, sender), config), datagrams) in parts.zip([1, 0]) {
        let datapath = Burst::of(datagrams, body, Ending::Fails).at_wildcard(&[2]);
        let node = Node::new(config, Instant::ZERO);
        shards.push(Shard::new(node, datapath, links, sender, Clock::start()));
    }
    for shard in &mut shards {
        assert!(shard.turn().expect("the first is sound").is_continue());
    }
    let sources = shards.iter().map(|shard| shard.outlet.datapath.sources.clone());
    let expected = Some(IpAddr::from([127, 0, 0, 2]));
    assert_eq!(sources.collect::<Vec<_>>(), [vec![], vec![expected]]);
}

/// A node of `endings.len()` shards, each with its ending.
fn running(endings: &[Ending]) -> Running {
    let (Mailboxes { commander, shutdown, links }, senders, events) = rig(endings.len());
    let configs: Vec<_> = config().shards(endings.len()).collect();
    let mut bodies = Vec::new();
    for (((&end, links), events), config) in endings.iter().zip(links).zip(senders).zip(configs) {
        bodies.push(move |starter: mpsc::SyncSender<_>| {
            let mut datapath = Burst::new(1, end);
            datapath.wake_fd = Some(Arc::clone(&links.inbox.wake_fd));
            let node = Node::new(config, Instant::ZERO);
            let shard = Shard::new(node, datapath, links, events, Clock::start());
            let _ = starter.send(Ok(Ready { io: Io::Mmsg, fallback: None }));
            drop(starter);
            shard.run()
        });
    }
    let (threads, mut ready) = Threads::start(bodies, &shutdown).expect("threads are to be had");
    Running {
        address: (Ipv4Addr::LOCALHOST, 9).into(),
        ready: ready.remove(0),
        steering: Steering::Off,
        shards: ShardCount::new(endings.len()).expect("a few"),
        commander,
        events,
        threads: Some(threads),
        disk: None,
    }
}

#[test]
fn a_shard_whose_datapath_fails_ends_the_node_and_leaves_no_thread_waiting() {
    for endings in [
        &[Ending::Fails][..],
        &[Ending::Fails, Ending::Never],
        &[Ending::Never, Ending::Never, Ending::Never, Ending::Fails],
    ] {
        let running = running(endings);
        // For ever, if need be.
        assert_eq!(running.events().recv(), Err(mpsc::RecvError), "{endings:?}");
        let command = Command::Stats { operation: OperationId(1) };
        assert!(running.commander().send(command).is_err());
        let error = running.stop().expect_err("it has failed");
        let is_it =
            matches!(&error, ShardError::Io(error) if error.raw_os_error() == Some(libc::EBADF));
        assert!(is_it, "{error}");
    }
}

#[test]
fn a_shard_that_panics_ends_the_node() {
    let running = running(&[Ending::Never, Ending::Panics, Ending::Never]);
    assert_eq!(running.events().recv(), Err(mpsc::RecvError));
    assert!(matches!(running.stop(), Err(ShardError::Panicked)));
}

#[test]
fn a_shard_that_panics_before_it_is_ready_ends_the_start() {
    let (mailboxes, ..) = rig(3);
    let bodies: Vec<_> = (0..3)
        .map(|index| {
            let shutdown = Arc::clone(&mailboxes.shutdown);
            move |starter: mpsc::SyncSender<_>| {
                assert_ne!(index, 1, "on purpose");
                let _ = starter.send(Ok(Ready { io: Io::Mmsg, fallback: None }));
                drop(starter);
                while !shutdown.is_requested() {
                    std::thread::yield_now();
                }
                Ok(ShardStats::default())
            }
        })
        .collect();
    let error = Threads::start(bodies, &mailboxes.shutdown).expect_err("one panics");
    assert!(matches!(error, crate::driver::StartError::Panicked));
}

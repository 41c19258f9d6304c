//! Commands and handoffs between threads that do not run: what waits, what is
//! dropped, what comes back.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::mailbox::peers::{RETRY, ring_capacity};
use super::mailbox::{self, Links, Mailboxes};
use super::stats::DriverStats;
use super::{
    COMMANDS_MAX, Commander, DriverEvent, IoChoice, Running, SendError, Settings, ShardCount,
    start, start_by,
};
use crate::id::Id;
use crate::node::{
    Command, Config, Event, HANDOFF_SLOTS, Handoff, OperationId, ShardIndex, ShardPosition, Stats,
    Weight,
};

fn wired(count: usize) -> (Commander, Vec<Links>) {
    let Mailboxes { commander, links, .. } =
        mailbox::join(ShardCount::new(count).expect("a few")).expect("an eventfd");
    (commander, links)
}

/// A command for every shard.
fn stats(number: u64) -> Command {
    Command::Stats { operation: OperationId(number) }
}

/// A command for the first of several shards.
fn first(number: u8) -> Command {
    Command::Bootstrap { addresses: vec![([127, 0, 0, 1], number.into()).into()] }
}

#[test]
fn commands_come_in_order_and_one_too_many_comes_back() {
    let (commander, mut links) = wired(1);
    let count = COMMANDS_MAX as u64;
    for number in 0..count {
        assert_eq!(commander.send(stats(number)), Ok(()));
    }
    assert_eq!(commander.send(stats(count)), Err(SendError::Full(stats(count))));
    let taken: Vec<_> = links[0].inbox.commands.drain().collect();
    assert_eq!(taken, (0..count).map(stats).collect::<Vec<_>>());
    assert_eq!(commander.send(stats(count)), Ok(()));
}

#[test]
fn a_command_for_every_shard_comes_to_all_or_none() {
    let (commander, mut links) = wired(3);
    while commander.send(first(1)).is_ok() {}
    assert_eq!(commander.send(stats(1)), Err(SendError::Full(stats(1))));
    assert!(links[1].inbox.commands.is_empty() && links[2].inbox.commands.is_empty());
    assert_eq!(links[0].inbox.commands.drain().count(), COMMANDS_MAX);
    assert_eq!(commander.send(stats(1)), Ok(()));
    for links in &mut links {
        assert_eq!(links.inbox.commands.drain().collect::<Vec<_>>(), [stats(1)]);
    }
}

#[test]
fn a_command_comes_to_the_shard_that_owns_its_key_and_to_no_other() {
    const COUNT: usize = 5;
    let (commander, mut links) = wired(COUNT);
    let place = ShardPosition::new(0, COUNT);
    for number in 0..100 {
        let (operation, key) = (OperationId(number), Id::of_value(&number.to_be_bytes()));
        commander.send(Command::Forget { operation, key }).expect("there is room");
        for (shard, links) in links.iter_mut().enumerate() {
            let expected = usize::from(shard == place.of_key(key).as_usize());
            assert_eq!(links.inbox.commands.drain().count(), expected);
        }
    }
}

#[test]
fn the_request_to_stop_finds_room_in_a_full_queue() {
    let (commander, links) = wired(2);
    while commander.send(stats(1)).is_ok() {}
    assert!(links.iter().all(|links| links.inbox.flow().is_continue()));
    commander.stop();
    assert!(links.iter().all(|links| links.inbox.flow().is_break()));
    assert_eq!(commander.send(stats(1)), Err(SendError::Stopped(stats(1))));
}

#[test]
fn a_command_for_a_shard_that_has_ended_comes_back() {
    let (commander, mut links) = wired(2);
    drop(links.pop());
    assert_eq!(commander.send(stats(1)), Err(SendError::Stopped(stats(1))));
}

#[test]
fn a_shard_that_stops_finds_what_was_sent_since_its_wait() {
    let (commander, mut links) = wired(1);
    let inbox = &mut links[0].inbox;
    assert!(inbox.begin_wait());
    inbox.end_wait();
    commander.send(stats(1)).expect("there is room");
    assert!(!inbox.take_signal(), "the next wait is told");
    commander.stop();
    assert!(inbox.flow().is_break());
    assert!(inbox.take_signal(), "there is no next wait");
}

const DROPPABLE: Weight = Weight::Droppable;

fn binding(slot: usize) -> Weight {
    Weight::Binding { slot: slot as u8 }
}

/// Messages of the first of three shards to the second, which does not drain its
/// rings until it is asked what has arrived.
struct Stuck {
    links: Vec<Links>,
    stats: DriverStats,
}

impl Stuck {
    fn new() -> Self {
        Self { links: wired(3).1, stats: DriverStats::default() }
    }

    /// A turn of the first shard that passes on messages of these weights.
    fn turn(&mut self, to: usize, weights: impl IntoIterator<Item = Weight>) {
        self.begin_turn(to, weights);
        let Self { links, stats } = self;
        links[0].peers.publish(stats);
    }

    /// The same turn, without its end.
    fn begin_turn(&mut self, to: usize, weights: impl IntoIterator<Item = Weight>) {
        let shard: ShardIndex = ShardPosition::new(to, 3).index();
        let Self { links, stats } = self;
        for weight in weights {
            links[0].peers.pass(shard, Handoff::sample(weight), stats);
        }
    }

    /// The weights of what has arrived at a shard, in order.
    fn arrived(&mut self, at: usize) -> Vec<Weight> {
        let rings = self.links[at].inbox.handoffs.iter_mut();
        rings.flat_map(|ring| ring.drain()).map(|handoff| handoff.weight()).collect()
    }
}

#[test]
fn droppable_handoffs_to_a_stuck_shard_are_dropped_and_counted() {
    let mut stuck = Stuck::new();
    let (room, excess) = (ring_capacity(3), 100);
    stuck.turn(1, vec![DROPPABLE; room + excess]);
    assert_eq!(stuck.stats.handoffs_sent, room as u64);
    assert_eq!(stuck.stats.handoffs_dropped, excess as u64);
    assert_eq!(stuck.links[0].peers.retry(), None, "nothing waits");
    // The other one is served meanwhile.
    stuck.turn(2, [DROPPABLE; 3]);
    assert_eq!(stuck.arrived(2), [DROPPABLE; 3]);
    assert_eq!(stuck.arrived(1).len(), room);
}

#[test]
fn binding_handoffs_to_a_stuck_shard_wait_and_the_latest_of_each_slot_arrives() {
    let mut stuck = Stuck::new();
    let room = ring_capacity(3);
    stuck.turn(1, vec![DROPPABLE; room]);
    for _ in 0..10 {
        stuck.turn(1, (0..HANDOFF_SLOTS).map(binding));
    }
    stuck.turn(1, [binding(7), DROPPABLE]);
    assert_eq!(stuck.stats.handoffs_waited, 10 * HANDOFF_SLOTS as u64 + 1);
    assert_eq!(stuck.stats.handoffs_dropped, 1, "nothing overtakes what waits");
    assert_eq!(stuck.links[0].peers.retry(), Some(RETRY));
    assert_eq!(stuck.arrived(1), vec![DROPPABLE; room]);
    stuck.turn(1, [DROPPABLE]);
    let others = (0..HANDOFF_SLOTS).filter(|slot| *slot != 7).map(binding);
    let expected: Vec<_> = others.chain([binding(7), DROPPABLE]).collect();
    assert_eq!(stuck.arrived(1), expected);
    assert_eq!(stuck.links[0].peers.retry(), None);
}

#[test]
fn a_turn_without_messages_tries_again() {
    let mut stuck = Stuck::new();
    stuck.turn(1, vec![DROPPABLE; ring_capacity(3)]);
    stuck.turn(1, [binding(1)]);
    stuck.arrived(1);
    stuck.turn(1, []);
    assert_eq!(stuck.arrived(1), [binding(1)]);
}

#[test]
fn a_turn_wakes_a_waiting_shard_once_and_a_running_one_never() {
    let mut stuck = Stuck::new();
    stuck.turn(1, [DROPPABLE; 10]);
    assert_eq!(stuck.stats.wakes_sent, 0);
    assert!(!stuck.links[1].inbox.begin_wait(), "something is there for it");
    stuck.arrived(1);
    assert!(stuck.links[1].inbox.begin_wait());
    stuck.turn(1, [DROPPABLE; 10]);
    stuck.turn(1, [DROPPABLE; 10]);
    assert_eq!(stuck.stats.wakes_sent, 1);
}

#[test]
fn a_long_turn_wakes_a_shard_that_waits_for_each_half_of_its_ring_and_loses_nothing() {
    let mut stuck = Stuck::new();
    let half = ring_capacity(3) / 2;
    for halves in 1..=4 {
        assert!(stuck.links[1].inbox.begin_wait());
        stuck.begin_turn(1, vec![DROPPABLE; half - 1]);
        assert_eq!(stuck.stats.wakes_sent, halves - 1, "a wake is a system call");
        stuck.begin_turn(1, [DROPPABLE]);
        assert_eq!(stuck.stats.wakes_sent, halves);
        // Once woken, it takes what it is shown.
        assert_eq!(stuck.arrived(1).len(), half);
    }
    stuck.turn(1, []);
    let counted = (stuck.stats.handoffs_sent, stuck.stats.handoffs_dropped);
    assert_eq!(counted, (4 * half as u64, 0));
    assert_eq!(stuck.stats.wakes_sent, 4, "the end of the turn has nothing to show");
}

#[test]
fn after_the_machine_has_slept_values_expire_and_are_republished() {
    static SLEPT_US: AtomicU64 = AtomicU64::new(0);
    const NIGHT: Duration = Duration::from_hours(10);
    let settings = |name: &[u8]| {
        let node = Config { expire: NIGHT / 2, ..Config::new(Id::of_value(name), [name[0]; 32]) };
        Settings { io: IoChoice::Mmsg, ..Settings::new((Ipv4Addr::LOCALHOST, 0).into(), node) }
    };
    let laptop = start_by(Clock::ahead_by(&SLEPT_US), settings(b"laptop")).expect("it starts");
    let peer = start(settings(b"peer")).expect("it starts");
    let bootstrap = Command::Bootstrap { addresses: vec![peer.address()] };
    laptop.commander().send(bootstrap).expect("it runs");
    let joined = |event: &Event| matches!(event, Event::Joined { .. });
    await_event(&laptop, joined);
    // Each holds what the other has put, and the laptop knows the peer.
    for (node, text) in [(&laptop, "the laptop's"), (&peer, "the peer's")] {
        let stored = loop {
            node.commander().send(Command::put(OperationId(1), text.as_bytes())).expect("it runs");
            let Event::Put { outcome, .. } =
                await_event(node, |event| matches!(event, Event::Put { .. }))
            else {
                unreachable!("that is awaited");
            };
            match outcome.expect("there is room") {
                stored if stored.holders == 1 => break stored,
                _ => {} // the laptop has not shown the peer its token yet
            }
        };
        assert_eq!(stored.asked, 1);
    }
    let awake = await_stats(&laptop, |_| true);
    assert_eq!((awake.values, awake.values_published, awake.values_republished), (1, 1, 0));

    SLEPT_US.store(NIGHT.as_micros() as u64, Ordering::Relaxed);
    // Asking wakes the shard, as a datagram does, or the end of its longest wait.
    let woken = await_stats(&laptop, |stats| stats.values_republished == 1);
    assert_eq!((woken.values, woken.values_expired), (0, 1));
    assert_eq!(woken.contacts, 1, "the peer is still a contact");
}

/// Waits for an event of this kind.
fn await_event(node: &Running, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        match node.events().recv().expect("it runs") {
            DriverEvent::Node(event) if wanted(&event) => return event,
            _ => {}
        }
    }
}

/// Asks for the counters until they are as `wanted`.
fn await_stats(node: &Running, wanted: impl Fn(&Stats) -> bool) -> Stats {
    loop {
        node.commander().send(stats(1)).expect("there is room");
        if let DriverEvent::Stats { shards, .. } = node.events().recv().expect("it runs")
            && wanted(&shards[0].node)
        {
            return shards[0].node.clone();
        }
    }
}

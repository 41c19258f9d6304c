//! A node whose values live on a disk: what it acknowledges, and what it restores.

use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{JOURNAL_BATCHES_MAX, JOURNAL_CHANGES_MAX, STORE_BYTES_MIN};
use kad_node::node::{
    BatchNumber, Change, Command, Config, Event, Kept, Node, OperationId, Outbox, Persistence,
    Refusal,
};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Datagram, ErrorCode, Purpose, Store, Token};
use proptest::prelude::*;

use crate::datagram::{datagram, encoded, store};
use crate::disk::Content;

/// A node of one shard, and a client that asks it.
struct Rig {
    node: Node,
    now: Instant,
    outbox: Outbox,
    token: Token,
    operations: u64,
}

fn client() -> SocketAddr {
    ([10, 0, 0, 9], 9000).into()
}

fn config() -> Config {
    Config { persistence: Persistence::Journal, ..Config::new(Id::of_value(b"node"), [1; 32]) }
}

impl Rig {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: Config) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let node = Node::new(config, now);
        let (outbox, token) = (Outbox::new(), Token::NONE);
        let mut rig = Self { node, now, outbox, token, operations: 0 };
        rig.ask(Body::Ping);
        rig
    }

    /// Asks, and returns what has come back at once: the kinds of the replies.
    fn ask(&mut self, body: Body<'_>) -> Vec<&'static str> {
        let request = encoded(&Datagram { token: self.token, ..datagram(1, body) });
        self.node.handle_datagram(self.now, client(), &request, &mut self.outbox);
        self.replies()
    }

    fn replies(&mut self) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for (to, bytes) in self.outbox.datagrams() {
            assert_eq!(to, client());
            let reply = wire::decode(bytes).expect("nodes send no garbage");
            self.token = reply.token;
            kinds.push(match reply.body {
                Body::Stored => "stored",
                Body::Error(ErrorCode::Full) => "full",
                Body::Error(_) => "error",
                Body::Value(_) => "value",
                Body::Pong => "pong",
                _ => "other",
            });
        }
        self.outbox.clear();
        kinds
    }

    fn store(&mut self, value: &[u8], purpose: Purpose, life_s: u32) -> Vec<&'static str> {
        self.ask(Body::Store(Store { purpose, life_s, ..store(value) }))
    }

    fn put(&mut self, value: &[u8]) -> Vec<Event> {
        self.operations += 1;
        let command = Command::put(OperationId(self.operations), value);
        self.node.handle_command(self.now, command, &mut self.outbox);
        self.events()
    }

    fn events(&mut self) -> Vec<Event> {
        self.outbox.take_events().collect()
    }

    /// The number of the next batch.
    fn take(&mut self) -> BatchNumber {
        self.node.take_journal().expect("something was written").number
    }

    fn kept(&mut self, number: BatchNumber, kept: Kept) {
        self.node.handle_kept(self.now, number, kept, &mut self.outbox);
    }

    fn run_for(&mut self, period: Duration) {
        let end = self.now + period;
        while let Some(due) = self.node.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now, &mut self.outbox);
            self.outbox.clear();
        }
        self.now = end;
    }
}

fn kept_of(events: &[Event]) -> Vec<Option<Kept>> {
    let kept = events.iter().filter_map(|event| match event {
        Event::Put { outcome: Ok(stored), .. } => Some(stored.kept),
        _ => None,
    });
    kept.collect()
}

#[test]
fn a_store_is_answered_once_it_is_kept_and_no_sooner() {
    let mut rig = Rig::new();
    assert_eq!(rig.store(b"one", Purpose::Replica, 60), [""; 0]);
    let first = rig.take();
    assert_eq!(rig.store(b"two", Purpose::Replica, 60), [""; 0]);
    assert_eq!(rig.ask(Body::Ping), ["pong"], "what needs no disk waits for none");
    let second = rig.take();
    rig.kept(first, Kept::OnDisk);
    assert_eq!(rig.replies(), ["stored"]);
    rig.kept(second, Kept::OnDisk);
    assert_eq!(rig.replies(), ["stored"]);
    let stats = rig.node.stats();
    assert_eq!((stats.changes_kept, stats.changes_not_kept, stats.changes_waiting), (2, 0, 0));
}

#[test]
fn a_put_ends_once_it_is_kept_and_says_how() {
    for kept in [Kept::OnDisk, Kept::InMemory] {
        let mut rig = Rig::new();
        assert_eq!(rig.put(b"mine"), []);
        let number = rig.take();
        rig.kept(number, kept);
        let events = rig.events();
        assert_eq!(kept_of(&events), [Some(kept)]);
        let stats = rig.node.stats();
        assert_eq!(stats.changes_not_kept > 0, kept == Kept::InMemory);
    }
}

#[test]
fn a_put_waits_for_no_change_that_came_after_it() {
    let mut rig = Rig::new();
    rig.put(b"mine");
    let put = rig.take();
    // Others store all the time, so that something is always on its way to the disk.
    rig.store(b"theirs", Purpose::Replica, 60);
    rig.take();
    rig.kept(put, Kept::OnDisk);
    let events = rig.events();
    assert_eq!(kept_of(&events), [Some(Kept::OnDisk)]);
}

#[test]
fn without_a_disk_nothing_waits_and_nothing_is_written() {
    let mut rig = Rig::with(Config { persistence: Persistence::Memory, ..config() });
    assert_eq!(rig.store(b"one", Purpose::Replica, 60), ["stored"]);
    let events = rig.put(b"mine");
    assert_eq!(kept_of(&events), [None]);
    assert_eq!(rig.node.take_journal(), None);
}

#[test]
fn while_the_disk_does_not_keep_up_stores_and_puts_are_refused_and_gets_go_on() {
    let mut rig = Rig::new();
    let mut last = BatchNumber(0);
    for number in 0..JOURNAL_CHANGES_MAX as u64 {
        assert_eq!(rig.store(&number.to_be_bytes(), Purpose::Replica, 60), [""; 0]);
        if number < JOURNAL_BATCHES_MAX as u64 {
            last = rig.take();
        }
    }
    assert_eq!(rig.node.take_journal(), None, "as many batches are not kept as may be");
    assert_eq!(rig.store(b"one too many", Purpose::Replica, 60), ["full"]);
    let events = rig.put(b"mine");
    assert!(
        matches!(events[..], [Event::Put { outcome: Err(Refusal::DiskBusy), .. }]),
        "{events:?}"
    );
    let key = Id::of_value(&1_u64.to_be_bytes());
    assert_eq!(rig.ask(Body::FindValue { key, offset: 0 }), ["value"]);
    assert_eq!(rig.node.stats().values_refused_by_disk, 2);

    rig.kept(last, Kept::OnDisk);
    assert_eq!(rig.replies(), ["stored"; JOURNAL_BATCHES_MAX]);
    let rest = rig.take();
    rig.kept(rest, Kept::OnDisk);
    let mut answered = rig.replies().len();
    // What finds no room in the outbox follows at once.
    while answered + JOURNAL_BATCHES_MAX < JOURNAL_CHANGES_MAX {
        assert_eq!(rig.node.next_timeout(), Some(rig.now));
        rig.node.handle_timeout(rig.now, &mut rig.outbox);
        answered += rig.replies().len();
    }
    assert_eq!(rig.store(b"one more", Purpose::Replica, 60), [""; 0]);
}

/// What is done to a node.
#[derive(Clone, Copy, Debug)]
enum Act {
    Store { value: u8, purpose: Purpose, life_s: u32 },
    Put { value: u8 },
    Forget { value: u8 },
    Run { seconds: u64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let purpose = prop_oneof![Just(Purpose::Replica), Just(Purpose::Cache)];
    let act = prop_oneof![
        4 => (0..250u8, purpose, 1..100_000u32)
            .prop_map(|(value, purpose, life_s)| Act::Store { value, purpose, life_s }),
        1 => (0..20u8).prop_map(|value| Act::Put { value }),
        1 => (0..20u8).prop_map(|value| Act::Forget { value }),
        1 => (0..20_000u64).prop_map(|seconds| Act::Run { seconds }),
    ];
    proptest::collection::vec(act, 1..400)
}

/// The values are of this size, so that the smallest store is soon full.
fn value(number: u8) -> [u8; 1000] {
    [number; 1000]
}

proptest! {
    /// Stores, evictions, expiries, puts: the journal tells them all.
    #[test]
    fn what_was_kept_is_restored_and_nothing_else(acts in acts()) {
        let config = Config { store_bytes_max: STORE_BYTES_MIN, ..config() };
        let mut rig = Rig::with(config.clone());
        let mut disk = Content::default();
        for act in acts {
            match act {
                Act::Store { value: number, purpose, life_s } => {
                    rig.store(&value(number), purpose, life_s);
                }
                Act::Put { value: number } => drop(rig.put(&value(number))),
                Act::Forget { value: number } => {
                    let (operation, key) = (OperationId(0), Id::of_value(&value(number)));
                    let command = Command::Forget { operation, key };
                    rig.node.handle_command(rig.now, command, &mut rig.outbox);
                }
                Act::Run { seconds } => rig.run_for(Duration::from_secs(seconds)),
            }
            while let Some(batch) = rig.node.take_journal() {
                let number = batch.number;
                disk.keep(batch);
                rig.kept(number, Kept::OnDisk);
                rig.outbox.clear();
            }
        }
        rig.run_for(Duration::from_secs(1));
        disk.held.retain(|_, held| held.expires > rig.now);
        let mut restored = Node::new(config, rig.now);
        for held in disk.held.values().cloned() {
            prop_assert!(restored.restore_held(held));
        }
        for published in disk.published.values().cloned() {
            prop_assert!(restored.restore_published(published));
        }
        for number in 0..=u8::MAX {
            let key = Id::of_value(&value(number));
            prop_assert_eq!(restored.holds(key), rig.node.holds(key), "value {}", number);
            prop_assert_eq!(restored.keeps_alive(key), rig.node.keeps_alive(key));
        }
        let (before, after) = (rig.node.stats(), restored.stats());
        prop_assert_eq!(
            (before.values, before.value_bytes, before.values_published),
            (after.values, after.value_bytes, after.values_published)
        );
        prop_assert_eq!(after.values_restored, after.values + after.values_published);
        prop_assert_eq!(restored.take_journal(), None, "what is on the disk is not written anew");
    }
}

#[test]
fn a_restored_value_for_which_there_is_no_room_any_more_leaves_the_disk() {
    let mut rig = Rig::new();
    let mut disk = Content::default();
    for number in 0..200 {
        rig.store(&value(number), Purpose::Replica, 60 + u32::from(number));
    }
    disk.keep(rig.node.take_journal().expect("values were stored"));
    let smaller = Config { store_bytes_max: STORE_BYTES_MIN, ..config() };
    let mut restored = Node::new(smaller, rig.now);
    let kept = disk.held.values().filter(|held| restored.restore_held((*held).clone())).count();
    let dropped = restored.take_journal().map_or(0, |batch| {
        batch.changes.iter().filter(|change| matches!(change, Change::Dropped { .. })).count()
    });
    assert_eq!((kept - dropped) as u64, restored.stats().values);
    assert!(restored.stats().values < 200);
}

#[test]
fn restored_values_are_not_published_before_the_node_has_joined_and_then_one_by_one() {
    const VALUES: u8 = 100;
    let mut rig = Rig::new();
    let mut disk = Content::default();
    for number in 0..VALUES {
        rig.put(&[number; 10]);
    }
    disk.keep(rig.node.take_journal().expect("values were put"));
    // Their time has passed while the node was down.
    let mut rng = Rng::from_u64(1);
    let mut restarted = Rig::with(Config { seed: rng.seed(), ..config() });
    restarted.now = rig.now + Duration::from_hours(5);
    for mut published in disk.published.into_values() {
        published.is_held = true;
        assert!(restarted.node.restore_published(published));
    }
    restarted.run_for(Duration::from_hours(10));
    assert_eq!(restarted.node.stats().values_republished, 0, "it has not joined");
    assert_eq!(restarted.node.stats().values_published, u64::from(VALUES));
}

//! A shard that stands still holds nobody up but those who need it. A test of its
//! own, so that the process has no other shards.
#![cfg(feature = "std")]

#[macro_use]
#[path = "driver/harness.rs"]
mod harness;
#[path = "stuck_shard/stuck.rs"]
mod stuck;

use std::net::UdpSocket;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use kad_node::driver::{DriverEvent, IoChoice, Running, ShardCount, ShardStats, Steering, start};
use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{DATAGRAM_BYTES_MAX, REQUEST_PADDED_BYTES};
use kad_node::node::{Command, Event, OperationId, ShardPosition};
use kad_node::wire::{self, Body, Datagram, NetworkId, Role, Token, TransactionId};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

use harness::{PATIENCE, event, settings, stats_when};
use stuck::{stick, thread_of};

const SHARDS: usize = 4;
/// The shard that stands still.
const STUCK: usize = 1;
/// Requests for what the stuck shard owns: three times what its ring holds.
const FLOOD: u64 = 3 * 1024;
/// Of these, at once: the first shard's socket has room for them.
const BATCH: u64 = 64;

/// Datagrams of one train: as many as every kernel takes.
const TRAIN: u64 = 64;
/// Trains of one peer: its socket has room for the answers.
const TRAINS: u64 = 2;

/// Peers whose trains find room in one socket, 400 kB where the system allows no more:
/// they have as many datagrams for each of [`TRAIN_OWNERS`] as its ring holds. Where a
/// driver takes no trains the kernel parts them as they arrive, and each datagram takes
/// 800 bytes.
fn train_peers(io: IoChoice) -> u64 {
    let trains = if io == IoChoice::TokioUring { 6 } else { 32 };
    trains / TRAINS
}

/// The shards that own what the trains ask for: they do not land there.
const TRAIN_OWNERS: [usize; 2] = [1, 2];

/// One at a time: threads are found by their names.
static ALONE: Mutex<()> = Mutex::new(());

/// Somebody who asks, and whose datagrams land on one shard.
struct Asker {
    socket: UdpSocket,
    lands_on: usize,
}

impl Asker {
    /// An asker whose datagrams the kernel, which hashes both addresses, gives to
    /// shard number `shard`.
    fn landing_on(shard: usize, node: &Running) -> Self {
        loop {
            let mut asker = Self::new(node);
            let before = received(node);
            asker.ask(Body::Ping, 1);
            asker.answer();
            let after = received(node);
            let grown = |shard: &usize| after[*shard] > before[*shard];
            asker.lands_on = (0..SHARDS).find(grown).expect("it has landed");
            if asker.lands_on == shard {
                return asker;
            }
        }
    }

    fn new(node: &Running) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback is there");
        socket.connect(node.address()).expect("no packet is sent");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { socket, lands_on: SHARDS }
    }

    fn ask(&self, body: Body<'_>, number: u64) {
        let transaction = TransactionId::new(number.to_be_bytes());
        self.send(Role::Client, Id::of_value(b"asker"), transaction, body);
    }

    /// Asks as the peer called `id`, and answers the PINGs that came before the
    /// answer: to be called until the node knows the peer. It pings every new sender,
    /// and gives up where the machine is too busy.
    fn meet(&self, id: Id) {
        self.send(Role::Peer, id, TransactionId::new([0; 8]), Body::Ping);
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        loop {
            let length = self.socket.recv(&mut buffer).expect("an answer within the patience");
            let datagram = wire::decode(&buffer[..length]).expect("a datagram of ours");
            if datagram.body != Body::Ping {
                return;
            }
            self.send(Role::Peer, id, datagram.transaction, Body::Pong);
        }
    }

    /// Sends trains of requests, of which each of [`TRAIN_OWNERS`] owns an equal part.
    fn send_trains(&self) {
        let request = |number: u64| {
            let key = key_of(TRAIN_OWNERS[number as usize % TRAIN_OWNERS.len()]);
            harness::request(number, Body::FindValue { key, offset: 0 })
        };
        let length = i32::try_from(request(0).len()).expect("a datagram's length");
        setsockopt(&self.socket, UdpGsoSegment, &length).expect("UDP_SEGMENT, since Linux 4.18");
        for train in 0..TRAINS {
            let datagrams = (train * TRAIN..(train + 1) * TRAIN).flat_map(request);
            self.socket.send(&datagrams.collect::<Vec<_>>()).expect("loopback takes it");
        }
    }

    /// Whether each request of the trains is answered, once.
    fn assert_trains_answered(&self) {
        let mut answered: Vec<_> = (0..TRAINS * TRAIN).map(|_| self.answer().0).collect();
        answered.sort_unstable();
        assert!(answered.into_iter().eq(0..TRAINS * TRAIN), "each is answered once");
    }

    fn send(&self, role: Role, sender: Id, transaction: TransactionId, body: Body<'_>) {
        let datagram = Datagram {
            network: NetworkId::of_name("default"),
            transaction,
            sender,
            role,
            announce: None,
            token: Token::NONE,
            body,
        };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        wire::encode(&datagram, &mut buffer);
        // Padded, so that there is room for what is answered.
        self.socket.send(&buffer[..REQUEST_PADDED_BYTES]).expect("loopback takes it");
    }

    /// The number of the next answer, and the contacts in it.
    fn answer(&self) -> (u64, Vec<Id>) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = self.socket.recv(&mut buffer).expect("an answer within the patience");
        let datagram = wire::decode(&buffer[..length]).expect("a datagram of ours");
        let contacts = match datagram.body {
            Body::Nodes(contacts) => contacts.iter().map(|contact| contact.id).collect(),
            _ => Vec::new(),
        };
        (u64::from_be_bytes(*datagram.transaction.as_bytes()), contacts)
    }

    /// Asks for the contacts closest to `target` that the shard knows on which it
    /// lands, until that is one alone: `target`. Does something before each time.
    fn await_contact(&self, target: Id, meanwhile: impl Fn()) {
        let deadline = Instant::now() + PATIENCE;
        for number in 1 << 32.. {
            meanwhile();
            self.ask(Body::FindNode { target }, number);
            let (_, contacts) = std::iter::repeat_with(|| self.answer())
                .find(|(answered, _)| *answered == number)
                .expect("answers go on for ever");
            if contacts == [target] {
                return;
            }
            assert!(Instant::now() < deadline, "not within the patience: {contacts:?}");
        }
        unreachable!("the numbers go on for ever")
    }
}

/// The counters of each shard.
fn stats(node: &Running) -> Vec<ShardStats> {
    let operation = OperationId(9);
    node.commander().send(Command::Stats { operation }).expect("it runs");
    event(node, |event| match event {
        DriverEvent::Stats { operation: of, shards } if of == operation => Some(shards),
        _ => None,
    })
}

fn received(node: &Running) -> Vec<u64> {
    stats(node).iter().map(|shard| shard.driver.datagrams_received).collect()
}

/// A key that shard number `shard` owns.
fn key_of(shard: usize) -> Id {
    let mut bytes = [0; ID_BYTES];
    bytes[ID_BYTES - 1] = ShardPosition::new(shard, SHARDS).reply_tag();
    Id::new(bytes)
}

/// A peer of the farthest bucket, which the first shard owns: it hears of the
/// peer, admits it, and tells the others, once.
fn newcomer() -> Id {
    let mut bytes = Id::of_value(b"node").to_bytes();
    bytes[0] ^= 0x80;
    Id::new(bytes)
}

/// A value whose key the stuck shard owns.
fn stuck_value() -> Box<[u8]> {
    let place = ShardPosition::new(STUCK, SHARDS);
    let value = (0..u32::MAX)
        .map(u32::to_be_bytes)
        .find(|value| place.of_key(Id::of_value(value)) == place.index());
    Box::new(value.expect("one in four is"))
}

/// Asks for what the stuck shard owns, and with each batch each of the others for
/// something, which it answers.
fn flood(asker: &Asker) {
    let others: Vec<_> = (0..SHARDS).filter(|shard| *shard != STUCK).collect();
    for first in (0..FLOOD).step_by(BATCH as usize) {
        for number in first..first + BATCH {
            asker.ask(Body::FindValue { key: key_of(STUCK), offset: 0 }, FLOOD + number);
        }
        for shard in &others {
            asker.ask(Body::FindValue { key: key_of(*shard), offset: 0 }, *shard as u64);
        }
        let mut answered: Vec<_> = others.iter().map(|_| asker.answer().0 as usize).collect();
        answered.sort_unstable();
        assert_eq!(answered, others, "only what the stuck shard owns goes unanswered");
    }
}

for_each_driver! {
    fn a_stuck_shard_holds_up_no_other_and_misses_nothing_that_binds(io: IoChoice) {
        let _alone = ALONE.lock();
        let mut settings = settings(io, "127.0.0.1:0");
        settings.shards = ShardCount::new(SHARDS).expect("within the limits");
        settings.steering = Steering::Off;
        let node = start(settings).expect("loopback is there");
        let (first, peer) = (Asker::landing_on(0, &node), Asker::landing_on(0, &node));
        let theirs = Asker::landing_on(STUCK, &node);

        let stuck = stick(STUCK);
        flood(&first);
        let newcomer = newcomer();
        first.await_contact(newcomer, || peer.meet(newcomer));
        let put = Command::put(OperationId(1), stuck_value());
        node.commander().send(put).expect("there is room");
        drop(stuck);

        let outcome = event(&node, |event| match event {
            DriverEvent::Node(Event::Put { outcome, .. }) => Some(outcome),
            _ => None,
        });
        outcome.expect("the command has been carried out");
        theirs.await_contact(newcomer, || ());
        let (_, total) = stats_when(&node, |node, driver| {
            driver.handoffs_sent == node.handoffs_received
        });
        assert!(total.handoffs_waited > 0, "no routing change had to wait");
        let shards = stats(&node);
        // The flood landed on the first shard, and nothing else found a ring full.
        let dropped = shards[0].driver.handoffs_dropped;
        assert_eq!(total.handoffs_dropped, dropped);
        let handled = shards[STUCK].node.find_values_missed;
        assert!(handled > 0 && dropped > 0, "{handled} handled, {dropped} dropped");
        assert_eq!(handled + dropped, FLOOD, "{handled} handled, {dropped} dropped");
    }

    /// A train lands whole on one shard. Of a backlog of them one turn has as much for
    /// another shard as its ring holds.
    fn trains_that_came_while_their_shard_stood_still_are_all_answered(io: IoChoice) {
        let _alone = ALONE.lock();
        let mut settings = settings(io, "127.0.0.1:0");
        settings.shards = ShardCount::new(SHARDS).expect("within the limits");
        settings.steering = Steering::Off;
        let node = start(settings).expect("loopback is there");
        let peers: Vec<_> =
            (0..train_peers(io)).map(|_| Asker::landing_on(0, &node)).collect();
        let before = ShardStats::total(&stats(&node));

        let stuck = stick(0);
        for peer in &peers {
            peer.send_trains();
        }
        drop(stuck);
        for peer in &peers {
            peer.assert_trains_answered();
        }
        let after = ShardStats::total(&stats(&node));
        let sent = train_peers(io) * TRAINS * TRAIN;
        assert_eq!(after.driver.datagrams_received - before.driver.datagrams_received, sent);
        assert_eq!(after.node.datagrams_missteered - before.node.datagrams_missteered, sent);
        assert_eq!((after.driver.handoffs_dropped, after.driver.kernel_drops), (0, 0));
    }

    fn a_node_stops_although_a_shard_was_stuck_with_messages_for_it(io: IoChoice) {
        let _alone = ALONE.lock();
        let mut settings = settings(io, "127.0.0.1:0");
        settings.shards = ShardCount::new(SHARDS).expect("within the limits");
        settings.steering = Steering::Off;
        let node = start(settings).expect("loopback is there");
        let first = Asker::landing_on(0, &node);
        let before = stats(&node)[STUCK].driver.commands;
        let stuck = stick(STUCK);
        flood(&first);
        let put = Command::put(OperationId(1), stuck_value());
        node.commander().send(put).expect("room");
        let stopped = thread::scope(|scope| {
            let stopping = scope.spawn(|| node.stop());
            // By then the order has been given: it finds the stuck one stuck.
            let deadline = Instant::now() + PATIENCE;
            while thread_of(0).is_some() && Instant::now() < deadline {
                thread::yield_now();
            }
            let others_end = thread_of(0).is_none();
            drop(stuck);
            assert!(others_end, "they wait for the stuck one");
            stopping.join().expect("it ends").expect("it was told to")
        });
        assert_eq!(stopped.shards.len(), SHARDS);
        assert_eq!(stopped.shards[STUCK].driver.commands, before + 1, "the put was begun");
    }
}

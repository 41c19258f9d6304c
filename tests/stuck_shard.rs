//! Tests that a stuck shard delays only the requests that need it. The test has a process
//! of its own, without other shards.
#![cfg(feature = "std")]

#[macro_use]
mod harness;
#[path = "stuck_shard/stuck.rs"]
mod stuck;

use std::net::UdpSocket;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use kad_node::driver::{DriverEvent, IoChoice, Running, ShardStats, Steering, start};
use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{DATAGRAM_BYTES_MAX, REQUEST_PADDED_BYTES};
use kad_node::node::{Command, Event, OperationId, ShardPosition};
use kad_node::wire::{Body, Datagram, Role};

use harness::{
    PATIENCE, connected, datagram, encoded, event, number_of, receive, send, shard_stats, sharded,
    split_into, stats_when,
};
use stuck::{stick, thread_of};

const SHARDS: usize = 4;
/// The shard that is stuck.
const STUCK: usize = 1;
/// Requests for keys that the stuck shard owns: three times what its ring holds.
const FLOOD: u64 = 3 * 1024;
/// Requests sent at a time: the first shard's socket has room for them.
const BATCH: u64 = 64;

/// Segments of one message: as many as every kernel accepts.
const SEGMENTS: u64 = 64;
/// Segmented messages of one peer: its socket has room for the answers.
const MESSAGES: u64 = 2;

/// Peers whose messages fit into the buffer of one socket, 400 kB where the system allows
/// no more. They send as many datagrams for each of [`KEY_OWNERS`] as its ring holds. For a
/// driver without GRO the kernel splits the messages as they arrive, and each datagram
/// takes 800 bytes.
fn peer_count(io: IoChoice) -> u64 {
    let messages = if io == IoChoice::TokioUring { 6 } else { 32 };
    messages / MESSAGES
}

/// The shards that own the keys in the messages. The messages land on another shard.
const KEY_OWNERS: [usize; 2] = [1, 2];

/// Lets one test run at a time: threads are found by their names.
static SERIAL: Mutex<()> = Mutex::new(());

/// A client whose datagrams all land on one shard.
struct Client {
    socket: UdpSocket,
    lands_on: usize,
}

impl Client {
    /// A client whose datagrams the kernel delivers to shard number `shard`: it hashes both
    /// addresses.
    fn landing_on(shard: usize, node: &Running) -> Self {
        loop {
            let mut client = Self::new(node);
            let before = received(node);
            client.ask(Body::Ping, 1);
            client.answer();
            let after = received(node);
            let grown = |shard: &usize| after[*shard] > before[*shard];
            client.lands_on = (0..SHARDS).find(grown).expect("it has landed");
            if client.lands_on == shard {
                return client;
            }
        }
    }

    fn new(node: &Running) -> Self {
        Self { socket: connected("127.0.0.1", node.address()), lands_on: SHARDS }
    }

    fn ask(&self, body: Body<'_>, number: u64) {
        self.send(&datagram(number, body));
    }

    /// Sends a PING as the peer `id`, and another with the token that comes with the answer.
    fn meet(&self, id: Id) {
        let ping = Datagram { sender: id, role: Role::Peer, ..datagram(0, Body::Ping) };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        self.send(&ping);
        let token = receive(&self.socket, &mut buffer).token;
        self.send(&Datagram { token, ..ping });
        receive(&self.socket, &mut buffer);
    }

    /// Sends segmented messages of requests, with an equal part for each of [`KEY_OWNERS`].
    fn send_segmented(&self) {
        let request = |number: u64| {
            let key = key_of(KEY_OWNERS[number as usize % KEY_OWNERS.len()]);
            harness::request(number, Body::FindValue { key, offset: 0 })
        };
        split_into(&self.socket, request(0).len());
        for message in 0..MESSAGES {
            let datagrams = (message * SEGMENTS..(message + 1) * SEGMENTS).flat_map(request);
            self.socket.send(&datagrams.collect::<Vec<_>>()).expect("loopback takes it");
        }
    }

    /// Asserts that each request of the messages is answered once.
    fn assert_all_answered(&self) {
        let mut answered: Vec<_> = (0..MESSAGES * SEGMENTS).map(|_| self.answer().0).collect();
        answered.sort_unstable();
        assert!(answered.into_iter().eq(0..MESSAGES * SEGMENTS), "each is answered once");
    }

    fn send(&self, datagram: &Datagram<'_>) {
        let mut bytes = encoded(datagram);
        // Padded, so that the answer may be as long as needed.
        bytes.resize(REQUEST_PADDED_BYTES, 0);
        self.socket.send(&bytes).expect("loopback takes it");
    }

    /// The number of the next answer, and the contacts in it.
    fn answer(&self) -> (u64, Vec<Id>) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let answer = receive(&self.socket, &mut buffer);
        let contacts = match answer.body {
            Body::Nodes(contacts) => contacts.iter().map(|contact| contact.id).collect(),
            _ => Vec::new(),
        };
        (number_of(&answer), contacts)
    }

    /// Asks the shard on which this client lands for the contacts closest to `target`, until
    /// the only one is `target`. Calls `before` each time.
    fn await_contact(&self, target: Id, before: impl Fn()) {
        let deadline = Instant::now() + PATIENCE;
        for number in 1 << 32.. {
            before();
            self.ask(Body::FindNode { target }, number);
            let (_, contacts) = std::iter::repeat_with(|| self.answer())
                .find(|(answered, _)| *answered == number)
                .expect("the iterator is endless");
            if contacts == [target] {
                return;
            }
            assert!(Instant::now() < deadline, "not within the patience: {contacts:?}");
        }
        unreachable!("the numbers are endless")
    }
}

fn start_unsteered(io: IoChoice) -> Running {
    start(sharded(io, "127.0.0.1:0", SHARDS, Steering::Off)).expect("loopback is there")
}

fn received(node: &Running) -> Vec<u64> {
    shard_stats(node).iter().map(|shard| shard.driver.datagrams_received).collect()
}

/// A key that shard number `shard` owns.
fn key_of(shard: usize) -> Id {
    let mut bytes = [0; ID_BYTES];
    bytes[ID_BYTES - 1] = ShardPosition::new(shard, SHARDS).reply_tag();
    Id::new(bytes)
}

/// A peer of the farthest bucket. The first shard owns the bucket: it admits the peer and
/// tells the other shards once.
fn newcomer() -> Id {
    let mut bytes = Id::of_value(b"node").to_bytes();
    bytes[0] ^= 0x80;
    Id::new(bytes)
}

/// A value whose key the stuck shard owns.
fn stuck_value() -> Box<[u8]> {
    let position = ShardPosition::new(STUCK, SHARDS);
    let value = (0..u32::MAX)
        .map(u32::to_be_bytes)
        .find(|value| position.of_key(Id::of_value(value)) == position.index());
    Box::new(value.expect("one in four is"))
}

/// Sends requests that only the stuck shard can answer, and with each batch one request
/// for each other shard, which must be answered.
fn flood(client: &Client) {
    let others: Vec<_> = (0..SHARDS).filter(|shard| *shard != STUCK).collect();
    for first in (0..FLOOD).step_by(BATCH as usize) {
        for number in first..first + BATCH {
            client.ask(Body::FindValue { key: key_of(STUCK), offset: 0 }, FLOOD + number);
        }
        for shard in &others {
            client.ask(Body::FindValue { key: key_of(*shard), offset: 0 }, *shard as u64);
        }
        let mut answered: Vec<_> = others.iter().map(|_| client.answer().0 as usize).collect();
        answered.sort_unstable();
        assert_eq!(answered, others, "only what the stuck shard owns goes unanswered");
    }
}

for_each_driver! {
    fn a_stuck_shard_delays_no_other_and_misses_no_routing_change(io: IoChoice) {
        let _serial = SERIAL.lock();
        let node = start_unsteered(io);
        let (first, peer) = (Client::landing_on(0, &node), Client::landing_on(0, &node));
        let theirs = Client::landing_on(STUCK, &node);

        let stuck = stick(STUCK);
        flood(&first);
        let newcomer = newcomer();
        first.await_contact(newcomer, || peer.meet(newcomer));
        send(&node, Command::put(OperationId(1), stuck_value()));
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
        let shards = shard_stats(&node);
        // The flood landed on the first shard. No other shard found a ring full.
        let dropped = shards[0].driver.handoffs_dropped;
        assert_eq!(total.handoffs_dropped, dropped);
        let handled = shards[STUCK].node.find_values_missed;
        assert!(handled > 0 && dropped > 0, "{handled} handled, {dropped} dropped");
        assert_eq!(handled + dropped, FLOOD, "{handled} handled, {dropped} dropped");
    }

    /// A segmented message lands whole on one shard. One turn over a backlog of messages has
    /// as much for another shard as its ring holds.
    fn messages_received_while_their_shard_is_stuck_are_all_answered(io: IoChoice) {
        let _serial = SERIAL.lock();
        let node = start_unsteered(io);
        let peers: Vec<_> =
            (0..peer_count(io)).map(|_| Client::landing_on(0, &node)).collect();
        let before = ShardStats::total(&shard_stats(&node));

        let stuck = stick(0);
        for peer in &peers {
            peer.send_segmented();
        }
        drop(stuck);
        for peer in &peers {
            peer.assert_all_answered();
        }
        let after = ShardStats::total(&shard_stats(&node));
        let sent = peer_count(io) * MESSAGES * SEGMENTS;
        assert_eq!(after.driver.datagrams_received - before.driver.datagrams_received, sent);
        assert_eq!(after.node.datagrams_missteered - before.node.datagrams_missteered, sent);
        assert_eq!((after.driver.handoffs_dropped, after.driver.kernel_drops), (0, 0));
    }

    fn a_node_stops_after_a_shard_was_stuck_with_messages_waiting(io: IoChoice) {
        let _serial = SERIAL.lock();
        let node = start_unsteered(io);
        let first = Client::landing_on(0, &node);
        let before = shard_stats(&node)[STUCK].driver.commands;
        let stuck = stick(STUCK);
        flood(&first);
        send(&node, Command::put(OperationId(1), stuck_value()));
        let stopped = thread::scope(|scope| {
            let stopping = scope.spawn(|| node.stop());
            // When the first shard has ended, the shutdown has begun while one is stuck.
            let deadline = Instant::now() + PATIENCE;
            while thread_of(0).is_some() && Instant::now() < deadline {
                thread::yield_now();
            }
            let others_end = thread_of(0).is_none();
            drop(stuck);
            assert!(others_end, "they wait for the stuck one");
            stopping.join().expect("it ends").expect("it stops")
        });
        assert_eq!(stopped.shards.len(), SHARDS);
        assert_eq!(stopped.shards[STUCK].driver.commands, before + 1, "the put was started");
    }
}

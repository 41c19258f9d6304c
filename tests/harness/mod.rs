//! A node under test, and a peer that talks to it through an ordinary socket.
#![allow(dead_code, unused_imports, unused_macros)] // each of the tests that share it uses a part

mod datagram;
mod threads;

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kad_node::driver::{
    DriverEvent, DriverStats, IoChoice, Running, Settings, ShardCount, ShardStats, Steering, start,
};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::{Command, Config, Event, Found, OperationId, Stats, Stored, Trace};
use kad_node::wire::{self, Body, Datagram};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

pub(crate) use datagram::{datagram, encoded, number_of, ping, request, store};
pub(crate) use threads::threads;

/// Longest wait for an expected event: only a failing test waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether this machine has `ip`. If not, prints that the test is skipped.
pub(crate) fn is_there(ip: &str) -> bool {
    let is_there = UdpSocket::bind((ip, 0)).is_ok();
    if !is_there {
        eprintln!("SKIPPED: this machine has no {ip}");
    }
    is_there
}

/// Turns each function into one test per driver.
macro_rules! for_each_driver {
    ($($(#[$about:meta])* fn $name:ident($io:ident: IoChoice) $body:block)*) => {
        $($(#[$about])* fn $name($io: IoChoice) $body)*

        mod uring {
            $(#[test] fn $name() { super::$name(super::IoChoice::Uring); })*
        }

        mod tokio_uring {
            $(#[test] fn $name() { super::$name(super::IoChoice::TokioUring); })*
        }

        mod mmsg {
            $(#[test] fn $name() { super::$name(super::IoChoice::Mmsg); })*
        }
    };
}

/// Settings of a node of one shard.
pub(crate) fn settings(io: IoChoice, listen: &str) -> Settings {
    let node = Config::new(Id::of_value(b"node"), [1; 32]);
    Settings { io, ..Settings::new(listen.parse().expect("an address"), node) }
}

/// Settings of a node of `shards` shards.
pub(crate) fn sharded(io: IoChoice, listen: &str, shards: usize, steering: Steering) -> Settings {
    let shards = ShardCount::new(shards).expect("within the limits");
    Settings { shards, steering, ..settings(io, listen) }
}

pub(crate) fn node(io: IoChoice) -> Running {
    start(settings(io, "127.0.0.1:0")).expect("loopback is there")
}

/// A socket at a free port of `ip` that talks only to `node`.
pub(crate) fn connected(ip: &str, node: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("loopback is there");
    socket.connect(node).expect("no packet is sent");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

/// The next datagram that comes to `socket`.
pub(crate) fn receive<'a>(
    socket: &UdpSocket,
    buffer: &'a mut [u8; DATAGRAM_BYTES_MAX],
) -> Datagram<'a> {
    let length = socket.recv(buffer).expect("an answer within the patience");
    wire::decode(&buffer[..length]).expect("a datagram of ours")
}

/// Has the kernel split what `socket` sends into datagrams of `bytes`.
pub(crate) fn split_into(socket: &UdpSocket, bytes: usize) {
    let bytes = i32::try_from(bytes).expect("a datagram's length");
    setsockopt(socket, UdpGsoSegment, &bytes).expect("UDP_SEGMENT, since Linux 4.18");
}

/// A peer with a socket of its own.
pub(crate) struct Peer {
    socket: UdpSocket,
}

impl Peer {
    /// A peer at a free port of `ip` that talks only to `node`.
    pub(crate) fn new(ip: &str, node: SocketAddr) -> Self {
        Self { socket: connected(ip, node) }
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        let sent = self.socket.send(bytes).expect("loopback takes it");
        assert_eq!(sent, bytes.len());
    }

    /// Sends PING number `number`.
    pub(crate) fn ping(&self, number: u64) {
        self.send(&ping(number));
    }

    /// The number of the next PONG.
    pub(crate) fn pong(&self) -> u64 {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let pong = receive(&self.socket, &mut buffer);
        assert_eq!(pong.body, Body::Pong);
        number_of(&pong)
    }

    /// Asserts that the node answers one PING.
    pub(crate) fn assert_answered(&self, number: u64) {
        self.ping(number);
        assert_eq!(self.pong(), number);
    }
}

/// The first of the node's events that `pick` accepts; others are skipped.
pub(crate) fn event<T>(node: &Running, pick: impl Fn(DriverEvent) -> Option<T>) -> T {
    loop {
        let event = node.events().recv_timeout(PATIENCE).expect("an event within the patience");
        if let Some(picked) = pick(event) {
            return picked;
        }
    }
}

pub(crate) fn send(node: &Running, command: Command) {
    node.commander().send(command).expect("it runs");
}

/// The counters of each shard, read by a command.
pub(crate) fn shard_stats(node: &Running) -> Vec<ShardStats> {
    let asked = OperationId(7);
    send(node, Command::Stats { operation: asked });
    event(node, |event| match event {
        DriverEvent::Stats { operation, shards } => {
            assert_eq!(operation, asked);
            Some(shards)
        }
        DriverEvent::Node(_) => None,
    })
}

/// The counters, read by a command.
pub(crate) fn stats(node: &Running) -> (Stats, DriverStats) {
    let ShardStats { node, driver, .. } = ShardStats::total(&shard_stats(node));
    (node, driver)
}

/// The counters, as soon as `ready` holds for them.
pub(crate) fn stats_when(
    node: &Running,
    ready: impl Fn(&Stats, &DriverStats) -> bool,
) -> (Stats, DriverStats) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (node, driver) = stats(node);
        if ready(&node, &driver) {
            return (node, driver);
        }
        assert!(Instant::now() < deadline, "not within the patience: {driver:?}");
    }
}

/// Has `node` join by the node at `addr`. Returns how many contacts it has then.
pub(crate) fn join(node: &Running, addr: SocketAddr) -> usize {
    send(node, Command::Bootstrap { addresses: vec![addr] });
    event(node, |event| match event {
        DriverEvent::Node(Event::Joined { contacts }) => Some(contacts),
        _ => None,
    })
}

pub(crate) fn put(node: &Running, value: &[u8]) -> Stored {
    send(node, Command::put(OperationId(1), value));
    let outcome = event(node, |event| match event {
        DriverEvent::Node(Event::Put { outcome, .. }) => Some(outcome),
        _ => None,
    });
    outcome.expect("there is room")
}

pub(crate) fn get(node: &Running, key: Id) -> Option<Found> {
    send(node, Command::Get { operation: OperationId(2), key, trace: Trace::Off });
    let outcome = event(node, |event| match event {
        DriverEvent::Node(Event::Get { outcome, .. }) => Some(outcome),
        _ => None,
    });
    outcome.expect("it is not busy")
}

/// Ends a flood when dropped, even when a test fails.
struct Flood<'a>(&'a AtomicBool);

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Runs `work` while `datagram` after `datagram` is sent to `node`.
pub(crate) fn under_flood(
    node: SocketAddr,
    datagram: impl Fn(u64) -> Vec<u8> + Sync,
    work: impl FnOnce(),
) {
    let goes_on = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind((node.ip(), 0)).expect("loopback is there");
            for number in (0..).take_while(|_| goes_on.load(Ordering::Relaxed)) {
                let sent = socket.send_to(&datagram(number), node);
                assert!(sent.is_ok(), "an unconnected socket gets no ICMP errors");
            }
        });
        let _flood = Flood(&goes_on);
        work();
    });
}

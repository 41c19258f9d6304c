//! A node under test, and a peer that talks to it through an ordinary socket.
#![allow(dead_code, unused_macros)] // each of the tests that share it uses a part

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kad_node::driver::{
    Coalescing, DriverEvent, DriverStats, IoChoice, Pin, Running, Settings, ShardCount, ShardStats,
    Steering, start,
};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::{Command, Config, OperationId, Stats};
use kad_node::wire::{self, Body, Datagram, NetworkId, Role, Token, TransactionId};

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

/// Settings of a node on a free port of `ip`.
pub(crate) fn settings(io: IoChoice, listen: &str) -> Settings {
    Settings {
        listen: listen.parse().expect("an address"),
        io,
        shards: ShardCount::ONE,
        steering: Steering::Kernel,
        pin: Pin::Free,
        coalescing: Coalescing::On,
        loss: None,
        node: Config::new(Id::of_value(b"node"), [1; 32]),
    }
}

pub(crate) fn node(io: IoChoice) -> Running {
    start(settings(io, "127.0.0.1:0")).expect("loopback is there")
}

/// A peer with a socket of its own.
pub(crate) struct Peer {
    socket: UdpSocket,
}

impl Peer {
    /// A peer at a free port of `ip` that talks only to `node`.
    pub(crate) fn new(ip: &str, node: SocketAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).expect("loopback is there");
        socket.connect(node).expect("no packet is sent");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { socket }
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
        let mut buffer = [0; 2 * DATAGRAM_BYTES_MAX];
        let length = self.socket.recv(&mut buffer).expect("an answer within the patience");
        let datagram = wire::decode(&buffer[..length]).expect("a datagram of ours");
        assert_eq!(datagram.body, Body::Pong);
        u64::from_be_bytes(*datagram.transaction.as_bytes())
    }

    /// Asserts that the node answers one PING.
    pub(crate) fn assert_answered(&self, number: u64) {
        self.ping(number);
        assert_eq!(self.pong(), number);
    }
}

/// PING number `number`.
pub(crate) fn ping(number: u64) -> Vec<u8> {
    request(number, Body::Ping)
}

/// Request number `number` of a client without a token.
pub(crate) fn request(number: u64, body: Body<'_>) -> Vec<u8> {
    let datagram = Datagram {
        network: NetworkId::of_name("default"),
        transaction: TransactionId::new(number.to_be_bytes()),
        sender: Id::of_value(b"peer"),
        role: Role::Client,
        announce: None,
        token: Token::NONE,
        body,
    };
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(&datagram, &mut buffer);
    buffer[..length].to_vec()
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

/// The counters, read by a command.
pub(crate) fn stats(node: &Running) -> (Stats, DriverStats) {
    let asked = OperationId(7);
    node.commander().send(Command::Stats { operation: asked }).expect("it runs");
    event(node, |event| match event {
        DriverEvent::Stats { operation, shards } => {
            assert_eq!(operation, asked);
            let total = ShardStats::total(&shards);
            Some((total.node, total.driver))
        }
        DriverEvent::Node(_) => None,
    })
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

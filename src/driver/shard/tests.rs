//! The loop over a datapath that is made up.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::driver::mailbox::mailbox;
use crate::driver::{Io, Ready, Running, ShardError};
use crate::id::Id;
use crate::limits::{DATAGRAM_BYTES_MAX, OUTBOX_BYTES_MAX};
use crate::node::{Command, Config, OperationId};
use crate::wire::{self, Body, Datagram, NetworkId, Role, Token, TransactionId};

/// Brings `pings` PINGs with the first wait, and then fails.
struct Burst {
    pings: usize,
    waits: usize,
    bytes: Vec<u8>,
    answered: usize,
    submissions: usize,
    stats: DriverStats,
}

impl Burst {
    fn new(pings: usize) -> Self {
        let datagram = Datagram {
            network: NetworkId::of_name("default"),
            transaction: TransactionId::new([1; 8]),
            sender: Id::of_value(b"peer"),
            role: Role::Client,
            announce: None,
            token: Token::NONE,
            body: Body::Ping,
        };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&datagram, &mut buffer);
        let bytes = buffer[..length].to_vec();
        let stats = DriverStats::default();
        Self { pings, waits: 0, bytes, answered: 0, submissions: 0, stats }
    }
}

impl Datapath for Burst {
    fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<()> {
        self.waits += 1;
        if self.waits > 1 { Err(io::Error::from_raw_os_error(libc::EBADF)) } else { Ok(()) }
    }

    fn advance(&mut self) -> io::Result<Advance> {
        let Some(left) = self.pings.checked_sub(1) else {
            return Ok(Advance::Done);
        };
        self.pings = left;
        Ok(Advance::Datagram)
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        ((Ipv4Addr::LOCALHOST, 9).into(), &self.bytes)
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.submissions += 1;
        self.answered += datagrams.count();
    }

    fn stats(&mut self) -> &mut DriverStats {
        &mut self.stats
    }

    fn measure(&mut self) {}
}

fn config() -> Config {
    Config::new(Id::of_value(b"node"), [1; 32])
}

#[test]
fn a_full_outbox_is_sent_in_the_middle_of_a_turn() {
    let (_commander, mailbox) = mailbox().expect("an eventfd");
    let (events, _listener) = mpsc::channel();
    let datapath = Burst::new(0);
    let pings = 3 * OUTBOX_BYTES_MAX / datapath.bytes.len();
    let node = Node::new(config(), Instant::ZERO);
    let mut shard = Shard::new(node, Burst::new(pings), mailbox, events, Clock::start());
    assert_eq!(shard.turn().expect("the first is sound"), Order::Run);
    assert_eq!(shard.datapath.answered, pings);
    assert!(shard.datapath.submissions > 3, "{} submissions", shard.datapath.submissions);
    assert_eq!(shard.node.stats().outbox_full, 0);
}

#[test]
fn a_shard_whose_datapath_fails_leaves_nobody_waiting() {
    let (commander, mailbox) = mailbox().expect("an eventfd");
    let (sender, events) = mpsc::channel();
    let thread = thread::spawn(move || {
        let node = Node::new(config(), Instant::ZERO);
        Shard::new(node, Burst::new(1), mailbox, sender, Clock::start()).run()
    });
    let running = Running {
        address: (Ipv4Addr::LOCALHOST, 9).into(),
        ready: Ready { io: Io::Mmsg, fallback: None },
        commander,
        events,
        thread: Some(thread),
    };
    // For ever, if need be.
    assert_eq!(running.events().recv(), Err(mpsc::RecvError));
    let command = Command::Stats { operation: OperationId(1) };
    assert!(running.commander().send(command).is_err());
    let error = running.stop().expect_err("it has failed");
    assert!(matches!(error, ShardError::Io(error) if error.raw_os_error() == Some(libc::EBADF)));
}

//! One node of a network, and its socket.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::time;

use kad_node::limits::{DATAGRAM_BYTES_MAX, VALUE_BYTES_MAX};
use kad_node::node::{Command, Config, Event, Node, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::NetworkId;
use socket2::SockRef;

use crate::link::SOCKET_BUFFERS;

/// Datagrams that leave together are sorted out one by one: each with its destination.
type Datagrams = Vec<(SocketAddr, Vec<u8>)>;

/// A node that serves.
pub(super) struct Member {
    node: Node,
    outbox: Outbox,
    socket: UdpSocket,
    address: SocketAddr,
    origin: time::Instant,
    /// What the outbox had no more room for.
    waiting: Datagrams,
    has_joined: bool,
}

impl Member {
    pub(super) fn new(network: NetworkId, rng: &mut Rng) -> io::Result<Self> {
        let value_bytes_max = VALUE_BYTES_MAX;
        let config = Config { network, value_bytes_max, ..Config::new(rng.id(), rng.seed()) };
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFERS.receive_bytes)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            node: Node::new(config, Instant::ZERO),
            outbox: Outbox::new(),
            address: socket.local_addr()?,
            socket,
            origin: time::Instant::now(),
            waiting: Vec::new(),
            has_joined: false,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has it join by `first`.
    pub(super) fn join(&mut self, first: SocketAddr) {
        let command = Command::Bootstrap { addresses: vec![first] };
        self.node.handle_command(self.now(), command, &mut self.outbox);
    }

    /// The next datagram that waits at its socket, and its sender.
    pub(super) fn receive(&self) -> Option<(SocketAddr, Vec<u8>)> {
        // One byte more than any datagram of ours, to see that one is too long.
        let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
        // Nothing waits, or an ICMP error of an earlier send was told.
        let (length, peer) = self.socket.recv_from(&mut buffer).ok()?;
        Some((peer, buffer[..length].to_vec()))
    }

    pub(super) fn handle(&mut self, peer: SocketAddr, bytes: &[u8]) {
        self.node.handle_datagram(self.now(), peer, bytes, &mut self.outbox);
        if self.outbox.is_low() {
            self.empty_outbox();
        }
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self) {
        self.node.handle_timeout(self.now(), &mut self.outbox);
        let mut events = self.outbox.take_events();
        self.has_joined |= events.any(|event| matches!(event, Event::Joined { .. }));
    }

    /// Whether it has found its neighbours.
    pub(super) const fn has_joined(&self) -> bool {
        self.has_joined
    }

    pub(super) fn next_timeout(&self) -> Option<time::Duration> {
        self.node.next_timeout().map(|due| due.since(self.now()))
    }

    /// What it has to say.
    pub(super) fn take_datagrams(&mut self) -> Datagrams {
        self.empty_outbox();
        mem::take(&mut self.waiting)
    }

    fn empty_outbox(&mut self) {
        let datagrams = self.outbox.datagrams().map(|(peer, bytes)| (peer, bytes.to_vec()));
        self.waiting.extend(datagrams);
        self.outbox.clear();
    }

    /// Puts a datagram on the wire. What the kernel refuses is lost.
    pub(super) fn send(&self, peer: SocketAddr, bytes: &[u8]) {
        let _ = self.socket.send_to(bytes, peer);
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }
}

impl AsRawFd for Member {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

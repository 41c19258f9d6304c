//! Whole lookups: the production node, as a client with a socket of its own,
//! looks up one key after the other.

mod drops;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::time;

use kad_node::id::Id;
use kad_node::limits::{BOOTSTRAP_ADDRESSES_MAX, VALUE_BYTES_MAX};
use kad_node::node::{Command, Config, Event, Node, OperationId, Outbox, Trace};
use kad_node::rng::Rng;
use kad_node::seal::{Channel, SEALED_BYTES_MAX};
use kad_node::time::Instant;
use kad_node::wire::Role;
use socket2::SockRef;

use self::drops::LookupLoss;
use crate::books::LookupDatagrams;
use crate::engine::OperationEnd;
use crate::link::SOCKET_BUFFERS;
use crate::loss::Loss;
use crate::membership::Membership;

/// Longest sleep while joining. The node's own deadlines end most of them before.
const JOIN_SLEEP_MAX: time::Duration = time::Duration::from_secs(1);
/// Datagrams taken in before something else has its turn.
const RECEIVED_MAX: usize = 64;

/// A node that only asks.
pub struct LookupClient {
    node: Node,
    outbox: Outbox,
    socket: UdpSocket,
    channel: Channel,
    origin: time::Instant,
    loss: Option<LookupLoss>,
    account: LookupDatagrams,
}

impl LookupClient {
    /// A client that has joined the network of `targets`, within `join_timeout`.
    pub fn join(
        membership: &Membership,
        targets: &[SocketAddr],
        seed: [u8; 32],
        join_timeout: time::Duration,
    ) -> Result<Self, String> {
        let mut rng = Rng::from_seed(seed);
        let config = Config {
            network: membership.network,
            role: Role::Client,
            // It keeps nothing of what it finds: each lookup goes out again.
            store_bytes_max: 0,
            store_values_max: 0,
            value_bytes_max: VALUE_BYTES_MAX,
            ..Config::new(rng.id(), rng.seed())
        };
        let socket = bind(targets).map_err(|error| format!("no socket for lookups: {error}"))?;
        let mut client = Self {
            node: Node::new(config, Instant::ZERO),
            outbox: Outbox::new(),
            socket,
            channel: membership.channel()?,
            origin: time::Instant::now(),
            loss: None,
            account: LookupDatagrams::default(),
        };
        let addresses = targets.iter().copied().take(BOOTSTRAP_ADDRESSES_MAX).collect();
        client.command(Command::Bootstrap { addresses });
        while !client.turn().into_iter().any(|event| matches!(event, Event::Joined { .. })) {
            let left = join_timeout.saturating_sub(client.origin.elapsed());
            if left.is_zero() {
                return Err(not_joined(targets, join_timeout));
            }
            let wait = client.wait_max().min(JOIN_SLEEP_MAX).min(left);
            client.wait(wait)?;
        }
        Ok(client)
    }

    /// From now on, drops what it sends and receives.
    pub fn set_loss(&mut self, loss: Loss) {
        self.loss = Some(LookupLoss::new(loss));
    }

    /// From now on, counts datagrams anew.
    pub fn begin_account(&mut self) {
        self.account = LookupDatagrams::default();
    }

    /// What became of the datagrams.
    pub const fn account(&self) -> LookupDatagrams {
        self.account
    }

    /// Begins a lookup.
    pub fn begin(&mut self, operation: OperationId, key: Id) {
        self.command(Command::Get { operation, key, trace: Trace::Off });
    }

    /// Puts a value into the network.
    pub fn put(&mut self, operation: OperationId, value: &[u8]) {
        self.command(Command::put(operation, value));
    }

    /// Puts a value no more.
    pub fn forget(&mut self, operation: OperationId, key: Id) {
        self.command(Command::Forget { operation, key });
    }

    /// Waits until a datagram is there or `timeout` is over.
    pub fn wait(&self, timeout: time::Duration) -> Result<(), String> {
        udp::poll(&mut [udp::readable(self)], Some(timeout))
            .map_err(|error| format!("waiting failed: {error}"))
    }

    /// How long nothing is due at least.
    pub fn wait_max(&self) -> time::Duration {
        self.next_timeout().unwrap_or(time::Duration::MAX)
    }

    /// How long until something is due.
    pub fn next_timeout(&self) -> Option<time::Duration> {
        self.node.next_timeout().map(|due| due.since(self.now()))
    }

    /// Takes in what has come, does what is due, and tells what has ended. What was put is
    /// put no more.
    pub fn ended(&mut self) -> Vec<OperationEnd> {
        let mut ended = Vec::new();
        for event in self.turn() {
            if let Event::Put { operation, key, .. } = event {
                self.forget(operation, key);
            }
            ended.extend(OperationEnd::from_event(event));
        }
        ended
    }

    /// Takes in what has come, does what is due, and returns what that led to.
    pub fn turn(&mut self) -> Vec<Event> {
        // One byte more than any datagram of ours, to see that one is too long.
        let (mut buffer, mut room) = ([0; SEALED_BYTES_MAX + 1], [0; SEALED_BYTES_MAX]);
        for _ in 0..RECEIVED_MAX {
            let Ok((length, source)) = self.socket.recv_from(&mut buffer) else {
                break; // nothing waits, or an ICMP error of an earlier send was told
            };
            self.account.received += 1;
            let bytes = self.channel.open(&buffer[..length], &mut room).unwrap_or_default();
            let loss = self.loss.as_mut();
            if loss.is_some_and(|loss| loss.drops_received(bytes)) {
                self.account.received_dropped += 1;
            } else {
                self.account.taken += 1;
                let now = self.now();
                self.node.handle_datagram(now, source, bytes, &mut self.outbox);
            }
            self.flush_if_low();
        }
        self.node.handle_timeout(self.now(), &mut self.outbox);
        let events = self.outbox.take_events().collect();
        self.flush();
        events
    }

    fn command(&mut self, command: Command) {
        self.node.handle_command(self.now(), command, &mut self.outbox);
        self.flush_if_low();
    }

    fn flush_if_low(&mut self) {
        if self.outbox.is_low() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Self { outbox, loss, account, socket, channel, .. } = self;
        let mut room = [0; SEALED_BYTES_MAX];
        for (destination, bytes) in outbox.datagrams() {
            account.composed += 1;
            let length = channel.seal(bytes, &mut room);
            if loss.as_mut().is_some_and(|loss| loss.drops_sent(destination, bytes)) {
                account.dropped += 1;
            } else if socket.send_to(&room[..length], destination).is_ok() {
                account.transmitted += 1;
            } else {
                // It is lost, and sent again in time.
                account.unsendable += 1;
            }
        }
        outbox.clear();
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }
}

impl AsRawFd for LookupClient {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn not_joined(targets: &[SocketAddr], join_timeout: time::Duration) -> String {
    let addresses: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let join_timeout = humantime::format_duration(join_timeout);
    format!(
        "the network of {} is not joined within {join_timeout}: try a longer --join-timeout",
        addresses.join(", ")
    )
}

/// A socket for all of `targets`. An IPv6 one reaches IPv4 addresses as well.
fn bind(targets: &[SocketAddr]) -> io::Result<UdpSocket> {
    let any: SocketAddr = if targets.iter().all(SocketAddr::is_ipv4) {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFERS.receive_bytes)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

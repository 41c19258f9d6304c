//! The socket of a shard.
//!
//! The first socket is bound without `SO_REUSEPORT`, so that a node on an address
//! in use fails instead of taking half of the other's datagrams. Where there are
//! several shards, that socket then allows the others, which join it one after
//! another: their places in the group are the shards' numbers. So there is no
//! moment in which two nodes could both believe that the address is theirs.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::address::Reach;
use super::control::{CONTROL_BYTES_MAX, SEGMENT_BYTES};
use super::settings::{Coalescing, ShardCount};
use super::sys;
use super::train::Room;

/// Asked-for receive buffer. Measured: the default holds 256 small datagrams,
/// less than one burst of many peers, and 4 MB is 10 to 20 % slower under
/// overload, since what waits there is out of date when its turn comes.
const RECEIVE_BUFFER_BYTES: usize = 512 << 10;
/// Asked-for send buffer, for the replies of one turn on a slow device.
const SEND_BUFFER_BYTES: usize = 512 << 10;

/// A socket's part in the group of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    /// It finds the address free.
    First,
    /// It shares the address with others of the node.
    Further,
}

/// A bound UDP socket that never blocks.
#[derive(Debug)]
pub(super) struct UdpSocket {
    socket: Socket,
    address: SocketAddr,
    reach: Reach,
}

impl UdpSocket {
    /// Binds `listen`, and nobody else may; port 0 lets the kernel choose. The
    /// unspecified IPv6 address takes IPv4 peers as well, whatever the system's
    /// default is.
    pub(super) fn bind(listen: SocketAddr) -> io::Result<Self> {
        Self::bind_as(listen, Member::First)
    }

    /// Binds a socket for each of `shards` to the same address, in their order.
    pub(super) fn bind_group(listen: SocketAddr, shards: ShardCount) -> io::Result<Vec<Self>> {
        let first = Self::bind(listen)?;
        let address = first.address;
        let mut group = Vec::with_capacity(shards.get());
        if shards > ShardCount::ONE {
            first.socket.set_reuse_port(true)?;
        }
        group.push(first);
        while group.len() < shards.get() {
            group.push(Self::bind_as(address, Member::Further)?);
        }
        Ok(group)
    }

    fn bind_as(listen: SocketAddr, member: Member) -> io::Result<Self> {
        let listen = match listen.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddr::from((ip, listen.port())),
            // As it is: `SocketAddr::new` would lose the scope of a link-local one.
            IpAddr::V6(_) => listen,
        };
        let reach = match listen {
            SocketAddr::V4(_) => Reach::V4,
            SocketAddr::V6(address) if address.ip().is_unspecified() => Reach::Dual,
            SocketAddr::V6(_) => Reach::V6,
        };
        let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
        if reach != Reach::V4 {
            socket.set_only_v6(reach == Reach::V6)?;
        }
        socket.set_nonblocking(true)?;
        // The kernel cuts both down to its maxima without a word; a node with
        // smaller ones works, and loses more under bursts.
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_reuse_port(member == Member::Further)?;
        socket.bind(&listen.into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        if address.ip().is_unspecified() {
            sys::receive_locals(&socket, reach)?;
        }
        Ok(Self { socket, address, reach })
    }

    /// Has the kernel bring trains of datagrams as they come, where it is asked to
    /// and knows how; what a receive must have room for.
    pub(super) fn coalesce(&self, coalescing: Coalescing) -> Room {
        // Linux before 5.0 knows no such thing, and brings each by itself.
        if coalescing == Coalescing::On && sys::receive_trains(self).is_ok() {
            Room::Train
        } else {
            Room::Datagram
        }
    }

    /// Whether trains may be sent: where it is asked for and the kernel knows how.
    /// Linux before 4.18 does not, and sends a train as one datagram, since it passes
    /// over control messages that it does not know.
    pub(super) fn sending(&self, coalescing: Coalescing) -> Coalescing {
        if coalescing == Coalescing::On && sys::parts_trains(self).is_err() {
            return Coalescing::Off;
        }
        coalescing
    }

    /// The address that it is bound to.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it takes what comes to any of the host's addresses, and is told to which.
    pub(super) fn is_wildcard(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// Bytes of the control messages that come with a message.
    pub(super) fn control_bytes(&self) -> usize {
        if self.is_wildcard() { CONTROL_BYTES_MAX } else { SEGMENT_BYTES }
    }

    /// Another descriptor of the same socket, which is open as long as either is.
    pub(super) fn duplicate(&self) -> io::Result<std::net::UdpSocket> {
        self.socket.try_clone().map(Into::into)
    }

    /// What it can send to.
    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

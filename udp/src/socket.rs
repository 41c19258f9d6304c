//! Sockets: bound for many peers, or connected to one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::address::Families;
use crate::control::{CONTROL_BYTES_MAX, SEGMENT_BYTES};
use crate::segments::BufferSize;
use crate::sys;

/// Whether datagrams to or from the same peer cross the edge of the kernel as one message,
/// where it knows how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coalescing {
    /// `UDP_SEGMENT` out, `UDP_GRO` in.
    On,
    /// Each by itself: for experiments, and for devices that get it wrong.
    Off,
}

/// Bytes of a socket's buffers that are asked for. The kernel reduces both to its maxima
/// without a word; a socket with smaller ones works, and loses more under bursts.
#[derive(Clone, Copy, Debug)]
pub struct SocketBuffers {
    /// For what waits to be received.
    pub receive_bytes: usize,
    /// For what waits to be sent.
    pub send_bytes: usize,
}

/// A socket's part in the group of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    /// It finds the address free.
    First,
    /// It shares the address with others of the group.
    Further,
}

/// A UDP socket that never blocks.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    address: SocketAddr,
    families: Families,
}

impl UdpSocket {
    /// Binds `listen` exclusively; port 0 lets the kernel choose. The unspecified IPv6
    /// address takes IPv4 peers as well, whatever the system's default is.
    ///
    /// # Errors
    /// When the address is in use, is not this host's, or needs a right.
    pub fn bind(listen: SocketAddr, buffers: SocketBuffers) -> io::Result<Self> {
        Self::bind_as(listen, buffers, Member::First)
    }

    /// Binds `count` sockets to the same address. Their order is that of the group
    /// (`SO_REUSEPORT`), by which a program steers.
    ///
    /// The first socket is bound without `SO_REUSEPORT`, so that it fails on an address in
    /// use instead of taking half of the other's datagrams. It then allows the others, which
    /// join it one after another. So there is no moment in which two programs could both
    /// believe that the address is theirs.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_group(
        listen: SocketAddr,
        buffers: SocketBuffers,
        count: usize,
    ) -> io::Result<Vec<Self>> {
        let first = Self::bind(listen, buffers)?;
        let address = first.address;
        let mut group = Vec::with_capacity(count);
        if count > 1 {
            first.socket.set_reuse_port(true)?;
        }
        group.push(first);
        while group.len() < count {
            group.push(Self::bind_as(address, buffers, Member::Further)?);
        }
        Ok(group)
    }

    fn bind_as(listen: SocketAddr, buffers: SocketBuffers, member: Member) -> io::Result<Self> {
        let listen = match listen.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddr::from((ip, listen.port())),
            // As it is: `SocketAddr::new` would lose the scope of a link-local one.
            IpAddr::V6(_) => listen,
        };
        let families = Families::of(listen);
        let socket = new_socket(listen, buffers)?;
        if families != Families::V4 {
            socket.set_only_v6(families == Families::V6)?;
        }
        socket.set_reuse_port(member == Member::Further)?;
        socket.bind(&listen.into())?;
        let address = address_of(&socket)?;
        if address.ip().is_unspecified() {
            match families {
                Families::V4 => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
                Families::V6 | Families::Dual => {
                    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
                }
            }
        }
        Ok(Self { socket, address, families })
    }

    /// Connects a socket to `peer`: so the kernel drops what others send, and a send looks
    /// up no route.
    ///
    /// # Errors
    /// When this host has no way to `peer`.
    pub fn connect(peer: SocketAddr, buffers: SocketBuffers) -> io::Result<Self> {
        let socket = new_socket(peer, buffers)?;
        let (any, families): (IpAddr, Families) = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), Families::V4),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), Families::V6),
        };
        socket.bind(&SocketAddr::from((any, 0)).into())?;
        socket.connect(&peer.into())?;
        Ok(Self { address: address_of(&socket)?, socket, families })
    }

    /// Makes the kernel join what one peer sends into segmented messages, where it is asked
    /// to and knows how; what a receive must have room for.
    #[must_use = "a receive must have this room"]
    pub fn coalesce_receives(&self, coalescing: Coalescing) -> BufferSize {
        // Linux before 5.0 knows no such thing, and brings each datagram by itself.
        let may = coalescing == Coalescing::On;
        if may && setsockopt(self, sockopt::UdpGroSegment, &true).is_ok() {
            BufferSize::Message
        } else {
            BufferSize::Datagram
        }
    }

    /// Whether segmented messages may be sent: where it is asked for and the kernel knows
    /// how. Linux before 4.18 does not, and sends one as one datagram, since it passes over
    /// control messages that it does not know.
    #[must_use]
    pub fn coalesces_sends(&self, coalescing: Coalescing) -> Coalescing {
        let may = coalescing == Coalescing::On && getsockopt(self, sockopt::UdpGsoSegment).is_ok();
        if may { Coalescing::On } else { Coalescing::Off }
    }

    /// The address that it is bound to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it can send to.
    pub const fn families(&self) -> Families {
        self.families
    }

    /// Whether it takes what comes to any of the host's addresses, and is told to which.
    pub fn is_wildcard(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// Bytes of the control messages that come with a message.
    pub fn control_bytes(&self) -> usize {
        if self.is_wildcard() { CONTROL_BYTES_MAX } else { SEGMENT_BYTES }
    }

    /// Another descriptor of the same socket, which is open as long as either is.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn duplicate(&self) -> io::Result<std::net::UdpSocket> {
        self.socket.try_clone().map(Into::into)
    }

    /// Datagrams that the kernel has dropped because the receive buffer was full, since the
    /// socket was made; none where the kernel does not tell.
    pub fn receive_drops(&self) -> Option<u64> {
        sys::receive_drops(self)
    }
}

fn new_socket(family_of: SocketAddr, buffers: SocketBuffers) -> io::Result<Socket> {
    let domain = Domain::for_address(family_of);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(buffers.receive_bytes)?;
    socket.set_send_buffer_size(buffers.send_bytes)?;
    Ok(socket)
}

fn address_of(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

//! Sockets, each connected to one target.

use std::io;
use std::net::SocketAddr;

use udp::{SocketBuffers, UdpSocket};

/// The buffers of a socket: room for what arrives while this thread waits for its turn on a
/// busy machine. What overflows is counted.
pub const SOCKET_BUFFERS: SocketBuffers =
    SocketBuffers { receive_bytes: 4 << 20, send_bytes: 4 << 20 };

/// A socket that never blocks, connected to `target`.
pub fn connect(target: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::connect(target, SOCKET_BUFFERS)
}

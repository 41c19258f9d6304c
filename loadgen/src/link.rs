//! Sockets, each connected to one target: so the kernel drops what others send,
//! and a send looks up no route.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// Asked-for receive buffer: room for what arrives while this thread waits for
/// its turn on a busy machine. What overflows is counted.
pub const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// Asked-for send buffer.
const SEND_BUFFER_BYTES: usize = 4 << 20;

/// A socket that never blocks, connected to `target`.
pub fn connect(target: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(target), Type::DGRAM, Some(Protocol::UDP))?;
    // The kernel cuts both down to its maxima without a word.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SocketAddr::from((any, 0)).into())?;
    socket.connect(&target.into())?;
    Ok(socket)
}

//! UDP by the batch, for Linux: what a server with many peers and a client with one
//! connected socket for each server have in common.
//!
//! Most of a datagram's cost is the kernel's work for each *message*, and a message may
//! carry several datagrams of equal length: its *segments* (`UDP_SEGMENT` on the way out,
//! Linux 4.18, called GSO; `UDP_GRO` on the way in, Linux 5.0). So the senders join what
//! goes to one peer, and the receivers split what comes.
//!
//! ```text
//! UdpSocket --> Receiver ----> Segments --> one datagram after another   (recvmmsg)
//!           \-> IncomingMessage, or a ring of the caller's: one message (io_uring)
//! UdpSocket <-- Sender: any destinations, from the address that each peer asked
//!           <-- ConnectedSender: a Batch for the peer that the socket is connected to
//! ```
//!
//! Nothing here blocks but [`poll`], and nothing allocates once it is made.

mod address;
mod connected;
mod control;
mod incoming;
mod local;
#[cfg(test)]
mod loopback;
mod messages;
mod observer;
mod receiver;
mod segments;
mod sender;
mod socket;
mod sys;

pub use address::{ADDRESS_BYTES_MAX, Families, canonical, parse_address};
pub use connected::{BATCH_DATAGRAMS_MAX, Batch, ConnectedSender};
pub use control::{ControlData, parse_control};
pub use incoming::{IncomingMessage, receive_template};
pub use local::{LocalAddresses, Noted};
pub use observer::{Observer, Received, Sent};
pub use receiver::Receiver;
pub use segments::{BufferSize, SEGMENTS_MAX, Segments, VISIBLE_BYTES};
pub use sender::Sender;
pub use socket::{Coalescing, SocketBuffers, UdpSocket};
pub use sys::{poll, readable, receive_drops};

/// Bytes of a datagram at most: what a packet of 1280 bytes, which every IPv6 path takes
/// whole (RFC 8200, 5), carries beside the headers of IPv6 and UDP, and a seal.
pub const DATAGRAM_BYTES_MAX: usize = 1280 - IP_HEADER_BYTES - UDP_HEADER_BYTES + SEAL_BYTES;
/// Bytes of one message at most: what an IPv6 packet without a jumbo option carries.
const MESSAGE_BYTES_MAX: usize = u16::MAX as usize - IP_HEADER_BYTES - UDP_HEADER_BYTES;
const IP_HEADER_BYTES: usize = 40;
const UDP_HEADER_BYTES: usize = 8;
/// What encryption adds to a datagram.
const SEAL_BYTES: usize = 41;

const _: () = assert!(DATAGRAM_BYTES_MAX <= MESSAGE_BYTES_MAX);

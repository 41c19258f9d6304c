//! The same bytes without a node: by segmented messages.

use std::hint::black_box;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

use kad_node::limits::{PIECE_BYTES_MAX, RANGE_PIECES_MAX};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, UdpGroSegment, UdpGsoSegment};
use sha1::{Digest as _, Sha1};

use super::{Outcome, VALUE_BYTES, VALUES};

/// A VALUE with a whole piece: header, offset, total and life, and the piece.
const DATAGRAM_BYTES: usize = 48 + 12 + PIECE_BYTES_MAX;
const MESSAGE_BYTES: usize = DATAGRAM_BYTES * RANGE_PIECES_MAX;
/// A `FIND_RANGE`.
const REQUEST_BYTES: usize = 48 + 28;
/// Requests on their way: what a receive buffer of the kernel's default size takes.
const REQUESTS: usize = 3;

/// Asks for messages and receives them, as a get does, and does nothing with them.
pub(super) fn segments() -> Outcome<()> {
    receive(|_| {})
}

/// The same, and puts the pieces of each value together and hashes them: no get that
/// verifies on one thread can do less.
pub(super) fn verified_segments() -> Outcome<()> {
    let (mut value, mut hasher, mut bytes) = (Vec::new(), Sha1::new(), 0);
    receive(|message| {
        let begun = value.len();
        for datagram in message.chunks(DATAGRAM_BYTES) {
            value.extend_from_slice(&datagram[DATAGRAM_BYTES - PIECE_BYTES_MAX..]);
        }
        hasher.update(&value[begun..]);
        if value.len() >= VALUE_BYTES {
            black_box(hasher.finalize_reset());
            bytes += value.len();
            value = Vec::with_capacity(VALUE_BYTES + MESSAGE_BYTES);
        }
    })?;
    if bytes + value.len() < VALUES * VALUE_BYTES {
        Err("values are missing".into())
    } else {
        Ok(())
    }
}

/// Asks for messages, and looks at each so.
fn receive(mut look: impl FnMut(&[u8])) -> Outcome<()> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let (asks, answers) = (UdpSocket::bind(any)?, UdpSocket::bind(any)?);
    asks.connect(answers.local_addr()?)?;
    answers.connect(asks.local_addr()?)?;
    setsockopt(&answers, UdpGsoSegment, &i32::try_from(DATAGRAM_BYTES)?)?;
    setsockopt(&asks, UdpGroSegment, &true)?;
    setsockopt(&asks, RcvBuf, &(1 << 20))?;
    let pieces = VALUE_BYTES.div_ceil(PIECE_BYTES_MAX) * VALUES;
    let messages = pieces.div_ceil(RANGE_PIECES_MAX);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut request, message) = ([0; REQUEST_BYTES], vec![7; MESSAGE_BYTES]);
            for _ in 0..messages {
                answers.recv(&mut request).expect("a request");
                answers.send(&message).expect("the kernel takes segments");
            }
        });
        let mut buffer = vec![0; 1 << 16];
        let (mut asked, mut received) = (0, 0);
        while received < messages * MESSAGE_BYTES {
            while asked < messages && asked < received / MESSAGE_BYTES + REQUESTS {
                asks.send(&[0; REQUEST_BYTES])?;
                asked += 1;
            }
            let length = asks.recv(&mut buffer)?;
            received += length;
            look(&buffer[..length]);
        }
        Ok(())
    })
}

//! What a peer understands: how a request is written, and which answer is right.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of every value.
pub(crate) const VALUE_BYTES: usize = 100;
/// Values that requests are about.
pub(crate) const KEYS: usize = 1000;

/// A room for one datagram.
pub(crate) type Room = [u8; udp::DATAGRAM_BYTES_MAX];

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The right answer to the request of this number.
    Right(u16),
    /// A wrong answer to it.
    Wrong(u16),
    /// No answer to any request.
    Strange,
}

impl Answer {
    pub(crate) fn to(number: u16, is_right: bool) -> Self {
        if is_right { Self::Right(number) } else { Self::Wrong(number) }
    }
}

/// A protocol for single requests. A request's number is also which key it is about.
pub(crate) trait Wire {
    /// Stores the values, and takes whatever a client needs before its first request.
    fn prepare(&mut self, socket: &UdpSocket) -> Result<(), String>;

    /// Writes request `number`; says how many bytes it has.
    fn write(&self, number: u16, room: &mut Room) -> usize;

    /// Judges what came.
    fn read(&mut self, bytes: &[u8]) -> Answer;
}

/// Which key request `number` is about.
pub(crate) fn key_of(number: u16) -> usize {
    usize::from(number) % KEYS
}

/// Value number `index`: letters, so that a protocol of text takes it.
pub(crate) fn value(index: usize) -> [u8; VALUE_BYTES] {
    let mut bytes = [b'v'; VALUE_BYTES];
    let text = format!("{index:08}");
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// All values.
pub(crate) fn values() -> Vec<[u8; VALUE_BYTES]> {
    (0..KEYS).map(value).collect()
}

/// Writes `parts` one after the other.
pub(crate) fn join(room: &mut Room, parts: &[&[u8]]) -> usize {
    let mut length = 0;
    for part in parts {
        room[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    length
}

/// How long a peer may take to answer before the measurement: some of them start slowly.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one send waits for its answer.
const WAIT: Duration = Duration::from_millis(100);

/// Sends `request` until `judge` takes an answer.
pub(crate) fn ask<T>(
    socket: &UdpSocket,
    request: &[u8],
    mut judge: impl FnMut(&[u8]) -> Option<T>,
) -> Result<T, String> {
    socket.set_read_timeout(Some(WAIT)).map_err(|error| format!("asking failed: {error}"))?;
    let deadline = Instant::now() + PATIENCE;
    let mut room = [0; 2048];
    while Instant::now() < deadline {
        // Until the peer listens, an ICMP error comes, which the next call tells.
        let is_sent = socket.send(request).is_ok();
        let mut received = socket.recv(&mut room);
        while let Ok(length) = received {
            if let Some(taken) = judge(&room[..length]) {
                return Ok(taken);
            }
            received = socket.recv(&mut room);
        }
        let is_refused = received.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        if is_refused || !is_sent {
            thread::sleep(WAIT);
        }
    }
    Err("no right answer to a request before the measurement".into())
}

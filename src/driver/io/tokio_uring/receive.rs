//! A receive with control messages, which the library's own does not bring.
#![allow(unsafe_code)] // What has come is as long as the kernel says.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use ::tokio_uring::{OneshotOutputTransform, UnsubmittedOneshot};
use io_uring_0_6::types::Fd;
use io_uring_0_6::{cqueue, opcode};
use udp::IncomingMessage;

/// A datagram that has come into a buffer.
pub(super) struct Received {
    /// Bytes of the buffer that it takes.
    pub(super) length: usize,
    pub(super) source: SocketAddr,
    /// The address that it came to, where the socket is told.
    pub(super) local: Option<IpAddr>,
}

/// Receives one datagram from socket `fd` into `buffer`, up to its capacity, with
/// `control_bytes` of control messages. To be called within the runtime, whose requests
/// are waited for before the socket is closed.
pub(super) async fn receive(
    fd: RawFd,
    buffer: Vec<u8>,
    control_bytes: usize,
) -> (io::Result<Received>, Vec<u8>) {
    let mut incoming = IncomingMessage::new(buffer, control_bytes);
    let request = opcode::RecvMsg::new(Fd(fd), incoming.header()).build();
    UnsubmittedOneshot::new(incoming, Completion, request).submit().await
}

/// Makes of a completion what has come.
struct Completion;

impl OneshotOutputTransform for Completion {
    type Output = (io::Result<Received>, Vec<u8>);
    type StoredData = Box<IncomingMessage>;

    fn transform_oneshot_output(
        self,
        incoming: Box<IncomingMessage>,
        entry: cqueue::Entry,
    ) -> Self::Output {
        let (source, local) = incoming.addresses();
        let received = match usize::try_from(entry.result()) {
            Err(_) => Err(io::Error::from_raw_os_error(-entry.result())),
            Ok(length) => source
                .map(|source| Received { length, source, local })
                .ok_or_else(|| io::ErrorKind::InvalidData.into()),
        };
        let bytes = usize::try_from(entry.result()).unwrap_or(0);
        // SAFETY: the request is complete, and has written so many bytes.
        let buffer = unsafe { incoming.into_buffer(bytes) };
        (received, buffer)
    }
}

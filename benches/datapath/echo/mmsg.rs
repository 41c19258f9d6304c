//! The echo over `recvmmsg` and `sendmmsg`.
#![allow(unsafe_code)] // poll takes a pointer.

use std::convert::Infallible;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use super::Counters;
use super::replies::Replies;
use crate::kernel::Receiver;
use crate::subject::Grouping;

/// Messages that one call receives.
const BATCH_DATAGRAMS_MAX: usize = 512;

/// Echoes for ever.
pub(super) fn run(
    socket: &UdpSocket,
    grouping: Grouping,
    counters: &Counters,
) -> io::Result<Infallible> {
    let mut receiver = Receiver::new(grouping, BATCH_DATAGRAMS_MAX);
    let mut replies = Replies::new(grouping);
    loop {
        let count = receiver.receive(socket)?;
        counters.receive_calls.add(1);
        for (source, request) in receiver.datagrams() {
            counters.datagrams_received.add(1);
            replies.add(source, request);
            if replies.is_full() {
                counters.send_calls.add(replies.send(socket)?);
            }
        }
        counters.send_calls.add(replies.send(socket)?);
        counters.turns.add(1);
        // A full batch says that more is there.
        if count < BATCH_DATAGRAMS_MAX {
            counters.waits.add(1);
            wait(socket);
        }
    }
}

fn wait(socket: &UdpSocket) {
    let mut readable = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor is there to be read and written.
    unsafe { libc::poll(&raw mut readable, 1, -1) };
}

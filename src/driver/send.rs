//! Sending, the same for every driver: one `sendmmsg` for up to [`BATCH_MAX`]
//! datagrams.
//!
//! Requests in the ring would save `uring` one system call a turn. Measured on a
//! busy machine, against this in one interleaved run, the difference is within
//! the noise; and they would keep the outbox borrowed until they are complete.
#![allow(unsafe_code)] // sendmmsg takes pointers to pointers.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use libc::{c_uint, iovec, mmsghdr};

use super::address::Name;
use super::socket::UdpSocket;
use super::stats::DriverStats;
use super::sys;

/// Datagrams that go with one call.
const BATCH_MAX: usize = 64;

/// The arrays that `sendmmsg` reads. They are kept from batch to batch for their
/// memory alone: what they point to is valid within [`send`](Sender::send).
pub(super) struct Sender {
    names: Vec<Name>,
    slices: Vec<iovec>,
    headers: Vec<mmsghdr>,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self {
            names: Vec::with_capacity(BATCH_MAX),
            slices: Vec::with_capacity(BATCH_MAX),
            headers: Vec::with_capacity(BATCH_MAX),
        }
    }

    /// Sends `datagrams` in order. What cannot be sent is dropped and counted.
    pub(super) fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        mut datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>,
        stats: &mut DriverStats,
    ) {
        loop {
            self.fill(socket, &mut datagrams, stats);
            if self.headers.is_empty() {
                break;
            }
            self.transmit(socket, stats);
        }
    }

    /// Takes up the next batch.
    fn fill<'a>(
        &mut self,
        socket: &UdpSocket,
        datagrams: &mut impl Iterator<Item = (SocketAddr, &'a [u8])>,
        stats: &mut DriverStats,
    ) {
        self.names.clear();
        self.slices.clear();
        self.headers.clear();
        while self.names.len() < BATCH_MAX
            && let Some((destination, bytes)) = datagrams.next()
        {
            if let Some(name) = Name::new(socket.reach(), destination) {
                self.names.push(name);
                // The kernel only reads what it sends.
                let base = bytes.as_ptr().cast_mut().cast();
                self.slices.push(iovec { iov_base: base, iov_len: bytes.len() });
            } else {
                stats.sends_other_family += 1;
            }
        }
        for (name, slice) in self.names.iter_mut().zip(&mut self.slices) {
            self.headers.push(sys::message(name, slice));
        }
    }

    /// Sends the batch.
    fn transmit(&mut self, socket: &UdpSocket, stats: &mut DriverStats) {
        let mut rest = &mut self.headers[..];
        while !rest.is_empty() {
            stats.send_calls += 1;
            // SAFETY: `send` still borrows the datagrams to which the slices point,
            // and neither the slices nor the names have changed since `fill`.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            let done = match sys::counted(sent) {
                Ok(sent) => {
                    let sent = &rest[..sent];
                    stats.datagrams_sent += sent.len() as u64;
                    stats.bytes_sent += sent.iter().map(|one| u64::from(one.msg_len)).sum::<u64>();
                    sent.len()
                }
                Err(error) => Self::give_up(&error, rest.len(), stats),
            };
            rest = &mut rest[done..];
        }
    }

    /// How many of `left` datagrams are not tried again after `error`, which is
    /// the first one's. Where the queue is full that is all of them: each would
    /// cost a system call to fail in the same way.
    fn give_up(error: &io::Error, left: usize, stats: &mut DriverStats) -> usize {
        let unsent = match error.kind() {
            io::ErrorKind::Interrupted => 0,
            io::ErrorKind::WouldBlock => left,
            _ => 1,
        };
        stats.count_unsent(error, unsent as u64);
        unsent
    }
}

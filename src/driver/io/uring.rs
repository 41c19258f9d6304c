//! The driver `uring`: a multishot receive into a ring of buffers, one
//! `io_uring_enter` a turn for datagrams, the deadline and wake-ups together, and
//! the sends of a turn in one `sendmmsg`.
//!
//! Measured: `DEFER_TASKRUN` would cost 10 % more CPU a datagram.
//!
//! A message of the kernel is one datagram or several segments; the shard sees one
//! datagram after the other.
//!
//! A multishot request ends, and is begun again, whenever a completion comes
//! without `F_MORE`: after a zero-length datagram, which any peer can send, when no
//! buffer is free (ENOBUFS), when completions overflow their queue, and after an
//! error.
#![allow(unsafe_code)] // Requests carry pointers, whose targets must outlive them.

mod buffers;
mod ring;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{Fd, RecvMsgOut, SubmitArgs, Timespec};
use io_uring::{cqueue, opcode, squeue};
use udp::Observer as _;
use udp::{ADDRESS_BYTES_MAX, BufferSize, Coalescing, LocalAddresses, Segments, Sender, UdpSocket};

use self::buffers::{BufferId, GROUP};
use self::ring::{Ring, Sizes};
use super::{Datapath, survive};
use crate::driver::mailbox::wake::WakeFd;
use crate::driver::stats::DriverStats;
use crate::wire::STEER_OFFSET;

/// What the kernel writes into a buffer before the source's address: four
/// numbers of four bytes.
const PREFIX_BYTES: usize = 16;
/// Where what was sent begins in a buffer: after a source's address and control messages
/// of so many bytes.
const fn payload_offset(control_bytes: usize) -> usize {
    PREFIX_BYTES + ADDRESS_BYTES_MAX + control_bytes
}

/// The completion's request, by its user data.
const USER_RECEIVE: u64 = 1;
const USER_WAKE: u64 = 2;

/// A ring for the calling thread, with buffers of this size for what comes to `socket`.
///
/// # Errors
/// When the kernel, or what guards it, has no such ring to give.
pub(in crate::driver) fn open(socket: &UdpSocket, buffer: BufferSize) -> io::Result<Ring> {
    Ring::open(Sizes::SHARD, payload_offset(socket.control_bytes()) + buffer.bytes())
}

/// A socket that is read through a ring.
pub(in crate::driver) struct Uring {
    // The first field, so that it is dropped before what its requests refer to.
    ring: Ring,
    /// What the receive request is told: how long a source's address and control
    /// messages may be.
    template: Box<libc::msghdr>,
    payload_offset: usize,
    socket: UdpSocket,
    wake_fd: Arc<WakeFd>,
    receiving: Multishot,
    polling: Multishot,
    /// Completions of this turn that have not been looked at.
    pending: usize,
    current: Option<Current>,
    sender: Sender,
    stats: DriverStats,
}

/// Whether a multishot request is with the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Multishot {
    Armed,
    Ended,
}

impl Multishot {
    /// What the flags of a completion say about its request.
    fn after(flags: u32) -> Self {
        if cqueue::more(flags) { Self::Armed } else { Self::Ended }
    }
}

/// The message that is visited, its buffer, which is ours meanwhile, and which of
/// its datagrams.
#[derive(Debug)]
struct Current {
    buffer: BufferId,
    source: SocketAddr,
    local: Option<IpAddr>,
    segments: Segments,
    datagram: Range<usize>,
}

impl Uring {
    pub(in crate::driver) fn new(
        ring: Ring,
        socket: UdpSocket,
        wake_fd: Arc<WakeFd>,
        coalescing: Coalescing,
    ) -> Self {
        let sender = Sender::new(&socket, coalescing, STEER_OFFSET);
        Self {
            ring,
            template: Box::new(udp::receive_template(socket.control_bytes())),
            payload_offset: payload_offset(socket.control_bytes()),
            socket,
            wake_fd,
            receiving: Multishot::Ended,
            polling: Multishot::Ended,
            pending: 0,
            current: None,
            sender,
            stats: DriverStats::default(),
        }
    }

    /// Begins the requests that have ended.
    fn arm(&mut self) {
        if self.receiving == Multishot::Ended {
            let fd = Fd(self.socket.as_raw_fd());
            let request = opcode::RecvMsgMulti::new(fd, &raw const *self.template, GROUP).build();
            self.push(&request.user_data(USER_RECEIVE));
            self.receiving = Multishot::Armed;
        }
        if self.polling == Multishot::Ended {
            let fd = Fd(self.wake_fd.as_raw_fd());
            let request = opcode::PollAdd::new(fd, libc::POLLIN as u32).multi(true).build();
            self.push(&request.user_data(USER_WAKE));
            self.polling = Multishot::Armed;
        }
    }

    fn push(&mut self, request: &squeue::Entry) {
        // SAFETY: the template, the socket and the eventfd live longer than the ring,
        // which cancels its requests before it goes.
        let pushed = unsafe { self.ring.uring.submission().push(request) };
        pushed.expect("two requests at most, and room for more");
    }

    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timespec = timeout.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(timespec) = &timespec {
            args = args.timespec(timespec);
        }
        self.stats.waits += 1;
        match self.ring.enter(&args) {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // The time is over, a signal came, or the kernel is short of
                // memory or of room for completions, which passes.
                Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Takes in one completion of the receive.
    fn received(&mut self, result: i32, flags: u32) -> io::Result<()> {
        self.receiving = Multishot::after(flags);
        if self.receiving == Multishot::Ended {
            self.stats.receives_rearmed += 1;
        }
        let Ok(written_bytes) = usize::try_from(result) else {
            return self.receive_failed(io::Error::from_raw_os_error(-result));
        };
        let Some(buffer) = cqueue::buffer_select(flags).map(BufferId) else {
            self.stats.receives_failed += 1;
            return Ok(());
        };
        self.current = self.read(buffer, written_bytes);
        if self.current.is_none() {
            self.ring.buffers.give_back(buffer);
        }
        Ok(())
    }

    fn receive_failed(&mut self, error: io::Error) -> io::Result<()> {
        if error.raw_os_error() == Some(libc::ENOBUFS) {
            self.stats.buffers_exhausted += 1;
            return Ok(());
        }
        self.stats.receives_failed += 1;
        survive(error)
    }

    /// What the kernel has written into `buffer`, if it is a message from an address.
    fn read(&mut self, buffer: BufferId, written_bytes: usize) -> Option<Current> {
        let bytes = self.ring.buffers.bytes(buffer).get(..written_bytes);
        let message = bytes.and_then(|bytes| RecvMsgOut::parse(bytes, &self.template).ok());
        let Some(message) = message else {
            self.stats.receives_failed += 1;
            return None;
        };
        let Some(source) = udp::parse_address(message.name_data()) else {
            self.stats.received_from_nowhere();
            return None;
        };
        let control = udp::parse_control(message.control_data());
        let segments = Segments::new(message.payload_data().len(), control.segment_bytes);
        let mut counts = segments.counts();
        counts.truncated += u64::from(message.is_payload_truncated());
        self.stats.received(counts);
        Some(Current { buffer, source, local: control.local, segments, datagram: 0..0 })
    }

    /// Goes to the next datagram of the message that is visited.
    fn next_of_message(&mut self) -> bool {
        let Some(current) = &mut self.current else {
            return false;
        };
        let datagram = current.segments.take();
        current.datagram = datagram.clone().unwrap_or_default();
        datagram.is_some()
    }

    /// Hands back the buffer of the message that was visited.
    fn release(&mut self) {
        if let Some(current) = self.current.take() {
            self.ring.buffers.give_back(current.buffer);
        }
    }
}

impl Datapath for Uring {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.release();
        self.arm();
        if self.ring.uring.submission().cq_overflow() {
            self.stats.completions_overflowed += 1;
        }
        self.enter(timeout)?;
        self.pending = self.ring.uring.completion().len();
        Ok(())
    }

    fn advance(&mut self) -> io::Result<bool> {
        loop {
            if self.next_of_message() {
                return Ok(true);
            }
            self.release();
            if self.pending == 0 {
                return Ok(false);
            }
            self.pending -= 1;
            // The queue's head is published as this guard goes, so that the next
            // enter does not take what has been looked at for something new.
            let completion = self.ring.uring.completion().next();
            let completion = completion.expect("as many as were counted");
            if completion.user_data() == USER_RECEIVE {
                self.received(completion.result(), completion.flags())?;
            } else {
                self.polling = Multishot::after(completion.flags());
                self.wake_fd.clear();
                self.stats.wakes_received += 1;
            }
        }
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        let current = self.current.as_ref().expect("advance has gone to a datagram");
        let bytes = &self.ring.buffers.bytes(current.buffer)[self.payload_offset..];
        (current.source, &bytes[current.datagram.clone()])
    }

    fn local(&self) -> Option<IpAddr> {
        self.current.as_ref().and_then(|current| current.local)
    }

    fn locals(&mut self) -> Option<&mut LocalAddresses> {
        self.sender.locals()
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.sender.send(&self.socket, datagrams, &mut self.stats);
    }

    fn stats(&mut self) -> &mut DriverStats {
        &mut self.stats
    }

    fn measure(&mut self) {
        self.stats.kernel_drops = self.socket.receive_drops().unwrap_or(0);
    }
}

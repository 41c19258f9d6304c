//! The driver `mmsg`: `recvmmsg` and `sendmmsg`, and `ppoll` to wait. For kernels
//! and containers where `io_uring` is forbidden; measured to be as fast.
#![allow(unsafe_code)] // recvmmsg takes pointers to pointers.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use libc::{c_uint, iovec, mmsghdr, pollfd};

use super::address::{self, Name};
use super::bell::Bell;
use super::datapath::{Advance, Datapath, survive};
use super::send::Sender;
use super::socket::UdpSocket;
use super::stats::DriverStats;
use super::sys;
use crate::limits::DATAGRAM_BYTES_MAX;

/// Datagrams that come with one call.
const BATCH_MAX: usize = 64;
/// One more than a datagram of ours has, so that an oversized one shows.
const BUFFER_BYTES: usize = DATAGRAM_BYTES_MAX + 1;

/// A socket that is read and written in batches.
pub(super) struct Mmsg {
    socket: UdpSocket,
    bell: Arc<Bell>,
    /// The arrays that `recvmmsg` writes: their pointers are made anew for each
    /// call, and hold for that call alone.
    buffers: Box<[[u8; BUFFER_BYTES]]>,
    names: Box<[Name]>,
    slices: Vec<iovec>,
    headers: Vec<mmsghdr>,
    /// Datagrams of the last batch.
    received: usize,
    /// Of these, how many were visited.
    visited: usize,
    /// The one that is visited.
    current: Current,
    sender: Sender,
    stats: DriverStats,
}

struct Current {
    index: usize,
    length: usize,
    source: SocketAddr,
}

impl Mmsg {
    pub(super) fn new(socket: UdpSocket, bell: Arc<Bell>) -> Self {
        let source = socket.address();
        Self {
            socket,
            bell,
            buffers: vec![[0; BUFFER_BYTES]; BATCH_MAX].into_boxed_slice(),
            names: vec![Name::ROOM; BATCH_MAX].into_boxed_slice(),
            slices: Vec::with_capacity(BATCH_MAX),
            headers: Vec::with_capacity(BATCH_MAX),
            received: 0,
            visited: 0,
            current: Current { index: 0, length: 0, source },
            sender: Sender::new(),
            stats: DriverStats::default(),
        }
    }

    /// Receives what is there, up to a batch.
    fn receive(&mut self) -> io::Result<()> {
        self.point();
        self.visited = 0;
        self.received = 0;
        self.stats.receive_calls += 1;
        // SAFETY: the headers point to names and slices, and these to buffers, that
        // live on in `self` and that nothing else touches during the call.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        match sys::counted(received) {
            Ok(received) => self.received = received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.stats.receives_failed += 1;
                survive(error)?;
            }
        }
        Ok(())
    }

    /// Points the headers to the buffers.
    fn point(&mut self) {
        self.slices.clear();
        self.slices.extend(
            self.buffers.iter_mut().map(|buffer| iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
            }),
        );
        self.headers.clear();
        for (name, slice) in self.names.iter_mut().zip(&mut self.slices) {
            self.headers.push(sys::message(name, slice));
        }
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let readable = |fd| pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut descriptors = [readable(self.socket.as_raw_fd()), readable(self.bell.as_raw_fd())];
        self.stats.waits += 1;
        sys::poll(&mut descriptors, timeout)?;
        let [socket, bell] = descriptors;
        if bell.revents != 0 {
            self.bell.silence();
            self.stats.wakes_received += 1;
        }
        if socket.revents != 0 { self.receive() } else { Ok(()) }
    }
}

impl Datapath for Mmsg {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // A full batch says that more is there: then asking first would be a
        // system call too many. Commands are taken every turn, rung for or not.
        if self.received == BATCH_MAX {
            self.receive()?;
        } else {
            self.received = 0;
        }
        if self.received == 0 { self.poll(timeout) } else { Ok(()) }
    }

    fn advance(&mut self) -> io::Result<Advance> {
        while self.visited < self.received {
            let index = self.visited;
            self.visited += 1;
            let header = &self.headers[index];
            let length = header.msg_len as usize;
            if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
                self.stats.receives_truncated += 1;
            }
            self.stats.datagrams_received += 1;
            self.stats.bytes_received += length as u64;
            let name_bytes = header.msg_hdr.msg_namelen as usize;
            let name = self.names[index].bytes();
            if let Some(source) = address::read(&name[..name_bytes.min(name.len())]) {
                self.current = Current { index, length, source };
                return Ok(Advance::Datagram);
            }
            self.stats.receives_sourceless += 1;
        }
        Ok(Advance::Done)
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        let Current { index, length, source } = self.current;
        (source, &self.buffers[index][..length])
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.sender.send(&self.socket, datagrams, &mut self.stats);
    }

    fn stats(&mut self) -> &mut DriverStats {
        &mut self.stats
    }

    fn measure(&mut self) {
        self.stats.kernel_drops = sys::kernel_drops(&self.socket).unwrap_or(0);
    }
}

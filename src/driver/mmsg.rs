//! The driver `mmsg`: `recvmmsg` and `sendmmsg`, and `ppoll` to wait. For kernels
//! and containers where `io_uring` is forbidden; measured to be as fast.
#![allow(unsafe_code)] // recvmmsg takes pointers to pointers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use libc::{c_uint, iovec, mmsghdr, pollfd};

use super::address::{self, NAME_BYTES_MAX, Name};
use super::bell::Bell;
use super::control::{self, Control};
use super::datapath::{Advance, Datapath, survive};
use super::locals::Locals;
use super::send::Sender;
use super::settings::Coalescing;
use super::socket::UdpSocket;
use super::stats::DriverStats;
use super::sys;
use super::train::{Room, Train};

/// Messages that come with one call at most: as many as `uring` has buffers for.
const BATCH_MAX: usize = 512;
/// Messages that a call asks for at least. Each that is asked for is a header to
/// write, so a call asks for twice as many as the one before has brought.
const BATCH_MIN: usize = 16;

/// A socket that is read and written in batches.
pub(super) struct Mmsg {
    socket: UdpSocket,
    bell: Arc<Bell>,
    /// The arrays that `recvmmsg` writes: their pointers are made anew for each
    /// call, and hold for that call alone.
    buffers: Box<[u8]>,
    room: Room,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    slices: Vec<iovec>,
    headers: Vec<mmsghdr>,
    /// Messages that the next call asks for.
    asked: usize,
    /// Messages that the last call brought.
    received: usize,
    /// Of these, how many were visited.
    visited: usize,
    current: Current,
    sender: Sender,
    stats: DriverStats,
}

/// The message that is visited, and which of its datagrams.
struct Current {
    index: usize,
    source: SocketAddr,
    local: Option<IpAddr>,
    train: Train,
    datagram: Range<usize>,
}

impl Mmsg {
    pub(super) fn new(
        socket: UdpSocket,
        bell: Arc<Bell>,
        room: Room,
        coalescing: Coalescing,
    ) -> Self {
        let sender = Sender::new(&socket, coalescing);
        let current = Current {
            index: 0,
            source: socket.address(),
            local: None,
            train: Train::NONE,
            datagram: 0..0,
        };
        Self {
            socket,
            bell,
            buffers: vec![0; room.stride_bytes() * BATCH_MAX].into_boxed_slice(),
            room,
            names: vec![Name::ROOM; BATCH_MAX].into_boxed_slice(),
            controls: vec![Control::EMPTY; BATCH_MAX].into_boxed_slice(),
            slices: Vec::with_capacity(BATCH_MAX),
            headers: Vec::with_capacity(BATCH_MAX),
            asked: BATCH_MIN,
            received: 0,
            visited: 0,
            current,
            sender,
            stats: DriverStats::default(),
        }
    }

    /// Receives what is there, up to a batch.
    fn receive(&mut self) -> io::Result<()> {
        self.point();
        self.stats.receive_calls += 1;
        // SAFETY: the headers point to names, controls and slices, and these to
        // buffers, that live on in `self` and that nothing else touches during the
        // call.
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
            Ok(received) => {
                self.received = received;
                self.asked = (2 * received).clamp(BATCH_MIN, BATCH_MAX);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.stats.receives_failed += 1;
                survive(error)?;
            }
        }
        Ok(())
    }

    /// Points the headers that are asked for to as many buffers.
    fn point(&mut self) {
        self.slices.clear();
        let buffers = self.buffers.chunks_exact_mut(self.room.stride_bytes()).take(self.asked);
        self.slices.extend(buffers.map(|buffer| {
            let buffer = &mut buffer[..self.room.bytes()];
            iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
        }));
        self.headers.clear();
        let control_bytes = self.socket.control_bytes();
        let rooms = self.names.iter_mut().zip(&mut self.controls);
        for (slice, (name, control)) in self.slices.iter_mut().zip(rooms) {
            let name = (name.as_mut_ptr(), NAME_BYTES_MAX as u32);
            let mut header = sys::message(name, (slice, 1));
            header.msg_hdr.msg_control = control.as_mut_ptr();
            header.msg_hdr.msg_controllen = control_bytes as _;
            self.headers.push(header);
        }
    }

    /// Goes to message number `index`, if it is someone's.
    fn visit(&mut self, index: usize) {
        let header = &self.headers[index].msg_hdr;
        let name = self.names[index].bytes();
        let Some(source) = address::read(&name[..name.len().min(header.msg_namelen as usize)])
        else {
            self.stats.receives_sourceless += 1;
            return;
        };
        let control = self.controls[index].bytes();
        let control = &control[..control.len().min(header.msg_controllen)];
        let told = control::read(control);
        let length = self.headers[index].msg_len as usize;
        let train = Train::new(length, told.segment_bytes);
        train.count(&mut self.stats);
        self.stats.receives_truncated += u64::from(header.msg_flags & libc::MSG_TRUNC != 0);
        self.current = Current { index, source, local: told.local, train, datagram: 0..0 };
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
        let was_full = self.received > 0 && self.received == self.headers.len();
        (self.received, self.visited) = (0, 0);
        if was_full {
            self.receive()?;
        }
        if self.received == 0 { self.poll(timeout) } else { Ok(()) }
    }

    fn advance(&mut self) -> io::Result<Advance> {
        loop {
            if let Some(datagram) = self.current.train.take() {
                self.current.datagram = datagram;
                return Ok(Advance::Datagram);
            }
            if self.visited == self.received {
                return Ok(Advance::Done);
            }
            self.visit(self.visited);
            self.visited += 1;
        }
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        let Current { index, source, ref datagram, .. } = self.current;
        let bytes = &self.buffers[index * self.room.stride_bytes()..];
        (source, &bytes[datagram.clone()])
    }

    fn local(&self) -> Option<IpAddr> {
        self.current.local
    }

    fn locals(&mut self) -> Option<&mut Locals> {
        self.sender.locals()
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

//! Receiving by `recvmmsg`: many messages with one call, then one datagram after another.
#![allow(unsafe_code)] // recvmmsg takes pointers to pointers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_uint, iovec, mmsghdr};

use crate::address::{ADDRESS_BYTES_MAX, RawAddress};
use crate::control::Control;
use crate::observer::Observer;
use crate::segments::{BufferSize, Segments};
use crate::socket::UdpSocket;
use crate::sys;

/// Messages that a call asks for at least. Each that is asked for is a header to write, so
/// a call asks for twice as many as the one before has brought.
const ASKED_MIN: usize = 16;

/// Buffers for the messages of one call, and what the last call has brought.
pub struct Receiver {
    /// The arrays that `recvmmsg` writes: their pointers are made anew for each call, and
    /// hold for that call alone.
    buffers: Box<[u8]>,
    buffer: BufferSize,
    sources: Box<[RawAddress]>,
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
}

/// The message that is visited, and which of its datagrams.
struct Current {
    index: usize,
    source: SocketAddr,
    local: Option<IpAddr>,
    segments: Segments,
    datagram: Range<usize>,
}

impl Receiver {
    /// Room for `messages_max` messages of a call, each in a buffer of this size.
    pub fn new(buffer: BufferSize, messages_max: usize) -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let current = Current {
            index: 0,
            source: nowhere,
            local: None,
            segments: Segments::NONE,
            datagram: 0..0,
        };
        Self {
            buffers: vec![0; buffer.stride_bytes() * messages_max].into_boxed_slice(),
            buffer,
            sources: vec![RawAddress::ROOM; messages_max].into_boxed_slice(),
            controls: vec![Control::EMPTY; messages_max].into_boxed_slice(),
            slices: Vec::with_capacity(messages_max),
            headers: Vec::with_capacity(messages_max),
            asked: ASKED_MIN.min(messages_max),
            received: 0,
            visited: 0,
            current,
        }
    }

    /// What each message has room in.
    pub const fn buffer(&self) -> BufferSize {
        self.buffer
    }

    /// Receives what is there, as many messages as were asked for at most, in place of those
    /// of the last call; how many there were.
    ///
    /// # Errors
    /// When the kernel tells an error: one of the socket, or of an earlier send by ICMP.
    pub fn receive(
        &mut self,
        socket: &UdpSocket,
        observer: &mut impl Observer,
    ) -> io::Result<usize> {
        self.forget();
        self.point(socket.control_bytes());
        observer.receive_called();
        let (headers, count) = (self.headers.as_mut_ptr(), self.headers.len() as c_uint);
        // SAFETY: the headers point to sources, controls and slices, and these to buffers,
        // that live on in `self` and that nothing else touches during the call.
        let received = unsafe {
            let flags = libc::MSG_DONTWAIT;
            libc::recvmmsg(socket.as_raw_fd(), headers, count, flags as _, ptr::null_mut())
        };
        match sys::counted(received) {
            Ok(received) => {
                self.received = received;
                let messages_max = self.sources.len();
                self.asked = (2 * received).clamp(ASKED_MIN.min(messages_max), messages_max);
                Ok(received)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            },
        }
    }

    /// Whether the last call brought all that it asked for, so that more is likely to be
    /// there.
    pub const fn is_full(&self) -> bool {
        self.received > 0 && self.received == self.headers.len()
    }

    /// Forgets what the last call has brought.
    pub fn forget(&mut self) {
        (self.received, self.visited) = (0, 0);
        self.current.segments = Segments::NONE;
    }

    /// Points the headers that are asked for to as many buffers.
    fn point(&mut self, control_bytes: usize) {
        self.slices.clear();
        let buffers = self.buffers.chunks_exact_mut(self.buffer.stride_bytes()).take(self.asked);
        self.slices.extend(buffers.map(|buffer| {
            let buffer = &mut buffer[..self.buffer.bytes()];
            iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
        }));
        self.headers.clear();
        let rooms = self.sources.iter_mut().zip(&mut self.controls);
        for (slice, (source, control)) in self.slices.iter_mut().zip(rooms) {
            self.headers.push(sys::header(
                (source.as_mut_ptr(), ADDRESS_BYTES_MAX),
                (slice, 1),
                (control.as_mut_ptr(), control_bytes),
            ));
        }
    }

    /// Goes to the next datagram that the last call has brought; whether there is one.
    pub fn advance(&mut self, observer: &mut impl Observer) -> bool {
        loop {
            if let Some(datagram) = self.current.segments.take() {
                self.current.datagram = datagram;
                return true;
            }
            if self.visited == self.received {
                return false;
            }
            self.visit(self.visited, observer);
            self.visited += 1;
        }
    }

    /// Goes to message number `index`, if its source is an address.
    fn visit(&mut self, index: usize, observer: &mut impl Observer) {
        let mmsghdr { msg_hdr: header, msg_len } = &self.headers[index];
        let Some(source) = self.sources[index].parse(header.msg_namelen as usize) else {
            observer.received_from_nowhere();
            return;
        };
        let control = self.controls[index].parse(header.msg_controllen);
        let segments = Segments::new(*msg_len as usize, control.segment_bytes);
        let mut counts = segments.counts();
        counts.truncated += u64::from(header.msg_flags & libc::MSG_TRUNC != 0);
        observer.received(counts);
        self.current = Current { index, source, local: control.local, segments, datagram: 0..0 };
    }

    /// The datagram that [`advance`](Self::advance) went to: its source and its bytes, of
    /// an oversized one the first [`VISIBLE_BYTES`](crate::VISIBLE_BYTES).
    pub fn datagram(&self) -> (SocketAddr, &[u8]) {
        let Current { index, source, ref datagram, .. } = self.current;
        let bytes = &self.buffers[index * self.buffer.stride_bytes()..];
        (source, &bytes[datagram.clone()])
    }

    /// The address of this host that the datagram came to, where the socket is bound to a
    /// wildcard and the kernel told one to reply from.
    pub const fn local(&self) -> Option<IpAddr> {
        self.current.local
    }
}

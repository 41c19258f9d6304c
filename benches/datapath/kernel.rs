//! Batched datagrams: system calls that no crate offers without making the loop around
//! them more expensive.
#![allow(unsafe_code)] // recvmmsg and sendmmsg take pointers to pointers.

use std::io;
use std::mem::{offset_of, zeroed};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, cmsghdr, iovec, mmsghdr, sockaddr_in};

use crate::subject::Grouping;

/// Segments of one message: kernels before 6.9 take no more.
pub(crate) const SEGMENTS_MAX: usize = 64;
/// Bytes of a buffer for a segmented message: the length of an IP packet has 16 bits.
pub(crate) const MESSAGE_BYTES: usize = 64 << 10;
/// Bytes of a buffer for a datagram: more than any of the protocol has.
pub(crate) const DATAGRAM_BYTES: usize = 1280;

const CONTROL_HEADER_BYTES: usize = size_of::<cmsghdr>();
/// Room for a control message of a number: the header, and a word.
pub(crate) const CONTROL_BYTES: usize = CONTROL_HEADER_BYTES + 8;

/// A control message.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Control([u8; CONTROL_BYTES]);

impl Control {
    const ROOM: Self = Self([0; CONTROL_BYTES]);

    /// Makes the kernel split a message into datagrams of so many bytes.
    pub(crate) fn segment(segment_bytes: u16) -> Self {
        let mut bytes = [0; CONTROL_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..][..field.len()].copy_from_slice(field);
        let length = CONTROL_HEADER_BYTES + size_of::<u16>();
        put(offset_of!(cmsghdr, cmsg_len), &length.to_ne_bytes());
        put(offset_of!(cmsghdr, cmsg_level), &libc::SOL_UDP.to_ne_bytes());
        put(offset_of!(cmsghdr, cmsg_type), &libc::UDP_SEGMENT.to_ne_bytes());
        put(CONTROL_HEADER_BYTES, &segment_bytes.to_ne_bytes());
        Self(bytes)
    }
}

/// The length of the datagrams that came as one of `whole` bytes. The socket asks
/// for no other control message than this number.
pub(crate) fn segment_bytes(control: &[u8], whole: usize) -> usize {
    let number = control.get(CONTROL_HEADER_BYTES..).and_then(|rest| rest.first_chunk());
    let segment = number.map_or(0, |number| c_int::from_ne_bytes(*number));
    usize::try_from(segment).ok().filter(|bytes| *bytes > 0).unwrap_or(whole.max(1))
}

/// The header of a message to or from `name`, of `count` slices.
pub(crate) fn message(name: *mut sockaddr_in, slices: *mut iovec, count: usize) -> mmsghdr {
    // SAFETY: integers and pointers, for all of which zero is a value.
    let mut header: mmsghdr = unsafe { zeroed() };
    header.msg_hdr.msg_name = name.cast();
    header.msg_hdr.msg_namelen = size_of::<sockaddr_in>() as u32;
    header.msg_hdr.msg_iov = slices;
    header.msg_hdr.msg_iovlen = count as _;
    header
}

/// A name to be written to.
pub(crate) fn no_name() -> sockaddr_in {
    // SAFETY: integers, for all of which zero is a value.
    unsafe { zeroed() }
}

/// Receives by the batch.
pub(crate) struct Receiver {
    buffer_bytes: usize,
    /// Room for a control message, where there can be one.
    control_bytes: usize,
    buffers: Vec<u8>,
    names: Vec<sockaddr_in>,
    /// Pointed to by the headers.
    _slices: Vec<iovec>,
    controls: Vec<Control>,
    headers: Vec<mmsghdr>,
    received: usize,
}

impl Receiver {
    /// Room for so many messages, segmented or single.
    pub(crate) fn new(grouping: Grouping, count: usize) -> Self {
        let (buffer_bytes, control_bytes) = match grouping {
            Grouping::On => (MESSAGE_BYTES, CONTROL_BYTES),
            Grouping::Off => (DATAGRAM_BYTES, 0),
        };
        let mut buffers = vec![0; buffer_bytes * count];
        let mut names = vec![no_name(); count];
        let mut controls = vec![Control::ROOM; count];
        let slice = |buffer: &mut [u8]| iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        let mut slices: Vec<iovec> = buffers.chunks_exact_mut(buffer_bytes).map(slice).collect();
        let mut headers = Vec::with_capacity(count);
        for ((name, slice), control) in names.iter_mut().zip(&mut slices).zip(&mut controls) {
            let mut header = message(name, slice, 1);
            header.msg_hdr.msg_control = ptr::from_mut(control).cast();
            header.msg_hdr.msg_controllen = control_bytes as _;
            headers.push(header);
        }
        Self {
            buffer_bytes,
            control_bytes,
            buffers,
            names,
            _slices: slices,
            controls,
            headers,
            received: 0,
        }
    }

    /// Receives the waiting messages without blocking, and returns how many.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        // The others are as they were.
        for header in &mut self.headers[..self.received] {
            header.msg_hdr.msg_controllen = self.control_bytes as _;
        }
        let (headers, count) = (self.headers.as_mut_ptr(), self.headers.len() as u32);
        let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
        // SAFETY: the headers point to names, slices, controls and buffers of
        // `self`, which nothing else touches during the call.
        let received = unsafe { libc::recvmmsg(fd, headers, count, flags, ptr::null_mut()) };
        self.received = 0;
        match usize::try_from(received) {
            Ok(received) => self.received = received,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => {}
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
        Ok(self.received)
    }

    /// The datagrams that were taken, and their sources.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&sockaddr_in, &[u8])> {
        (0..self.received).flat_map(move |index| {
            let header = &self.headers[index];
            let bytes = &self.buffers[index * self.buffer_bytes..][..header.msg_len as usize];
            let control = &self.controls[index].0[..header.msg_hdr.msg_controllen];
            let segment_bytes = segment_bytes(control, bytes.len());
            bytes.chunks(segment_bytes).map(move |one| (&self.names[index], one))
        })
    }
}

/// Sends all messages, and returns how many calls that took. A message that cannot be sent
/// is skipped: the client counts what is lost.
///
/// # Errors
/// When a segmented message is refused: then the bench could not measure grouping.
///
/// # Safety
/// The headers' pointers must be valid.
pub(crate) unsafe fn send_all(socket: &impl AsRawFd, headers: &mut [mmsghdr]) -> io::Result<u64> {
    let (mut next, mut calls) = (0, 0);
    while next < headers.len() {
        let rest = &mut headers[next..];
        let (start, count) = (rest.as_mut_ptr(), rest.len() as u32);
        // SAFETY: the caller promises that the pointers are valid.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), start, count, libc::MSG_DONTWAIT) };
        calls += 1;
        next += match usize::try_from(sent) {
            Ok(sent) => sent.max(1),
            Err(_) => refused(&headers[next], &io::Error::last_os_error())?,
        };
    }
    Ok(calls)
}

/// How many messages are left out after `error`, which is that of `header`.
fn refused(header: &mmsghdr, error: &io::Error) -> io::Result<usize> {
    match error.raw_os_error() {
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE) if header.msg_hdr.msg_iovlen > 1 => {
            Err(io::Error::new(
                error.kind(),
                format!("loopback does not support UDP_SEGMENT here: {error}"),
            ))
        }
        _ => Ok(1),
    }
}

//! One message that a request of `io_uring` receives.
#![allow(unsafe_code)] // A buffer's length is what the kernel says that it has written.

use std::net::{IpAddr, SocketAddr};

use libc::{iovec, msghdr};

use crate::address::{ADDRESS_BYTES_MAX, RawAddress};
use crate::control::Control;
use crate::sys;

/// The memory that the kernel writes a message into: its bytes, its source, its control
/// messages. Boxed, so that it stays where it is while a request refers to it.
pub struct IncomingMessage {
    header: libc::mmsghdr,
    slice: iovec,
    source: RawAddress,
    control: Control,
    buffer: Vec<u8>,
}

impl IncomingMessage {
    /// Memory for a message of up to the capacity of `buffer`, with `control_bytes` of
    /// control messages.
    pub fn new(buffer: Vec<u8>, control_bytes: usize) -> Box<Self> {
        let slice = iovec { iov_base: std::ptr::null_mut(), iov_len: buffer.capacity() };
        let (source, control) = (RawAddress::ROOM, Control::EMPTY);
        let header = sys::empty_header();
        let mut incoming = Box::new(Self { header, slice, source, control, buffer });
        incoming.slice.iov_base = incoming.buffer.as_mut_ptr().cast();
        incoming.header = sys::header(
            (incoming.source.as_mut_ptr(), ADDRESS_BYTES_MAX),
            (&raw mut incoming.slice, 1),
            (incoming.control.as_mut_ptr(), control_bytes),
        );
        incoming
    }

    /// What a request is told. It points into this memory.
    pub fn header(&mut self) -> *mut msghdr {
        &raw mut self.header.msg_hdr
    }

    /// The source of the message and the address of this host that it came to, where the
    /// socket is told; no source where that is no IP address.
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<IpAddr>) {
        let msghdr { msg_namelen, msg_controllen, .. } = self.header.msg_hdr;
        let source = self.source.parse(msg_namelen as usize);
        (source, self.control.parse(msg_controllen).local)
    }

    /// The buffer with the `bytes` of the message in it, or as many as it has room for.
    ///
    /// # Safety
    /// The kernel has received a message of so many bytes into this memory, or none is to
    /// come and `bytes` is 0.
    pub unsafe fn into_buffer(self, bytes: usize) -> Vec<u8> {
        let mut buffer = self.buffer;
        let bytes = bytes.min(buffer.capacity());
        // SAFETY: the kernel has written so many bytes, and no more than there is room for.
        unsafe { buffer.set_len(bytes) };
        buffer
    }
}

/// The header that a multishot receive is told: room for a source's address and for
/// `control_bytes` of control messages before each message.
#[must_use]
pub fn receive_template(control_bytes: usize) -> msghdr {
    let mut header = sys::empty_header().msg_hdr;
    header.msg_namelen = ADDRESS_BYTES_MAX as u32;
    header.msg_controllen = control_bytes as _;
    header
}

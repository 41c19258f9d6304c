//! The arrays that one `sendmmsg` reads.
#![allow(unsafe_code)] // sendmmsg takes pointers to pointers.

use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_uint, iovec, mmsghdr};

use crate::address::{Families, RawAddress};
use crate::control::Control;
use crate::sys;

/// Messages to be sent. They are kept from batch to batch for their memory alone.
#[derive(Default)]
pub(crate) struct Messages {
    slices: Vec<iovec>,
    /// Of each message that has some.
    controls: Vec<Control>,
    headers: Vec<mmsghdr>,
}

impl Messages {
    pub(crate) fn with_capacity(messages: usize) -> Self {
        Self {
            slices: Vec::with_capacity(messages),
            controls: Vec::with_capacity(messages),
            headers: Vec::with_capacity(messages),
        }
    }

    /// Forgets all messages, and makes room for others: so many, of so many slices
    /// together. What is pushed then stays where it is in memory.
    pub(crate) fn reset(&mut self, messages: usize, slices: usize) {
        self.slices.clear();
        self.slices.reserve(slices);
        self.controls.clear();
        self.controls.reserve(messages);
        self.headers.clear();
        self.headers.reserve(messages);
    }

    /// Adds a slice to the message that is pushed next. The kernel only reads it.
    pub(crate) fn push_slice(&mut self, start: *const u8, bytes: usize) {
        assert!(self.slices.len() < self.slices.capacity(), "room for it was made");
        self.slices.push(iovec { iov_base: start.cast_mut().cast(), iov_len: bytes });
    }

    /// Adds a message of the last `slices` slices: to an address, or to the one that the
    /// socket is connected to; split into segments of so many bytes; from an address of this
    /// host, or the one that the kernel chooses.
    pub(crate) fn push(
        &mut self,
        to: Option<&RawAddress>,
        slices: usize,
        segment_bytes: Option<u16>,
        source: Option<(Families, IpAddr)>,
    ) {
        assert!(self.headers.len() < self.headers.capacity(), "room for it was made");
        // The kernel only reads the address of a message that it sends.
        let name = to.map_or((ptr::null_mut(), 0), |to| (to.as_ptr().cast_mut(), to.length()));
        let first = self.slices.len() - slices;
        let slices = (self.slices.as_mut_ptr().wrapping_add(first), slices);
        let mut header = sys::header(name, slices, (ptr::null_mut(), 0));
        // Most messages are one datagram and need none.
        if segment_bytes.is_some() || source.is_some() {
            let mut control = Control::EMPTY;
            if let Some(segment_bytes) = segment_bytes {
                control = control.segment(segment_bytes);
            }
            if let Some((families, local)) = source {
                control = control.source(families, local);
            }
            let place = self.controls.len();
            self.controls.push(control);
            let control = self.controls.as_mut_ptr().wrapping_add(place);
            header.msg_hdr.msg_control = control.cast();
            header.msg_hdr.msg_controllen = self.controls[place].length() as _;
        }
        self.headers.push(header);
    }

    /// How many messages there are.
    pub(crate) const fn len(&self) -> usize {
        self.headers.len()
    }

    /// Sends messages from number `from` on; how many of them the kernel has taken.
    ///
    /// # Errors
    /// Why it did not take the first of them.
    ///
    /// # Safety
    /// The slices and addresses of all messages that were pushed since the last
    /// [`reset`](Self::reset) are still there, unchanged.
    pub(crate) unsafe fn send(&mut self, socket: &impl AsRawFd, from: usize) -> io::Result<usize> {
        let rest = &mut self.headers[from..];
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let (headers, count) = (rest.as_mut_ptr(), rest.len() as c_uint);
        // SAFETY: the caller keeps slices and addresses; the arrays of slices and controls
        // are this one's, and have not moved since they were pointed to.
        sys::counted(unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count, flags as _) })
    }

    /// Bytes of the messages in `sent`, which the kernel has taken.
    pub(crate) fn bytes(&self, sent: Range<usize>) -> u64 {
        self.headers[sent].iter().map(|header| u64::from(header.msg_len)).sum()
    }
}

/// Whether `error` may say that a message of several segments goes only in parts: the
/// device takes no segments, or the path is too narrow for them, which by themselves go in
/// fragments. Older kernels call the latter EINVAL, Linux 6.18 EMSGSIZE.
pub(crate) fn refuses_segments(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
}

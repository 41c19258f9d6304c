//! The system calls that no crate offers in safe form: datagrams by the batch.
#![allow(unsafe_code)] // recvmmsg and sendmmsg take pointers to pointers.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use libc::{c_int, c_void, iovec, mmsghdr, socklen_t};

use crate::batch::{BATCH_MAX, Batch};

/// Whether runs of equal datagrams travel as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coalescing {
    /// Each by itself.
    Off,
    /// `UDP_SEGMENT` out, `UDP_GRO` in.
    On,
}

/// Segments of one coalesced send: kernels before 6.9 take no more.
const SEGMENTS_MAX: usize = 64;

/// A control message with a number, as `UDP_SEGMENT` takes it (16 bits) and
/// `UDP_GRO` gives it (32 bits).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control {
    header: libc::cmsghdr,
    /// The first two bytes, or all four, hold the number.
    number: [u8; 4],
    padding: [u8; 4],
}

const CONTROL_BYTES: usize = size_of::<Control>();
const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();

// CMSG_SPACE of both numbers: the header, then the number padded to a word.
const _: () = assert!(CONTROL_BYTES == HEADER_BYTES + 8 && HEADER_BYTES.is_multiple_of(8));

impl Control {
    const EMPTY: Self = Self {
        // SAFETY: integers, for all of which zero is a value; like a message's header it
        // has fields for padding on some platforms.
        header: unsafe { std::mem::zeroed() },
        number: [0; 4],
        padding: [0; 4],
    };

    fn segment(segment_bytes: u16) -> Self {
        let [a, b] = segment_bytes.to_ne_bytes();
        let mut control = Self { number: [a, b, 0, 0], ..Self::EMPTY };
        control.header.cmsg_len = (HEADER_BYTES + size_of::<u16>()) as _;
        control.header.cmsg_level = libc::SOL_UDP;
        control.header.cmsg_type = libc::UDP_SEGMENT;
        control
    }

    /// The segment size of a coalesced receive.
    fn received(&self, control_bytes: usize) -> Option<usize> {
        let is_gro = control_bytes >= HEADER_BYTES + size_of::<c_int>()
            && self.header.cmsg_level == libc::SOL_UDP
            && self.header.cmsg_type == libc::UDP_GRO;
        let size = usize::try_from(c_int::from_ne_bytes(self.number)).ok()?;
        (is_gro && size > 0).then_some(size)
    }
}

/// The header of a message of one slice, through a connected socket.
fn message(slice: &mut iovec) -> mmsghdr {
    // SAFETY: integers and pointers, for all of which zero is a value. It has fields
    // for padding on some platforms, so it cannot be written out.
    let mut header: mmsghdr = unsafe { std::mem::zeroed() };
    header.msg_hdr.msg_iov = slice;
    header.msg_hdr.msg_iovlen = 1;
    header
}

/// Sends batches through connected sockets.
pub struct Sender {
    coalescing: Coalescing,
    slices: Vec<iovec>,
    controls: Vec<Control>,
    headers: Vec<mmsghdr>,
    /// How many datagrams each message carries.
    datagrams: Vec<usize>,
}

impl Sender {
    /// A sender of single or of coalesced datagrams.
    pub fn new(coalescing: Coalescing) -> Self {
        Self {
            coalescing,
            slices: Vec::with_capacity(BATCH_MAX),
            controls: Vec::with_capacity(BATCH_MAX),
            headers: Vec::with_capacity(BATCH_MAX),
            datagrams: Vec::with_capacity(BATCH_MAX),
        }
    }

    /// Sends a batch, and calls `refused` with the place of each datagram that
    /// the kernel did not take.
    pub fn send(&mut self, socket: &impl AsRawFd, batch: &Batch, mut refused: impl FnMut(usize)) {
        self.prepare(batch);
        let (mut next, mut first) = (0, 0);
        // A socket reports an ICMP error of an earlier datagram in place of the
        // next send: that one is tried again, once.
        let mut tried = false;
        while next < self.headers.len() {
            let rest = &mut self.headers[next..];
            // SAFETY: every header points to a slice of `batch`, which is borrowed,
            // and to a control message of `self`, all of them alive until the end.
            let sent = unsafe {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, flags)
            };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => {
                    first += self.datagrams[next..next + sent].iter().sum::<usize>();
                    next += sent;
                    tried = false;
                }
                _ if self.gave_up_coalescing(next, &io::Error::last_os_error()) => {
                    // One by one, a message's place is its datagram's.
                    self.prepare(batch);
                    next = first;
                    tried = false;
                }
                _ if !tried => tried = true,
                _ => {
                    (first..first + self.datagrams[next]).for_each(&mut refused);
                    first += self.datagrams[next];
                    next += 1;
                    tried = false;
                }
            }
        }
    }

    /// Whether runs are sent as one: until the device has refused one.
    pub const fn coalescing(&self) -> Coalescing {
        self.coalescing
    }

    /// Whether the error, of message number `next`, says that the device takes no
    /// coalesced sends; they are then not tried again.
    fn gave_up_coalescing(&mut self, next: usize, error: &io::Error) -> bool {
        let refused = matches!(
            error.raw_os_error(),
            // Linux 6.18 says EMSGSIZE for a path that is too narrow, older ones EINVAL.
            Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE)
        );
        let gave_up = refused && self.datagrams[next] > 1;
        if gave_up {
            self.coalescing = Coalescing::Off;
        }
        gave_up
    }

    fn prepare(&mut self, batch: &Batch) {
        self.slices.clear();
        self.controls.clear();
        self.headers.clear();
        self.datagrams.clear();
        let segments_max = match self.coalescing {
            Coalescing::Off => 1,
            Coalescing::On => SEGMENTS_MAX,
        };
        for run in batch.runs(segments_max) {
            let iov_base = run.bytes.as_ptr().cast_mut().cast();
            self.slices.push(iovec { iov_base, iov_len: run.bytes.len() });
            self.controls.push(Control::segment(run.segment_bytes));
            self.datagrams.push(run.datagrams);
        }
        // Only now: the vectors do not grow any more.
        for (index, slice) in self.slices.iter_mut().enumerate() {
            let mut header = message(slice);
            if self.datagrams[index] > 1 {
                header.msg_hdr.msg_control = ptr::from_mut(&mut self.controls[index]).cast();
                header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
            }
            self.headers.push(header);
        }
    }
}

/// Bytes of one receive buffer when each datagram comes by itself: more than any
/// of ours has, so that a longer one is seen to be too long.
const SINGLE_BYTES: usize = 2048;
/// The same for coalesced datagrams, which come as one of up to 64 KiB.
const COALESCED_BYTES: usize = 64 << 10;
/// Coalesced receives of one call: each is as many datagrams as fit.
const COALESCED_MAX: usize = 16;

/// Receives by the batch.
pub struct Receiver {
    coalescing: Coalescing,
    buffer_bytes: usize,
    buffers: Vec<u8>,
    /// Pointed to by the headers; never touched from here.
    _slices: Vec<iovec>,
    controls: Vec<Control>,
    headers: Vec<mmsghdr>,
}

impl Receiver {
    /// A receiver of single or of coalesced datagrams.
    pub fn new(coalescing: Coalescing) -> Self {
        let (buffer_bytes, count) = match coalescing {
            Coalescing::Off => (SINGLE_BYTES, BATCH_MAX),
            Coalescing::On => (COALESCED_BYTES, COALESCED_MAX),
        };
        let mut buffers = vec![0; buffer_bytes * count];
        let mut slices: Vec<iovec> = buffers
            .chunks_exact_mut(buffer_bytes)
            .map(|buffer| iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() })
            .collect();
        let mut controls = vec![Control::EMPTY; count];
        let headers = slices
            .iter_mut()
            .zip(&mut controls)
            .map(|(slice, control)| {
                let mut header = message(slice);
                header.msg_hdr.msg_control = ptr::from_mut(control).cast();
                header
            })
            .collect();
        Self { coalescing, buffer_bytes, buffers, _slices: slices, controls, headers }
    }

    /// Whether coalesced datagrams are taken in as one.
    pub const fn coalescing(&self) -> Coalescing {
        self.coalescing
    }

    /// Hands each datagram that waits to `take`, at most as many as one call
    /// brings, and says how many messages that were: none when nothing waits.
    pub fn receive(
        &mut self,
        socket: &impl AsRawFd,
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        let count = self.headers.len() as u32;
        if self.coalescing == Coalescing::On {
            for header in &mut self.headers {
                header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
            }
        }
        // SAFETY: every header points to a buffer and a control message of `self`,
        // which no reference points to while the kernel writes there.
        let received = unsafe {
            let headers = self.headers.as_mut_ptr();
            libc::recvmmsg(socket.as_raw_fd(), headers, count, libc::MSG_DONTWAIT, ptr::null_mut())
        };
        let Ok(received) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                // Nothing waits, or an ICMP error of an earlier send was told.
                io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionRefused => Ok(0),
                _ => Err(error),
            };
        };
        for (index, header) in self.headers[..received].iter().enumerate() {
            let length = (header.msg_len as usize).min(self.buffer_bytes);
            let bytes = &self.buffers[index * self.buffer_bytes..][..length];
            match self.controls[index].received(header.msg_hdr.msg_controllen as _) {
                Some(segment_bytes) => bytes.chunks(segment_bytes).for_each(&mut take),
                None => take(bytes),
            }
        }
        Ok(received)
    }
}

/// Has the kernel hand over coalesced datagrams as one, with their size. False
/// where it does not know how.
pub fn coalesce_receives(socket: &impl AsRawFd) -> bool {
    let on: c_int = 1;
    // SAFETY: the option is a number, of which so many bytes are there.
    let result = unsafe {
        let length = size_of::<c_int>() as socklen_t;
        let value = ptr::from_ref(&on).cast::<c_void>();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, value, length)
    };
    result == 0
}

/// Whether the kernel parts what is sent as one. Linux before 4.18 does not, and
/// sends it as one datagram, since it passes over what it does not know.
pub fn coalesces_sends(socket: &impl AsRawFd) -> bool {
    let mut segment_bytes: c_int = 0;
    let mut length = size_of::<c_int>() as socklen_t;
    // SAFETY: so many bytes are there to be written, each value is a number.
    let result = unsafe {
        let value = ptr::from_mut(&mut segment_bytes).cast::<c_void>();
        let fd = socket.as_raw_fd();
        libc::getsockopt(fd, libc::SOL_UDP, libc::UDP_SEGMENT, value, &raw mut length)
    };
    result == 0
}

/// Datagrams that the kernel has dropped because the socket's receive buffer was
/// full, since the socket was made: what `SO_RXQ_OVFL` tells with a datagram, but
/// known also when no datagram follows.
pub fn receive_drops(socket: &impl AsRawFd) -> u64 {
    const FIELDS: usize = libc::SK_MEMINFO_DROPS as usize + 1;
    let mut fields = [0u32; FIELDS];
    let mut length = size_of_val(&fields) as socklen_t;
    // SAFETY: `length` bytes are there to be written, each value is a number.
    let result = unsafe {
        let value = fields.as_mut_ptr().cast::<c_void>();
        let fd = socket.as_raw_fd();
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, value, &raw mut length)
    };
    if result == 0 { u64::from(fields[FIELDS - 1]) } else { 0 }
}

/// What to wait for.
pub fn readable(socket: &impl AsRawFd) -> libc::pollfd {
    libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// Waits until a descriptor is ready or `timeout` is over. A signal ends the wait
/// as well.
pub fn wait(descriptors: &mut [libc::pollfd], timeout: Duration) {
    let timespec = libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let count = descriptors.len() as libc::nfds_t;
    // SAFETY: so many descriptors are there to be read and written, the time is
    // there, and a null signal mask leaves the thread's as it is.
    let ready =
        unsafe { libc::ppoll(descriptors.as_mut_ptr(), count, &raw const timespec, ptr::null()) };
    if ready < 0 {
        for descriptor in descriptors {
            descriptor.revents = 0;
        }
    }
}

/// Has the kernel wake the calling thread when its time comes: by default it may
/// be 50 microseconds later, to save wake-ups.
pub fn wake_punctually() {
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

#[cfg(test)]
mod tests;

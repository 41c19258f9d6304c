//! System calls that no crate offers in safe form without an allocation for each.
#![allow(unsafe_code)] // Calls into libc: each is one call, and its pointers are to locals.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

/// The entry of `socket` in what [`poll`] waits for: until something can be received.
pub fn readable(socket: &impl AsRawFd) -> libc::pollfd {
    libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// Waits until one of `descriptors` is ready or `timeout` is over; none is for ever. A
/// signal ends the wait as well, with none ready.
///
/// # Errors
/// When a descriptor is none.
pub fn poll(descriptors: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let timespec = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timespec = timespec.as_ref().map_or(ptr::null(), ptr::from_ref);
    let count = descriptors.len() as libc::nfds_t;
    // SAFETY: `count` descriptors are there to be read and written, the time is there or
    // null, and a null signal mask leaves the thread's as it is.
    let ready = unsafe { libc::ppoll(descriptors.as_mut_ptr(), count, timespec, ptr::null()) };
    let Err(error) = counted(ready) else { return Ok(()) };
    for descriptor in descriptors {
        descriptor.revents = 0;
    }
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// Datagrams that the kernel has dropped because the receive buffer of `socket` was full,
/// since it was made; none where the kernel does not tell. `SO_RXQ_OVFL` tells the same
/// with a datagram, this also when no datagram follows.
pub fn receive_drops(socket: &impl AsRawFd) -> Option<u64> {
    const FIELDS: usize = libc::SK_MEMINFO_DROPS as usize + 1;
    let mut fields = [0u32; FIELDS];
    let mut length = size_of_val(&fields) as socklen_t;
    // SAFETY: `length` bytes are there to be written, and the kernel writes no more and
    // only whole fields, of which every value is a number.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            fields.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    counted(result).ok().map(|_| u64::from(fields[FIELDS - 1]))
}

/// The count that a system call returned, or the error that it left behind.
pub(crate) fn counted(result: c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// The header of a message to or from the address at `name`, of `count` slices. It takes
/// pointers and follows none.
pub(crate) fn header(
    (name, name_bytes): (*mut c_void, usize),
    (slices, count): (*mut libc::iovec, usize),
    (control, control_bytes): (*mut c_void, usize),
) -> libc::mmsghdr {
    let mut header = empty_header();
    header.msg_hdr.msg_name = name;
    header.msg_hdr.msg_namelen = name_bytes as socklen_t;
    header.msg_hdr.msg_iov = slices;
    header.msg_hdr.msg_iovlen = count as _;
    header.msg_hdr.msg_control = control;
    header.msg_hdr.msg_controllen = control_bytes as _;
    header
}

/// The header of no message. It has fields for padding on some platforms, so it cannot be
/// written out.
pub(crate) fn empty_header() -> libc::mmsghdr {
    // SAFETY: integers and pointers, for all of which zero is a value.
    unsafe { std::mem::zeroed() }
}

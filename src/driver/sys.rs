//! The few system calls of the driver that no crate offers in safe form.
#![allow(unsafe_code)] // Calls into libc: each is one call, and its pointers are to locals.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use super::address::Reach;

/// A new eventfd: its counter is 0, and neither reading nor writing it blocks.
pub(super) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
    // SAFETY: the descriptor is new, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Waits until one of `descriptors` is ready or `timeout` is over; none is for
/// ever. A signal ends the wait as well.
pub(super) fn poll(descriptors: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let timespec = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timespec = timespec.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = descriptors.len() as libc::nfds_t;
    // SAFETY: `count` descriptors are there to be read and written, the time is
    // there or null, and a null signal mask leaves the thread's as it is.
    let ready = unsafe { libc::ppoll(descriptors.as_mut_ptr(), count, timespec, std::ptr::null()) };
    match check(ready) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// New memory of so many bytes, full of zeros, from where a page begins. Pages
/// that are never touched take no room; a general allocator would touch them all
/// to hand out zeros so aligned.
pub(super) fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: at no particular address, so that nothing that is mapped is replaced.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    let memory = if memory == libc::MAP_FAILED { None } else { NonNull::new(memory.cast()) };
    memory.ok_or_else(io::Error::last_os_error)
}

/// Whether so many bytes of memory are to be had within the process's limits.
///
/// # Errors
/// When they are not.
pub(super) fn check_memory(bytes: usize) -> io::Result<()> {
    let memory = map(bytes)?;
    // SAFETY: just mapped with this length, and used by nothing.
    unsafe { unmap(memory, bytes) };
    Ok(())
}

/// Gives back what [`map`] gave.
///
/// # Safety
/// It is `bytes` long, and nothing uses it any more.
pub(super) unsafe fn unmap(memory: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller says so. It fails only for what was never mapped.
    unsafe { libc::munmap(memory.as_ptr().cast(), bytes) };
}

/// Datagrams that the kernel has dropped because the socket's receive buffer was
/// full, since the socket was made; none where the kernel does not tell.
pub(super) fn kernel_drops(socket: &impl AsRawFd) -> Option<u64> {
    const FIELDS: usize = libc::SK_MEMINFO_DROPS as usize + 1;
    let mut fields = [0u32; FIELDS];
    let mut length = size_of_val(&fields) as socklen_t;
    // SAFETY: `length` bytes are there to be written, and the kernel writes no
    // more and only whole fields, of which every value is a number.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            fields.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    check(result).ok().map(|_| u64::from(fields[FIELDS - 1]))
}

/// Keeps the calling thread on core number `index` of those that the process may
/// use, counted around.
pub(super) fn pin(index: usize) -> io::Result<()> {
    let allowed = cores()?;
    let count = (0..CORES_MAX).filter(|core| contains(&allowed, *core)).count().max(1);
    let core = (0..CORES_MAX).filter(|core| contains(&allowed, *core)).nth(index % count);
    let core = core.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    let mut only = CoreSet::default();
    only.words[core / WORD_BITS] |= 1 << (core % WORD_BITS);
    // SAFETY: as many bytes are there to be read; 0 is the calling thread.
    let result =
        unsafe { libc::sched_setaffinity(0, size_of::<CoreSet>(), (&raw const only).cast()) };
    check(result).map(drop)
}

const WORD_BITS: usize = u64::BITS as usize;
/// Cores that a set has room for, as many as glibc's.
const CORES_MAX: usize = 1024;

/// A set of cores, a bit each: the layout of `cpu_set_t`.
#[derive(Clone, Default)]
#[repr(C)]
struct CoreSet {
    words: [u64; CORES_MAX / WORD_BITS],
}

const _: () = assert!(size_of::<CoreSet>() == size_of::<libc::cpu_set_t>());

fn contains(set: &CoreSet, core: usize) -> bool {
    set.words[core / WORD_BITS] >> (core % WORD_BITS) & 1 == 1
}

fn cores() -> io::Result<CoreSet> {
    let mut set = CoreSet::default();
    // SAFETY: as many bytes are there to be written; 0 is the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<CoreSet>(), (&raw mut set).cast()) };
    check(result)?;
    Ok(set)
}

/// What a system call returned, or the error that it left behind.
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The count that a system call returned, or the error that it left behind.
pub(super) fn counted(result: c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// The header of a message to or from the address at `name`, of `count` slices.
/// It takes pointers and follows none.
pub(super) fn message(
    (name, name_bytes): (*mut c_void, u32),
    (slices, count): (*mut libc::iovec, usize),
) -> libc::mmsghdr {
    // SAFETY: integers and pointers, for all of which zero is a value. It has
    // fields for padding on some platforms, so it cannot be written out.
    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    header.msg_hdr.msg_name = name;
    header.msg_hdr.msg_namelen = name_bytes;
    header.msg_hdr.msg_iov = slices;
    header.msg_hdr.msg_iovlen = count as _;
    header
}

/// Has the kernel bring trains of datagrams as they come, each with the length of
/// its datagrams.
pub(super) fn receive_trains(socket: &impl AsRawFd) -> io::Result<()> {
    let on: c_int = 1;
    let length = size_of_val(&on) as socklen_t;
    let value = (&raw const on).cast::<c_void>();
    // SAFETY: as many bytes are there to be read.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, value, length)
    };
    check(result).map(drop)
}

/// Has the kernel tell the address that each datagram came to, for a socket of IPv6 or not.
pub(super) fn receive_locals(socket: &impl AsRawFd, reach: Reach) -> io::Result<()> {
    let (level, option) = match reach {
        Reach::V4 => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        Reach::V6 | Reach::Dual => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: c_int = 1;
    let length = size_of_val(&on) as socklen_t;
    let value = (&raw const on).cast::<c_void>();
    // SAFETY: as many bytes are there to be read.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) };
    check(result).map(drop)
}

/// Asks whether the kernel parts what is sent as a train.
///
/// # Errors
/// Where it has never heard of that.
pub(super) fn parts_trains(socket: &impl AsRawFd) -> io::Result<()> {
    let mut segment_bytes: c_int = 0;
    let mut length = size_of_val(&segment_bytes) as socklen_t;
    // SAFETY: as many bytes are there to be written, of which every value is a number.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw mut segment_bytes).cast::<c_void>(),
            &raw mut length,
        )
    };
    check(result).map(drop)
}

/// The header that a multishot receive is told: room for a source's address and
/// for control messages of so many bytes.
pub(super) fn template(name_bytes: usize, control_bytes: usize) -> libc::msghdr {
    // SAFETY: integers and pointers, for all of which zero is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_namelen = name_bytes as socklen_t;
    header.msg_controllen = control_bytes as _;
    header
}

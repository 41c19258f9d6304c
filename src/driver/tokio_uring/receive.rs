//! A receive with control messages, which the library's own does not bring.
#![allow(unsafe_code)] // The request carries pointers, whose targets it owns.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use ::tokio_uring::{OneshotOutputTransform, UnsubmittedOneshot};
use io_uring_0_6::types::Fd;
use io_uring_0_6::{cqueue, opcode};
use libc::iovec;

use crate::driver::address::{self, NAME_BYTES_MAX, Name};
use crate::driver::control::{self, Control};
use crate::driver::sys;

/// A datagram that has come into a buffer.
pub(super) struct Received {
    /// Bytes of the buffer that it takes.
    pub(super) length: usize,
    pub(super) source: SocketAddr,
    /// The address that it came to, where the socket is told.
    pub(super) local: Option<IpAddr>,
}

/// What the kernel writes a datagram into. Boxed, so that it stays where it is.
struct Room {
    header: libc::mmsghdr,
    slice: iovec,
    name: Name,
    control: Control,
    buffer: Vec<u8>,
}

/// Receives one datagram from socket `fd` into `buffer`, up to its capacity, with
/// `control_bytes` of control messages. To be called within the runtime, whose requests
/// are waited for before the socket is closed.
pub(super) async fn receive(
    fd: RawFd,
    buffer: Vec<u8>,
    control_bytes: usize,
) -> (io::Result<Received>, Vec<u8>) {
    let slice = iovec { iov_base: std::ptr::null_mut(), iov_len: buffer.capacity() };
    let header = sys::message((std::ptr::null_mut(), 0), (std::ptr::null_mut(), 0));
    let (name, control) = (Name::ROOM, Control::EMPTY);
    let mut room = Box::new(Room { header, slice, name, control, buffer });
    room.slice.iov_base = room.buffer.as_mut_ptr().cast();
    let name = (room.name.as_mut_ptr(), NAME_BYTES_MAX as u32);
    room.header = sys::message(name, (&raw mut room.slice, 1));
    room.header.msg_hdr.msg_control = room.control.as_mut_ptr();
    room.header.msg_hdr.msg_controllen = control_bytes as _;
    let request = opcode::RecvMsg::new(Fd(fd), &raw mut room.header.msg_hdr).build();
    UnsubmittedOneshot::new(room, Arrived, request).submit().await
}

/// Makes of a completion what has come.
struct Arrived;

impl OneshotOutputTransform for Arrived {
    type Output = (io::Result<Received>, Vec<u8>);
    type StoredData = Box<Room>;

    fn transform_oneshot_output(self, room: Box<Room>, entry: cqueue::Entry) -> Self::Output {
        let Room { header, name, control, mut buffer, .. } = *room;
        let Ok(length) = usize::try_from(entry.result()) else {
            return (Err(io::Error::from_raw_os_error(-entry.result())), buffer);
        };
        // SAFETY: the kernel has written so many bytes, and no more than there is room for.
        unsafe { buffer.set_len(length.min(buffer.capacity())) };
        let name = &name.bytes()[..NAME_BYTES_MAX.min(header.msg_hdr.msg_namelen as usize)];
        let Some(source) = address::read(name) else {
            return (Err(io::ErrorKind::InvalidData.into()), buffer);
        };
        let control = control.bytes();
        let control = &control[..control.len().min(header.msg_hdr.msg_controllen)];
        (Ok(Received { length, source, local: control::read(control).local }), buffer)
    }
}

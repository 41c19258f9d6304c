//! The echo over `io_uring`: a multishot receive into a ring of buffers, and one
//! `sendmmsg` a turn, with the flags that the node's driver has.
#![allow(unsafe_code)] // The memory is shared with the kernel.

use std::alloc::{Layout, alloc_zeroed};
use std::convert::Infallible;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd, RecvMsgOut};
use io_uring::{IoUring, cqueue, opcode};
use libc::sockaddr_in;

use super::Counters;
use super::replies::Replies;
use crate::kernel::{self, CONTROL_BYTES, DATAGRAM_BYTES, MESSAGE_BYTES};
use crate::subject::Grouping;

const BUFFERS: u16 = 512;
const COMPLETIONS: u32 = 1024;
const SUBMISSIONS: u32 = 8;
const GROUP: u16 = 0;
const PAGE_BYTES: usize = 64 << 10;
/// What the kernel writes before the name: four numbers of four bytes.
const PREFIX_BYTES: usize = 16;

/// Buffers that live as long as the process, which ends with the echo.
struct Buffers {
    ring: *mut BufRingEntry,
    first: *mut u8,
    buffer_bytes: usize,
    tail: u16,
}

impl Buffers {
    fn new(payload_bytes: usize) -> Self {
        let prefix_bytes = PREFIX_BYTES + size_of::<sockaddr_in>() + CONTROL_BYTES;
        let buffer_bytes = (prefix_bytes + payload_bytes).next_multiple_of(64);
        let entries_bytes = usize::from(BUFFERS) * size_of::<BufRingEntry>();
        let bytes = entries_bytes + usize::from(BUFFERS) * buffer_bytes;
        let layout = Layout::from_size_align(bytes, PAGE_BYTES).expect("below isize::MAX");
        // SAFETY: the layout is not of size zero.
        let memory = unsafe { alloc_zeroed(layout) };
        assert!(!memory.is_null(), "no memory for the buffers");
        let first = memory.wrapping_add(entries_bytes);
        #[allow(clippy::cast_ptr_alignment)] // aligned to a page
        Self { ring: memory.cast(), first, buffer_bytes, tail: 0 }
    }

    fn start(&self, id: u16) -> *mut u8 {
        assert!(id < BUFFERS, "the kernel picks from what it was given");
        self.first.wrapping_add(usize::from(id) * self.buffer_bytes)
    }

    fn bytes(&self, id: u16) -> &[u8] {
        // SAFETY: within the memory, initialized, and ours while a completion has
        // handed it to us.
        unsafe { slice::from_raw_parts(self.start(id), self.buffer_bytes) }
    }

    fn give_back(&mut self, id: u16) {
        let address = self.start(id) as u64;
        let entry = self.ring.wrapping_add(usize::from(self.tail % BUFFERS));
        // SAFETY: within the entries, and not read by the kernel before the tail
        // has passed it.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the first entry, in which the tail lies.
        let tail = unsafe { BufRingEntry::tail(self.ring) }.cast_mut();
        // SAFETY: aligned, alive, and written only by atomics.
        unsafe { AtomicU16::from_ptr(tail) }.store(self.tail, Ordering::Release);
    }
}

/// Echoes for ever.
pub(super) fn run(
    socket: &UdpSocket,
    grouping: Grouping,
    counters: &Counters,
) -> io::Result<Infallible> {
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_cqsize(COMPLETIONS)
        .build(SUBMISSIONS)?;
    let mut buffers = Buffers::new(match grouping {
        Grouping::On => MESSAGE_BYTES,
        Grouping::Off => DATAGRAM_BYTES,
    });
    let entries = buffers.ring as u64;
    // SAFETY: the entries are never freed.
    unsafe { ring.submitter().register_buf_ring_with_flags(entries, BUFFERS, GROUP, 0) }?;
    (0..BUFFERS).for_each(|id| buffers.give_back(id));
    let mut template = kernel::message(ptr::null_mut(), ptr::null_mut(), 0).msg_hdr;
    if grouping == Grouping::On {
        template.msg_controllen = CONTROL_BYTES as _;
    }
    let receive = opcode::RecvMsgMulti::new(Fd(socket.as_raw_fd()), &raw const template, GROUP);
    let receive = receive.build();
    let mut replies = Replies::new(grouping);
    let mut armed = false;
    loop {
        if !armed {
            // SAFETY: the template and the socket live as long as the loop, which
            // only ends with the process.
            unsafe { ring.submission().push(&receive) }.expect("room for one");
            armed = true;
        }
        match ring.submit_and_wait(1) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        counters.waits.add(1);
        for completion in ring.completion() {
            armed = cqueue::more(completion.flags());
            let (Ok(written), Some(id)) =
                (usize::try_from(completion.result()), cqueue::buffer_select(completion.flags()))
            else {
                continue;
            };
            take(&buffers.bytes(id)[..written], &template, &mut replies, socket, counters)?;
            buffers.give_back(id);
        }
        counters.send_calls.add(replies.send(socket)?);
        counters.turns.add(1);
    }
}

/// Answers what came into a buffer.
fn take(
    written: &[u8],
    template: &libc::msghdr,
    replies: &mut Replies,
    socket: &UdpSocket,
    counters: &Counters,
) -> io::Result<()> {
    let Ok(message) = RecvMsgOut::parse(written, template) else {
        return Ok(());
    };
    let Some(name) = message.name_data().first_chunk::<{ size_of::<sockaddr_in>() }>() else {
        return Ok(());
    };
    // SAFETY: as many bytes, only integers, read unaligned.
    let name = unsafe { ptr::read_unaligned(name.as_ptr().cast::<sockaddr_in>()) };
    let payload = message.payload_data();
    let segment_bytes = kernel::segment_bytes(message.control_data(), payload.len());
    for request in payload.chunks(segment_bytes) {
        counters.datagrams_received.add(1);
        replies.add(&name, request);
        if replies.is_full() {
            counters.send_calls.add(replies.send(socket)?);
        }
    }
    Ok(())
}

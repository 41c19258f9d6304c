//! A ring of buffers that the kernel picks from when a datagram arrives
//! (`IORING_REGISTER_PBUF_RING`): which memory a multishot receive writes to.
#![allow(unsafe_code)] // The memory is shared with the kernel.

use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::driver::sys;

/// A buffer begins where a line of the cache does, and where it is longer than the
/// smallest page, where a page does: most datagrams then touch one page of it.
const CACHE_LINE_BYTES: usize = 64;
const PAGE_BYTES_MIN: usize = 4 << 10;
/// The buffers' group: the ring has one.
pub(super) const GROUP: u16 = 0;

/// Which of the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BufferId(pub(super) u16);

/// The buffers, and the ring through which they are given to the kernel. A buffer
/// is either the kernel's or ours; the kernel hands it over with a completion,
/// and we hand it back with [`give_back`](Self::give_back).
pub(super) struct Buffers {
    /// The entries of the ring, which the kernel wants to begin with a page, then
    /// the buffers.
    memory: NonNull<u8>,
    memory_bytes: usize,
    count: u16,
    buffer_bytes: usize,
    /// From one buffer's beginning to the next one's.
    stride_bytes: usize,
    /// Buffers given to the kernel so far, wrapping around.
    tail: u16,
}

impl Buffers {
    /// `count` buffers, a power of two, of `buffer_bytes` each, none of them the
    /// kernel's yet.
    pub(super) fn new(count: u16, buffer_bytes: usize) -> io::Result<Self> {
        assert!(count.is_power_of_two(), "the kernel wraps around by a mask");
        let alignment_bytes =
            if buffer_bytes < PAGE_BYTES_MIN { CACHE_LINE_BYTES } else { PAGE_BYTES_MIN };
        let stride_bytes = buffer_bytes.next_multiple_of(alignment_bytes);
        let entries_bytes = entries_bytes(count);
        let memory_bytes = entries_bytes + usize::from(count) * stride_bytes;
        let memory = sys::map(memory_bytes)?;
        Ok(Self { memory, memory_bytes, count, buffer_bytes, stride_bytes, tail: 0 })
    }

    /// Registers the ring, and gives it all buffers.
    ///
    /// # Safety
    /// The buffers must live until no request of the ring can use them any more.
    pub(super) unsafe fn register(&mut self, submitter: &Submitter<'_>) -> io::Result<()> {
        let address = self.memory.as_ptr() as u64;
        // SAFETY: the entries begin there, and the caller keeps them alive.
        unsafe { submitter.register_buf_ring_with_flags(address, self.count, GROUP, 0) }?;
        for index in 0..self.count {
            self.give_back(BufferId(index));
        }
        Ok(())
    }

    /// Hands a buffer of ours to the kernel.
    pub(super) fn give_back(&mut self, id: BufferId) {
        let address = self.start(id).as_ptr() as u64;
        let ring = self.memory.cast::<BufRingEntry>().as_ptr();
        let slot = usize::from(self.tail & (self.count - 1));
        // SAFETY: the slot is below `count`, so within the entries.
        let entry = unsafe { ring.add(slot) };
        // SAFETY: initialized, of integers alone, and not read by the kernel before
        // the tail has passed it.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id.0);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `ring` is the first entry, in which the tail lies.
        let tail = unsafe { BufRingEntry::tail(ring) }.cast_mut();
        // SAFETY: aligned, alive, and from here on written by atomics alone: the
        // setters above leave the tail's field of the first entry alone.
        let tail = unsafe { AtomicU16::from_ptr(tail) };
        tail.store(self.tail, Ordering::Release);
    }

    /// What is in a buffer of ours.
    pub(super) fn bytes(&self, id: BufferId) -> &[u8] {
        // SAFETY: within the memory, which is mapped full of zeros. The
        // kernel does not write a buffer that a completion has handed to us.
        unsafe { slice::from_raw_parts(self.start(id).as_ptr(), self.buffer_bytes) }
    }

    /// Where a buffer begins.
    fn start(&self, id: BufferId) -> NonNull<u8> {
        assert!(id.0 < self.count, "the kernel picks from what it was given");
        let offset = entries_bytes(self.count) + usize::from(id.0) * self.stride_bytes;
        // SAFETY: within the memory, by the arithmetic of `new`.
        unsafe { self.memory.add(offset) }
    }
}

/// Bytes of the entries of `count` buffers: up to where a page begins, so that
/// buffers of whole pages do not straddle them.
const fn entries_bytes(count: u16) -> usize {
    (count as usize * size_of::<BufRingEntry>()).next_multiple_of(PAGE_BYTES_MIN)
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: mapped with this length, once, and not used afterwards.
        unsafe { sys::unmap(self.memory, self.memory_bytes) }
    }
}

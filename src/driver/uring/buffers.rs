//! A ring of buffers that the kernel picks from when a datagram arrives
//! (`IORING_REGISTER_PBUF_RING`): which memory a multishot receive writes to.
#![allow(unsafe_code)] // The memory is shared with the kernel.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// The kernel asks the ring to be aligned to a page: the largest page of any
/// architecture.
const PAGE_BYTES: usize = 64 << 10;
const CACHE_LINE_BYTES: usize = 64;
/// The buffers' group: the ring has one.
pub(super) const GROUP: u16 = 0;

/// Which of the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BufferId(pub(super) u16);

/// The buffers, and the ring through which they are given to the kernel. A buffer
/// is either the kernel's or ours; the kernel hands it over with a completion,
/// and we hand it back with [`give_back`](Self::give_back).
pub(super) struct Buffers {
    /// The entries of the ring, then the buffers.
    memory: NonNull<u8>,
    layout: Layout,
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
    pub(super) fn new(count: u16, buffer_bytes: usize) -> Self {
        assert!(count.is_power_of_two(), "the kernel wraps around by a mask");
        let stride_bytes = buffer_bytes.next_multiple_of(CACHE_LINE_BYTES);
        let bytes = usize::from(count) * (size_of::<BufRingEntry>() + stride_bytes);
        let layout = Layout::from_size_align(bytes, PAGE_BYTES).expect("well below isize::MAX");
        // SAFETY: the layout is not of size zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
        Self { memory, layout, count, buffer_bytes, stride_bytes, tail: 0 }
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
        // SAFETY: within the memory, and initialized since it was allocated. The
        // kernel does not write a buffer that a completion has handed to us.
        unsafe { slice::from_raw_parts(self.start(id).as_ptr(), self.buffer_bytes) }
    }

    /// Where a buffer begins.
    fn start(&self, id: BufferId) -> NonNull<u8> {
        assert!(id.0 < self.count, "the kernel picks from what it was given");
        let entries = usize::from(self.count) * size_of::<BufRingEntry>();
        // SAFETY: within the memory, by the arithmetic of `new`.
        unsafe { self.memory.add(entries + usize::from(id.0) * self.stride_bytes) }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

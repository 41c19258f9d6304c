//! A ring with its buffers: made, probed, and taken down in the right order.
#![allow(unsafe_code)] // The kernel writes the buffers for as long as the ring is up.

use std::io;
use std::mem::ManuallyDrop;

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring};

use super::buffers::Buffers;

/// Requests that wait to be submitted at most: one for datagrams, one for
/// wake-ups.
const SUBMISSIONS: u32 = 8;
/// Time that cancelling all requests may take: it takes microseconds.
const CANCEL_S: u64 = 1;

/// How large a ring is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Datagrams that wait for the shard at most, before they wait in the socket.
    /// A power of two.
    pub(super) buffers: u16,
    /// Completions that wait for the shard at most: a datagram's each, and the
    /// few that bring none.
    pub(super) completions: u32,
}

impl Sizes {
    /// Those of a shard. The further it is behind, the longer its turns, and the more
    /// there is to group: of a backlog of 64 peers a request costs it a quarter less
    /// CPU with 512 than with 256, in long bursts a few hundredths more, since they
    /// are used in turn (`benches/datapath`). Each takes a page once a shard has been
    /// busy, 16 at most. Of small datagrams the socket's own buffer holds as many.
    /// With twice the completions these do not overflow.
    pub(super) const SHARD: Self = Self { buffers: 512, completions: 1024 };
}

/// A ring for the thread that made it, and buffers that its requests may use.
pub(in crate::driver) struct Ring {
    pub(super) uring: IoUring,
    /// Of each wait.
    flags: EnterFlags,
    pub(super) buffers: ManuallyDrop<Buffers>,
}

impl Ring {
    /// A ring with buffers of `buffer_bytes` each.
    ///
    /// # Errors
    /// When the kernel, or what guards it, has no such ring to give: then nothing
    /// of it remains.
    pub(super) fn open(sizes: Sizes, buffer_bytes: usize) -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_taskrun_flag()
            .setup_cqsize(sizes.completions)
            .build(SUBMISSIONS)?;
        let buffers = Buffers::new(sizes.buffers, buffer_bytes)?;
        let mut flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if uring.params().is_feature_no_iowait() {
            // Else an idle shard counts as one that waits for a disk: half of a
            // machine's pressure was seen to be four idle nodes.
            flags |= EnterFlags::NO_IOWAIT;
        }
        let mut ring = Self { uring, flags, buffers: ManuallyDrop::new(buffers) };
        // SAFETY: `drop` keeps the buffers until no request can use them.
        unsafe { ring.buffers.register(&ring.uring.submitter()) }?;
        // A filter may let a ring be made and not be used: better to know now.
        ring.uring.submit()?;
        Ok(ring)
    }
}

impl Ring {
    /// Submits what was pushed, and waits for a completion or until the time in
    /// `args` is over.
    pub(super) fn enter(&mut self, args: &SubmitArgs<'_, '_>) -> io::Result<usize> {
        let pushed = self.uring.submission().len() as u32;
        // SAFETY: the arguments are what `EXT_ARG` announces, and the caller that pushed the
        // requests has answered for their pointers.
        unsafe { self.uring.submitter().enter(pushed, 1, self.flags.bits(), Some(args)) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Closing a ring cancels its requests some time later. Until then a
        // datagram that arrives is written to a buffer, so they are cancelled first.
        let timeout = Timespec::new().sec(CANCEL_S);
        let cancelled =
            self.uring.submitter().register_sync_cancel(Some(timeout), CancelBuilder::any());
        match cancelled {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                // Requests may live on: then the buffers must, too.
            }
            _ => {
                // SAFETY: dropped once, here, and not used afterwards.
                unsafe { ManuallyDrop::drop(&mut self.buffers) }
            }
        }
    }
}

//! How a shard that waits for datagrams is woken: by an eventfd.
//!
//! Every thread wakes a shard by writing it, those that run an `io_uring` too. `MSG_RING`
//! would save them nothing: it is a system call as well, it needs a request of the sender's
//! own ring and the receiver's descriptor, and it would leave the other drivers, the
//! control thread and a mixture of both to a second way.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::handoff::{Wake, Waker};

/// What a shard's wait ends by. It is sticky: signalled before the shard waits, it ends
/// that wait.
#[derive(Debug)]
pub(in crate::driver) struct WakeFd {
    eventfd: EventFd,
}

impl WakeFd {
    pub(in crate::driver) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self { eventfd: EventFd::from_flags(flags)? })
    }

    fn signal(&self) {
        // It fails only when the counter is at its maximum: then it is readable,
        // and the shard wakes anyway.
        let _ = self.eventfd.write(1);
    }

    /// Makes it end no wait until it is signalled again.
    pub(in crate::driver) fn clear(&self) {
        // It fails only when it is clear already.
        let _ = self.eventfd.read();
    }
}

impl AsRawFd for WakeFd {
    fn as_raw_fd(&self) -> RawFd {
        self.eventfd.as_fd().as_raw_fd()
    }
}

/// Wakes one shard, by a system call only if it waits.
#[derive(Clone, Debug)]
pub(in crate::driver) struct WakeHandle {
    pub(in crate::driver) waker: Waker,
    pub(in crate::driver) wake_fd: Arc<WakeFd>,
}

impl WakeHandle {
    /// Says that something has been published for the shard, and returns whether that
    /// took a system call.
    pub(in crate::driver) fn wake(&self) -> Wake {
        let wake = self.waker.wake();
        if wake == Wake::Needed {
            self.wake_fd.signal();
        }
        wake
    }
}

//! What wakes a shard that waits for datagrams: an eventfd.
//!
//! Every thread rings by writing it, ring threads too. `MSG_RING` would save a
//! ring thread nothing: it is a system call as well, it needs a request of the
//! sender's own ring and the receiver's descriptor, and it would leave the other
//! driver, the control thread and a mixture of both to a second way.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use super::sys;
use crate::handoff::{Wake, Waker};

/// An eventfd. It is sticky: rung before the shard waits, it ends that wait.
#[derive(Debug)]
pub(super) struct Bell {
    eventfd: File,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { eventfd: File::from(sys::eventfd()?) })
    }

    fn ring(&self) {
        // It fails only when the counter is at its maximum: then it is readable,
        // and the shard wakes anyway.
        let _ = (&self.eventfd).write(&1u64.to_ne_bytes());
    }

    /// Makes it silent until it is rung again.
    pub(super) fn silence(&self) {
        // It fails only when it is silent already.
        let _ = (&self.eventfd).read(&mut [0; 8]);
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }
}

/// Wakes one shard, by a system call only if it waits.
#[derive(Clone, Debug)]
pub(super) struct Alarm {
    pub(super) waker: Waker,
    pub(super) bell: Arc<Bell>,
}

impl Alarm {
    /// Says that something has been published for the shard, and returns whether
    /// that took ringing its bell.
    pub(super) fn raise(&self) -> Wake {
        let wake = self.waker.wake();
        if wake == Wake::Needed {
            self.bell.ring();
        }
        wake
    }
}

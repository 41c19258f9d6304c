//! The request to stop, which reaches every shard of a node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::wake::WakeHandle;

/// The request to stop, and how to wake each shard. Written once in a node's life, so that
/// reading it every turn costs no shard anything.
#[derive(Debug)]
pub(in crate::driver) struct Shutdown {
    is_requested: AtomicBool,
    wake_handles: Vec<WakeHandle>,
}

impl Shutdown {
    pub(super) fn new(wake_handles: Vec<WakeHandle>) -> Self {
        Self { is_requested: AtomicBool::new(false), wake_handles }
    }

    /// Asks every shard to stop.
    pub(super) fn request(&self) {
        // Release: a shard that reads the request finds the commands that were sent before.
        self.is_requested.store(true, Ordering::Release);
        for wake_handle in &self.wake_handles {
            // A shard that runs reads the request in its next turn.
            let _ = wake_handle.wake();
        }
    }

    pub(in crate::driver) fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::Acquire)
    }

    /// How to wake the shards, in their order.
    pub(in crate::driver) fn wake_handles(&self) -> &[WakeHandle] {
        &self.wake_handles
    }
}

/// Held by each shard: when it ends, however it ends, so does the whole node. A
/// node that lacks a part would answer for some keys and be silent for others.
pub(in crate::driver) struct ShutdownGuard(pub(in crate::driver) Arc<Shutdown>);

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.0.request();
    }
}

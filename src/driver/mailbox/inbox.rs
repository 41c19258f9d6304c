//! What other threads have for a shard: commands, handoffs, the request to stop.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::shutdown::Shutdown;
use super::wake::WakeFd;
use crate::driver::disk::Settled;
use crate::handoff::{Consumer, Waiter};
use crate::node::{Command, Handoff};

/// The receiving ends of a shard's rings.
pub(in crate::driver) struct Inbox {
    pub(in crate::driver) commands: Consumer<Command>,
    /// One of each other shard.
    pub(in crate::driver) handoffs: Vec<Consumer<Handoff>>,
    /// From the folder's writer: which batches of the journal are kept.
    pub(in crate::driver) kept: Option<Consumer<Settled>>,
    pub(in crate::driver) waiter: Waiter,
    pub(in crate::driver) wake_fd: Arc<WakeFd>,
    pub(in crate::driver) shutdown: Arc<Shutdown>,
}

impl Inbox {
    /// Says whether there is nothing to do, so that the shard may wait. Whatever comes
    /// from here on wakes it.
    #[must_use = "when it is true, wait, and call `end_wait` afterwards"]
    pub(in crate::driver) fn begin_wait(&mut self) -> bool {
        let Self { commands, handoffs, kept, waiter, shutdown, .. } = self;
        waiter.begin_wait(|| {
            commands.is_empty()
                && handoffs.iter().all(Consumer::is_empty)
                && kept.as_ref().is_none_or(Consumer::is_empty)
                && !shutdown.is_requested()
        })
    }

    /// Whether anything may have come since it was last asked: then look at every ring, and at
    /// none otherwise, however many shards there are. A shard that stops looks once more: what
    /// was sent before the request is to be taken, and its wake may come after.
    pub(in crate::driver) fn take_signal(&mut self) -> bool {
        self.waiter.take_signal() || self.shutdown.is_requested()
    }

    /// Says that the shard runs, and need not be woken.
    pub(in crate::driver) fn end_wait(&mut self) {
        self.waiter.end_wait();
    }

    /// Whether the shard goes on after this turn. To be read before the turn's commands are
    /// taken: what was sent before the request to stop is then among them.
    pub(in crate::driver) fn flow(&self) -> ControlFlow<()> {
        if self.shutdown.is_requested() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

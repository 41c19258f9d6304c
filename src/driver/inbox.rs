//! What other threads have for a shard: commands, handoffs, the order to stop.

use std::sync::Arc;

use super::bell::Bell;
use super::halt::{Halt, Order};
use crate::handoff::{Consumer, Waiter};
use crate::node::{Command, Handoff};

/// The receiving ends of a shard's rings.
pub(super) struct Inbox {
    pub(super) commands: Consumer<Command>,
    /// One of each other shard.
    pub(super) handoffs: Vec<Consumer<Handoff>>,
    pub(super) waiter: Waiter,
    pub(super) bell: Arc<Bell>,
    pub(super) halt: Arc<Halt>,
}

impl Inbox {
    /// Arms the bell and says whether there is nothing to do, so that the shard
    /// may wait for it. Whatever comes from here on rings.
    #[must_use = "when it is true, wait, and call `end_wait` afterwards"]
    pub(super) fn begin_wait(&mut self) -> bool {
        let Self { commands, handoffs, waiter, halt, .. } = self;
        waiter.begin_wait(|| {
            commands.is_empty()
                && handoffs.iter().all(Consumer::is_empty)
                && halt.order() == Order::Run
        })
    }

    /// Says that the shard runs, and needs no ringing.
    pub(super) fn end_wait(&mut self) {
        self.waiter.end_wait();
    }

    /// To be read before the turn's commands are taken: what was sent before the
    /// order to stop is then among them.
    pub(super) fn order(&self) -> Order {
        self.halt.order()
    }
}

//! The order to stop, which reaches every shard of a node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::bell::Alarm;

/// Whether a shard goes on after this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    Stop,
}

/// The order to stop, and how to wake each shard. Written once in a node's life,
/// so that reading it every turn costs no shard anything.
#[derive(Debug)]
pub(super) struct Halt {
    stopping: AtomicBool,
    alarms: Vec<Alarm>,
}

impl Halt {
    pub(super) fn new(alarms: Vec<Alarm>) -> Self {
        Self { stopping: AtomicBool::new(false), alarms }
    }

    /// Tells every shard to stop.
    pub(super) fn stop(&self) {
        // Release: who reads the order finds the commands that were sent before.
        self.stopping.store(true, Ordering::Release);
        for alarm in &self.alarms {
            // A shard that runs reads the order in its next turn.
            let _ = alarm.raise();
        }
    }

    pub(super) fn order(&self) -> Order {
        if self.stopping.load(Ordering::Acquire) { Order::Stop } else { Order::Run }
    }

    /// The alarms of the shards, in their order.
    pub(super) fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }
}

/// Held by each shard: when it ends, however it ends, so does the whole node. A
/// node that lacks a part would answer for some keys and be silent for others.
pub(super) struct Bond(pub(super) Arc<Halt>);

impl Drop for Bond {
    fn drop(&mut self) {
        self.0.stop();
    }
}

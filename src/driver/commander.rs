//! How commands reach the shards: a ring from the control side to each of them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::halt::{Halt, Order};
use crate::handoff::Producer;
use crate::node::{Command, Place, Route};

/// Commands that wait for one shard at most; a shard takes as many a turn.
pub const COMMANDS_MAX: usize = 1024;

const _: () = assert!(COMMANDS_MAX.is_power_of_two(), "a ring wraps around by a mask");

/// Hands commands to a running node, from any thread.
#[derive(Clone, Debug)]
pub struct Commander {
    control: Arc<Control>,
}

/// The producing ends. The lock is between those who command, and no shard ever
/// takes it; under it, commands for every shard come to all in the same order.
#[derive(Debug)]
struct Control {
    place: Place,
    rings: Mutex<Vec<Producer<Command>>>,
    halt: Arc<Halt>,
}

impl Commander {
    /// A commander of the shards at the other ends of `rings`, in their order.
    pub(super) fn new(rings: Vec<Producer<Command>>, halt: Arc<Halt>) -> Self {
        let place = Place::new(0, rings.len());
        Self { control: Arc::new(Control { place, rings: Mutex::new(rings), halt }) }
    }

    /// Hands `command` to the shards that it concerns, and wakes them. Never
    /// waits for them.
    ///
    /// # Errors
    /// When [`COMMANDS_MAX`] commands wait for one of them already, or the node
    /// has stopped; the command comes back, and none of them has it.
    pub fn send(&self, command: Command) -> Result<(), SendError> {
        let Control { place, rings, halt } = &*self.control;
        let shards = match place.route(&command) {
            Route::One(shard) => shard.as_usize()..shard.as_usize() + 1,
            Route::Every => 0..place.count(),
        };
        let mut rings = rings.lock().unwrap_or_else(PoisonError::into_inner);
        let rings = &mut rings[shards.clone()];
        if halt.order() == Order::Stop || rings.iter().any(Producer::is_closed) {
            return Err(SendError::Stopped(command));
        }
        if rings.iter_mut().any(Producer::is_full) {
            return Err(SendError::Full(command));
        }
        for (ring, alarm) in rings.iter_mut().zip(&halt.alarms()[shards]) {
            ring.push(command.clone()).expect("none is full, and the lock keeps others out");
            ring.publish();
            let _ = alarm.raise();
        }
        Ok(())
    }

    /// Asks all shards to stop, after the commands sent so far.
    pub(super) fn stop(&self) {
        self.control.halt.stop();
    }
}

/// Why a command was not handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// [`COMMANDS_MAX`] commands wait already: try again.
    Full(Command),
    /// The node has stopped.
    Stopped(Command),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => write!(f, "busy: {COMMANDS_MAX} commands wait already, try again"),
            Self::Stopped(_) => f.write_str("the node has stopped"),
        }
    }
}

impl std::error::Error for SendError {}

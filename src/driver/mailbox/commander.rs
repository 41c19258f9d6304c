//! How commands reach the shards: a ring from the control side to each of them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use udp::canonical;

use super::shutdown::Shutdown;
use crate::handoff::Producer;
use crate::node::{Command, Route, ShardPosition};

/// Commands that wait for one shard at most; a shard takes as many a turn.
pub const COMMANDS_MAX: usize = 1024;

const _: () = assert!(COMMANDS_MAX.is_power_of_two(), "a ring wraps around by a mask");

/// Hands commands to a running node, from any thread.
#[derive(Clone, Debug)]
pub struct Commander {
    control: Arc<Control>,
}

/// The producing ends. The lock is between the senders of commands, and no shard ever
/// takes it; under it, commands for every shard come to all in the same order.
#[derive(Debug)]
struct Control {
    position: ShardPosition,
    rings: Mutex<Vec<Producer<Command>>>,
    shutdown: Arc<Shutdown>,
}

impl Commander {
    /// A commander of the shards at the other ends of `rings`, in their order.
    pub(super) fn new(rings: Vec<Producer<Command>>, shutdown: Arc<Shutdown>) -> Self {
        let position = ShardPosition::new(0, rings.len());
        Self { control: Arc::new(Control { position, rings: Mutex::new(rings), shutdown }) }
    }

    /// Hands `command` to the shards that it concerns, and wakes them. Never
    /// waits for them.
    ///
    /// # Errors
    /// When [`COMMANDS_MAX`] commands wait for one of them already, or the node
    /// has stopped; the command comes back, and none of them has it. What was taken
    /// is carried out even if the node is told to stop meanwhile, but not if it ends
    /// by itself.
    pub fn send(&self, mut command: Command) -> Result<(), SendError> {
        if let Command::Bootstrap { addresses } = &mut command {
            // Replies come from the canonical ones.
            for address in addresses {
                *address = canonical(*address);
            }
        }
        let Control { position, rings, shutdown } = &*self.control;
        let shards = match position.route(&command) {
            Route::One(shard) => shard.as_usize()..shard.as_usize() + 1,
            Route::Every => 0..position.count(),
        };
        let mut rings = rings.lock().unwrap_or_else(PoisonError::into_inner);
        let rings = &mut rings[shards.clone()];
        if shutdown.is_requested() || rings.iter().any(Producer::is_closed) {
            return Err(SendError::Stopped(command));
        }
        if rings.iter_mut().any(Producer::is_full) {
            return Err(SendError::Full(command));
        }
        for (ring, wake_handle) in rings.iter_mut().zip(&shutdown.wake_handles()[shards]) {
            ring.push(command.clone()).expect("none is full, and the lock keeps others out");
            ring.publish();
            let _ = wake_handle.wake();
        }
        Ok(())
    }

    /// Asks all shards to stop, after the commands sent so far. Under the lock, so that a
    /// command of another thread either comes before the request, and is taken in the last
    /// turn, or comes back to its sender.
    pub(in crate::driver) fn stop(&self) {
        let Control { rings, shutdown, .. } = &*self.control;
        let _rings = rings.lock().unwrap_or_else(PoisonError::into_inner);
        shutdown.request();
    }
}

/// Why a command was not taken.
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;
    use std::thread;

    use crate::driver::ShardCount;
    use crate::driver::mailbox;

    /// Whether the thread with this folder under `/proc` waits for a lock.
    fn waits_for_a_lock(thread: &str) -> bool {
        // A system call's number, or "running"; nothing once the thread has ended.
        let call = fs::read_to_string(format!("/proc/{thread}/syscall")).unwrap_or_default();
        call.split(' ').next() == Some(libc::SYS_futex.to_string().as_str())
    }

    /// A sender looks for the request first and publishes afterwards, so the request must not
    /// come in between.
    #[test]
    fn the_request_to_stop_waits_for_a_command_under_way() {
        let mailboxes = mailbox::join(ShardCount::ONE).expect("an eventfd");
        let (commander, shutdown) = (&mailboxes.commander, &mailboxes.shutdown);
        let under_way = commander.control.rings.lock().expect("no thread has panicked");
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            let stopping = scope.spawn(move || {
                let own = fs::read_link("/proc/thread-self").expect("Linux has it");
                tell.send(own.display().to_string()).expect("the test listens");
                commander.stop();
            });
            let thread = told.recv().expect("it tells");
            while !stopping.is_finished() && !waits_for_a_lock(&thread) {
                thread::yield_now();
            }
            let is_requested = shutdown.is_requested();
            drop(under_way);
            assert!(!is_requested);
        });
        assert!(shutdown.is_requested());
    }
}

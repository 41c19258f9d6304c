//! How commands reach a shard: a bounded queue, and an eventfd that wakes the
//! shard where it waits for datagrams.
//!
//! A command is queued before the eventfd is written, and the shard empties the
//! queue after it has read the eventfd: so whatever was queued before a read is
//! taken after it, and whatever is queued later wakes the shard again.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::sys;
use crate::node::Command;

/// Commands that wait for the shard at most; a shard takes as many a turn.
pub const COMMANDS_MAX: usize = 1024;

/// Hands commands to a running node, from any thread.
#[derive(Clone, Debug)]
pub struct Commander {
    queue: SyncSender<Command>,
    bell: Arc<Bell>,
}

impl Commander {
    /// Queues `command` and wakes the shard. Never blocks.
    ///
    /// # Errors
    /// When [`COMMANDS_MAX`] commands wait already, or the shard has stopped;
    /// the command comes back.
    pub fn send(&self, command: Command) -> Result<(), SendError> {
        self.queue.try_send(command).map_err(|error| match error {
            TrySendError::Full(command) => SendError::Full(command),
            TrySendError::Disconnected(command) => SendError::Stopped(command),
        })?;
        self.bell.ring();
        Ok(())
    }

    /// Asks the shard to stop, after the commands queued so far.
    pub(super) fn stop(&self) {
        self.bell.stopping.store(true, Ordering::Release);
        self.bell.ring();
    }
}

/// Why a command was not queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// [`COMMANDS_MAX`] commands wait already: try again.
    Full(Command),
    /// The shard has stopped.
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

/// The shard's end.
#[derive(Debug)]
pub(super) struct Mailbox {
    queue: Receiver<Command>,
    bell: Arc<Bell>,
}

/// Whether the shard goes on after this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    Stop,
}

impl Mailbox {
    /// What wakes the shard.
    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// To be read before the turn's commands are taken: what was queued before
    /// the order to stop is then among them.
    pub(super) fn order(&self) -> Order {
        if self.bell.stopping.load(Ordering::Acquire) { Order::Stop } else { Order::Run }
    }

    /// The next command, if one waits.
    pub(super) fn take(&self) -> Option<Command> {
        self.queue.try_recv().ok()
    }
}

/// An eventfd, and the order to stop.
#[derive(Debug)]
pub(super) struct Bell {
    eventfd: File,
    stopping: AtomicBool,
}

impl Bell {
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

/// The two ends of a shard's mailbox.
pub(super) fn mailbox() -> io::Result<(Commander, Mailbox)> {
    let eventfd = File::from(sys::eventfd()?);
    let bell = Arc::new(Bell { eventfd, stopping: AtomicBool::new(false) });
    let (sender, receiver) = sync_channel(COMMANDS_MAX);
    let commander = Commander { queue: sender, bell: Arc::clone(&bell) };
    Ok((commander, Mailbox { queue: receiver, bell }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::OperationId;

    fn command(number: u64) -> Command {
        Command::Stats { operation: OperationId(number) }
    }

    #[test]
    fn commands_come_in_order_and_one_too_many_comes_back() {
        let (commander, mailbox) = mailbox().expect("an eventfd");
        let count = COMMANDS_MAX as u64;
        for number in 0..count {
            assert_eq!(commander.send(command(number)), Ok(()));
        }
        assert_eq!(commander.send(command(count)), Err(SendError::Full(command(count))));
        for number in 0..count {
            assert_eq!(mailbox.take(), Some(command(number)));
        }
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn the_order_to_stop_finds_room_in_a_full_queue() {
        let (commander, mailbox) = mailbox().expect("an eventfd");
        while commander.send(command(1)).is_ok() {}
        assert_eq!(mailbox.order(), Order::Run);
        commander.stop();
        assert_eq!(mailbox.order(), Order::Stop);
    }

    #[test]
    fn a_command_for_a_shard_that_has_ended_comes_back() {
        let (commander, mailbox) = mailbox().expect("an eventfd");
        drop(mailbox);
        assert_eq!(commander.send(command(1)), Err(SendError::Stopped(command(1))));
    }
}

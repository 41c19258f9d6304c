//! The thread that writes, and the queue before it.

mod worker;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel,
};
use std::thread;
use std::time::Duration;

use crate::counters::{Counters, add};
use crate::folder::Folder;
use crate::limits::{BATCH_BYTES_MAX, QUEUE_BATCHES, QUEUE_BYTES, STOP_MAX};
use crate::types::Change;
use worker::Worker;

/// Changes that are kept together, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The caller's name for it, given back in the [`Event`].
    pub tag: u64,
    /// The changes.
    pub changes: Vec<Change>,
}

/// What the writer tells. Each batch is told of once, in the order of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A batch is with the operating system, or on the disk where `synced`.
    Kept {
        /// The batch.
        tag: u64,
        /// Whether it was forced to the disk.
        synced: bool,
    },
    /// A batch is not durable. It is tried again, where there is room to keep it.
    Failed {
        /// The batch.
        tag: u64,
    },
    /// The disk does not take what it is given: nothing is durable until [`Event::Mended`].
    /// Of what was kept before, the last second may be lost by a power cut.
    Fault {
        /// What the operating system says.
        error: String,
    },
    /// The disk has all that it failed to take, but for some changes.
    Mended {
        /// Changes that there was no room to keep meanwhile.
        missed: u64,
    },
    /// The folder cannot be compacted: it grows.
    Growing {
        /// What the operating system says.
        error: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept { tag, synced: false } => write!(f, "batch {tag}: written"),
            Self::Kept { tag, synced: true } => write!(f, "batch {tag}: synced"),
            Self::Failed { tag } => write!(f, "batch {tag}: not durable"),
            Self::Fault { error } => write!(f, "nothing is durable: {error}"),
            Self::Mended { missed: 0 } => f.write_str("durable again"),
            Self::Mended { missed } => write!(f, "durable again, but for {missed} changes"),
            Self::Growing { error } => write!(f, "the folder cannot be compacted: {error}"),
        }
    }
}

/// Why a batch was not taken; it is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full.
    Busy(Batch),
    /// It has more than [`BATCH_BYTES_MAX`].
    TooLarge(Batch),
    /// The writer has stopped.
    Closed(Batch),
}

enum Message {
    Batch(Batch, usize),
    Stop,
}

/// What the writer's thread shares with those who hand batches over.
#[derive(Default)]
struct Shared {
    /// Bytes of the batches that wait.
    queued_bytes: AtomicUsize,
    /// Changes that were handed over and not told of.
    untold_changes: AtomicUsize,
    is_stopping: AtomicBool,
}

/// Where batches are handed over. Pushing never waits.
#[derive(Clone)]
pub struct Queue {
    sender: SyncSender<Message>,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
}

impl Queue {
    /// Hands a batch over, unless the queue is full.
    pub fn try_push(&self, batch: Batch) -> Result<(), Refused> {
        let bytes: usize = batch.changes.iter().map(Change::bytes).sum();
        if bytes > BATCH_BYTES_MAX {
            return Err(Refused::TooLarge(batch));
        }
        let changes = batch.changes.len();
        self.shared.untold_changes.fetch_add(changes, Ordering::Relaxed);
        let before = self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let sent = if before + bytes > QUEUE_BYTES {
            Err(TrySendError::Full(Message::Batch(batch, bytes)))
        } else {
            self.sender.try_send(Message::Batch(batch, bytes))
        };
        let refused = match sent {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(Message::Batch(batch, _))) => {
                add(&self.counters.batches_refused, 1);
                Refused::Busy(batch)
            }
            Err(TrySendError::Disconnected(Message::Batch(batch, _))) => Refused::Closed(batch),
            Err(_) => unreachable!("a batch was sent"),
        };
        self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.untold_changes.fetch_sub(changes, Ordering::Relaxed);
        Err(refused)
    }
}

/// The disk did not take all that the writer was given before it had to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// Changes that were never reported as kept.
    pub changes: usize,
    /// How long the writer was waited for.
    pub after: Duration,
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, after } = self;
        write!(
            f,
            "no answer for {} s: stopped with {changes} changes not written, none of which was \
             reported as kept",
            after.as_secs()
        )
    }
}

impl std::error::Error for Unwritten {}

/// The thread that writes. It stops when this is dropped.
pub struct Writer {
    queue: Queue,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
    is_stopped: bool,
}

impl Writer {
    /// Starts the thread. It calls `on_event`, which must not wait for a shard.
    pub fn start(folder: Folder, on_event: impl FnMut(Event) + Send + 'static) -> io::Result<Self> {
        Self::start_prepared(folder, || {}, on_event)
    }

    /// The same, with a thread that calls `prepare` first, such as to choose its priority.
    pub fn start_prepared(
        folder: Folder,
        prepare: impl FnOnce() + Send + 'static,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE_BATCHES);
        let (end, ended) = channel();
        let (shared, counters) = (Arc::<Shared>::default(), folder.counters());
        let queue = Queue { sender, shared: Arc::clone(&shared), counters };
        let worker = Worker::new(folder, receiver, shared, Box::new(on_event));
        thread::Builder::new().name("durable".to_owned()).spawn(move || {
            prepare();
            worker.run();
            drop(end);
        })?;
        Ok(Self { queue, ended, is_stopped: false })
    }

    /// Where batches are handed over, for as many threads as there are.
    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }

    /// Writes what the queue holds, forces it to the disk except under
    /// [`SyncPolicy::Off`](crate::SyncPolicy::Off), and releases the folder.
    ///
    /// # Errors
    /// When the disk hangs for [`STOP_MAX`]. The thread is left behind then, with the folder.
    pub fn stop(self) -> Result<(), Unwritten> {
        self.stop_within(STOP_MAX)
    }

    pub(crate) fn stop_within(mut self, most: Duration) -> Result<(), Unwritten> {
        self.end(most)
    }

    fn end(&mut self, most: Duration) -> Result<(), Unwritten> {
        self.is_stopped = true;
        self.queue.shared.is_stopping.store(true, Ordering::Relaxed);
        // Only to wake it: with a full queue it does not sleep, or the disk hangs.
        let _ = self.queue.sender.try_send(Message::Stop);
        match self.ended.recv_timeout(most) {
            Err(RecvTimeoutError::Timeout) => {
                let changes = self.queue.shared.untold_changes.load(Ordering::Relaxed);
                Err(Unwritten { changes, after: most })
            }
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_stopped {
            // A caller that drops it does not ask what became of the rest.
            let _ = self.end(STOP_MAX);
        }
    }
}

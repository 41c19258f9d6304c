//! The thread that writes, and the queue before it.

mod worker;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use crate::counters::{Counters, add};
use crate::folder::Folder;
use crate::limits::{BATCH_BYTES_MAX, QUEUE_BATCHES, QUEUE_BYTES};
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

/// Where batches are handed over. Pushing never waits.
#[derive(Clone)]
pub struct Queue {
    sender: SyncSender<Message>,
    bytes: Arc<AtomicUsize>,
    counters: Arc<Counters>,
}

impl Queue {
    /// Hands a batch over, unless the queue is full.
    pub fn try_push(&self, batch: Batch) -> Result<(), Refused> {
        let bytes: usize = batch.changes.iter().map(Change::bytes).sum();
        if bytes > BATCH_BYTES_MAX {
            return Err(Refused::TooLarge(batch));
        }
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
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
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(refused)
    }
}

/// The thread that writes. It stops when this is dropped.
pub struct Writer {
    queue: Queue,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It calls `on_event`, which must not wait for a shard.
    pub fn start(folder: Folder, on_event: impl FnMut(Event) + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE_BATCHES);
        let (bytes, counters) = (Arc::new(AtomicUsize::new(0)), folder.counters());
        let queue = Queue { sender, bytes: Arc::clone(&bytes), counters };
        let worker = Worker::new(folder, receiver, bytes, Box::new(on_event));
        let builder = thread::Builder::new().name("durable".to_owned());
        let thread = builder.spawn(move || worker.run())?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Where batches are handed over, for as many threads as there are.
    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }

    /// Writes what the queue holds, forces it to the disk except under
    /// [`SyncPolicy::Off`](crate::SyncPolicy::Off), and releases the folder.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // An error says that the thread has ended.
        let _ = self.queue.sender.send(Message::Stop);
        let _ = thread.join();
    }
}

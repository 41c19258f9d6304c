//! The disk of a node: how its shards' journals come to the folder's writer, and how they
//! are told what is kept.
//!
//! ```text
//! shard --batches--> queue --> writer (a thread of crate `durable`) --> folder
//!   ^                            |
//!   +------- a ring, a wake -----+
//! ```
//!
//! No shard waits for the disk. A shard has at most
//! [`JOURNAL_BATCHES_MAX`](crate::limits::JOURNAL_BATCHES_MAX) batches that are not kept; its
//! node refuses puts and STOREs when they hold as much as may wait.

mod data;
mod link;
mod pacing;
mod translate;

use std::fmt;
use std::io;
use std::sync::Arc;

use kad_durable::{Counters, Event, Writer};

pub use self::data::{Data, IdKeeper};
pub(super) use self::link::DiskLink;
use self::link::shard_of_tag;
use self::translate::FolderTime;
use super::clock::Clock;
use super::mailbox::Links;
use super::mailbox::shutdown::Shutdown;
use super::mailbox::wake::WakeHandle;
use super::sys;
use crate::handoff::{Producer, ring};
use crate::limits::JOURNAL_BATCHES_MAX;
use crate::node::{BatchNumber, Kept, ShardPosition};

const _: () = assert!(JOURNAL_BATCHES_MAX.is_power_of_two(), "a ring wraps around by a mask");

/// A batch of a shard's journal that is settled.
pub(super) type Settled = (BatchNumber, Kept);

/// The writer of a running node's folder.
pub(super) struct DiskWriter {
    writer: Writer,
    counters: Arc<Counters>,
    id_keeper: IdKeeper,
}

impl DiskWriter {
    /// Starts the writer of `data`, and gives each shard its end of the disk.
    ///
    /// # Errors
    /// When no thread is to be had.
    pub(super) fn start(
        data: Data,
        shards: &mut [Links],
        shutdown: &Shutdown,
        clock: Clock,
    ) -> io::Result<Self> {
        let (counters, id_keeper) = (data.counters(), data.id_keeper());
        let now = clock.now();
        let time = FolderTime::new(data.now_ms(), now);
        let (folder, mut values) = data.into_parts(ShardPosition::new(0, shards.len()), time);
        let mut tellers = Vec::with_capacity(shards.len());
        for (links, wake_handle) in shards.iter_mut().zip(shutdown.wake_handles()) {
            let (producer, consumer) = ring(JOURNAL_BATCHES_MAX);
            tellers.push(Teller { producer, wake_handle: wake_handle.clone() });
            links.inbox.kept = Some(consumer);
        }
        let prepare = || {
            if let Err(error) = sys::wait_for_turn() {
                tracing::debug!(%error, "the disk's thread is scheduled as any other");
            }
        };
        let writer =
            Writer::start_prepared(folder, prepare, move |event| tell(&mut tellers, &event))?;
        for (shard, links) in shards.iter_mut().enumerate() {
            let values = values.take(shard);
            links.disk = Some(DiskLink::new(shard, writer.queue(), time, values, now));
        }
        Ok(Self { writer, counters, id_keeper })
    }

    /// Ends when all is written, or the disk hangs.
    pub(super) fn stop(self) {
        if let Err(unwritten) = self.writer.stop() {
            tracing::error!("the disk hangs: {unwritten}");
        }
    }

    pub(super) fn id_keeper(&self) -> IdKeeper {
        self.id_keeper.clone()
    }

    /// What the folder counts.
    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl fmt::Debug for DiskWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskWriter").finish_non_exhaustive()
    }
}

/// How one shard is told what is settled.
struct Teller {
    producer: Producer<Settled>,
    wake_handle: WakeHandle,
}

/// Passes on what the writer tells. Runs on the writer's thread.
fn tell(tellers: &mut [Teller], event: &Event) {
    let (tag, kept) = match event {
        Event::Kept { tag, .. } => (*tag, Kept::OnDisk),
        Event::Failed { tag } => (*tag, Kept::InMemory),
        Event::Fault { .. } => return tracing::error!("the disk has failed: {event}"),
        Event::Growing { .. } | Event::Mended { missed: 1.. } => {
            return tracing::warn!("the disk: {event}");
        }
        Event::Mended { missed: 0 } => return tracing::info!("the disk: {event}"),
    };
    // Contacts are of no shard.
    let Some((shard, number)) = shard_of_tag(tag) else { return };
    let Teller { producer, wake_handle } = &mut tellers[shard];
    let told = producer.push((number, kept));
    debug_assert!(told.is_ok(), "a shard has no more batches under way than the ring holds");
    producer.publish();
    let _ = wake_handle.wake();
}

//! Every bound and period, by name.

use std::time::Duration;

/// Most contacts that are kept.
pub const CONTACTS_MAX: usize = 4096;

/// A segment that would exceed this is closed. Small, because two of them are the slack of
/// a folder that holds little; large, because each costs an fsync of the folder.
/// Unit tests use a small one, so that they have many.
pub const SEGMENT_BYTES: usize = if cfg!(test) { 2048 } else { 8 << 20 };

/// Most bytes that are read of one file: a segment holds a group of at most
/// [`GROUP_BYTES`] and one batch more, but never more than this.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// A group is written when the queue is empty or the group has this many bytes.
pub const GROUP_BYTES: usize = 1 << 20;

/// Largest batch, in bytes of records: with the group before it, it fits into a file.
pub const BATCH_BYTES_MAX: usize = 32 << 20;

/// Batches that wait for the writer.
pub const QUEUE_BATCHES: usize = if cfg!(test) { 8 } else { 4096 };

/// Bytes of the batches that wait for the writer.
pub const QUEUE_BYTES: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// Bytes of changes that are kept in memory until they are synced, or until the disk works
/// again. Values are shared with the node, so this costs little beside them.
pub const UNSYNCED_BYTES: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// Full segments that are open because they are not synced yet. Compaction removes a segment
/// only when all that came later is synced, so they are kept under
/// [`SyncPolicy::Off`](crate::SyncPolicy::Off) too.
pub const UNSYNCED_FILES: usize = 16;

/// The folder is compacted when it has this many times the bytes of what lives in it, and
/// the slack. A value of 100 bytes from an IPv6 source takes 159 bytes, and so 223 of disk
/// beside the slack. Less would copy more: at 5 in 7 bytes that live, 2.5 are copied for one
/// that is freed.
pub const BYTES_PER_LIVE: (u64, u64) = (7, 5);

/// Segments that a folder may have beyond that.
pub const SLACK_BYTES: u64 = 2 * SEGMENT_BYTES as u64;

/// Segments beyond those that are half full at least: each start begins one.
pub const SEGMENTS_SPARE: u64 = 16;

/// How much of a segment is copied between two groups at least.
pub const COMPACT_STEP_BYTES: usize = if cfg!(test) { 300 } else { 256 << 10 };

/// How many times as much as was written is looked at by compaction meanwhile, so that it
/// keeps up: where 5 in 7 bytes live, 3.5 are looked at for one that is written.
pub const COMPACT_RATE: usize = 5;

/// Between two fsyncs under [`SyncPolicy::EverySecond`](crate::SyncPolicy::EverySecond).
pub const SYNC_PERIOD: Duration = Duration::from_secs(1);

/// How often the time is written down. Where the wall clock is not to be believed after a
/// restart, so much of the time that the node was running may be forgotten.
pub const CLOCK_PERIOD: Duration = Duration::from_mins(1);

/// How long a writer that is stopped may take to write what it was given. A disk that hangs
/// must not keep a program from ending; what it has not taken by then was not acknowledged.
pub const STOP_MAX: Duration = Duration::from_secs(5);

/// Waits before the disk is tried again after a fault: each twice the one before.
pub const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest of these waits.
pub const RETRY_MAX: Duration = Duration::from_secs(10);

const _: () = assert!(
    SEGMENT_BYTES + GROUP_BYTES + BATCH_BYTES_MAX < FILE_BYTES_MAX,
    "every segment that is written can be read"
);
const _: () = assert!(cfg!(test) || BATCH_BYTES_MAX < QUEUE_BYTES, "a queue takes any batch");

//! What the writer counts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters of a folder that is open. The writer counts, every thread may read.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub(crate) $name: AtomicU64,)+
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// The counters now.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }

        impl Snapshot {
            /// Each counter with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }

            /// What each counts, in the same order. That of a gauge begins so.
            pub fn about() -> impl Iterator<Item = &'static str> {
                [$(concat!($($doc),+),)+].into_iter().map(str::trim)
            }
        }
    };
}

counters! {
    /// Batches that the operating system has, or the disk where that is waited for.
    batches_kept,
    /// Batches that were reported as failed.
    batches_failed,
    /// Batches that were refused because the queue was full.
    batches_refused,
    /// Changes of batches that failed and will not be tried again: too many waited.
    changes_missed,
    /// Groups that were written.
    groups_written,
    /// Bytes that were written, compaction included.
    bytes_written,
    /// Bytes of them that compaction copied.
    bytes_compacted,
    /// fsyncs that succeeded.
    syncs,
    /// Writes that failed or were cut short.
    write_faults,
    /// fsyncs that failed.
    sync_faults,
    /// Gauge: 1 while the disk does not take what it is given, 0 otherwise.
    not_durable,
    /// Gauge: segments in the folder.
    segments,
    /// Gauge: bytes of them.
    disk_bytes,
    /// Gauge: bytes of the records in them that live.
    live_bytes,
    /// Gauge: values that live, put here and held.
    values,
    /// Records that compaction found damaged.
    damaged,
    /// Gauge: the longest time that one group took, fsync included, in microseconds.
    stall_max_us,
}

pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

pub(crate) fn set(counter: &AtomicU64, value: u64) {
    counter.store(value, Ordering::Relaxed);
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            writeln!(f, "{name} {value}")?;
        }
        Ok(())
    }
}

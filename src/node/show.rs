//! The node's state as its user sees it.

use alloc::vec::Vec;

use super::command::{BucketView, ContactView};
use super::{Node, Stats};
use crate::time::Instant;

impl Node {
    /// The counters, and the gauges of this moment.
    pub fn stats(&self) -> Stats {
        let buckets = self.table.buckets().iter();
        Stats {
            contacts: self.table.entries().count() as u64,
            replacements: buckets.map(|bucket| bucket.replacements() as u64).sum(),
            values: self.store.len() as u64,
            value_bytes: self.store.bytes() as u64,
            values_published: self.published.len() as u64,
            lookups: self.tasks.len() as u64,
            rpcs: self.in_flight.len() as u64,
            ..self.stats.clone()
        }
    }

    /// The buckets that hold contacts, the farthest first.
    pub(super) fn view_buckets(&self, now: Instant) -> Vec<BucketView> {
        let buckets = self.table.buckets().iter().enumerate();
        buckets
            .filter(|(_, bucket)| !bucket.entries().is_empty())
            .map(|(index, bucket)| BucketView {
                index,
                contacts: bucket
                    .entries()
                    .iter()
                    .map(|entry| ContactView {
                        contact: entry.contact,
                        seen_ago: now.since(entry.seen),
                        round_trip: entry.round_trip.smoothed(),
                        failures: entry.failures,
                    })
                    .collect(),
                replacements: bucket.replacements(),
            })
            .collect()
    }
}

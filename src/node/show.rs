//! The node's state as its user sees it.

use alloc::vec::Vec;

use super::command::{BucketView, ContactView};
use super::leaving::Leaving;
use super::table::bucket::Bucket;
use super::{Node, Stats};
use crate::time::Instant;

impl Node {
    /// The counters, and the gauges of this moment, of this shard: of the routing
    /// table, the part that it owns.
    pub fn stats(&self) -> Stats {
        let owned = || self.owned_buckets().map(|(_, bucket)| bucket);
        Stats {
            contacts: owned().map(|bucket| bucket.entries().len() as u64).sum(),
            replacements: owned().map(|bucket| bucket.replacements() as u64).sum(),
            values: self.store.len() as u64,
            value_bytes: self.store.bytes() as u64,
            values_published: self.published.len() as u64,
            values_to_hand_over: self.leaving.as_ref().map_or(0, Leaving::left_to_do) as u64,
            lookups: self.tasks.len() as u64,
            rpcs: self.in_flight.len() as u64,
            ..self.stats.clone()
        }
    }

    /// This shard's buckets that hold contacts, the farthest first.
    pub(super) fn view_buckets(&self, now: Instant) -> Vec<BucketView> {
        self.owned_buckets()
            .filter(|(_, bucket)| !bucket.entries().is_empty())
            .map(|(index, bucket)| BucketView {
                index,
                contacts: bucket
                    .entries()
                    .iter()
                    .map(|entry| ContactView {
                        contact: entry.contact(),
                        seen_ago: now.since(entry.seen()),
                        round_trip: entry.round_trip.smoothed(),
                        failures: entry.failures,
                    })
                    .collect(),
                replacements: bucket.replacements(),
            })
            .collect()
    }

    /// The buckets that this shard owns.
    pub(super) fn owned_buckets(&self) -> impl Iterator<Item = (usize, &Bucket)> {
        self.table.buckets().iter().enumerate().filter(|&(index, _)| self.owns_bucket(index))
    }

    /// Whether this shard owns bucket `index`.
    pub(super) fn owns_bucket(&self, index: usize) -> bool {
        let place = self.config.position;
        place.of_bucket(index) == place.index()
    }
}

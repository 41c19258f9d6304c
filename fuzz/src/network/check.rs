//! What holds of a node at any moment.

use std::collections::BTreeSet;

use kad_node::limits::{
    FETCH_BYTES_MAX, FETCHES_MAX, IN_FLIGHT_MAX, JOURNAL_CHANGES_MAX, K_MAX, QUERIES_MAX,
    REPLACEMENTS_MAX, UPLOADS_MAX,
};
use kad_node::node::{Command, OperationId, id_fits};
use kad_node::wire::Contact;

use super::World;

impl World {
    /// Each of the limits holds, on each shard.
    pub(super) fn check_bounds(&self) {
        let count = self.shards.len();
        for shard in &self.shards {
            let stats = shard.stats();
            for (what, measured, most) in [
                ("requests in flight", stats.rpcs, IN_FLIGHT_MAX),
                ("lookups", stats.lookups, QUERIES_MAX),
                ("values", stats.values, self.config.store_values_max / count),
                ("bytes of values", stats.value_bytes, self.config.store_bytes_max / count),
                ("pulls", stats.transfers, FETCHES_MAX),
                ("bytes of pulls", stats.transfer_bytes, FETCH_BYTES_MAX),
                ("uploads", stats.uploads, UPLOADS_MAX),
                ("changes", stats.changes_waiting, JOURNAL_CHANGES_MAX + QUERIES_MAX),
                ("outbox refusals", stats.outbox_full, 0),
            ] {
                assert!(measured <= most as u64, "{measured} {what}, at most {most}");
            }
        }
    }

    /// The routing table is one: each contact is in its bucket, once, and each shard would
    /// hand the same to others.
    pub(super) fn check_tables(&mut self) {
        self.buckets.clear();
        self.order(Command::Peers { operation: OperationId(0) });
        let mut ids = BTreeSet::new();
        for bucket in &self.buckets {
            assert!(bucket.contacts.len() <= self.config.k, "{bucket:?}");
            assert!(bucket.replacements <= REPLACEMENTS_MAX, "{bucket:?}");
            for view in &bucket.contacts {
                let id = view.contact.id;
                assert_eq!((id ^ self.config.id).shared_prefix_bits(), bucket.index, "{view:?}");
                assert!(ids.insert(id), "twice: {view:?}");
                assert!(kad_node::wire::is_reachable(view.contact.addr), "{view:?}");
            }
        }
        for key in &self.keys {
            let closest = |shard: &kad_node::node::Node| {
                let closest = shard.closest(*key, K_MAX);
                // Those whose ids do not fit their addresses come after all others.
                let place = |contact: &Contact| {
                    (!id_fits(contact.id, contact.addr.ip()), contact.id ^ *key)
                };
                assert!(closest.is_sorted_by_key(place), "{closest:?}");
                closest
            };
            let first = closest(&self.shards[0]);
            for shard in &self.shards[1..] {
                assert_eq!(closest(shard), first, "the shards agree once nothing is under way");
            }
        }
    }
}

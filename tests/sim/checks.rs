//! Checks of limits and costs.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{
    ASKED_MAX, CANDIDATES_MAX, IN_FLIGHT_MAX, K_MAX, LOOKUPS_MAX, MAINTENANCE_LOOKUPS_MAX,
    MAINTENANCE_PACE, REPLACEMENTS_MAX, SENDS_LOOKUP, SENDS_STORE,
};

use crate::shards::Shards;
use crate::world::World;

/// Requests of one lookup where nobody lies: twice K nodes are asked, and K are
/// sent a STORE, each as often as may be.
const HONEST_REQUESTS_MAX: u64 =
    2 * K_MAX as u64 * SENDS_LOOKUP as u64 + K_MAX as u64 * SENDS_STORE as u64;

/// Lookups that the user has in progress at one node in any second: no script asks
/// for more.
const USER_LOOKUPS_MAX: u64 = 8;

/// Requests that one node may send in any second: those of the lookups that
/// maintenance begins in it, and of all that are in progress.
const REQUESTS_PER_SECOND_MAX: u64 = HONEST_REQUESTS_MAX
    * (1000 / MAINTENANCE_PACE.as_millis() as u64
        + MAINTENANCE_LOOKUPS_MAX as u64
        + USER_LOOKUPS_MAX);

/// Heap bytes that one value costs beside itself: its places in the indexes.
const VALUE_OVERHEAD_BYTES_MAX: isize = 1024;

/// Buckets that hold anybody, of a network of a million nodes and some luck.
const BUCKETS_MAX: usize = 32;
/// What the routing table allocates for a contact, and a lookup for a candidate.
const CONTACT_BYTES: usize = 64;
const CANDIDATE_BYTES: usize = 128;

/// Heap bytes of a node beside its values: full buckets, and as many lookups as
/// may be in progress, each of which has heard of as many nodes as it may.
const NODE_BYTES_MAX: usize = BUCKETS_MAX * (K_MAX + REPLACEMENTS_MAX) * CONTACT_BYTES
    + (MAINTENANCE_LOOKUPS_MAX + USER_LOOKUPS_MAX as usize)
        * (CANDIDATES_MAX + ASKED_MAX)
        * CANDIDATE_BYTES;

impl World {
    /// Looks at how much one random node has in progress.
    pub(crate) fn note_peaks(&mut self) {
        let peer = self.any_honest();
        let Some(node) = self.peers[peer.as_usize()].node() else { return };
        let stats = node.stats();
        self.rpcs_peak = self.rpcs_peak.max(stats.rpcs);
        self.lookups_peak = self.lookups_peak.max(stats.lookups);
    }

    /// What holds at every moment: looked at after each step.
    pub(crate) fn check_limits(&mut self) {
        let mut found = Vec::new();
        for (index, peer) in self.peers.iter().enumerate() {
            let Some(node) = peer.node() else { continue };
            let stats = node.stats();
            self.rpcs_peak = self.rpcs_peak.max(stats.rpcs);
            self.lookups_peak = self.lookups_peak.max(stats.lookups);
            let config = self.config(peer.id, [0; 32]);
            let shards = node.nodes().len() as u64;
            let held = stats.values + stats.values_published;
            let values_bytes =
                VALUE_OVERHEAD_BYTES_MAX * held as isize + stats.value_bytes as isize;
            for (what, measured, most) in [
                (
                    "requests in one second",
                    peer.requests.peak.into(),
                    shards * REQUESTS_PER_SECOND_MAX,
                ),
                (
                    "replies",
                    stats.datagrams_sent.saturating_sub(stats.requests_sent),
                    stats.datagrams_received,
                ),
                ("RPCs in flight", stats.rpcs, shards * IN_FLIGHT_MAX as u64),
                ("lookups", stats.lookups, shards * LOOKUPS_MAX as u64),
                ("values", stats.values, config.store_values_max as u64),
                ("bytes of values", stats.value_bytes, config.store_bytes_max as u64),
                (
                    "bytes beside its values",
                    peer.heap_bytes.saturating_sub(values_bytes).max(0).unsigned_abs() as u64,
                    shards * NODE_BYTES_MAX as u64,
                ),
            ] {
                if measured > most {
                    found.push(format!("#{index}: {measured} {what}; at most {most}"));
                }
            }
        }
        for what in found {
            self.violate(what);
        }
    }

    pub(crate) fn check_acquainted(&mut self, least: u64) {
        for peer in self.honest.clone() {
            let Some(node) = self.peers[peer.as_usize()].node() else { continue };
            let contacts = node.stats().contacts;
            if contacts < least {
                self.violate(format!("{peer} knows {contacts} contacts"));
            }
        }
    }

    pub(crate) fn check_stores_full(&mut self) {
        let nodes = self.honest.iter().filter_map(|peer| self.peers[peer.as_usize()].node());
        let room = nodes.filter(|node| node.stats().values_evicted == 0).count();
        if room > 0 {
            self.violate(format!("{room} nodes have not had to evict anything"));
        }
    }

    pub(crate) fn check_nothing_held(&mut self) {
        for peer in self.honest.clone() {
            let Some(node) = self.peers[peer.as_usize()].node() else { continue };
            let values = node.stats().values;
            if values > 0 {
                self.violate(format!("{peer} still holds {values} values"));
            }
        }
    }

    /// Kademlia 2.3 lets a lookup halve the distance at each hop until it is
    /// among the K closest: log2(n / k) hops, and one to the value.
    pub(crate) fn check_hops(&mut self) {
        let Some(hops) = self.operations.tally.get_hops.summary() else { return };
        let nodes = self.honest.len() as f64;
        let k = self.config(Id::new([0; 20]), [0; 32]).k as f64;
        let expected = (nodes / k).max(1.0).log2() + 1.0;
        if hops.mean > expected || hops.max as f64 > 2.0 * expected + 1.0 {
            self.violate(format!("{hops} hops among {nodes} nodes; {expected:.1} are expected"));
        }
    }

    pub(crate) fn check_quiet(&mut self, period: Duration, datagrams_max: u64) {
        let before: Vec<_> = self.peers.iter().map(|peer| peer.node().map(Shards::stats)).collect();
        self.run_for(period);
        for (index, before) in before.into_iter().enumerate() {
            let now = self.peers[index].node().map(Shards::stats);
            let (Some(before), Some(now)) = (before, now) else { continue };
            let sent = now.datagrams_sent - before.datagrams_sent;
            if sent > datagrams_max {
                self.violate(format!("#{index} sent {sent} datagrams in a quiet {period:?}"));
            }
        }
    }
}

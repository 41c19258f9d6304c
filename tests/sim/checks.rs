//! Checks of limits and costs.

use std::time::Duration;

use kad_node::limits::{
    DEPART_QUERIES_MAX, FETCH_BYTES_MAX, K_MAX, MAINTENANCE_PACE, MAINTENANCE_QUERIES_MAX,
    ROUND_PACE, ROUND_REQUESTS_MAX, SENDS_HURRIED, STALE_CHECKS_MAX,
};
use kad_node::node::Load;

use crate::malice::{Malice, SIGNS};
use crate::peers::PeerIndex;
use crate::shards::Shards;
use crate::violation::Wrong;
use crate::world::World;

/// Requests of a lookup, which asks some K and a half and stores on K.
const LOOKUP_REQUESTS_MAX: u64 = 5 * K_MAX as u64 / 2;

/// Requests that a node of one shard may send in any second: those of the lookups that
/// maintenance begins in it, and RENEWs at their pace. Of several shards each keeps that pace,
/// but they share what there is to do: twice as many are allowed.
const REQUESTS_PER_SECOND_MAX: u64 = 1000 / MAINTENANCE_PACE.as_millis() as u64
    * LOOKUP_REQUESTS_MAX
    + 1000 / ROUND_PACE.as_millis() as u64;

/// The same for each value of a node that leaves, which is not paced: among quick peers it may
/// hand off all that it has within a second, and where half of them are cut off it sends each
/// request again.
const REQUESTS_PER_HAND_OFF_MAX: u64 = LOOKUP_REQUESTS_MAX * SENDS_HURRIED as u64;

/// Heap bytes of a lookup in progress: room for 128 candidates of 120 bytes, and a mark of 16
/// for each.
const LOOKUP_BYTES_MAX: isize = 128 * (120 + 16);

/// RPCs in flight at one node that are no part of a lookup in progress.
const PINGS_MAX: u64 = STALE_CHECKS_MAX as u64;

/// Heap bytes that one value costs beside itself: its places in the indexes.
const VALUE_OVERHEAD_BYTES_MAX: isize = 1024;

/// Heap bytes of each shard of a node beside its values: a routing table, and the lookups in
/// progress that maintenance may start.
const SHARD_BYTES_MAX: isize = (32 << 10) + MAINTENANCE_QUERIES_MAX as isize * LOOKUP_BYTES_MAX;

/// Heap bytes of a node for what is not counted one by one: requests in flight, rounds of
/// renewals, estimates of paths.
const NODE_BYTES_MAX: isize = 2 * SHARD_BYTES_MAX;

/// The most of each thing that any node of a world had at any moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peaks {
    pub(crate) requests_per_second: u64,
    pub(crate) rpcs: u64,
    pub(crate) lookups: u64,
    pub(crate) heap_bytes: isize,
}

impl World {
    /// After each turn of `peer`, in which it has sent so many requests: whether it
    /// is within its limits. How many values it has is looked at when the window of a node that
    /// runs ahead is over: a value more or less is far below what is allowed beside them.
    pub(crate) fn watch(&mut self, peer: PeerIndex, requests: usize, load: Option<Load>) {
        let slot = &mut self.peers[peer.as_usize()];
        let rate = slot.requests.add(self.now, requests);
        let (heap_bytes, allowed, shards) = (slot.heap_bytes, slot.heap_bytes_allowed, slot.shards);
        let is_here = slot.node().is_some();
        let mut rate_max = REQUESTS_PER_SECOND_MAX * shards.min(2) as u64;
        if let Some(departing) = slot.departing {
            let at_once = (DEPART_QUERIES_MAX * shards) as u64;
            rate_max += REQUESTS_PER_HAND_OFF_MAX * departing.values.max(at_once);
        }
        let late = slot.requests.of_late();
        self.peaks.requests_per_second = self.peaks.requests_per_second.max(rate);
        self.peaks.heap_bytes = self.peaks.heap_bytes.max(heap_bytes);
        if rate > rate_max {
            self.exceed(peer, "requests in one second", rate, rate_max);
        }
        if heap_bytes > allowed {
            self.heavy.push((peer, heap_bytes));
            if is_here {
                self.check_heavy();
            }
        }
        if let Some(load) = load {
            self.check_in_progress(peer, load, late);
        }
    }

    /// Whether a node that has sent so many requests of late is within its limits. A lookup ends
    /// without its late candidates, whose requests stay in flight until their next time-out: where
    /// half of the network is cut off, those of a quick lookup are more than K.
    fn check_in_progress(&mut self, peer: PeerIndex, load: Load, late: u64) {
        let slot = &self.peers[peer.as_usize()];
        self.peaks.rpcs = self.peaks.rpcs.max(load.rpcs);
        self.peaks.lookups = self.peaks.lookups.max(load.lookups);
        // Those of its user, those of maintenance, and the one by which it joins.
        let maintenance = (slot.shards * MAINTENANCE_QUERIES_MAX) as u64;
        let mut lookups_max = slot.operations + maintenance + 1;
        let renewing = (slot.shards * ROUND_REQUESTS_MAX) as u64;
        let rpcs_max = load.lookups * K_MAX as u64 + PINGS_MAX + renewing + late;
        if slot.departing.is_some() {
            lookups_max += (slot.shards * DEPART_QUERIES_MAX) as u64;
        }
        for (what, measured, most) in
            [("lookups", load.lookups, lookups_max), ("RPCs in flight", load.rpcs, rpcs_max)]
        {
            if measured > most {
                self.exceed(peer, what, measured, most);
            }
        }
    }

    /// Looks anew how much nodes may hold that have held more than they might.
    pub(crate) fn check_heavy(&mut self) {
        while let Some((peer, heap_bytes)) = self.heavy.pop() {
            self.check_heap(peer, heap_bytes);
        }
    }

    /// Looks anew how many values a node has, and so whether it may hold so many bytes.
    fn check_heap(&mut self, peer: PeerIndex, heap_bytes: isize) {
        let slot = &mut self.peers[peer.as_usize()];
        let Some(node) = slot.node() else { return };
        let stats = node.stats();
        let held = (stats.values + stats.values_published) as isize;
        // A value that is pulled is there as a whole, and a byte for each piece beside it.
        let pulled = stats.transfer_bytes as isize + (stats.transfer_bytes >> 8) as isize;
        let pulled = pulled + slot.put_bytes;
        let values = VALUE_OVERHEAD_BYTES_MAX * held + stats.value_bytes as isize + pulled;
        let shards = node.nodes().len() as isize;
        // What the user asks for is up to the user.
        let asked = slot.operations as isize * LOOKUP_BYTES_MAX;
        let mut allowed = values + asked + NODE_BYTES_MAX + SHARD_BYTES_MAX * shards;
        if slot.departing.is_some() {
            allowed += shards * DEPART_QUERIES_MAX as isize * LOOKUP_BYTES_MAX;
        }
        slot.heap_bytes_allowed = allowed;
        if heap_bytes > allowed {
            let (held, most) = (heap_bytes.unsigned_abs() as u64, allowed.unsigned_abs() as u64);
            self.exceed(peer, "heap bytes", held, most);
        }
    }

    /// A node's books, before it stops and after each step: what they say of a whole
    /// life.
    pub(crate) fn check_books(&mut self, peer: PeerIndex) {
        let slot = &self.peers[peer.as_usize()];
        let Some(node) = slot.node() else { return };
        let (stats, heap_bytes) = (node.stats(), slot.heap_bytes);
        let config = self.config(slot.id, [0; 32]);
        // A range is answered by many pieces.
        let pieces = stats.pieces_sent.saturating_sub(stats.find_ranges_hit);
        // A STORE that was answered by PENDING is answered again.
        let again = stats.stores_pending;
        let asked = stats.requests_sent + stats.ranges_asked;
        let others = asked + stats.proofs_sent + pieces + again;
        let replies = stats.datagrams_sent.saturating_sub(others);
        for (what, measured, most) in [
            ("replies", replies, stats.datagrams_received),
            ("values", stats.values, config.store_values_max as u64),
            ("bytes of values", stats.value_bytes, config.store_bytes_max as u64),
            ("bytes pulled", stats.transfer_bytes, FETCH_BYTES_MAX as u64),
        ] {
            if measured > most {
                self.exceed(peer, what, measured, most);
            }
        }
        self.check_heap(peer, heap_bytes);
    }

    /// Says that a node exceeds a limit, once in each of its lives.
    fn exceed(&mut self, peer: PeerIndex, what: &str, measured: u64, most: u64) {
        let slot = &mut self.peers[peer.as_usize()];
        if !slot.is_over {
            slot.is_over = true;
            self.violate(Wrong::Limit, format!("{peer}: {measured} {what}; at most {most}"));
        }
    }

    /// What holds at every moment: looked at after each step.
    pub(crate) fn check_after_step(&mut self) {
        for peer in self.honest.clone() {
            self.check_books(peer);
        }
        let overflowed = self.network.tally().overflowed;
        if overflowed > 0 && !self.network.was_narrow() {
            let what = format!("{overflowed} datagrams found no room in a network without limits");
            self.violate(Wrong::Overflow, what);
        }
        if self.is_spent() {
            let sent = self.network.tally().sent;
            self.violate(Wrong::Budget, format!("{sent} datagrams are more than a run may send"));
        }
    }

    pub(crate) fn check_overflowed(&mut self) {
        if self.network.tally().overflowed == 0 {
            self.violate(Wrong::Overflow, "nothing found the network full".to_owned());
        }
    }

    /// Whether nodes have noticed the lies that were told, and no others.
    pub(crate) fn check_noticed(&mut self, malice: Malice) {
        let nodes = self.honest.iter().filter_map(|peer| self.peers[peer.as_usize()].node());
        let counts: Vec<_> =
            nodes.flat_map(|node| node.stats().iter().collect::<Vec<_>>()).collect();
        for sign in SIGNS {
            let of_sign = counts.iter().filter(|(name, _)| *name == sign);
            let count: u64 = of_sign.map(|(_, count)| count).sum();
            if malice.signs().contains(&sign) != (count > 0) {
                self.violate(Wrong::Lies, format!("{malice:?}, but {sign} is {count}"));
            }
        }
    }

    pub(crate) fn check_acquainted(&mut self, least: u64) {
        for peer in self.honest.clone() {
            let Some(node) = self.peers[peer.as_usize()].node() else { continue };
            let contacts = node.stats().contacts;
            if contacts < least {
                self.violate(Wrong::Unacquainted, format!("{peer} knows {contacts} contacts"));
            }
        }
    }

    pub(crate) fn check_stores_full(&mut self) {
        let nodes = self.honest.iter().filter_map(|peer| self.peers[peer.as_usize()].node());
        let room = nodes.filter(|node| node.stats().values_evicted == 0).count();
        if room > 0 {
            let what = format!("{room} nodes have not had to evict anything");
            self.violate(Wrong::StoreNotFull, what);
        }
    }

    pub(crate) fn check_nothing_held(&mut self) {
        for peer in self.honest.clone() {
            let Some(node) = self.peers[peer.as_usize()].node() else { continue };
            let values = node.stats().values;
            if values > 0 {
                self.violate(Wrong::StillHeld, format!("{peer} still holds {values} values"));
            }
        }
    }

    pub(crate) fn check_nothing_pulled(&mut self) {
        for peer in self.honest.clone() {
            let Some(node) = self.peers[peer.as_usize()].node() else { continue };
            let pulled = node.stats().transfers;
            if pulled > 0 {
                self.violate(Wrong::StillPulled, format!("{peer} still pulls {pulled} values"));
            }
        }
    }

    /// Of buckets of `k` contacts, the closest of `k` to a target is as much closer
    /// than they are far: log n / log k hops lead to the K closest. Half as many again
    /// are allowed, since the farthest of them counts and datagrams are lost. Puts are
    /// what is looked at: no cached or local copy ends their lookups early.
    pub(crate) fn check_hops(&mut self, k: usize) {
        let Some(hops) = self.operations.tally.put_hops.summary() else {
            return self.violate(Wrong::Hops, "no put has counted hops".to_owned());
        };
        let nodes = self.honest.len() as f64;
        let expected = 1.0 + (nodes / k as f64).max(1.0).ln() / (k as f64).ln();
        if hops.mean > 1.5 * expected || hops.max as f64 > 3.0 * expected {
            let what = format!("{hops} hops of puts among {nodes} nodes; expected {expected:.1}");
            self.violate(Wrong::Hops, what);
        }
    }

    pub(crate) fn check_gets_take(&mut self, most: Duration) {
        let longest = self.operations.tally.get_elapsed_us.summary().map(|summary| summary.max);
        self.check_takes("get", longest, most);
    }

    pub(crate) fn check_puts_take(&mut self, most: Duration) {
        let longest = self.operations.tally.put_elapsed_us.summary().map(|summary| summary.max);
        self.check_takes("put", longest, most);
    }

    fn check_takes(&mut self, what: &str, longest_us: Option<u64>, most: Duration) {
        let took = Duration::from_micros(longest_us.unwrap_or(u64::MAX));
        if took > most {
            self.violate(Wrong::Slow, format!("a {what} took {took:?}; at most {most:?}"));
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
                let what = format!("#{index} sent {sent} datagrams in a quiet {period:?}");
                self.violate(Wrong::NotQuiet, what);
            }
        }
    }
}

//! The other shards of the node, as one shard hands messages to them.
//!
//! What a turn has for a peer goes into its ring, and is published at the end of
//! the turn, and before that whenever half of the ring is filled with what the
//! peer does not see yet; each time it wakes the peer, which costs a system call
//! if it waits. A turn may have more for a peer than its ring holds: so the peer
//! takes from one half while the other fills.
//!
//! When the ring is full, a droppable message is dropped, as a network would, and
//! counted; a binding one waits here, where a later one of its slot takes its
//! place, so that at most [`HANDOFF_SLOTS`] wait for a peer however long that is
//! stuck. Nobody tells when room appears: the shard tries again every turn, and
//! takes a turn every [`RETRY`] while something waits.

use std::collections::VecDeque;
use std::time::Duration;

use super::bell::Alarm;
use super::stats::DriverStats;
use crate::handoff::{Producer, Wake};
use crate::limits::{OUTBOX_HANDOFFS_MAX, SHARDS_MAX};
use crate::node::{HANDOFF_SLOTS, Handoff, ShardIndex, Weight};

/// Handoffs that wait for one shard at most, in the rings of all others together.
/// A message is some 200 bytes, so a shard's rings take less than a megabyte.
pub(super) const HANDOFFS_MAX: usize = 4096;
/// Longest wait of a shard that has a message for a peer whose ring is full.
pub(super) const RETRY: Duration = Duration::from_millis(1);

/// Handoffs that wait between one shard and another at most, of `shards`. A turn may
/// take more datagrams in, as many for one peer: hundreds of messages, which may be
/// trains. A peer that runs makes room meanwhile.
pub(super) const fn ring_capacity(shards: usize) -> usize {
    HANDOFFS_MAX / shards.next_power_of_two()
}

const _: () = assert!(ring_capacity(SHARDS_MAX).is_power_of_two());
const _: () = assert!(ring_capacity(SHARDS_MAX) >= 64);
const _: () = assert!(
    OUTBOX_HANDOFFS_MAX <= ring_capacity(SHARDS_MAX),
    "what an outbox holds before it is low fits into an empty ring, whosever it is"
);
const _: () = assert!(size_of::<Handoff>() * HANDOFFS_MAX <= 1 << 20);

/// The sending ends of a shard's rings.
pub(super) struct Peers {
    /// By the shard's number; none at this shard's own.
    peers: Vec<Option<Peer>>,
}

impl Peers {
    pub(super) fn new(peers: Vec<Option<Peer>>) -> Self {
        Self { peers }
    }

    /// Puts a message into the peer's next batch.
    pub(super) fn hand_over(
        &mut self,
        shard: ShardIndex,
        handoff: Handoff,
        stats: &mut DriverStats,
    ) {
        let peer = self.peers[shard.as_usize()].as_mut();
        peer.expect("a shard hands nothing to itself").push(handoff, stats);
    }

    /// Shows each peer what this turn has for it, and wakes it if need be.
    pub(super) fn publish(&mut self, stats: &mut DriverStats) {
        for peer in self.peers.iter_mut().flatten() {
            peer.publish(stats);
        }
    }

    /// How long the shard may wait at most.
    pub(super) fn retry(&self) -> Option<Duration> {
        let waits = |peer: &Peer| !peer.backlog.is_empty();
        self.peers.iter().flatten().any(waits).then_some(RETRY)
    }
}

/// One other shard.
pub(super) struct Peer {
    ring: Producer<Handoff>,
    alarm: Alarm,
    backlog: Backlog,
}

/// Binding messages that found the ring full, in the order in which they were
/// made, at most one of a slot.
type Backlog = VecDeque<(u8, Handoff)>;

impl Peer {
    pub(super) fn new(ring: Producer<Handoff>, alarm: Alarm) -> Self {
        Self { ring, alarm, backlog: Backlog::new() }
    }

    fn push(&mut self, handoff: Handoff, stats: &mut DriverStats) {
        // What waits goes first, and nothing overtakes it.
        self.catch_up(stats);
        let refused =
            if self.backlog.is_empty() { self.fill(handoff, stats) } else { Some(handoff) };
        let Some(handoff) = refused else {
            return;
        };
        match handoff.weight() {
            Weight::Droppable => stats.handoffs_dropped += 1,
            Weight::Binding { slot } => {
                stats.handoffs_waited += 1;
                self.backlog.retain(|(earlier, _)| *earlier != slot);
                self.backlog.push_back((slot, handoff));
                debug_assert!(self.backlog.len() <= HANDOFF_SLOTS);
            }
        }
    }

    /// Moves what waits into the ring, as far as there is room.
    fn catch_up(&mut self, stats: &mut DriverStats) {
        while let Some((slot, handoff)) = self.backlog.pop_front() {
            if let Some(handoff) = self.fill(handoff, stats) {
                return self.backlog.push_front((slot, handoff));
            }
        }
    }

    /// Puts a message into the ring; gives it back when that is full. Half a ring
    /// of what the peer has not seen is shown to it at once.
    fn fill(&mut self, handoff: Handoff, stats: &mut DriverStats) -> Option<Handoff> {
        if let Err(handoff) = self.ring.push(handoff) {
            return Some(handoff);
        }
        stats.handoffs_sent += 1;
        if self.ring.batch() >= self.ring.capacity() / 2 {
            self.show(stats);
        }
        None
    }

    fn publish(&mut self, stats: &mut DriverStats) {
        self.catch_up(stats);
        self.show(stats);
    }

    /// Publishes what has been pushed, and wakes the peer if need be.
    fn show(&mut self, stats: &mut DriverStats) {
        if self.ring.publish() > 0 && self.alarm.raise() == Wake::Needed {
            stats.wakes_sent += 1;
        }
    }
}

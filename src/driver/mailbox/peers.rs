//! The other shards of the node, as one shard hands messages to them.
//!
//! What a turn has for a peer goes into its ring, and is published at the end of
//! the turn, and before that whenever half of the ring is filled with what the
//! peer does not see yet; each time it wakes the peer, which costs a system call
//! if it waits. A turn may have more for a peer than its ring holds: so the peer
//! takes from one half while the other fills.
//!
//! A message that finds the ring full goes to the peer's [`Backlog`], which drops it or
//! lets it wait. Nothing tells when room appears: the shard tries again every turn, and
//! takes a turn every [`RETRY`] while something waits.

use std::time::Duration;

use super::wake::WakeHandle;
use crate::driver::stats::DriverStats;
use crate::handoff::{Producer, Wake};
use crate::limits::{OUTBOX_HANDOFFS_MAX, SHARDS_MAX};
use crate::node::{Backlog, Handoff, Outcome, ShardIndex};

/// Handoffs that wait for one shard at most, in the rings of all others together.
/// A message is some 200 bytes, so a shard's rings take less than a megabyte.
pub(in crate::driver) const HANDOFFS_MAX: usize = 4096;
/// Longest wait of a shard that has a message for a peer whose ring is full.
pub(in crate::driver) const RETRY: Duration = Duration::from_millis(1);

/// Handoffs that wait between one shard and another at most, of `shards`. A turn may
/// take more datagrams in, as many for one peer: hundreds of messages, which may be
/// of many segments. A peer that runs makes room meanwhile.
pub(in crate::driver) const fn ring_capacity(shards: usize) -> usize {
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
pub(in crate::driver) struct Peers {
    /// By the shard's number; none at this shard's own.
    peers: Vec<Option<Peer>>,
    /// Bit by bit, the peers for which something is not published: a turn without messages
    /// looks at none.
    unpublished: u64,
}

const _: () = assert!(SHARDS_MAX <= u64::BITS as usize, "each shard has a bit");

impl Peers {
    pub(in crate::driver) fn new(peers: Vec<Option<Peer>>) -> Self {
        Self { peers, unpublished: 0 }
    }

    /// Puts a message into the peer's next batch.
    pub(in crate::driver) fn pass(
        &mut self,
        shard: ShardIndex,
        handoff: Handoff,
        stats: &mut DriverStats,
    ) {
        let peer = self.peers[shard.as_usize()].as_mut();
        peer.expect("a shard hands nothing to itself").push(handoff, stats);
        self.unpublished |= 1 << shard.as_usize();
    }

    /// Shows each peer what this turn has for it, and wakes it if need be.
    pub(in crate::driver) fn publish(&mut self, stats: &mut DriverStats) {
        let mut left = self.unpublished;
        while left != 0 {
            let shard = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(peer) = &mut self.peers[shard]
                && peer.publish(stats)
            {
                self.unpublished &= !(1 << shard);
            }
        }
    }

    /// How long the shard may wait at most, once it has published.
    pub(in crate::driver) fn retry(&self) -> Option<Duration> {
        (self.unpublished != 0).then_some(RETRY)
    }
}

/// One other shard.
pub(in crate::driver) struct Peer {
    ring: Producer<Handoff>,
    wake_handle: WakeHandle,
    backlog: Backlog<Handoff>,
}

impl Peer {
    pub(in crate::driver) fn new(ring: Producer<Handoff>, wake_handle: WakeHandle) -> Self {
        Self { ring, wake_handle, backlog: Backlog::default() }
    }

    fn push(&mut self, handoff: Handoff, stats: &mut DriverStats) {
        let Self { ring, wake_handle, backlog } = self;
        let fill_ring = |handoff| fill(ring, wake_handle, handoff, stats);
        match backlog.push(handoff.weight(), handoff, fill_ring) {
            Outcome::Sent => {}
            Outcome::Waits => stats.handoffs_waited += 1,
            Outcome::Dropped => stats.handoffs_dropped += 1,
        }
    }

    /// Shows the peer what there is room for; whether that is all.
    fn publish(&mut self, stats: &mut DriverStats) -> bool {
        let Self { ring, wake_handle, backlog } = self;
        backlog.drain(|handoff| fill(ring, wake_handle, handoff, stats));
        publish(ring, wake_handle, stats);
        backlog.is_empty()
    }
}

/// Puts a message into the ring; returns it when the ring is full. Half a ring that the
/// peer has not seen is shown to it at once.
fn fill(
    ring: &mut Producer<Handoff>,
    wake_handle: &WakeHandle,
    handoff: Handoff,
    stats: &mut DriverStats,
) -> Result<(), Handoff> {
    let bytes = handoff.bytes();
    ring.push(handoff)?;
    stats.handoffs_sent += 1;
    stats.handoff_bytes += bytes as u64;
    if ring.batch() >= ring.capacity() / 2 {
        publish(ring, wake_handle, stats);
    }
    Ok(())
}

/// Publishes what has been pushed, and wakes the peer if it waits.
fn publish(ring: &mut Producer<Handoff>, wake_handle: &WakeHandle, stats: &mut DriverStats) {
    if ring.publish() > 0 && wake_handle.wake() == Wake::Needed {
        stats.wakes_sent += 1;
    }
}

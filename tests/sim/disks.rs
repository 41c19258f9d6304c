//! A peer's disk: what its node has asked to keep, which survives the node's crash.

use std::collections::VecDeque;
use std::time::Duration;

use kad_node::node::{
    BatchNumber, Change, HeldValue, JournalBatch, Kept, Outbox, PublishedValue, ShardPosition,
};
use kad_node::rng::Rng;
use kad_node::time::Instant;

use crate::disk::Content;
use crate::peers::{Being, PeerIndex};
use crate::ratio::Ratio;
use crate::shards::Shards;
use crate::violation::Wrong;
use crate::world::World;

/// A disk, a slow one, has kept a batch within this time.
const KEEP_MAX: Duration = Duration::from_millis(200);

/// The first of ten puts has ended within this time.
const PUT_MAX: Duration = Duration::from_mins(1);

/// A batch on its way to the disk.
struct Writing {
    done: Instant,
    shard: usize,
    batch: JournalBatch,
}

/// The disk of a peer whose node keeps its values.
#[derive(Default)]
pub(crate) struct Disk {
    /// Its times are the world's.
    content: Content,
    /// A copy that was made a while ago.
    backup: Content,
    writing: VecDeque<Writing>,
}

/// In which state nodes find their disks when they come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disks {
    /// Disks that are empty.
    pub(crate) empty: Ratio,
    /// Of the others, those that are as they were at the last backup.
    pub(crate) old: Ratio,
}

impl Disks {
    pub(crate) const ALL_KEPT: Self = Self { empty: Ratio::NEVER, old: Ratio::NEVER };
}

impl Disk {
    /// When the next batch is kept.
    pub(crate) fn next_kept(&self) -> Option<Instant> {
        self.writing.front().map(|writing| writing.done)
    }

    /// A batch of shard number `shard`, whose times are of a clock that began at `born`.
    fn write(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        shard: usize,
        batch: &JournalBatch,
        born: Instant,
    ) {
        let delay = Duration::from_micros(rng.below(KEEP_MAX.as_micros() as u64));
        let before = self.writing.back().map_or(now, |writing| writing.done);
        let changes = batch.changes.iter().map(|change| in_world(change, born)).collect();
        let batch = JournalBatch { number: batch.number, changes };
        self.writing.push_back(Writing { done: before.max(now + delay), shard, batch });
    }

    /// The next batch that is kept at `now`: it is on the disk then.
    fn take_kept(&mut self, now: Instant) -> Option<(usize, BatchNumber)> {
        let Writing { shard, batch, .. } =
            self.writing.pop_front_if(|writing| writing.done <= now)?;
        for change in batch.changes {
            self.content.apply(change);
        }
        Some((shard, batch.number))
    }

    /// The node has crashed: what was on its way is lost.
    fn crash(&mut self) {
        self.writing.clear();
    }
}

/// A copy of a change, with the world's times.
fn in_world(change: &Change, born: Instant) -> Change {
    let at = |own: Instant| born + own.since(Instant::ZERO);
    match change.clone() {
        Change::Held(held) => {
            let (value, expires) = (held.value[..].into(), at(held.expires));
            Change::Held(HeldValue { value, expires, ..held })
        }
        Change::Renewed { key, expires, purpose } => {
            Change::Renewed { key, expires: at(expires), purpose }
        }
        Change::Published(published) => {
            let (value, republish) = (published.value[..].into(), at(published.republish));
            Change::Published(PublishedValue { value, republish, ..published })
        }
        Change::Rescheduled { key, republish, is_held } => {
            Change::Rescheduled { key, republish: at(republish), is_held }
        }
        change @ (Change::Dropped { .. } | Change::Forgotten { .. }) => change,
    }
}

impl Shards {
    /// Takes what lies on a disk, when its own clock shows 0 and the world's `now`.
    fn restore(&mut self, content: &Content, now: Instant) {
        let own = |at: Instant| Instant::ZERO + at.since(now);
        let position = ShardPosition::new(0, self.nodes().len());
        for held in content.held.values().filter(|held| held.expires > now) {
            let shard = position.of_key(held.key).as_usize();
            let held = HeldValue { expires: own(held.expires), ..held.clone() };
            assert!(self.nodes_mut()[shard].restore_held(held), "there was room before");
        }
        for published in content.published.values() {
            let shard = position.of_key(published.key).as_usize();
            let published =
                PublishedValue { republish: own(published.republish), ..published.clone() };
            assert!(self.nodes_mut()[shard].restore_published(published));
        }
    }
}

impl World {
    /// Hands what the shards of `peer` have written to its disk. The copy on the disk is
    /// not the node's memory.
    pub(crate) fn write_disk(&mut self, peer: PeerIndex) {
        let Self { peers, now, rng, .. } = self;
        let slot = &mut peers[peer.as_usize()];
        let Being::Honest(node) = &mut slot.being else { return };
        for (shard, node) in node.nodes_mut().iter_mut().enumerate() {
            while let Some(batch) = node.take_journal() {
                let disk = slot.disk.get_or_insert_default();
                disk.write(*now, rng, shard, &batch, slot.born);
                let before = crate::allocator::held_bytes();
                drop(batch);
                slot.heap_bytes += crate::allocator::held_bytes() - before;
            }
        }
    }

    /// Tells the node of `peer` what its disk has kept by now.
    pub(crate) fn tell_kept(&mut self, peer: PeerIndex) {
        let now = self.now;
        while let Some((shard, number)) =
            self.peers[peer.as_usize()].disk.as_mut().and_then(|disk| disk.take_kept(now))
        {
            self.turn(peer, |node, now, outbox: &mut Outbox| {
                node.handle_kept(shard, now, number, Kept::OnDisk, outbox);
            });
        }
    }

    /// Every honest node copies its disk.
    pub(crate) fn back_up(&mut self) {
        for peer in &mut self.peers {
            if let Some(disk) = &mut peer.disk {
                disk.backup = disk.content.clone();
            }
        }
    }

    /// Every honest node crashes at the same moment, and all start again, with their disks
    /// in these states.
    pub(crate) fn cut_power(&mut self, disks: Disks) {
        self.check_kept();
        let all = self.honest.clone();
        for peer in &all {
            self.crash(*peer);
            let Self { peers, rng, .. } = self;
            if let Some(disk) = &mut peers[peer.as_usize()].disk {
                disk.crash();
                if disks.empty.draw(rng) {
                    *disk = Disk::default();
                } else if disks.old.draw(rng) {
                    disk.content = disk.backup.clone();
                }
            }
        }
        for peer in all {
            self.start(peer);
        }
    }

    /// Puts a few values, cuts the power when the first of the puts has ended, and looks
    /// whether every node that has said that it holds a value holds it, and the origin.
    pub(crate) fn put_and_cut_power(&mut self, bytes: usize) {
        for _ in 0..10 {
            let peer = self.any_honest();
            self.put(peer, bytes);
        }
        let (all, end) = (self.operations.len(), self.now + PUT_MAX);
        while self.operations.len() == all && self.now < end {
            self.run_for(Duration::from_millis(1));
        }
        self.cut_power(Disks::ALL_KEPT);
        for value in self.oracle.stored_values() {
            let (keepers, owed) = (self.keepers(value.key), value.holders + 1);
            if keepers < owed {
                let what =
                    format!("{owed} nodes have acknowledged {}, {keepers} have it", value.key);
                self.violate(Wrong::Lost, what);
            }
        }
    }

    /// Has the node of `peer`, which has just been started, take what lies on its disk.
    pub(crate) fn restore(&mut self, peer: PeerIndex) {
        let now = self.now;
        let slot = &mut self.peers[peer.as_usize()];
        let (Some(disk), Being::Honest(node)) = (&slot.disk, &mut slot.being) else { return };
        let before = crate::allocator::held_bytes();
        node.restore(&disk.content, now);
        slot.heap_bytes += crate::allocator::held_bytes() - before;
    }
}

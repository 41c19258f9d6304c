//! When a lookup last fell into each bucket's range, and so which bucket is to be refreshed next.

use alloc::vec::Vec;

use crate::limits::BUCKET_REFRESH;
use crate::node::shard::ShardPosition;
use crate::time::Instant;

/// The times of the built buckets. The bucket to refresh next is kept beside them: a node is
/// asked for it after every datagram, and a lookup begins after some hundreds.
#[derive(Debug)]
pub(super) struct LookupTimes {
    position: ShardPosition,
    /// None where no lookup ever fell into the range.
    times: Vec<Option<Instant>>,
    /// Of the buckets of this shard, the one into which none has fallen for longest.
    next: Option<(usize, Option<Instant>)>,
}

impl LookupTimes {
    pub(super) const fn new(position: ShardPosition) -> Self {
        Self { position, times: Vec::new(), next: None }
    }

    pub(super) const fn position(&self) -> ShardPosition {
        self.position
    }

    /// The bucket of this shard to refresh next, and when; at once where no lookup ever fell
    /// into it.
    pub(super) fn next_refresh(&self) -> Option<(usize, Instant)> {
        let (index, time) = self.next?;
        Some((index, time.map_or(Instant::ZERO, |time| time + BUCKET_REFRESH)))
    }

    /// There are `count` buckets; those that are new count as looked up at `now`.
    pub(super) fn grow(&mut self, count: usize, now: Instant) {
        self.change(|times| times.resize(count, Some(now)));
    }

    /// A lookup has fallen into bucket `index`, where it is built.
    pub(super) fn looked_up(&mut self, index: usize, now: Instant) {
        self.change(|times| {
            if let Some(time) = times.get_mut(index) {
                *time = Some(now);
            }
        });
    }

    /// A lookup has found every node beyond bucket `index`.
    pub(super) fn looked_up_beyond(&mut self, index: usize, now: Instant) {
        self.change(|times| times.iter_mut().skip(index + 1).for_each(|time| *time = Some(now)));
    }

    /// No lookup counts any more.
    pub(super) fn forget(&mut self) {
        self.change(|times| times.fill(None));
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<Option<Instant>>)) {
        change(&mut self.times);
        let owned = self.position.owned(&self.times);
        self.next = owned.map(|(index, &time)| (index, time)).min_by_key(|&(_, time)| time);
    }
}

//! What the shards tell, gathered into what the node tells.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, RecvError, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use super::settings::ShardCount;
use super::stats::ShardStats;
use crate::node::{BucketView, Event, OperationId, ShardIndex, ValuesView};

/// What a running node tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverEvent {
    /// An event of the node; never [`Event::Stats`].
    Node(Event),
    /// The counters: what [`Event::Stats`] becomes.
    Stats {
        /// The command's.
        operation: OperationId,
        /// Each shard's, in their order.
        shards: Vec<ShardStats>,
    },
}

impl DriverEvent {
    /// The command that it answers; none of an event that comes unasked.
    pub const fn operation(&self) -> Option<OperationId> {
        match self {
            Self::Node(event) => event.operation(),
            Self::Stats { operation, .. } => Some(*operation),
        }
    }
}

/// An event of one shard.
pub(super) enum ShardEvent {
    Node(Event),
    Stats { operation: OperationId, stats: Box<ShardStats> },
}

/// One shard's end.
pub(super) struct EventSender {
    shard: ShardIndex,
    sender: Sender<(ShardIndex, ShardEvent)>,
}

impl EventSender {
    pub(super) fn send(&self, event: ShardEvent) {
        // Where the receiver is gone, nothing is missed.
        let _ = self.sender.send((self.shard, event));
    }
}

/// The events of a running node. What every shard has a part in (counters,
/// peers, what it hands off as it departs) comes as one event, once all have
/// answered. It is disconnected once
/// every shard has ended.
///
/// Nothing bounds how many wait here but the commands: there is one for each command
/// carried out, [`Event::Progress`] twice a second while a large value is on its way, and
/// [`Event::Hop`]s and [`Event::Range`]s for a get that asked for them. Unasked comes
/// [`Event::Joined`], each time that the node comes back after it has lost every good
/// contact, which takes seconds of silence; and [`Event::Log`], where the node's
/// configuration or [`Command::Log`](crate::node::Command::Log) asks for it, at most
/// [`LOG_EVENTS_MAX`](crate::limits::LOG_EVENTS_MAX) a second from each shard. A program
/// that sends commands reads what they come to; one that does not drops this, and shards
/// then drop their events.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<(ShardIndex, ShardEvent)>,
    gathered: RefCell<Gathered>,
}

/// Senders for shards of these numbers, and the receiving end.
pub(super) fn events(
    count: ShardCount,
    shards: impl Iterator<Item = ShardIndex>,
) -> (Vec<EventSender>, Events) {
    let (sender, receiver) = mpsc::channel();
    let senders = shards.map(|shard| EventSender { shard, sender: sender.clone() }).collect();
    (senders, Events::new(receiver, count))
}

impl Events {
    fn new(receiver: Receiver<(ShardIndex, ShardEvent)>, count: ShardCount) -> Self {
        Self { receiver, gathered: RefCell::new(Gathered::new(count)) }
    }

    /// Events that never come: disconnected.
    pub(super) fn none() -> Self {
        Self::new(mpsc::channel().1, ShardCount::ONE)
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// When the node has ended.
    pub fn recv(&self) -> Result<DriverEvent, RecvError> {
        loop {
            if let Some(event) = self.gather(self.receiver.recv()?) {
                return Ok(event);
            }
        }
    }

    /// The next event, if there is one.
    ///
    /// # Errors
    /// When there is none yet, or the node has ended.
    pub fn try_recv(&self) -> Result<DriverEvent, TryRecvError> {
        loop {
            if let Some(event) = self.gather(self.receiver.try_recv()?) {
                return Ok(event);
            }
        }
    }

    /// Waits for the next event, at most `timeout`.
    ///
    /// # Errors
    /// When none came in that time, or the node has ended.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<DriverEvent, RecvTimeoutError> {
        let begun = Instant::now();
        loop {
            let left = timeout.saturating_sub(begun.elapsed());
            if let Some(event) = self.gather(self.receiver.recv_timeout(left)?) {
                return Ok(event);
            }
        }
    }

    /// Every event until the node has ended.
    pub fn iter(&self) -> impl Iterator<Item = DriverEvent> {
        std::iter::from_fn(|| self.recv().ok())
    }

    fn gather(&self, (shard, event): (ShardIndex, ShardEvent)) -> Option<DriverEvent> {
        self.gathered.borrow_mut().add(shard, event)
    }
}

/// Parts of answers that not every shard has given yet.
#[derive(Debug)]
struct Gathered {
    stats: Rounds<ShardStats>,
    peers: Rounds<Vec<BucketView>>,
    values: Rounds<ValuesView>,
    /// Values handed off, and those that no other node took.
    departed: Rounds<(usize, usize)>,
}

impl Gathered {
    const fn new(count: ShardCount) -> Self {
        Self {
            stats: Rounds::new(count),
            peers: Rounds::new(count),
            values: Rounds::new(count),
            departed: Rounds::new(count),
        }
    }

    /// Takes in one shard's event, and returns what is complete by it.
    fn add(&mut self, shard: ShardIndex, event: ShardEvent) -> Option<DriverEvent> {
        match event {
            ShardEvent::Stats { operation, stats } => {
                let shards = self.stats.add(shard, *stats)?;
                Some(DriverEvent::Stats { operation, shards })
            }
            ShardEvent::Node(Event::Peers { operation, buckets }) => {
                let mut buckets = self.peers.add(shard, buckets)?.concat();
                buckets.sort_by_key(|bucket| bucket.index);
                Some(DriverEvent::Node(Event::Peers { operation, buckets }))
            }
            ShardEvent::Node(Event::Values { operation, values }) => {
                let values = Box::new(ValuesView::merged(self.values.add(shard, *values)?));
                Some(DriverEvent::Node(Event::Values { operation, values }))
            }
            ShardEvent::Node(Event::Departed { operation, handed_off, failed }) => {
                let (handed_off, failed): (Vec<_>, Vec<_>) =
                    self.departed.add(shard, (handed_off, failed))?.into_iter().unzip();
                let (handed_off, failed) = (handed_off.iter().sum(), failed.iter().sum());
                Some(DriverEvent::Node(Event::Departed { operation, handed_off, failed }))
            }
            ShardEvent::Node(event) => Some(DriverEvent::Node(event)),
        }
    }
}

/// Answers to commands that every shard is given. They come to all shards in one
/// order, and each answers in that order, so that the n-th answer of each belongs
/// to the n-th command, whatever it is called.
#[derive(Debug)]
struct Rounds<T> {
    count: usize,
    /// Of each unfinished round a part for each shard, the oldest round first.
    open: VecDeque<Vec<Option<T>>>,
}

impl<T> Rounds<T> {
    const fn new(count: ShardCount) -> Self {
        Self { count: count.get(), open: VecDeque::new() }
    }

    /// Takes in a shard's part, and returns the parts of all where it was the last.
    fn add(&mut self, shard: ShardIndex, part: T) -> Option<Vec<T>> {
        let shard = shard.as_usize();
        let open = self.open.iter().position(|parts| parts[shard].is_none());
        let round = open.unwrap_or_else(|| {
            self.open.push_back((0..self.count).map(|_| None).collect());
            self.open.len() - 1
        });
        self.open[round][shard] = Some(part);
        // Every shard fills the older round first, so that it is full first.
        let is_full = self.open.front()?.iter().all(Option::is_some);
        if is_full { self.open.pop_front()?.into_iter().collect() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::ShardPosition;

    fn shard(index: usize) -> ShardIndex {
        ShardPosition::new(index, 3).index()
    }

    #[test]
    fn a_round_is_full_when_each_shard_has_given_its_part() {
        let mut rounds = Rounds::new(ShardCount::new(3).expect("a few"));
        assert_eq!(rounds.add(shard(2), 12), None);
        assert_eq!(rounds.add(shard(0), 10), None);
        // Shard 2 is a round ahead.
        assert_eq!(rounds.add(shard(2), 22), None);
        assert_eq!(rounds.add(shard(1), 11), Some(vec![10, 11, 12]));
        assert_eq!(rounds.add(shard(1), 21), None);
        assert_eq!(rounds.add(shard(0), 20), Some(vec![20, 21, 22]));
        assert!(rounds.open.is_empty());
    }

    #[test]
    fn peers_of_all_shards_are_one_answer_sorted_by_bucket() {
        let count = ShardCount::new(3).expect("a few");
        let (senders, events) = events(count, (0..3).map(shard));
        let operation = OperationId(1);
        for (sender, indices) in senders.iter().zip([vec![0, 3], vec![4], vec![2, 5]]) {
            assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
            let view = |index| BucketView { index, contacts: Vec::new(), replacements: 0 };
            let buckets = indices.into_iter().map(view).collect();
            sender.send(ShardEvent::Node(Event::Peers { operation, buckets }));
        }
        let Ok(DriverEvent::Node(Event::Peers { buckets, .. })) = events.try_recv() else {
            panic!("all have answered");
        };
        let indices: Vec<_> = buckets.iter().map(|bucket| bucket.index).collect();
        assert_eq!(indices, [0, 2, 3, 4, 5]);
        drop(senders);
        assert_eq!(events.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn the_node_has_left_when_each_shard_has_and_their_values_are_summed() {
        let count = ShardCount::new(3).expect("a few");
        let (senders, events) = events(count, (0..3).map(shard));
        let operation = OperationId(1);
        for (sender, (handed_off, failed)) in senders.iter().zip([(5, 0), (0, 1), (7, 2)]) {
            assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
            sender.send(ShardEvent::Node(Event::Departed { operation, handed_off, failed }));
        }
        let departed = Event::Departed { operation, handed_off: 12, failed: 3 };
        assert_eq!(events.try_recv(), Ok(DriverEvent::Node(departed)));
    }
}

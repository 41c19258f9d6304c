//! Operations on a running node: each sends a command and waits for its answer.

use std::time::Duration;

use kad_node::driver::{Commander, DriverEvent, SendError, ShardStats};
use kad_node::id::Id;
use kad_node::node::{BucketView, Command, Event, Forgotten, Found, Hop, Refusal, Stored, Trace};

use crate::clients::{Client, OperationIds};
use crate::ongoing::Ongoing;

/// The node has stopped.
#[derive(Debug)]
pub(crate) struct NodeGone;

/// How a put ended.
pub(crate) struct PutAnswer {
    pub(crate) outcome: Result<Stored, Refusal>,
    pub(crate) elapsed: Duration,
}

/// How a get ended.
pub(crate) struct GetAnswer {
    pub(crate) outcome: Result<Option<Found>, Refusal>,
    pub(crate) asked: usize,
    pub(crate) elapsed: Duration,
}

/// The node's events, until it stops.
type Answers = Box<dyn Iterator<Item = DriverEvent> + Send>;

/// Runs one operation after another.
pub(crate) struct Operations {
    commander: Commander,
    answers: Answers,
    ongoing: Ongoing,
    ids: OperationIds,
}

impl Operations {
    /// Operations on the node behind `commander`, whose events come from `answers`.
    /// `ongoing` may interrupt them.
    pub(crate) fn new(
        commander: Commander,
        answers: impl Iterator<Item = DriverEvent> + Send + 'static,
        ongoing: Ongoing,
    ) -> Self {
        let ids = OperationIds::of(Client::Prompt);
        Self { commander, answers: Box::new(answers), ongoing, ids }
    }

    /// Stores a value.
    pub(crate) fn put(&mut self, key: Id, value: Box<[u8]>) -> Result<PutAnswer, NodeGone> {
        let expected = self.ids.next();
        self.send(Command::put(expected, value))?;
        self.ongoing.await_operation(expected, key);
        self.answer(|event| match event {
            DriverEvent::Node(Event::Put { operation, outcome, elapsed, .. })
                if operation == expected =>
            {
                Some(PutAnswer { outcome, elapsed })
            }
            _ => None,
        })
    }

    /// Finds a value. A traced get calls `on_hop` for each hop.
    pub(crate) fn get(
        &mut self,
        key: Id,
        trace: Trace,
        mut on_hop: impl FnMut(&Hop),
    ) -> Result<GetAnswer, NodeGone> {
        let expected = self.ids.next();
        self.send(Command::Get { operation: expected, key, trace })?;
        self.ongoing.await_operation(expected, key);
        self.answer(|event| match event {
            DriverEvent::Node(Event::Hop { operation, hop }) if operation == expected => {
                on_hop(&hop);
                None
            }
            DriverEvent::Node(Event::Get { operation, outcome, asked, elapsed, .. })
                if operation == expected =>
            {
                Some(GetAnswer { outcome, asked, elapsed })
            }
            _ => None,
        })
    }

    /// Stops republishing a value.
    pub(crate) fn forget(&mut self, key: Id) -> Result<Forgotten, NodeGone> {
        let expected = self.ids.next();
        self.send(Command::Forget { operation: expected, key })?;
        self.answer(|event| match event {
            DriverEvent::Node(Event::Forget { operation, outcome, .. }) => {
                (operation == expected).then_some(outcome)
            }
            _ => None,
        })
    }

    /// The routing table.
    pub(crate) fn peers(&mut self) -> Result<Vec<BucketView>, NodeGone> {
        let expected = self.ids.next();
        self.send(Command::Peers { operation: expected })?;
        self.answer(|event| match event {
            DriverEvent::Node(Event::Peers { operation, buckets }) => {
                (operation == expected).then_some(buckets)
            }
            _ => None,
        })
    }

    /// The counters of each shard.
    pub(crate) fn stats(&mut self) -> Result<Vec<ShardStats>, NodeGone> {
        let expected = self.ids.next();
        self.send(Command::Stats { operation: expected })?;
        self.answer(|event| match event {
            DriverEvent::Stats { operation, shards } => (operation == expected).then_some(shards),
            DriverEvent::Node(_) => None,
        })
    }

    /// Sends a command. One operation at a time never fills the queue, so sending fails
    /// only when the node has stopped.
    fn send(&self, command: Command) -> Result<(), NodeGone> {
        self.commander.send(command).map_err(|_: SendError| NodeGone)
    }

    /// The first event that `pick` takes.
    fn answer<T>(&mut self, pick: impl FnMut(DriverEvent) -> Option<T>) -> Result<T, NodeGone> {
        self.answers.find_map(pick).ok_or(NodeGone)
    }
}

//! Operations on a running node: each sends a command and waits for its answer.

use std::time::Duration;

use kad_node::driver::{Commander, DriverEvent, SendError, ShardStats};
use kad_node::id::Id;
use kad_node::node::{
    BucketView, Command, Event, Forgotten, Found, Hop, KeyedValue, OperationId, PulledRange,
    Refusal, Stored, Trace,
};

use crate::clients::{Client, OperationIds};
use crate::ongoing::Ongoing;
use crate::progress::Progress;
use crate::wait::Wait;

/// The node has stopped.
#[derive(Debug)]
pub(crate) struct NodeGone;

/// Why a put has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutError {
    Refused(Refusal),
    /// The disk has not taken the value for [`DISK_WAIT_MAX`](crate::wait::DISK_WAIT_MAX).
    /// It is in memory, and published.
    DiskHangs,
}

/// How a put ended.
pub(crate) struct PutAnswer {
    pub(crate) outcome: Result<Stored, PutError>,
    pub(crate) elapsed: Duration,
}

/// How a get ended.
pub(crate) struct GetAnswer {
    pub(crate) outcome: Result<Option<Found>, Refusal>,
    pub(crate) asked: usize,
    pub(crate) elapsed: Duration,
}

/// A step of a traced get.
pub(crate) enum Step {
    /// A node has answered, or was given up.
    Hop(Hop),
    /// A holder has sent a part of a large value.
    Range(PulledRange),
}

/// What comes of waiting for the node's next event.
pub(crate) enum Next {
    Event(DriverEvent),
    /// None has come in the given time.
    Late,
    /// None will come any more.
    Gone,
}

/// Waits for the node's next event.
type Answers = Box<dyn FnMut(Duration) -> Next + Send>;

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
        answers: impl FnMut(Duration) -> Next + Send + 'static,
        ongoing: Ongoing,
    ) -> Self {
        let ids = OperationIds::of(Client::Prompt);
        Self { commander, answers: Box::new(answers), ongoing, ids }
    }

    /// Whether the command that runs was interrupted.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.ongoing.is_interrupted()
    }

    /// Begins to store a value, whose answer comes by [`hear`](Self::hear); none where the node
    /// has too many commands before it.
    pub(crate) fn begin_put(&self, value: KeyedValue) -> Result<Option<OperationId>, NodeGone> {
        let operation = self.ids.next();
        match self.commander.send(Command::Put { operation, value }) {
            Ok(()) => Ok(Some(operation)),
            Err(SendError::Full(_)) => Ok(None),
            Err(SendError::Stopped(_)) => Err(NodeGone),
        }
    }

    /// The node's next event, if one comes within `patience`.
    pub(crate) fn hear(&mut self, patience: Duration) -> Result<Option<DriverEvent>, NodeGone> {
        match (self.answers)(patience) {
            Next::Event(event) => Ok(Some(event)),
            Next::Late => Ok(None),
            Next::Gone => Err(NodeGone),
        }
    }

    /// Stores a value.
    pub(crate) fn put(&mut self, value: KeyedValue) -> Result<PutAnswer, NodeGone> {
        let (expected, key) = (self.ids.next(), value.key());
        self.send(Command::Put { operation: expected, value })?;
        self.ongoing.await_operation(expected, key);
        let mut wait = Wait::begin(expected, key);
        loop {
            match self.next(&mut wait)? {
                Some(DriverEvent::Node(Event::Put { operation, outcome, elapsed, .. }))
                    if operation == expected =>
                {
                    return Ok(PutAnswer { outcome: outcome.map_err(PutError::Refused), elapsed });
                }
                None if wait.is_of_a_hung_disk() => {
                    let (outcome, elapsed) = (Err(PutError::DiskHangs), wait.elapsed());
                    return Ok(PutAnswer { outcome, elapsed });
                }
                _ => {}
            }
        }
    }

    /// Finds a value. A traced get calls `on_step` for each step.
    pub(crate) fn get(
        &mut self,
        key: Id,
        trace: Trace,
        mut on_step: impl FnMut(Step),
    ) -> Result<GetAnswer, NodeGone> {
        let expected = self.ids.next();
        self.send(Command::Get { operation: expected, key, trace })?;
        self.ongoing.await_operation(expected, key);
        let mut wait = Wait::begin(expected, key);
        loop {
            let Some(DriverEvent::Node(event)) = self.next(&mut wait)? else { continue };
            match event {
                Event::Hop { operation, hop } if operation == expected => {
                    wait.hide();
                    on_step(Step::Hop(hop));
                }
                Event::Range { operation, range } if operation == expected => {
                    wait.hide();
                    on_step(Step::Range(range));
                }
                Event::Get { operation, outcome, asked, elapsed, .. } if operation == expected => {
                    return Ok(GetAnswer { outcome, asked, elapsed });
                }
                _ => {}
            }
        }
    }

    /// The node's next event but those that say what is waited for, which are shown; none
    /// when none has come in a while.
    fn next(&mut self, wait: &mut Wait) -> Result<Option<DriverEvent>, NodeGone> {
        match (self.answers)(Progress::PERIOD) {
            Next::Event(DriverEvent::Node(Event::Pending { operation, pending })) => {
                wait.take(operation, pending);
            }
            Next::Event(DriverEvent::Node(Event::Progress { operation, progress, .. })) => {
                wait.moved(operation, progress);
            }
            Next::Event(event) => return Ok(Some(event)),
            Next::Late => {}
            Next::Gone => return Err(NodeGone),
        }
        if let Some(question) = wait.question() {
            self.send(question)?;
        }
        wait.show();
        Ok(None)
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

    /// Sends a command. What is in progress at once never fills the queue, so sending fails
    /// only when the node has stopped.
    pub(crate) fn send(&self, command: Command) -> Result<(), NodeGone> {
        self.commander.send(command).map_err(|_: SendError| NodeGone)
    }

    /// The first event that `pick` takes.
    fn answer<T>(&mut self, mut pick: impl FnMut(DriverEvent) -> Option<T>) -> Result<T, NodeGone> {
        let mut progress = Progress::begin();
        loop {
            match (self.answers)(Progress::PERIOD) {
                Next::Event(event) => {
                    progress.hide();
                    if let Some(answer) = pick(event) {
                        return Ok(answer);
                    }
                }
                Next::Late => progress.show("waiting for the node"),
                Next::Gone => return Err(NodeGone),
            }
        }
    }
}

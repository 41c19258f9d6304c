//! Operations on a running node: each sends a command and waits for its answer.

use std::cell::Cell;
use std::time::{Duration, Instant};

use kad_node::driver::{Commander, DriverEvent, SendError, ShardStats};
use kad_node::id::Id;
use kad_node::node::{
    BucketView, Command, Event, Forgotten, Found, Hop, KeyedValue, OperationId, Refusal, Stats,
    Stored, Trace,
};

use crate::clients::{Client, OperationIds};
use crate::ongoing::Ongoing;
use crate::progress::Progress;
use crate::reply;

/// The node has stopped.
#[derive(Debug)]
pub(crate) struct NodeGone;

/// Why a put has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutError {
    Refused(Refusal),
    /// The disk has not taken the value for [`DISK_WAIT_MAX`]. It is in memory, and published.
    DiskHangs,
}

/// How long a put waits for a disk, when for nothing else. A disk that is busy, not hung,
/// answers within a second or two.
pub(crate) const DISK_WAIT_MAX: Duration = Duration::from_secs(10);

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

    /// Stores a value.
    pub(crate) fn put(&mut self, value: KeyedValue) -> Result<PutAnswer, NodeGone> {
        let (expected, key) = (self.ids.next(), value.key());
        self.send(Command::Put { operation: expected, value })?;
        self.ongoing.await_operation(expected, key);
        let mut wait = PutWait::begin();
        loop {
            match (self.answers)(Progress::PERIOD) {
                Next::Event(DriverEvent::Node(Event::Put {
                    operation, outcome, elapsed, ..
                })) if operation == expected => {
                    return Ok(PutAnswer { outcome: outcome.map_err(PutError::Refused), elapsed });
                }
                Next::Event(DriverEvent::Stats { operation, shards }) => {
                    wait.take(operation, &ShardStats::total(&shards).node);
                }
                Next::Event(DriverEvent::Node(_)) => {}
                Next::Late => {
                    if let Some(question) = wait.question(&self.ids) {
                        self.send(Command::Stats { operation: question })?;
                    }
                    wait.show();
                    if wait.is_of_a_hung_disk() {
                        let (outcome, elapsed) = (Err(PutError::DiskHangs), wait.elapsed());
                        return Ok(PutAnswer { outcome, elapsed });
                    }
                }
                Next::Gone => return Err(NodeGone),
            }
        }
    }

    /// Finds a value. A traced get calls `on_hop` for each hop.
    pub(crate) fn get(
        &mut self,
        key: Id,
        trace: Trace,
        mut on_hop: impl FnMut(&Hop),
    ) -> Result<GetAnswer, NodeGone> {
        let expected = self.ids.next();
        // The hops are counted while it is waited, shown or not.
        self.send(Command::Get { operation: expected, key, trace: Trace::Hops })?;
        self.ongoing.await_operation(expected, key);
        let hops = Cell::new(0);
        let waits = || format!("{} answered or given up", reply::counted(hops.get(), "node"));
        self.answer_showing(waits, |event| match event {
            DriverEvent::Node(Event::Hop { operation, hop }) if operation == expected => {
                hops.set(hops.get() + 1);
                if trace == Trace::Hops {
                    on_hop(&hop);
                }
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
        self.answer_showing(|| "waiting for the node".to_owned(), pick)
    }

    /// The first event that `pick` takes. Meanwhile it is shown how it `waits`.
    fn answer_showing<T>(
        &mut self,
        waits: impl Fn() -> String,
        mut pick: impl FnMut(DriverEvent) -> Option<T>,
    ) -> Result<T, NodeGone> {
        let mut progress = Progress::begin();
        loop {
            match (self.answers)(Progress::PERIOD) {
                Next::Event(event) => {
                    progress.hide();
                    if let Some(answer) = pick(event) {
                        return Ok(answer);
                    }
                }
                Next::Late => progress.show(waits()),
                Next::Gone => return Err(NodeGone),
            }
        }
    }
}

/// What a put waits for: asked of the node again and again, once it takes long.
struct PutWait {
    progress: Progress,
    /// The question that has no answer yet.
    question: Option<OperationId>,
    asked_at: Instant,
    /// Since when the put waits for the disk alone.
    disk_since: Option<Instant>,
}

impl PutWait {
    /// How often the node is asked what a put waits for.
    const QUESTION_PERIOD: Duration = Duration::from_millis(500);

    fn begin() -> Self {
        let progress = Progress::begin();
        Self { progress, question: None, asked_at: Instant::now(), disk_since: None }
    }

    fn elapsed(&self) -> Duration {
        self.progress.elapsed()
    }

    /// The number of the next question, if it is time for one.
    fn question(&mut self, ids: &OperationIds) -> Option<OperationId> {
        if self.question.is_some() || self.asked_at.elapsed() < Self::QUESTION_PERIOD {
            return None;
        }
        self.asked_at = Instant::now();
        self.question = Some(ids.next());
        self.question
    }

    /// Takes in the answer to a question.
    fn take(&mut self, operation: OperationId, stats: &Stats) {
        if self.question != Some(operation) {
            return;
        }
        self.question = None;
        let is_of_disk = stats.lookups == 0 && stats.changes_waiting > 0;
        self.disk_since = self.disk_since.or(Some(self.asked_at)).filter(|_| is_of_disk);
    }

    fn show(&mut self) {
        let what = match self.disk_since {
            Some(_) => "waiting for the disk",
            None => "storing on the closest nodes",
        };
        self.progress.show(what);
    }

    fn is_of_a_hung_disk(&self) -> bool {
        self.disk_since.is_some_and(|since| since.elapsed() > DISK_WAIT_MAX)
    }
}

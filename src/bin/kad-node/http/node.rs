//! The node, as handlers ask it: each sends a command and waits for its answer, many at a
//! time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kad_node::driver::{Commander, DriverEvent, SendError, ShardStats};
use kad_node::id::Id;
use kad_node::node::{
    BucketView, Command, Event, Forgotten, Found, Hop, KeyedValue, LogLevel, OperationId,
    PulledRange, Refusal, Stored, Trace, ValuesView,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time;

use super::limits::OPERATION_TIME_MAX;
use crate::clients::{Client, OperationIds};

/// Why a command has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Too many commands wait for a shard.
    Busy,
    /// The node has stopped.
    Stopped,
    /// No answer within [`OPERATION_TIME_MAX`].
    Late,
}

/// How a put ended.
pub(crate) struct PutAnswer {
    pub(crate) outcome: Result<Stored, Refusal>,
    pub(crate) elapsed: Duration,
}

/// How a get ended.
pub(crate) struct GetAnswer {
    pub(crate) outcome: Result<Option<Found>, Refusal>,
    pub(crate) hops: Vec<Hop>,
    /// Which holder has sent which part of a large value.
    pub(crate) ranges: Vec<PulledRange>,
    pub(crate) asked: usize,
    pub(crate) elapsed: Duration,
}

/// Sends commands, and brings the answers to those that wait for them.
pub(crate) struct NodeClient {
    commander: Commander,
    ids: OperationIds,
    /// None once the node has stopped. The lock is between the thread that routes events
    /// and that of the handlers.
    waiting: Mutex<Option<HashMap<OperationId, UnboundedSender<DriverEvent>>>>,
}

impl NodeClient {
    pub(crate) fn new(commander: Commander) -> Self {
        let waiting = Mutex::new(Some(HashMap::new()));
        Self { commander, ids: OperationIds::of(Client::Http), waiting }
    }

    /// Brings an answer to the handler that waits for it; one that has gone misses nothing.
    pub(crate) fn deliver(&self, event: DriverEvent) {
        let Some(operation) = event.operation() else { return };
        self.with_waiting(|waiting| {
            if let Some(handler) = waiting.get(&operation) {
                // It takes itself out when it has gone.
                let _ = handler.send(event);
            }
        });
    }

    /// Tells all handlers that no answer will come any more.
    pub(crate) fn close(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stores a value.
    pub(crate) async fn put(&self, value: KeyedValue) -> Result<PutAnswer, Unanswered> {
        let operation = self.ids.next();
        let asked = self.ask(Command::Put { operation, value }, operation, None)?;
        asked
            .answer(|event| match event {
                DriverEvent::Node(Event::Put { outcome, elapsed, .. }) => {
                    Some(PutAnswer { outcome, elapsed })
                }
                _ => None,
            })
            .await
    }

    /// Finds a value. A handler that goes meanwhile abandons the lookup.
    pub(crate) async fn get(&self, key: Id, trace: Trace) -> Result<GetAnswer, Unanswered> {
        let operation = self.ids.next();
        let asked = self.ask(Command::Get { operation, key, trace }, operation, Some(key))?;
        let (mut hops, mut ranges) = (Vec::new(), Vec::new());
        asked
            .answer(|event| match event {
                DriverEvent::Node(Event::Hop { hop, .. }) => {
                    hops.push(hop);
                    None
                }
                DriverEvent::Node(Event::Range { range, .. }) => {
                    ranges.push(range);
                    None
                }
                DriverEvent::Node(Event::Get { outcome, asked, elapsed, .. }) => {
                    let (hops, ranges) = (std::mem::take(&mut hops), std::mem::take(&mut ranges));
                    Some(GetAnswer { outcome, hops, ranges, asked, elapsed })
                }
                _ => None,
            })
            .await
    }

    /// Stops republishing a value.
    pub(crate) async fn forget(&self, key: Id) -> Result<Forgotten, Unanswered> {
        let operation = self.ids.next();
        let asked = self.ask(Command::Forget { operation, key }, operation, None)?;
        asked
            .answer(|event| match event {
                DriverEvent::Node(Event::Forget { outcome, .. }) => Some(outcome),
                _ => None,
            })
            .await
    }

    /// The routing table.
    pub(crate) async fn peers(&self) -> Result<Vec<BucketView>, Unanswered> {
        let operation = self.ids.next();
        let asked = self.ask(Command::Peers { operation }, operation, None)?;
        asked
            .answer(|event| match event {
                DriverEvent::Node(Event::Peers { buckets, .. }) => Some(buckets),
                _ => None,
            })
            .await
    }

    /// The values that the node holds.
    pub(crate) async fn values(&self) -> Result<ValuesView, Unanswered> {
        let operation = self.ids.next();
        let asked = self.ask(Command::Values { operation }, operation, None)?;
        asked
            .answer(|event| match event {
                DriverEvent::Node(Event::Values { values, .. }) => Some(*values),
                _ => None,
            })
            .await
    }

    /// Has the node tell this much of its work from now on. Whether it was told to.
    pub(crate) fn log(&self, level: LogLevel) -> bool {
        self.commander.send(Command::Log { level }).is_ok()
    }

    /// The counters of each shard.
    pub(crate) async fn stats(&self) -> Result<Vec<ShardStats>, Unanswered> {
        let operation = self.ids.next();
        let asked = self.ask(Command::Stats { operation }, operation, None)?;
        asked
            .answer(|event| match event {
                DriverEvent::Stats { shards, .. } => Some(shards),
                DriverEvent::Node(_) => None,
            })
            .await
    }

    /// Sends `command`. Where it is a get of `lookup`, it is abandoned when the answer is no
    /// longer waited for.
    fn ask(
        &self,
        command: Command,
        operation: OperationId,
        lookup: Option<Id>,
    ) -> Result<Asked<'_>, Unanswered> {
        let (sender, events) = unbounded_channel();
        let registered = self.with_waiting(|waiting| waiting.insert(operation, sender));
        registered.ok_or(Unanswered::Stopped)?;
        let asked = Asked { node: self, operation, lookup, events };
        self.commander.send(command).map_err(|error| match error {
            SendError::Full(_) => Unanswered::Busy,
            SendError::Stopped(_) => Unanswered::Stopped,
        })?;
        Ok(asked)
    }

    fn with_waiting<T>(
        &self,
        act: impl FnOnce(&mut HashMap<OperationId, UnboundedSender<DriverEvent>>) -> T,
    ) -> Option<T> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
    }
}

/// A command that was sent.
struct Asked<'a> {
    node: &'a NodeClient,
    operation: OperationId,
    /// The key of a get that has not ended.
    lookup: Option<Id>,
    /// As many as one command brings: a get tells its hops, of which a lookup has a bound.
    events: UnboundedReceiver<DriverEvent>,
}

impl Asked<'_> {
    /// The first event that `pick` takes.
    async fn answer<T>(
        mut self,
        mut pick: impl FnMut(DriverEvent) -> Option<T>,
    ) -> Result<T, Unanswered> {
        let answered = async {
            loop {
                let event = self.events.recv().await.ok_or(Unanswered::Stopped)?;
                if let Some(answer) = pick(event) {
                    return Ok(answer);
                }
            }
        };
        let answer = time::timeout(OPERATION_TIME_MAX, answered).await;
        let answer = answer.unwrap_or(Err(Unanswered::Late))?;
        self.lookup = None;
        Ok(answer)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let operation = self.operation;
        self.node.with_waiting(|waiting| waiting.remove(&operation));
        if let Some(key) = self.lookup {
            // A node that has stopped, or is too busy to hear of it, ends the lookup itself.
            let _ = self.node.commander.send(Command::Abandon { operation, key });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use kad_node::driver::{self, IoChoice, Running, Settings};
    use kad_node::node::Config;

    use super::*;

    /// A node whose answers no thread brings to those that wait for them.
    pub(crate) fn unrouted() -> Running {
        let node = Config::new(Id::of_value(b"unrouted"), [1; 32]);
        let settings = Settings::new(([127, 0, 0, 1], 0).into(), node);
        driver::start(Settings { io: IoChoice::Mmsg, ..settings }).expect("a node")
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_waited_for_so_long_and_no_longer() {
        let running = unrouted();
        let node = NodeClient::new(running.commander());
        let begun = time::Instant::now();
        assert_eq!(node.peers().await.err(), Some(Unanswered::Late));
        assert_eq!(begun.elapsed(), OPERATION_TIME_MAX);
        let got = node.get(Id::of_value(b"absent"), Trace::Off).await;
        assert_eq!(got.err(), Some(Unanswered::Late));
        assert_eq!(node.with_waiting(|waiting| waiting.len()), Some(0), "none waits any more");
        node.close();
        assert_eq!(node.stats().await.err(), Some(Unanswered::Stopped));
    }
}

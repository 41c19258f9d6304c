//! What the engines ask of each other: effects, which the dispatcher hands on one by one.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::command::{Event, OperationId, Trace};
use super::config::Config;
use super::handoff::Message;
use super::histograms::Histograms;
use super::identity::IdFault;
use super::journal::Journal;
use super::known::Known;
use super::log_event::{LogBudget, LogEvent, LogLevel};
use super::progress::PulledRange;
use super::renewable::RenewReason;
use super::request::{QueryId, Request};
use super::shard::ShardIndex;
use super::sightings::Sighting;
use super::stats::Stats;
use crate::id::Id;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::{Contact, Role};

/// What every engine has at hand while the node acts.
pub(crate) struct Turn {
    pub(crate) now: Instant,
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) stats: Stats,
    pub(crate) histograms: Histograms,
    pub(crate) journal: Journal,
    log_budget: LogBudget,
    effects: VecDeque<Effect>,
}

impl Turn {
    pub(crate) fn new(config: Config, now: Instant) -> Self {
        let rng = Rng::from_seed(config.seed);
        Self {
            now,
            rng,
            stats: Stats::default(),
            histograms: Histograms::default(),
            journal: Journal::new(config.persistence),
            log_budget: LogBudget::new(now),
            effects: VecDeque::new(),
            config,
        }
    }

    /// Tells what the node has done, where that is asked for.
    #[inline]
    pub(crate) fn log(&mut self, event: impl FnOnce() -> LogEvent) {
        if self.config.log_level != LogLevel::Off {
            self.tell_log(event());
        }
    }

    #[cold]
    fn tell_log(&mut self, event: LogEvent) {
        if event.level() > self.config.log_level {
            return;
        }
        match self.log_budget.take(self.now) {
            Some(suppressed) => self.push(Effect::Event(Event::Log { event, suppressed })),
            None => self.stats.log_events_suppressed += 1,
        }
    }

    /// Whether the journal takes a value of so many bytes; counts it where it does not.
    pub(crate) fn has_room_on_disk(&mut self, value_bytes: usize) -> bool {
        let has_room = self.journal.has_room(value_bytes);
        self.stats.values_refused_by_disk += u64::from(!has_room);
        has_room
    }

    /// Whether the node departs, as all its datagrams say.
    pub(crate) fn is_departing(&self) -> bool {
        self.config.role == Role::Departing
    }

    /// Has the dispatcher hand on an effect, after those before it.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Begins anew at the queue's first place once it is empty: the next effects go where the
    /// last ones were, not to memory that was not touched for long.
    pub(crate) fn pop(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        if effect.is_none() {
            self.effects.clear();
        }
        effect
    }
}

/// What one engine asks of another.
#[derive(Debug)]
pub(crate) enum Effect {
    /// To `rpc`: send this.
    Request(Request),
    /// To `rpc`: send a PING, unless a good contact has the address.
    PingAddress(SocketAddr),
    /// To `transfer`: pull a value from a holder, or from one more.
    Fetch(FetchPurpose, Offered),
    /// To `transfer`: the value is not wanted any more.
    StopFetch(FetchPurpose),
    /// To `query`, or to `storage`: a pull has ended.
    Fetched(Fetched),
    /// To `query`: the pull of its value takes long.
    FetchIsSlow(QueryId),
    /// To `query`: so many bytes of its value are here; of a publish, were asked for by nodes
    /// that pull it.
    Progress { query: QueryId, bytes: usize },
    /// To `query`: a holder has sent a part of its value.
    Range { query: QueryId, range: PulledRange },
    /// To `query`: begin.
    Query { target: Id, kind: QueryKind },
    /// To `table`: offer a query the `count` contacts closest to its target.
    Seed { query: QueryId, target: Id, count: usize },
    /// To the job that asked for a query: it has ended.
    Finished(Finished),
    /// To `table`: check stale contacts.
    CheckStale,
    /// To `table`: check the contacts closest to this node.
    CheckClosest,
    /// To `table`: a lookup for the node's own id has found every node beyond this
    /// bucket.
    FoundBeyond(Option<u8>),
    /// To `table`: look up every bucket but those beyond this one.
    Refill(Option<u8>),
    /// To `table`, `storage` and `jobs`: the node has joined, and has found every node
    /// beyond this bucket.
    Joined(Option<u8>),
    /// To every engine: the node's id cannot be used, and it takes another, which fits the
    /// address at which it is seen.
    BadId { fault: IdFault, seen: Option<IpAddr> },
    /// To `jobs`: no good contact is left.
    ContactsLost,
    /// To `jobs`: a peer has proved that it departs.
    PeerDeparted(SocketAddr),
    /// To `storage`: a value that was put here is held by so many other nodes.
    Published { key: Id, holders: usize },
    /// To `storage`, and back to `jobs`: these are the nodes closest to a value that is to be
    /// renewed.
    Explored { target: Id, reason: RenewReason, closest: Vec<Contact> },
    /// To `storage` and `jobs`: a node was silent that was to hold this replica; or all were that
    /// were to hold a value that was put here.
    Missed { key: Id },
    /// To `jobs`: a round in which this value was handed off has ended. It is held by so many
    /// nodes; none where one was silent that was to hold it.
    HandedOff { key: Id, reason: RenewReason, holders: Option<usize> },
    /// To `storage`: closer nodes say that they hold this replica.
    Demote { key: Id },
    /// To `storage`: keep a copy of what a get found.
    Cache { key: Id, value: Arc<[u8]>, life: Duration },
    /// To another shard.
    Tell(ShardIndex, Message),
    /// To the user.
    Event(Event),
}

/// What a query is for.
#[derive(Clone, Debug)]
pub(crate) enum QueryKind {
    /// To find the node's neighbours, and be found: the last step of joining. A client
    /// finds a few nodes, near or far.
    Join,
    /// To keep the node's neighbourhood, or a bucket, fresh.
    Refresh,
    /// To find the nodes on which to renew values.
    Renew(RenewReason),
    /// To find a value.
    Get { operation: OperationId, trace: Trace },
    /// To store a value on the K closest nodes.
    Publish { value: Arc<[u8]>, life: Duration, reason: PublishReason },
}

/// Why a value is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublishReason {
    /// The user has just put it.
    Put(OperationId),
    /// The node departs.
    Depart,
}

impl QueryKind {
    /// The user's operation that it carries out.
    pub(crate) const fn operation(&self) -> Option<OperationId> {
        match self {
            Self::Get { operation, .. }
            | Self::Publish { reason: PublishReason::Put(operation), .. } => Some(*operation),
            Self::Join | Self::Refresh | Self::Renew(_) | Self::Publish { .. } => None,
        }
    }

    /// What it is for, in a word of the log.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Refresh => "refresh",
            Self::Renew(reason) => reason.name(),
            Self::Get { .. } => "get",
            Self::Publish { reason, .. } => match reason {
                PublishReason::Put(_) => "put",
                PublishReason::Depart => "depart",
            },
        }
    }

    /// Whether it is maintenance, which is paced, rather than the user's.
    pub(crate) const fn is_maintenance(&self) -> bool {
        match self {
            Self::Join | Self::Get { .. } => false,
            Self::Refresh | Self::Renew(_) => true,
            Self::Publish { reason, .. } => !matches!(reason, PublishReason::Put(_)),
        }
    }

    /// Whether it is a put of the user's.
    pub(crate) const fn is_put(&self) -> bool {
        matches!(self, Self::Publish { reason: PublishReason::Put(_), .. })
    }

    /// Whether the node has only seconds for it.
    pub(crate) const fn is_hurried(&self) -> bool {
        matches!(self, Self::Publish { reason: PublishReason::Depart, .. })
    }
}

/// What a value is pulled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchPurpose {
    /// The user's get.
    Query(QueryId),
    /// To hold it, since this host has offered it.
    Pull(IpAddr),
}

/// A holder, and the first piece of the value that came with its offer.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) key: Id,
    pub(crate) total: usize,
    pub(crate) contact: Contact,
    pub(crate) known: Known,
    pub(crate) first: Arc<[u8]>,
}

/// A pull that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) key: Id,
    pub(crate) purpose: FetchPurpose,
    pub(crate) total: usize,
    /// None where no holder has sent a value that hashes to its key.
    pub(crate) value: Option<Arc<[u8]>>,
    /// The holders that it came from, the one that sent its first bytes before the others.
    pub(crate) from: Vec<Contact>,
    /// All holders that it was or might have been pulled from.
    pub(crate) sources: Vec<Contact>,
    /// Those of them that have sent a wrong value.
    pub(crate) liars: Vec<Contact>,
}

/// A query that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) target: Id,
    pub(crate) kind: QueryKind,
    pub(crate) outcome: Outcome,
    /// The K closest nodes that answered, the closest first, each with its hops.
    pub(crate) closest: Vec<(Contact, u8)>,
    /// Of a lookup for the node's own id, what the closest have said of that.
    pub(crate) sightings: Vec<Sighting>,
    /// Nodes that were asked.
    pub(crate) asked: usize,
    /// Requests that were sent again, or not sent since too much was in flight.
    pub(crate) resent: usize,
    pub(crate) elapsed: Duration,
}

impl Finished {
    /// What the log is told.
    pub(crate) const fn log_event(&self) -> LogEvent {
        LogEvent::LookupEnded {
            purpose: self.kind.name(),
            target: self.target,
            outcome: self.outcome.name(),
            asked: self.asked,
            elapsed: self.elapsed,
        }
    }
}

/// What a query came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has found the closest nodes.
    Looked,
    /// The same, but some could not be asked, since too much was in flight.
    Incomplete,
    /// It has found the value.
    Found {
        from: Contact,
        hops: u8,
        value: Arc<[u8]>,
        life: Duration,
        /// The closest node that answered without it.
        without: Option<(Contact, Known)>,
    },
    /// It has sent so many STOREs, so many nodes hold the value, and for so many it is too
    /// large.
    Stored { asked: usize, holders: usize, too_large: usize },
    /// Nodes have a value that is larger than this node takes.
    TooLarge { bytes: usize },
    /// Nodes have offered a value, and none has sent the whole of it.
    Unfinished { bytes: usize },
    /// The user abandoned it.
    Abandoned,
}

impl Outcome {
    /// What it is called in the log.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Looked => "looked",
            Self::Incomplete => "incomplete",
            Self::Found { .. } => "found",
            Self::Stored { holders: 0, .. } => "not stored",
            Self::Stored { .. } => "stored",
            Self::TooLarge { .. } => "too large",
            Self::Unfinished { .. } => "unfinished",
            Self::Abandoned => "abandoned",
        }
    }
}

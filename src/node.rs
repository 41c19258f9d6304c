//! The protocol core: one [`Node`] is the protocol state of one shard.
//!
//! It does no I/O. Its caller hands it datagrams, commands and the time, and it
//! writes datagrams and events into an [`Outbox`]:
//!
//! - [`handle_datagram`](Node::handle_datagram) for each datagram received,
//! - [`handle_command`](Node::handle_command) for each command of the user,
//! - [`handle_handoff`](Node::handle_handoff) for each message from another shard,
//! - [`handle_timeout`](Node::handle_timeout) when [`next_timeout`](Node::next_timeout)
//!   has come, and at will,
//!
//! and after any of these the caller sends what the outbox holds. Time never
//! goes backwards from one call to the next. The same seed and the same calls
//! give the same datagrams, byte for byte.
//!
//! # Example
//! Two nodes, driven without a driver: the second joins by the first, then stores a value
//! on it.
//! ```
//! use std::net::SocketAddr;
//! use kad_node::{id::Id, node::{Command, Config, KeyedValue, Node, OperationId, Outbox}};
//! use kad_node::time::Instant;
//!
//! let addrs: [SocketAddr; 2] = [([10, 0, 0, 1], 9001).into(), ([10, 0, 0, 2], 9001).into()];
//! let mut now = Instant::ZERO;
//! let mut nodes = [1, 2].map(|n| Node::new(Config::new(Id::of_value(&[n]), [n; 32]), now));
//! let (mut outbox, mut events) = (Outbox::new(), Vec::new());
//! let value = KeyedValue::new(b"hello".as_slice());
//! let key = value.key();
//! nodes[1].handle_command(now, Command::Bootstrap { addresses: vec![addrs[0]] }, &mut outbox);
//! for turn in 0..20 {
//!     if turn == 10 {
//!         let put = Command::Put { operation: OperationId(1), value: value.clone() };
//!         nodes[1].handle_command(now, put, &mut outbox);
//!     }
//!     for node in [1, 0] {
//!         nodes[node].handle_timeout(now, &mut outbox);
//!         let sent: Vec<_> = outbox.datagrams().map(|(to, bytes)| (to, bytes.to_vec())).collect();
//!         events.extend(outbox.take_events());
//!         outbox.clear();
//!         for (to, bytes) in sent {
//!             assert_eq!(to, addrs[1 - node]);
//!             nodes[1 - node].handle_datagram(now, addrs[node], &bytes, &mut outbox);
//!         }
//!     }
//!     now = nodes.iter().filter_map(Node::next_timeout).min().map_or(now, |due| due.max(now));
//! }
//! assert!(nodes[0].holds(key));
//! ```
//!
//! # Engines and effects
//! Six engines keep the state, and know nothing of each other: `rpc` (requests of this
//! node in flight), `query` (lookups), `table` (contacts), `jobs` (what is due, and
//! what a query was for), `storage` (values), `transfer` (values that are pulled piece
//! by piece). What one asks of another it pushes as an `Effect`.
//! `dispatch` hands effects on, one by one, until none is left: no engine calls another,
//! and nothing recurses. `serve` answers the requests of others; it pushes no effect where
//! the sender is known. `maintenance` does what is due by time.
//!
//! `tests/tidy.rs` keeps it so.

mod bulk;
mod command;
mod config;
mod dispatch;
mod effect;
mod fit;
mod handoff;
mod histograms;
mod identity;
mod jobs;
mod journal;
mod keeping;
mod known;
mod log_event;
mod maintenance;
mod outbox;
mod progress;
mod query;
mod renewable;
mod request;
mod round_trip;
mod rpc;
#[cfg(test)]
mod samples;
mod serve;
mod shard;
mod sightings;
mod stats;
mod storage;
mod subnet;
mod table;
mod to_hand_off;
mod token;
mod transfer;
mod view;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::Id;
use crate::limits::SENDS_GOODBYE;
use crate::time::Instant;
use crate::wire::{self, Contact, Role};
use bulk::Pulls;
use effect::{Effect, PublishReason, QueryKind, Turn};
use handoff::Message;
use jobs::Jobs;
use query::Queries;
use request::{Patience, Purpose, Request};
use rpc::Rpcs;
use storage::{Full, Storage};
use subnet::SubnetLimit;
use table::{Entry, Health, Table};
use token::Tokens;
use transfer::{Fetches, Uploads};

pub use command::{
    BucketView, Command, ContactView, Event, Forgotten, Found, KeyedValue, OperationId, Refusal,
    Stored, Trace,
};
pub use config::Config;
pub use fit::{fitted_id, id_fits};
pub use handoff::Handoff;
pub use histograms::{HOP_BOUNDS, Histogram, Histograms, Hops, TIME_BOUNDS_US, Times};
pub use identity::{IdFault, IdPolicy};
pub use journal::{
    BatchNumber, Change, HeldValue, JournalBatch, Kept, Persistence, PublishedValue,
};
pub use log_event::{LogEvent, LogLevel};
pub use outbox::{Outbox, OutboxFull};
pub use progress::{Hop, HopAnswer, Progress, PulledRange};
pub use shard::{Backlog, HANDOFF_SLOTS, Outcome, Route, ShardIndex, ShardPosition, Weight};
#[cfg(feature = "std")]
pub(crate) use stats::counters;
pub use stats::{Load, Stats};
pub use view::{Holding, Pending, SourceView, ValuesView};

/// The protocol state of one shard.
pub struct Node {
    turn: Turn,
    tokens: Tokens,
    rpcs: Rpcs,
    queries: Queries,
    table: Table,
    storage: Storage,
    jobs: Jobs,
    fetches: Fetches,
    uploads: Uploads,
    pulls: Pulls,
}

impl Node {
    /// A node that knows no other yet.
    ///
    /// # Panics
    /// When `k`, `alpha` or `value_bytes_max` is outside its limits, or `republish` below a second.
    pub fn new(config: Config, now: Instant) -> Self {
        config.assert_within_limits();
        let mut turn = Turn::new(config, now);
        let storage = Storage::new(&mut turn);
        let jobs = Jobs::new(&mut turn);
        let Config { id, k, position, token_secret, value_bytes_max, peers_per_subnet, .. } =
            turn.config;
        Self {
            tokens: Tokens::new(token_secret),
            rpcs: Rpcs::new(position.reply_tag()),
            queries: Queries::default(),
            table: Table::new(id, k, position, SubnetLimit::new(peers_per_subnet)),
            storage,
            jobs,
            fetches: Fetches::new(position.transfer_tag(), position.count(), value_bytes_max),
            uploads: Uploads::default(),
            pulls: Pulls::default(),
            turn,
        }
    }

    /// The node's id.
    pub const fn id(&self) -> Id {
        self.turn.config.id
    }

    /// The `count` good contacts closest to `target`, the closest first.
    pub fn closest(&self, target: Id, count: usize) -> Vec<Contact> {
        self.table.routing.closest(target, count, Health::Good, self.id()).to_vec()
    }

    /// Whether the node holds the value of `key`.
    pub fn holds(&self, key: Id) -> bool {
        self.storage.value(key).is_some()
    }

    /// Whether the node sees to it that the value of `key` lives on: whether it
    /// was put here or is held as a replica, not as a cached copy.
    pub fn keeps_alive(&self, key: Id) -> bool {
        self.storage.keeps_alive(key)
    }

    /// The counters and gauges of this shard: of the routing table, the part that it owns.
    pub fn stats(&self) -> Stats {
        let owned = || self.table.owned_buckets().map(|(_, bucket)| bucket);
        Stats {
            contacts: owned().map(|bucket| bucket.entries().len() as u64).sum(),
            replacements: owned().map(|bucket| bucket.replacements() as u64).sum(),
            changes_waiting: self.turn.journal.unkept_changes() as u64,
            rounds: self.jobs.rounds.len() as u64,
            values_to_hand_off: self.jobs.depart.left_to_do() as u64,
            transfers: self.fetches.len() as u64,
            transfer_bytes: self.fetches.bytes() as u64,
            uploads: self.uploads.len() as u64,
            lookups: self.queries.len() as u64,
            rpcs: self.rpcs.len() as u64,
            ..self.storage.stats(&self.turn)
        }
    }

    /// The distributions of this shard.
    pub const fn histograms(&self) -> &Histograms {
        &self.turn.histograms
    }

    /// Takes in one datagram from `source`.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        self.turn.now = now;
        self.turn.stats.datagrams_received += 1;
        // By reference: to move it would be to copy what was only just written.
        let decoded = wire::decode(bytes);
        let datagram = match &decoded {
            Ok(datagram) => datagram,
            Err(error) => {
                self.turn.stats.count_undecoded(*error);
                return self.dropped(source, error.name(), outbox);
            }
        };
        if datagram.network != self.turn.config.network {
            self.turn.stats.datagrams_other_network += 1;
            self.dropped(source, "of another network", outbox);
        } else if datagram.sender == self.turn.config.id {
            self.turn.stats.datagrams_own += 1;
            self.dropped(source, "of this node's own id", outbox);
        } else {
            let position = self.turn.config.position;
            match position.of_datagram(datagram).filter(|&owner| owner != position.index()) {
                None => self.take(source, datagram, bytes.len(), outbox),
                Some(owner) => {
                    self.turn.stats.datagrams_missteered += 1;
                    let datagram = Message::Datagram { source, local: None, bytes: bytes.into() };
                    outbox.handoff(owner, Handoff(datagram));
                }
            }
        }
    }

    /// Takes in what another shard of the node passes on.
    pub fn handle_handoff(&mut self, now: Instant, handoff: Handoff, outbox: &mut Outbox) {
        self.turn.now = now;
        self.turn.stats.handoffs_received += 1;
        if let Some(naming) = handoff.0.naming() {
            self.rename(naming);
        }
        match handoff.0 {
            Message::Datagram { source, bytes, .. } => {
                let datagram = wire::decode(&bytes).expect("another shard has decoded it");
                self.take(source, &datagram, bytes.len(), outbox);
            }
            Message::Table(message) => {
                self.table.take(&mut self.turn, message);
                self.join_if_met();
            }
            Message::Joined { found_beyond } => self.note_joined(found_beyond),
            Message::Renamed(_) => {} // by its name
        }
        self.drain(outbox);
    }

    /// Acts on a datagram that this shard owns.
    fn take(
        &mut self,
        source: SocketAddr,
        datagram: &wire::Datagram<'_>,
        length: usize,
        outbox: &mut Outbox,
    ) {
        if datagram.body.is_request() || matches!(datagram.body, wire::Body::Proof) {
            self.serve(source, datagram, length, outbox);
        } else {
            self.handle_reply(source, datagram, outbox);
        }
        self.drain(outbox);
    }

    /// Begins what `command` asks.
    pub fn handle_command(&mut self, now: Instant, command: Command, outbox: &mut Outbox) {
        self.turn.now = now;
        match command {
            Command::Bootstrap { addresses } => self.jobs.join.start(now, addresses),
            Command::Put { operation, value } => self.put(operation, value),
            Command::Get { operation, key, trace } => self.get(operation, key, trace),
            Command::Forget { operation, key } => {
                let outcome = self.storage.forget(&mut self.turn, key);
                self.tell(Event::Forget { operation, key, outcome }, outbox);
            }
            Command::Abandon { operation, key } => {
                self.queries.abandon(&mut self.turn, operation, key);
            }
            Command::Pending { operation, key } => {
                outbox.event(self.queries.pending(operation, key));
            }
            Command::Peers { operation } => {
                outbox.event(Event::Peers { operation, buckets: self.table.view(now) });
            }
            Command::Stats { operation } => {
                let (stats, histograms) = (self.stats(), self.turn.histograms.clone());
                let (stats, histograms) = (Box::new(stats), Box::new(histograms));
                outbox.event(Event::Stats { operation, stats, histograms });
            }
            Command::Values { operation } => {
                outbox.event(Event::Values { operation, values: Box::new(self.storage.view()) });
            }
            Command::Log { level } => self.turn.config.log_level = level,
            Command::Depart { operation } => self.depart(operation, outbox),
        }
        self.drain(outbox);
    }

    fn put(&mut self, operation: OperationId, value: KeyedValue) {
        let key = value.key();
        match self.admit_put(value) {
            Ok(value) => {
                let (life, reason) = (self.turn.config.expire, PublishReason::Put(operation));
                let kind = QueryKind::Publish { value, life, reason };
                self.turn.push(Effect::Query { target: key, kind });
            }
            Err(refusal) => {
                let (outcome, elapsed) = (Err(refusal), Duration::ZERO);
                self.turn.push(Effect::Event(Event::Put { operation, key, outcome, elapsed }));
            }
        }
    }

    fn admit_put(&mut self, value: KeyedValue) -> Result<Arc<[u8]>, Refusal> {
        let (key, value) = value.into_parts();
        let bytes_max = self.turn.config.value_bytes_max;
        if value.is_empty() {
            return Err(Refusal::Empty);
        }
        if value.len() > bytes_max {
            return Err(Refusal::TooLarge { bytes: value.len(), bytes_max });
        }
        if !self.queries.has_room_for_user(&mut self.turn) {
            return Err(Refusal::Busy);
        }
        if !self.turn.has_room_on_disk(value.len()) {
            return Err(Refusal::DiskBusy);
        }
        let kept = self.storage.publish(&mut self.turn, key, Arc::clone(&value));
        kept.map(|()| value).map_err(|Full| Refusal::Full)
    }

    fn get(&mut self, operation: OperationId, key: Id, trace: Trace) {
        let outcome = match self.storage.value(key) {
            Some(value) => Ok(Some(Found { value: Arc::clone(value), from: None, hops: 0 })),
            None if self.queries.has_room_for_user(&mut self.turn) => {
                let kind = QueryKind::Get { operation, trace };
                return self.turn.push(Effect::Query { target: key, kind });
            }
            None => Err(Refusal::Busy),
        };
        let (asked, elapsed) = (0, Duration::ZERO);
        self.turn.push(Effect::Event(Event::Get { operation, key, outcome, asked, elapsed }));
    }

    /// Begins to depart, for good.
    fn depart(&mut self, operation: OperationId, outbox: &mut Outbox) {
        if !self.turn.is_departing() {
            self.turn.config.role = Role::Departing;
            let good = self.table.owned_contacts().filter(|entry| !entry.is_stale());
            let goodbyes = good.map(|entry: &Entry| Request {
                sends_max: SENDS_GOODBYE,
                patience: Patience::Hurried,
                ..Request::ping(entry.contact(), entry.known, Purpose::Goodbye)
            });
            let goodbyes = goodbyes.collect();
            self.jobs.begin_departing(&mut self.turn, self.storage.len(), goodbyes);
            self.drain(outbox);
            self.hand_off(outbox);
        }
        self.jobs.depart.answer(&mut self.turn, operation);
    }
}

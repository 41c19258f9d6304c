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
//! This file wires the parts together and dispatches. Their state is in modules
//! that do not know each other: `routing_table` and `bucket`, `lookup`,
//! `in_flight`, `store`, `published`, `joining`, `token`, `round_trip`, `shard`.
//! What happens is in `serve` (requests of others), `call` (requests of ours),
//! `answer` (what comes back), `contacts` (what that does to the routing table),
//! `drive` (lookups), `placement` (the STOREs that follow them), `maintain` (what
//! is done by the clock), `leaving` (how it ends) and `show`.

mod answer;
mod call;
mod command;
mod config;
mod contacts;
mod credential;
mod drive;
mod handoff;
mod jobs;
mod leaving;
mod maintain;
mod outbox;
mod placement;
mod query;
mod round_trip;
mod rpc;
#[cfg(test)]
mod samples;
mod serve;
mod shard;
mod show;
mod stats;
mod storage;
mod table;
mod task;
mod token;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use slab::Slab;

use crate::id::Id;
use crate::limits::{ALPHA_MAX, K_MAX, SELF_LOOKUP, SELF_LOOKUP_POOR, VALUE_BYTES_MAX};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::{self, Contact, DecodeError};
use handoff::Message;
use jobs::join::Joining;
use leaving::Leaving;
use rpc::in_flight::InFlight;
use storage::keyed_map::Keyed;
use storage::published::Published;
use storage::store::{Life, Source, Store};
use table::routing_table::{Health, RoutingTable};
use task::{Call, Errand, Reason, Task};
use token::Tokens;

pub use command::{
    BucketView, Command, ContactView, Event, Forgotten, Found, Hop, HopAnswer, OperationId,
    Refusal, Stored, Trace,
};
pub use config::Config;
pub use handoff::Handoff;
pub use outbox::{Outbox, OutboxFull};
pub use shard::{Backlog, HANDOFF_SLOTS, Outcome, Route, ShardIndex, ShardPosition, Weight};
pub use stats::Stats;
#[cfg(feature = "std")]
pub(crate) use stats::counters;

/// The protocol state of one shard.
pub struct Node {
    config: Config,
    rng: Rng,
    tokens: Tokens,
    table: RoutingTable,
    in_flight: InFlight<Call>,
    /// Contacts with a PING in flight that settles whether they live.
    probing: Vec<SocketAddr>,
    /// Strangers with a PING in flight that settles where they are.
    introducing: Vec<SocketAddr>,
    tasks: Slab<Task>,
    generation: u32,
    maintenance_lookups: usize,
    /// When the next lookup of maintenance may begin.
    next_maintenance_lookup: Instant,
    store: Store,
    published: Published,
    joining: Joining,
    next_self_lookup: Instant,
    /// The wait for the next self lookup while fewer than K contacts are known.
    poor_wait: Duration,
    /// There once the node leaves.
    leaving: Option<Leaving>,
    stats: Stats,
}

impl Node {
    /// A node that knows nobody yet.
    ///
    /// # Panics
    /// When `k` or `alpha` is outside its limits, or `republish` below a second.
    pub fn new(config: Config, now: Instant) -> Self {
        assert!((1..=K_MAX).contains(&config.k), "k is from 1 to {K_MAX}");
        assert!((1..=ALPHA_MAX).contains(&config.alpha), "alpha is from 1 to {ALPHA_MAX}");
        assert!(
            config.republish >= Duration::from_secs(1),
            "a value is stored once a second at most"
        );
        let mut rng = Rng::from_seed(config.seed);
        let hash = Keyed::new(rng.bytes());
        Self {
            tokens: Tokens::new(config.token_secret),
            table: RoutingTable::new(config.id, config.k),
            in_flight: InFlight::new(config.position.reply_tag()),
            probing: Vec::new(),
            introducing: Vec::new(),
            tasks: Slab::new(),
            generation: 0,
            maintenance_lookups: 0,
            next_maintenance_lookup: Instant::ZERO,
            store: Store::new(config.store_bytes_max, config.store_values_max, hash.clone()),
            published: Published::new(hash),
            joining: Joining::new(),
            next_self_lookup: now + rng.jitter(SELF_LOOKUP),
            poor_wait: SELF_LOOKUP_POOR,
            leaving: None,
            stats: Stats::default(),
            rng,
            config,
        }
    }

    /// The node's id.
    pub const fn id(&self) -> Id {
        self.config.id
    }

    /// The `count` contacts closest to `target` that would be handed to others,
    /// the closest first.
    pub fn closest(&self, target: Id, count: usize) -> Vec<Contact> {
        self.table.closest(target, count, Health::Good, self.config.id).to_vec()
    }

    /// Whether the node holds the value of `key`.
    pub fn holds(&self, key: Id) -> bool {
        self.published.value(key).is_some() || self.store.held(key).is_some()
    }

    /// Whether the node sees to it that the value of `key` lives on: whether it
    /// was put here or is held as a replica, not as a cached copy.
    pub fn keeps_alive(&self, key: Id) -> bool {
        let is_replica = |held: &storage::store::Held| held.purpose == wire::Purpose::Replica;
        self.published.value(key).is_some() || self.store.held(key).is_some_and(is_replica)
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let deadlines =
            [self.in_flight.deadline(), self.joining.next_knock(), self.next_maintenance()];
        deadlines.into_iter().flatten().min()
    }

    /// Takes in one datagram from `source`.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        self.stats.datagrams_received += 1;
        // By reference: to move it would be to copy what was only just written.
        let decoded = wire::decode(bytes);
        let datagram = match &decoded {
            Ok(datagram) => datagram,
            Err(error) => return self.count_undecoded(*error),
        };
        if datagram.network != self.config.network {
            self.stats.datagrams_other_network += 1;
        } else if datagram.sender == self.config.id {
            self.stats.datagrams_own += 1;
        } else {
            let place = self.config.position;
            match place.of_datagram(datagram).filter(|&owner| owner != place.index()) {
                None => self.dispatch(now, source, datagram, bytes.len(), outbox),
                Some(owner) => {
                    self.stats.datagrams_missteered += 1;
                    let bytes = bytes.into();
                    outbox.handoff(owner, Handoff(Message::Datagram { source, bytes }));
                }
            }
        }
    }

    /// Takes in what another shard of the node hands over.
    pub fn handle_handoff(&mut self, now: Instant, handoff: Handoff, outbox: &mut Outbox) {
        self.stats.handoffs_received += 1;
        self.take_message(now, handoff.0, outbox);
    }

    /// Acts on a datagram that another shard has found to be ours.
    fn take_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        let datagram = wire::decode(bytes).expect("the shard that handed it over has decoded it");
        self.dispatch(now, source, &datagram, bytes.len(), outbox);
    }

    fn dispatch(
        &mut self,
        now: Instant,
        source: SocketAddr,
        datagram: &wire::Datagram<'_>,
        length: usize,
        outbox: &mut Outbox,
    ) {
        if datagram.body.is_request() {
            self.serve(now, source, datagram, length, outbox);
        } else {
            self.handle_reply(now, source, datagram, outbox);
        }
    }

    /// Begins what `command` asks.
    pub fn handle_command(&mut self, now: Instant, command: Command, outbox: &mut Outbox) {
        match command {
            Command::Bootstrap { addresses } => self.joining.start(now, addresses),
            Command::Put { operation, value } => self.put(now, operation, value, outbox),
            Command::Get { operation, key, trace } => self.get(now, operation, key, trace, outbox),
            Command::Forget { operation, key } => {
                let outcome = self.forget(now, key);
                outbox.event(Event::Forget { operation, key, outcome });
            }
            Command::Abandon { operation, key } => self.abandon(now, operation, key, outbox),
            Command::Peers { operation } => {
                outbox.event(Event::Peers { operation, buckets: self.view_buckets(now) });
            }
            Command::Stats { operation } => {
                outbox.event(Event::Stats { operation, stats: Box::new(self.stats()) });
            }
            Command::Leave { operation } => self.leave(now, operation, outbox),
        }
    }

    /// Does what is due at `now`; what there is no room for in the outbox is due
    /// still.
    pub fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        self.handle_overdue(now, outbox);
        self.knock(now, outbox);
        self.maintain(now, outbox);
    }

    fn put(&mut self, now: Instant, operation: OperationId, value: Box<[u8]>, outbox: &mut Outbox) {
        let key = Id::of_value(&value);
        if let Err(refusal) = self.begin_put(now, operation, key, value, outbox) {
            let elapsed = Duration::ZERO;
            outbox.event(Event::Put { operation, key, outcome: Err(refusal), elapsed });
        }
    }

    fn begin_put(
        &mut self,
        now: Instant,
        operation: OperationId,
        key: Id,
        value: Box<[u8]>,
        outbox: &mut Outbox,
    ) -> Result<(), Refusal> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes: value.len() });
        }
        let value: Arc<[u8]> = value.into();
        let republish = now + self.rng.jitter(self.config.republish);
        let is_new = self.published.value(key).is_none();
        let kept = self.published.put(key, Arc::clone(&value), republish);
        kept.map_err(|storage::published::Full| Refusal::Full)?;
        let life = self.config.expire;
        let errand = Errand::Place { value, life, reason: Reason::Put(operation) };
        self.begin_task(now, key, errand, outbox).inspect_err(|_| {
            if is_new {
                self.published.forget(key);
            }
        })
    }

    fn get(
        &mut self,
        now: Instant,
        operation: OperationId,
        key: Id,
        trace: Trace,
        outbox: &mut Outbox,
    ) {
        let local = self.published.value(key).or(self.store.held(key).map(|held| &held.value));
        let outcome = match local {
            Some(value) => Ok(Some(Found { value: value[..].into(), from: None, hops: 0 })),
            None => match self.begin_task(now, key, Errand::Get { operation, trace }, outbox) {
                Ok(()) => return,
                Err(refusal) => Err(refusal),
            },
        };
        outbox.event(Event::Get { operation, key, outcome, asked: 0, elapsed: Duration::ZERO });
    }

    /// Stops republishing a value; what is left is a replica like any other.
    fn forget(&mut self, now: Instant, key: Id) -> Forgotten {
        let Some(value) = self.published.forget(key) else {
            return Forgotten::Unknown;
        };
        let replicate = now + self.rng.jitter(crate::limits::REPLICATE);
        let life = Life { expires: now + self.config.expire, replicate };
        self.store.store(key, &value, Source::Own, wire::Purpose::Replica, life);
        Forgotten::Forgotten
    }

    fn count_undecoded(&mut self, error: DecodeError) {
        let counter = match error {
            DecodeError::Truncated => &mut self.stats.datagrams_truncated,
            DecodeError::Oversized => &mut self.stats.datagrams_oversized,
            DecodeError::Magic | DecodeError::Version => &mut self.stats.datagrams_foreign,
            DecodeError::Kind
            | DecodeError::Address
            | DecodeError::Contacts
            | DecodeError::Code => &mut self.stats.datagrams_malformed,
        };
        *counter += 1;
    }

    fn count_sent(&mut self, sent: Result<(), OutboxFull>) {
        match sent {
            Ok(()) => self.stats.datagrams_sent += 1,
            Err(OutboxFull) => self.stats.outbox_full += 1,
        }
    }
}

/// A duration as the wire carries it.
fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

//! The protocol core: one [`Node`] is the protocol state of one shard.
//!
//! It does no I/O. Its caller hands it datagrams, commands and the time, and it
//! writes datagrams and events into an [`Outbox`]:
//!
//! - [`handle_datagram`](Node::handle_datagram) for each datagram received,
//! - [`handle_command`](Node::handle_command) for each command of the user,
//! - [`handle_timeout`](Node::handle_timeout) when [`next_timeout`](Node::next_timeout)
//!   has come, and at will,
//!
//! and after any of these the caller sends what the outbox holds. Time never
//! goes backwards from one call to the next. The same seed and the same calls
//! give the same datagrams, byte for byte.

mod command;
mod config;
mod outbox;
mod stats;

use core::net::SocketAddr;

use crate::id::Id;
use crate::time::Instant;
use crate::wire;

pub use command::{
    BucketView, Command, ContactView, Event, Forgotten, Found, Hop, HopAnswer, OperationId,
    Refusal, Stored, Trace,
};
pub use config::Config;
pub use outbox::Outbox;
pub use stats::Stats;

/// The protocol state of one shard.
pub struct Node {
    config: Config,
    stats: Stats,
}

impl Node {
    /// A node that knows nobody yet.
    ///
    /// # Panics
    /// When `k` or `alpha` is outside its limits.
    pub fn new(config: Config, _now: Instant) -> Self {
        Self { config, stats: Stats::default() }
    }

    /// The node's id.
    pub const fn id(&self) -> Id {
        self.config.id
    }

    /// The counters and gauges.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Takes in one datagram from `source`.
    pub fn handle_datagram(
        &mut self,
        _now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        self.stats.datagrams_received += 1;
        let Ok(datagram) = wire::decode(bytes) else {
            self.stats.datagrams_malformed += 1;
            return;
        };
        if matches!(datagram.body, wire::Body::Ping) {
            self.stats.pings_answered += 1;
            self.stats.datagrams_sent += 1;
            let reply = wire::Datagram {
                sender: self.config.id,
                announce: None,
                token: wire::Token::NONE,
                body: wire::Body::Pong,
                ..datagram
            };
            outbox.datagram(source, |buffer| wire::encode(&reply, buffer));
        }
    }

    /// Begins what `command` asks.
    #[expect(clippy::needless_pass_by_value, reason = "a put keeps its value")]
    pub fn handle_command(&mut self, _now: Instant, command: Command, outbox: &mut Outbox) {
        if let Command::Stats { operation } = command {
            outbox.event(Event::Stats { operation, stats: alloc::boxed::Box::new(self.stats()) });
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, _now: Instant, _outbox: &mut Outbox) {}
}

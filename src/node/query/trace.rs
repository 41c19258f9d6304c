//! What a query tells of each answer: to the user that asked for it, and to the log.

use super::Query;
use crate::node::command::{Event, Hop, HopAnswer, Trace};
use crate::node::effect::{Effect, QueryKind, Turn};
use crate::node::log_event::{LogEvent, LogLevel};
use crate::time::Instant;
use crate::wire::Contact;

impl Query {
    /// Tells what a candidate has answered.
    pub(super) fn tell_hop(
        &self,
        turn: &mut Turn,
        contact: Contact,
        first_sent: Instant,
        depth: u8,
        answer: HopAnswer,
    ) {
        let traced = match self.kind {
            QueryKind::Get { operation, trace: Trace::Hops } => Some(operation),
            _ => None,
        };
        if traced.is_none() && turn.config.log_level < LogLevel::Hops {
            return;
        }
        let target = self.lookup.target();
        let shared_prefix_bits = (contact.id ^ target).shared_prefix_bits();
        let elapsed = turn.now.since(first_sent);
        let hop = Hop { contact, shared_prefix_bits, depth, answer, elapsed };
        let (purpose, operation) = (self.kind.name(), self.kind.operation());
        turn.log(|| LogEvent::LookupHop { purpose, operation, target, hop });
        if let Some(operation) = traced {
            turn.push(Effect::Event(Event::Hop { operation, hop }));
        }
    }

    /// Tells whether a node has stored the query's value.
    pub(super) fn tell_store(
        &self,
        turn: &mut Turn,
        contact: Contact,
        first_sent: Instant,
        is_stored: bool,
    ) {
        let (purpose, operation) = (self.kind.name(), self.kind.operation());
        let (key, elapsed) = (self.lookup.target(), turn.now.since(first_sent));
        turn.log(|| LogEvent::StoreEnded { purpose, operation, key, contact, is_stored, elapsed });
    }
}

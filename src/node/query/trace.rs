//! What a query tells before it ends: to the user that asked for it, and to the log.

use super::{Phase, Queries, Query};
use crate::id::Id;
use crate::node::command::{Event, OperationId, Trace};
use crate::node::effect::{Effect, QueryKind, Turn};
use crate::node::log_event::{LogEvent, LogLevel};
use crate::node::progress::{Hop, HopAnswer, Progress, PulledRange};
use crate::node::request::QueryId;
use crate::node::view::Pending;
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

impl Queries {
    /// What the user's put or get of `key` waits for, where it is in progress.
    pub(crate) fn pending(&self, operation: OperationId, key: Id) -> Event {
        let query = self.of_operation(operation, key);
        let pending = query.map(|(_, query)| match query.phase {
            Phase::Looking => {
                let candidates = query.lookup.candidates.iter();
                let waiting = candidates.filter(|other| other.state.owes_an_answer()).count();
                Pending { asked: query.lookup.asked(), waiting }
            }
            Phase::Storing => {
                let stores = &query.stores;
                Pending { asked: stores.asked(), waiting: stores.outstanding() }
            }
        });
        Event::Pending { operation, pending }
    }

    /// So many bytes of a query's value are here; of a publish, were asked for by nodes that
    /// pull it.
    pub(crate) fn progressed(&mut self, turn: &mut Turn, id: QueryId, bytes: usize) {
        let Some(query) = self.query(id) else { return };
        let Some(operation) = query.kind.operation() else { return };
        let elapsed = turn.now.since(query.started);
        let (bytes_done, bytes_total, holders) =
            if let QueryKind::Publish { value, .. } = &query.kind {
                let stores = &query.stores;
                let settled = stores.asked() - stores.outstanding();
                (settled * value.len() + bytes, stores.asked() * value.len(), stores.holders())
            } else {
                let Some((bytes_total, holders)) = query.holders.pulled() else { return };
                (bytes, bytes_total, holders)
            };
        let progress = Progress { bytes_done, bytes_total, holders, elapsed };
        let key = query.lookup.target();
        turn.push(Effect::Event(Event::Progress { operation, key, progress }));
    }

    /// A holder has sent a part of a query's value.
    pub(crate) fn range_pulled(&mut self, turn: &mut Turn, id: QueryId, range: PulledRange) {
        let kind = self.query(id).map(|query| &query.kind);
        if let Some(&QueryKind::Get { operation, trace: Trace::Hops }) = kind {
            turn.push(Effect::Event(Event::Range { operation, range }));
        }
    }
}

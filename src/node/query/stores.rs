//! The STOREs of a publish, all at once, to the K closest nodes: those that its lookup has found,
//! or that lookups of other puts have found lately ([`Regions`](super::regions::Regions)).

use alloc::sync::Arc;

use super::{Contact, Phase, Queries, Query};
use crate::limits::REGION_PUTS_MIN;
use crate::node::effect::{Effect, Outcome, QueryKind, Turn};
use crate::node::request::{Answer, Ask, Purpose, QueryId, Reply, Request};
use crate::wire::{self, Body, ErrorCode, Role};

/// Where a publish has the nodes from that it stores on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nodes {
    /// Its own lookup.
    Looked,
    /// A region: it has not looked up.
    OfRegion,
    /// A region, and one of them has not answered its STORE.
    Missed,
}

impl Query {
    /// Pushes the STOREs, but to nodes that hold the value already.
    fn push_stores(&mut self, turn: &mut Turn, id: QueryId) {
        let QueryKind::Publish { value, life, .. } = &self.kind else { return };
        let (key, is_hurried) = (self.lookup.target(), self.kind.is_hurried());
        let (mut asked, mut holders) = (0, 0);
        for candidate in self.lookup.closest() {
            asked += 1;
            if self.stored.contains(&candidate.contact) {
                holders += 1;
                continue;
            }
            let (value, purpose) = (Arc::clone(value), wire::Purpose::Replica);
            let ask = Ask::Store { key, value, life: *life, purpose };
            let purpose = Purpose::Query(id);
            let request = Request::new(candidate.contact, candidate.known, ask, purpose);
            turn.push(Effect::Request(request.hurried_if(is_hurried)));
        }
        self.phase = Phase::Storing { asked, outstanding: asked - holders, holders, too_large: 0 };
    }

    /// Takes in what has come of a STORE.
    fn note_store(&mut self, contact: Contact, is_there: bool, is_stored: bool) {
        if self.nodes == Nodes::OfRegion && !is_there {
            self.nodes = Nodes::Missed;
        }
        if self.nodes != Nodes::Looked && is_stored {
            self.stored.push(contact);
        }
    }
}

impl Queries {
    /// The nodes of a publish are known: their STOREs leave.
    pub(super) fn store(&mut self, turn: &mut Turn, id: QueryId) {
        let query = &mut self.slots[id.slot];
        query.push_stores(turn, id);
        let has_looked = query.nodes == Nodes::Looked && query.kind.is_put() && query.unasked == 0;
        if has_looked && (query.is_shared || self.puts >= REGION_PUTS_MIN) {
            let has_room = self.regions.take(turn.now, &query.lookup);
            turn.stats.regions_forgotten += u64::from(!has_room);
        }
        self.end_if_stored(turn, id);
    }

    /// A STORE could not be sent, since too much is in flight.
    pub(super) fn store_refused(&mut self, turn: &mut Turn, id: QueryId) {
        if let Phase::Storing { asked, outstanding, .. } = &mut self.slots[id.slot].phase {
            *asked -= 1;
            *outstanding -= 1;
        }
        self.end_if_stored(turn, id);
    }

    /// A STORE has come to something.
    pub(super) fn store_settled(
        &mut self,
        turn: &mut Turn,
        id: QueryId,
        contact: Contact,
        reply: &Reply<'_>,
    ) {
        let query = &mut self.slots[id.slot];
        let Phase::Storing { outstanding, holders, too_large, .. } = &mut query.phase else {
            return;
        };
        let (is_there, body) = match reply.answer {
            Answer::Reply { role, body, .. } => (role != Role::Departing, Some(body)),
            Answer::Misnamed { .. } | Answer::Silence => (false, None),
        };
        let is_stored = body == Some(Body::Stored);
        *outstanding -= 1;
        *holders += usize::from(is_stored);
        *too_large += usize::from(body == Some(Body::Error(ErrorCode::TooLarge)));
        query.tell_store(turn, contact, reply.first_sent, is_stored);
        query.note_store(contact, is_there, is_stored);
        if is_there {
            self.regions.answered(contact, reply.known);
        } else {
            self.regions.forget(contact, turn.config.k);
        }
        self.end_if_stored(turn, id);
    }

    /// Ends a publish whose STOREs are all settled; or has it look up after all, where a node of
    /// its region has not answered.
    fn end_if_stored(&mut self, turn: &mut Turn, id: QueryId) {
        let query = &mut self.slots[id.slot];
        let Phase::Storing { asked, outstanding: 0, holders, too_large } = query.phase else {
            return;
        };
        if query.nodes != Nodes::Missed {
            return self.finish(turn, id, Outcome::Stored { asked, holders, too_large });
        }
        turn.stats.lookups_after_all += 1;
        turn.stats.lookups_started += 1;
        query.lookup = super::lookup_of(turn, query.lookup.target(), &query.kind);
        (query.nodes, query.phase) = (Nodes::Looked, Phase::Looking);
        self.seed(turn, id);
    }
}

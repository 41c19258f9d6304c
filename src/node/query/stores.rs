//! The STOREs of a publish, to the K closest nodes: those that its lookup has found, or that
//! lookups of other puts have found lately ([`Regions`](super::regions::Regions)).
//!
//! They leave all at once. Where the lookup of a put waits for nodes that are late alone, those
//! among the K closest that have answered get theirs meanwhile: at 20 % loss each way more than
//! half of all lookups wait for one that is given up in the end. When it turns out that one of
//! them is not among the K closest, one node more holds the value.
//!
//! Where a node that a put's lookup has found does not answer its STORE, the lookup goes on, to
//! the next closest: it has no fewer holders, though some were [spared a
//! question](super::lookup).

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::candidate::Candidate;
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

/// The STOREs of one publish.
#[derive(Debug, Default)]
pub(super) struct Stores {
    /// Each node that was sent one, and what has come of it.
    sent: Vec<(Contact, Sent)>,
    too_large: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Outstanding,
    Stored,
    Failed,
}

impl Stores {
    fn count(&self, state: Sent) -> usize {
        self.sent.iter().filter(|(_, sent)| *sent == state).count()
    }

    /// Nodes that were asked to store the value.
    pub(super) const fn asked(&self) -> usize {
        self.sent.len()
    }

    /// Those that have not said whether they do.
    pub(super) fn outstanding(&self) -> usize {
        self.count(Sent::Outstanding)
    }

    /// Those that do.
    pub(super) fn holders(&self) -> usize {
        self.count(Sent::Stored)
    }

    fn is_sent(&self, contact: Contact) -> bool {
        self.sent.iter().any(|(to, _)| *to == contact)
    }

    /// Whether a node has not said yet what came of its STORE.
    pub(super) fn is_outstanding(&self, contact: Contact) -> bool {
        self.sent.contains(&(contact, Sent::Outstanding))
    }

    fn settle(&mut self, contact: Contact, state: Sent) {
        let is_it = |sent: &&mut (Contact, Sent)| **sent == (contact, Sent::Outstanding);
        if let Some((_, sent)) = self.sent.iter_mut().find(is_it) {
            *sent = state;
        }
    }

    fn forget(&mut self, is_forgotten: impl Fn(Contact, Sent) -> bool) {
        self.sent.retain(|(contact, sent)| !is_forgotten(*contact, *sent));
    }
}

impl Query {
    /// Pushes a STORE to each of these, but to those that were sent one.
    fn push_stores(&mut self, turn: &mut Turn, id: QueryId, closest: &[Candidate]) {
        let QueryKind::Publish { value, life, .. } = &self.kind else { return };
        let (key, is_hurried) = (self.lookup.target(), self.kind.is_hurried());
        for candidate in closest {
            if self.stores.is_sent(candidate.contact) {
                continue;
            }
            let (value, purpose) = (Arc::clone(value), wire::Purpose::Replica);
            let ask = Ask::Store { key, value, life: *life, purpose };
            let purpose = Purpose::Query(id);
            let request = Request::new(candidate.contact, candidate.known, ask, purpose);
            turn.push(Effect::Request(request.hurried_if(is_hurried)));
            self.stores.sent.push((candidate.contact, Sent::Outstanding));
        }
    }

    /// Pushes the STOREs of a put that waits for late nodes alone.
    pub(super) fn push_early_stores(&mut self, turn: &mut Turn, id: QueryId) {
        if self.kind.is_put() && self.lookup.waits_for_late() {
            let closest: Vec<Candidate> = self.lookup.closest_so_far().copied().collect();
            self.push_stores(turn, id, &closest);
        }
    }
}

impl Queries {
    /// The nodes of a publish are known: the STOREs that have not left do so.
    pub(super) fn store(&mut self, turn: &mut Turn, id: QueryId) {
        let query = &mut self.slots[id.slot];
        query.phase = Phase::Storing;
        query.lookup.spare();
        let closest: Vec<Candidate> = query.lookup.closest().copied().collect();
        query.push_stores(turn, id, &closest);
        let has_looked = query.nodes == Nodes::Looked && query.kind.is_put() && query.unasked == 0;
        if has_looked && (query.is_shared || self.puts >= REGION_PUTS_MIN) {
            let has_room = self.regions.take(turn.now, &query.lookup);
            turn.stats.regions_forgotten += u64::from(!has_room);
        }
        self.end_if_stored(turn, id);
    }

    /// A STORE could not be sent, since too much is in flight.
    pub(super) fn store_refused(&mut self, turn: &mut Turn, id: QueryId, contact: Contact) {
        self.slots[id.slot].stores.forget(|to, _| to == contact);
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
        let (is_there, body) = match reply.answer {
            Answer::Reply { role, body, .. } => (role != Role::Departing, Some(body)),
            Answer::Misnamed { .. } | Answer::Silence => (false, None),
        };
        let is_stored = body == Some(Body::Stored);
        query.stores.settle(contact, if is_stored { Sent::Stored } else { Sent::Failed });
        query.stores.too_large += usize::from(body == Some(Body::Error(ErrorCode::TooLarge)));
        query.tell_store(turn, contact, reply.first_sent, is_stored);
        if is_there {
            self.regions.answered(contact, reply.known);
            return self.end_if_stored(turn, id);
        }
        self.regions.forget(contact, turn.config.k);
        match query.nodes {
            Nodes::Looked if query.kind.is_put() => self.make_up_for(turn, id, contact),
            Nodes::OfRegion => {
                query.nodes = Nodes::Missed;
                self.end_if_stored(turn, id);
            }
            Nodes::Looked | Nodes::Missed => self.end_if_stored(turn, id),
        }
    }

    /// Has the lookup of a put go on to the next closest, in place of a node that has not
    /// answered its STORE.
    fn make_up_for(&mut self, turn: &mut Turn, id: QueryId, silent: Contact) {
        let query = &mut self.slots[id.slot];
        query.lookup.discard(silent);
        if query.phase == Phase::Storing {
            query.phase = Phase::Looking;
            query.lookup.resume();
        }
        self.advance(turn, id);
    }

    /// Ends a publish whose nodes are known and whose STOREs are all settled; or has it look up
    /// after all, where a node of its region has not answered.
    fn end_if_stored(&mut self, turn: &mut Turn, id: QueryId) {
        let query = &mut self.slots[id.slot];
        let stores = &mut query.stores;
        if query.phase == Phase::Looking || stores.outstanding() > 0 {
            return;
        }
        if query.nodes != Nodes::Missed {
            let (asked, holders, too_large) = (stores.asked(), stores.holders(), stores.too_large);
            return self.finish(turn, id, Outcome::Stored { asked, holders, too_large });
        }
        turn.stats.lookups_after_all += 1;
        turn.stats.lookups_started += 1;
        stores.forget(|_, sent| sent == Sent::Failed);
        query.lookup = super::lookup_of(turn, query.lookup.target(), &query.kind);
        (query.nodes, query.phase) = (Nodes::Looked, Phase::Looking);
        self.seed(turn, id);
    }
}

//! Iterative queries: a lookup for the closest nodes, and the STOREs that may follow it.
//!
//! This engine says which requests to send, and hands on the result of a query that has
//! ended. What a query is for matters here only in how it is made.
//!
//! [`Lookup::has_ended`] alone decides when a lookup has ended. [`Queries::advance`] asks it
//! after every reply and time-out; where no candidate has answered, it seeds the lookup again
//! instead. A publish then sends its STOREs, and ends when each is settled. Any other ends
//! with its lookup; a get sooner, with the value ([`Queries::settled`]).

mod answers;
mod budget;
mod candidate;
mod chosen;
mod holders;
mod lookup;
mod regions;
mod stores;
mod trace;

use alloc::vec::Vec;
use core::net::SocketAddr;

use slab::Slab;

use super::command::OperationId;
use super::effect::{Effect, FetchPurpose, Finished, Outcome, QueryKind, Turn};
use super::known::Known;
use super::log_event::LogEvent;
use super::progress::HopAnswer;
use super::request::{Answer, Ask, QueryId, Reply};
use super::sightings::Sightings;
use super::subnet::SubnetLimit;
use crate::id::Id;
use crate::limits::{
    ALPHA_MAX, MAINTENANCE_QUERIES_MAX, QUERIES_MAX, REGION_PUTS_MIN, SEEDINGS_MAX,
};
use crate::time::Instant;
use crate::wire::{Body, Contact, Role};
use candidate::{Candidate, Extent, NamedBy, Offer};
use holders::Holders;
use lookup::Lookup;
use regions::Regions;
use stores::{Nodes, Stores};

/// The queries in progress.
#[derive(Default)]
pub(crate) struct Queries {
    slots: Slab<Query>,
    generation: u32,
    maintenance: usize,
    /// Of the user's puts, how many are among them.
    puts: usize,
    regions: Regions,
}

struct Query {
    generation: u32,
    kind: QueryKind,
    lookup: Lookup,
    phase: Phase,
    started: Instant,
    /// How often contacts of the table were offered to the lookup.
    seedings: usize,
    /// Candidates that could not be asked, since too much was in flight.
    unasked: usize,
    /// Requests that were sent again, or not sent since too much was in flight.
    resent: usize,
    nodes: Nodes,
    /// Whether it is one of several puts, as it began: others may use what its lookup finds.
    is_shared: bool,
    stores: Stores,
    /// Of a get, those that have offered a large value.
    holders: Holders,
    /// Of a lookup for the node's own id, what peers have said of that.
    sightings: Sightings,
}

/// How far a query has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It looks for the closest nodes.
    Looking,
    /// They are known, and each has been sent a STORE.
    Storing,
}

impl Queries {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether a query is in progress and looks for nodes still.
    pub(crate) fn is_looking(&self, id: QueryId) -> bool {
        let query = self.slots.get(id.slot).filter(|query| query.generation == id.generation);
        query.is_some_and(|query| query.phase == Phase::Looking)
    }

    /// Whether a query is a put, and so shows the tokens that it is given by its STOREs.
    pub(crate) fn shows_tokens(&self, id: QueryId) -> bool {
        let query = self.slots.get(id.slot).filter(|query| query.generation == id.generation);
        query.is_some_and(|query| query.kind.is_put())
    }

    /// Whether maintenance may begin one more.
    pub(crate) fn has_room_for_maintenance(&self) -> bool {
        self.maintenance < MAINTENANCE_QUERIES_MAX && self.len() < QUERIES_MAX
    }

    /// Whether the user may begin one more; if not, it is counted. The user leaves
    /// [`MAINTENANCE_QUERIES_MAX`] of [`QUERIES_MAX`] free for the node's own.
    pub(crate) fn has_room_for_user(&self, turn: &mut Turn) -> bool {
        let has_room = self.len() < QUERIES_MAX - MAINTENANCE_QUERIES_MAX;
        if !has_room {
            turn.stats.lookups_refused += 1;
            turn.log(|| LogEvent::Refused { what: "lookup of a put or a get" });
        }
        has_room
    }

    /// Begins a query, for which there is room. Whether it looks up: a put need not where the
    /// nodes around its key are known.
    pub(crate) fn begin(&mut self, turn: &mut Turn, target: Id, kind: QueryKind) -> bool {
        let known = if kind.is_put() { self.regions.lookup(turn, target) } else { None };
        let looks_up = known.is_none();
        turn.stats.lookups_started += u64::from(looks_up);
        turn.stats.lookups_spared += u64::from(!looks_up);
        self.maintenance += usize::from(kind.is_maintenance());
        self.puts += usize::from(kind.is_put());
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let is_shared = self.puts >= REGION_PUTS_MIN;
        let lookup = known.unwrap_or_else(|| {
            let lookup = lookup_of(turn, target, &kind);
            // What others use is to be found as surely as may be.
            if is_shared { lookup } else { lookup.sparing(turn.now) }
        });
        let query = Query {
            generation,
            lookup,
            kind,
            phase: Phase::Looking,
            started: turn.now,
            seedings: 0,
            unasked: 0,
            resent: 0,
            nodes: if looks_up { Nodes::Looked } else { Nodes::OfRegion },
            is_shared,
            stores: Stores::default(),
            holders: Holders::default(),
            sightings: Sightings::default(),
        };
        let id = QueryId { slot: self.slots.insert(query), generation };
        if looks_up {
            self.seed(turn, id);
        } else {
            self.store(turn, id);
        }
        looks_up
    }

    /// Asks for contacts of the table: the K closest, then K others of the 2 K closest, ...
    fn seed(&mut self, turn: &mut Turn, id: QueryId) {
        let query = &mut self.slots[id.slot];
        query.seedings += 1;
        let (target, count) = (query.lookup.target(), query.seedings * turn.config.k);
        turn.push(Effect::Seed { query: id, target, count });
    }

    /// Takes in the contacts of the table that a query has asked for.
    pub(crate) fn seeded(&mut self, turn: &mut Turn, id: QueryId, seeds: Vec<(Contact, Known)>) {
        let Some(query) = self.query(id) else { return };
        let offers = seeds.into_iter().map(|(contact, known)| {
            query.lookup.offer(contact, NamedBy::Table, known) == Offer::Taken
        });
        let new = offers.filter(|is_new| *is_new).take(turn.config.k).count();
        let is_first = query.seedings == 1;
        turn.stats.lookups_seeded_again += u64::from(!is_first && new > 0);
        if is_first || new > 0 { self.advance(turn, id) } else { self.looked(turn, id) }
    }

    /// A candidate is late: another is asked meanwhile.
    pub(crate) fn slow(&mut self, turn: &mut Turn, id: QueryId, contact: Contact) {
        if let Some(query) = self.query(id) {
            query.resent += 1;
            query.lookup.slow(contact);
            self.advance(turn, id);
        }
    }

    /// A request of a query could not be sent, since too much is in flight.
    pub(crate) fn refused(&mut self, turn: &mut Turn, id: QueryId, contact: Contact) {
        let Some(query) = self.query(id) else { return };
        query.resent += 1;
        if query.stores.is_outstanding(contact) {
            return self.store_refused(turn, id, contact);
        }
        query.unasked += 1;
        query.lookup.failed(contact);
        self.advance(turn, id);
    }

    /// Takes in what came of a request of a query. `known` says what is known of a contact
    /// that the reply names; none where it is not to be asked.
    pub(crate) fn settled(
        &mut self,
        turn: &mut Turn,
        id: QueryId,
        reply: &Reply<'_>,
        known: impl Fn(Contact) -> Option<Known>,
    ) {
        let (Some(query), Some(contact)) = (self.query(id), reply.contact()) else { return };
        match (query.phase, &reply.request.ask) {
            (_, Ask::Store { .. }) => self.store_settled(turn, id, contact, reply),
            // A late answer to the lookup changes nothing any more.
            (Phase::Storing, _) => {}
            (Phase::Looking, _) => {
                let Some((shown, candidate)) = query.take(turn, contact, reply, known) else {
                    return;
                };
                query.tell_hop(turn, contact, reply.first_sent, candidate.hops, shown);
                match reply.answer {
                    Answer::Reply { body: Body::Value(value), .. }
                        if matches!(shown, HopAnswer::Value { .. }) && value.is_first_piece() =>
                    {
                        query.offered(turn, id, candidate, reply, &value);
                        self.advance(turn, id);
                    }
                    Answer::Reply { body: Body::Value(value), .. }
                        if matches!(shown, HopAnswer::Value { .. }) =>
                    {
                        let outcome = query.found(candidate, &value);
                        self.finish(turn, id, outcome);
                    }
                    _ => self.advance(turn, id),
                }
            }
        }
    }

    /// Ends the user's put or get of `key`, where it is in progress. Its lookup's requests
    /// are not sent again once it is gone.
    pub(crate) fn abandon(&mut self, turn: &mut Turn, operation: OperationId, key: Id) {
        if let Some((slot, &Query { generation, .. })) = self.of_operation(operation, key) {
            self.finish(turn, QueryId { slot, generation }, Outcome::Abandoned);
        }
    }

    /// The user's put or get of `key`, where it is in progress.
    fn of_operation(&self, operation: OperationId, key: Id) -> Option<(usize, &Query)> {
        self.slots.iter().find(|(_, query)| {
            query.lookup.target() == key && query.kind.operation() == Some(operation)
        })
    }

    /// No query asks a node at `addr` any more: it departs.
    pub(crate) fn forget_at(&mut self, addr: SocketAddr) {
        for (_, query) in &mut self.slots {
            query.lookup.forget_at(addr);
        }
    }

    fn query(&mut self, id: QueryId) -> Option<&mut Query> {
        self.slots.get_mut(id.slot).filter(|query| query.generation == id.generation)
    }

    /// Asks the nodes that the lookup wants asked. At its end, offers it more contacts of
    /// the table where none has answered: those that it began with may be dead. Where one
    /// has answered, only what was lost on the way is missing, and to ask more would lose
    /// more; where too much is in flight to ask any, to ask others would be as vain.
    fn advance(&mut self, turn: &mut Turn, id: QueryId) {
        let Some(query) = self.query(id).filter(|query| query.phase == Phase::Looking) else {
            return;
        };
        while query.holders.wants_more()
            && let Some(candidate) = query.lookup.next()
        {
            turn.push(Effect::Request(query.request(id, candidate)));
        }
        query.push_early_stores(turn, id);
        if query.lookup.has_ended() && !query.holders.is_pulling() {
            let is_unanswered = query.unasked == 0 && query.lookup.is_unanswered();
            if is_unanswered && query.seedings < SEEDINGS_MAX {
                self.seed(turn, id);
            } else {
                self.looked(turn, id);
            }
        }
    }

    /// The lookup has ended without a value: the query ends, or stores its own.
    fn looked(&mut self, turn: &mut Turn, id: QueryId) {
        let query = &mut self.slots[id.slot];
        if matches!(query.kind, QueryKind::Publish { .. }) {
            return self.store(turn, id);
        }
        let outcome = if query.unasked == 0 { Outcome::Looked } else { Outcome::Incomplete };
        let outcome = query.holders.outcome_or(outcome);
        self.finish(turn, id, outcome);
    }

    /// Hands the result to the job that asked for the query.
    fn finish(&mut self, turn: &mut Turn, id: QueryId, outcome: Outcome) {
        let Query { kind, lookup, started, resent, holders, sightings, .. } =
            self.slots.remove(id.slot);
        if holders.is_pulling() {
            turn.push(Effect::StopFetch(FetchPurpose::Query(id)));
        }
        self.maintenance -= usize::from(kind.is_maintenance());
        self.puts -= usize::from(kind.is_put());
        turn.stats.lookups_crowded += u64::from(lookup.is_crowded());
        turn.push(Effect::Finished(Finished {
            target: lookup.target(),
            kind,
            outcome,
            closest: lookup.closest().map(|node| (node.contact, node.hops)).collect(),
            sightings: sightings.of(|peer| lookup.closest().any(|node| node.contact == peer)),
            asked: lookup.asked(),
            resent,
            elapsed: turn.now.since(started),
        }));
    }
}

/// A lookup that begins, for a query of this kind.
fn lookup_of(turn: &Turn, target: Id, kind: &QueryKind) -> Lookup {
    let (k, alpha) = (turn.config.k, turn.config.alpha);
    let (alpha, extent) = match kind {
        _ if kind.is_hurried() => (ALPHA_MAX, Extent::Hurried),
        // No node adds a client to a table, so a client has no neighbours to find,
        // and need not wait for dead ones.
        QueryKind::Join if turn.config.role == Role::Client => (alpha, Extent::Few),
        QueryKind::Get { .. } => (alpha, Extent::Value),
        _ if kind.is_put() => (alpha, Extent::Put),
        _ => (alpha, Extent::Closest),
    };
    let subnets = SubnetLimit::new(turn.config.peers_per_subnet);
    Lookup::new(target, k, alpha, extent).with_subnets(subnets)
}

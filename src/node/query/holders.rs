//! A get of a value that is larger than one datagram: the nodes that have offered it.
//!
//! Each that answers with the first piece becomes a holder, and the value is pulled from
//! those that say it is of the same size. The lookup goes on meanwhile where several holders
//! are worth the while. When the pull ends in vain, its holders count as failed, liars for
//! good: the next size is tried, and then the lookup goes on.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Candidate, Phase, Queries, Query};
use crate::id::Id;
use crate::limits::{SOURCES_KNOWN_MAX, SOURCES_MAX, VALUE_BYTES_MAX};
use crate::node::effect::{Effect, FetchPurpose, Fetched, Offered, Outcome, Turn};
use crate::node::known::Known;
use crate::node::progress::HopAnswer;
use crate::node::request::{QueryId, Reply};
use crate::time::Instant;
use crate::wire::{Contact, Value};

/// From this size on a value is pulled from several holders: below it a lookup takes as long.
const SPREAD_BYTES_MIN: usize = 128 << 10;

/// The nodes that have offered the value.
#[derive(Debug, Default)]
pub(super) struct Holders {
    offers: Vec<Holder>,
    /// The size of the value that is pulled now.
    pulled: Option<usize>,
    /// Whether the holders that are known are slow.
    are_slow: bool,
    /// The size of one that this node does not take.
    too_large: Option<usize>,
    /// The size of one that no holder has sent whole.
    unfinished: Option<usize>,
}

#[derive(Debug)]
struct Holder {
    candidate: Candidate,
    known: Known,
    total: usize,
    life: Duration,
    first: Arc<[u8]>,
    first_sent: Instant,
    is_used: bool,
}

impl Holders {
    /// Whether the value is pulled.
    pub(super) const fn is_pulling(&self) -> bool {
        self.pulled.is_some()
    }

    /// The size of the value that is pulled, and how many have offered it.
    pub(super) fn pulled(&self) -> Option<(usize, usize)> {
        let total = self.pulled?;
        Some((total, self.used(total)))
    }

    fn used(&self, total: usize) -> usize {
        self.offers.iter().filter(|one| one.is_used && one.total == total).count()
    }

    /// Whether more nodes are to be asked.
    pub(super) fn wants_more(&self) -> bool {
        self.pulled.is_none_or(|total| {
            let used = self.used(total);
            total >= SPREAD_BYTES_MIN && used < SOURCES_MAX
                || self.are_slow && used < SOURCES_KNOWN_MAX
        })
    }

    /// What a get without a result has come to, beside `otherwise`.
    pub(super) fn outcome_or(&self, otherwise: Outcome) -> Outcome {
        match (self.unfinished, self.too_large) {
            (Some(bytes), _) => Outcome::Unfinished { bytes },
            (None, Some(bytes)) => Outcome::TooLarge { bytes },
            (None, None) => otherwise,
        }
    }

    /// Has the value pulled from all that say it is of the size of the first unused holder's.
    fn pull(&mut self, turn: &mut Turn, query: QueryId, key: Id) {
        let next = self.offers.iter().find(|holder| !holder.is_used);
        let Some(total) = self.pulled.or_else(|| next.map(|holder| holder.total)) else { return };
        self.pulled = Some(total);
        let of_size = |holder: &&mut Holder| holder.total == total && !holder.is_used;
        for holder in self.offers.iter_mut().filter(of_size) {
            holder.is_used = true;
            let (contact, known) = (holder.candidate.contact, holder.known);
            let offered = Offered { key, total, contact, known, first: holder.first.clone() };
            turn.push(Effect::Fetch(FetchPurpose::Query(query), offered));
        }
    }
}

impl Query {
    /// What to show of a value, or of the offer of a large one, and whether it is one to take.
    pub(super) fn weigh(&mut self, turn: &Turn, value: &Value<'_>) -> HopAnswer {
        let bytes = value.total as usize;
        if bytes > VALUE_BYTES_MAX {
            HopAnswer::WrongValue
        } else if bytes > turn.config.value_bytes_max {
            self.holders.too_large = Some(bytes);
            HopAnswer::TooLarge { bytes }
        } else {
            HopAnswer::Value { bytes }
        }
    }

    /// A candidate has offered a large value.
    pub(super) fn offered(
        &mut self,
        turn: &mut Turn,
        id: QueryId,
        candidate: Candidate,
        reply: &Reply<'_>,
        value: &Value<'_>,
    ) {
        self.holders.offers.push(Holder {
            candidate,
            known: reply.known,
            total: value.total as usize,
            life: Duration::from_secs(value.life_s.into()),
            first: value.value.into(),
            first_sent: reply.first_sent,
            is_used: false,
        });
        self.holders.pull(turn, id, self.lookup.target());
    }

    /// The large value that a get was made for.
    fn fetched(&self, value: Arc<[u8]>, from: &[Contact]) -> Option<Outcome> {
        let is_from = |holder: &&Holder| from.contains(&holder.candidate.contact);
        let holder = self.holders.offers.iter().find(is_from)?;
        let has_it = |contact: Contact| {
            self.holders.offers.iter().any(|holder| holder.candidate.contact == contact)
        };
        let without = self.lookup.closest().find(|node| !has_it(node.contact));
        Some(Outcome::Found {
            from: holder.candidate.contact,
            hops: holder.candidate.hops,
            value,
            life: holder.life,
            without: without.map(|node| (node.contact, node.known)),
        })
    }
}

impl Queries {
    /// The pull of a query has ended.
    pub(crate) fn fetched(&mut self, turn: &mut Turn, id: QueryId, fetched: &Fetched) {
        let Some(query) = self.query(id).filter(|query| query.phase == Phase::Looking) else {
            return;
        };
        query.holders.pulled = None;
        for &liar in &fetched.liars {
            query.lookup.discard(liar);
            let holders = query.holders.offers.iter();
            let holder = holders.clone().find(|holder| holder.candidate.contact == liar);
            if let Some(&Holder { candidate, first_sent, .. }) = holder {
                query.tell_hop(turn, liar, first_sent, candidate.hops, HopAnswer::WrongValue);
            }
        }
        let found = fetched.value.clone();
        if let Some(outcome) = found.and_then(|value| query.fetched(value, &fetched.from)) {
            return self.finish(turn, id, outcome);
        }
        for &contact in &fetched.sources {
            query.lookup.discard(contact);
        }
        if fetched.liars.len() < fetched.sources.len() {
            query.holders.unfinished = Some(fetched.total);
        }
        query.holders.pull(turn, id, query.lookup.target());
        self.advance(turn, id);
    }

    /// The pull of a query takes long: more holders are looked for.
    pub(crate) fn fetch_is_slow(&mut self, turn: &mut Turn, id: QueryId) {
        if let Some(query) = self.query(id) {
            query.holders.are_slow = true;
            self.advance(turn, id);
        }
    }

    /// The pull of a query could not begin: as many are in progress as may be.
    pub(crate) fn fetch_refused(&mut self, turn: &mut Turn, id: QueryId) {
        if let Some(query) = self.query(id) {
            query.holders.pulled = None;
            self.finish(turn, id, Outcome::Incomplete);
        }
    }
}

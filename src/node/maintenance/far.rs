//! Replicas that a node is far from: it knows K contacts that are closer, and not all of those
//! that are.
//!
//! It asks [`RENEW_PEERS`] of the closest by a RENEW of no life whether they hold the value: that
//! postpones no renewal of theirs, which is for all of the closest. Where most do and none says
//! that it does not, it is looked after by nodes that know all of the closest, and what is held
//! here becomes a cached copy. Else those are looked up, and it is renewed on them: the word of
//! one is enough for that, so that two of three that lie have no value given up. Without the
//! question each replica that newcomers have come closer to takes a lookup.

use alloc::vec::Vec;

use super::Lists;
use crate::id::Id;
use crate::limits::RENEW_PEERS;
use crate::node::Node;
use crate::node::effect::{Effect, QueryKind};
use crate::node::renewable::RenewReason;
use crate::node::table::Health;

/// How many of [`RENEW_PEERS`] are to hold it, so that one may be silent.
const MOST: u8 = RENEW_PEERS as u8 / 2 + 1;

impl Node {
    /// Asks for all such replicas that are due soon.
    pub(super) fn replicate_far(&mut self) {
        let routing = &self.table.routing;
        let values = self.storage.take_replicas(&mut self.turn, |key| !routing.knows_closest(key));
        let mut lists = Lists::default();
        for (index, value) in (0..).zip(&values) {
            let own = self.turn.config.id;
            lists.add(index, routing.closest(value.key, RENEW_PEERS, Health::Good, own));
        }
        let works = self.works(lists);
        let values = values.into_iter().map(|value| (value, Some(MOST)));
        self.begin_round_of(RenewReason::Far, values, works, Vec::new());
    }

    /// Looks up the nodes closest to a replica that is lacking on one that was asked, or not held
    /// by most.
    pub(super) fn seek(&mut self, key: Id) {
        let paced = self.jobs.begin_query(self.turn.now);
        self.jobs.next_replicate = self.jobs.next_replicate.max(paced);
        if paced > self.turn.now {
            return;
        }
        self.jobs.rounds.sought.pop();
        if self.storage.take_replica(&mut self.turn, key).is_some() {
            let kind = QueryKind::Renew(RenewReason::Replicate);
            self.turn.push(Effect::Query { target: key, kind });
        }
    }
}

//! Which questions a lookup spares, and how many it asks at a time.
//!
//! A candidate whose token is still valid has answered this node within minutes: it is *verified*.
//! To ask it again shows nothing but which nodes it knows.
//!
//! A put needs that from [half of the K closest](Lookup::spares), of as many subnets, not from
//! all: the others among the K, where they are verified, are sent their STOREs without a
//! question, the farthest rather than the closest. What is not verified is asked, always. As at
//! most two of one subnet are chosen, who would have a put to itself by what it leaves out needs
//! as many subnets as one who is all of the K closest.
//!
//! A get needs one holder. Where alpha candidates are verified that are the closest, it asks the
//! quickest of them alone; the others, where it has no value or is late.

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::{Candidate, Contact, Extent, Lookup, State};
use crate::limits::K_MAX;
use crate::node::known::Known;
use crate::node::subnet::Subnet;
use crate::time::Instant;
use crate::wire::Token;

impl Lookup {
    /// The same, which begins now and spares questions to candidates that are verified.
    pub(in crate::node::query) const fn sparing(mut self, now: Instant) -> Self {
        self.spares_since = Some(now);
        self
    }

    /// Whether a node has given a token that was valid as the lookup began.
    pub(super) fn is_verified(&self, known: &Known) -> bool {
        self.spares_since.is_some_and(|now| known.token.valid_at(now) != Token::NONE)
    }

    /// How many are asked at a time: of a put two for each of the closest that have answered
    /// without one between them that has not, since where no closer node turns up the rest of
    /// the K is to be asked in any case.
    pub(super) fn width(&self) -> usize {
        if self.extent == Extent::Put && self.replies >= self.alpha {
            let asked = self.chosen(|other| !other.may_be_spared());
            let answered = asked.take_while(|other| other.state.has_answered());
            return self.alpha.max(2 * answered.count());
        }
        if self.asks_one_first() { 1 } else { self.alpha }
    }

    /// Whether a get asks one alone to begin with.
    fn asks_one_first(&self) -> bool {
        let is_begun = |other: &Candidate| !matches!(other.state, State::New | State::Asked);
        self.extent == Extent::Value
            && self.spares_since.is_some()
            && self.asked <= 1
            && !self.candidates.iter().any(is_begun)
            && self.chosen(|_| true).take(self.alpha).all(|other| other.is_verified)
    }

    /// The candidate that a get asks alone to begin with, where it does.
    pub(super) fn quickest(&self) -> Option<&Candidate> {
        let closest = || self.chosen(|_| true).take(self.alpha);
        let quickest = || closest().min_by_key(|other| other.known.round_trip.smoothed());
        if self.asks_one_first() { quickest() } else { None }
    }

    /// Whether those of the K closest that were asked, or are not verified and so will be, are
    /// enough that the others need not. Where there are fewer than K, each counts, and is asked.
    pub(super) fn spares(&self) -> bool {
        if self.extent != Extent::Put || !self.candidates.iter().any(Candidate::may_be_spared) {
            return false;
        }
        let needed = self.k.div_ceil(self.subnets.in_bucket.clamp(1, 2));
        let (mut chosen, mut enough) = (0, 0);
        let mut subnets: SmallVec<[Subnet; K_MAX]> = SmallVec::new();
        for other in self.chosen(|_| true) {
            chosen += 1;
            let is_new = other.subnet.is_none_or(|subnet| !subnets.contains(&subnet));
            if !other.may_be_spared() && is_new {
                enough += 1;
                subnets.extend(other.subnet);
            }
        }
        chosen == self.k && enough >= needed
    }

    /// Counts those that were spared a question among those that have answered.
    pub(in crate::node::query) fn spare(&mut self) {
        if !self.spares() {
            return;
        }
        let spared = self.chosen(|_| true).filter(|other| other.may_be_spared());
        let spared: Vec<Contact> = spared.map(|other| other.contact).collect();
        for contact in spared {
            if let Some(index) = self.position(contact) {
                self.candidates[index].state = State::Answered;
                self.has_spared = true;
            }
        }
    }
}

//! What a lookup has found out that has ended, or nearly so; and one that has ended as it begins.

use alloc::vec::Vec;

use super::{
    CANDIDATES_MAX, Candidate, Contact, Extent, Id, Known, Lookup, Namer, State, SubnetLimit,
};

impl Lookup {
    /// A lookup that needs no question: these nodes have answered others, each with its hops.
    pub(in crate::node::query) fn ended(
        (target, k): (Id, usize),
        subnets: SubnetLimit,
        nodes: impl Iterator<Item = (Contact, Known, u8)>,
    ) -> Self {
        let mut lookup = Self::new(target, k, 0, Extent::Closest).with_subnets(subnets);
        let candidate = |(contact, known, hops)| {
            let candidate = Candidate::new(contact, known, target, subnets);
            Candidate { hops, state: State::Answered, namer: Namer::TABLE, ..candidate }
        };
        let mut candidates: Vec<Candidate> = nodes.map(candidate).collect();
        candidates.sort_unstable_by_key(|candidate| candidate.distance);
        candidates.truncate(CANDIDATES_MAX);
        lookup.has_subnets = candidates.iter().any(|candidate| candidate.subnet.is_some());
        lookup.replies = candidates.len();
        lookup.candidates = candidates.into();
        lookup
    }

    /// Whether it has asked all that it would ask now, and those that it waits for are late.
    pub(in crate::node::query) fn waits_for_late(&self) -> bool {
        self.outstanding == 0 && self.replies > 0 && !self.has_ended()
    }

    /// Has it go on, though it had ended. What owes an answer still is not sent again, and so is
    /// not waited for.
    pub(in crate::node::query) fn resume(&mut self) {
        for candidate in self.candidates.iter_mut().filter(|other| other.state.owes_an_answer()) {
            candidate.state = State::Failed;
            candidate.failures += 1;
        }
        self.outstanding = 0;
    }

    /// Of the K closest that have answered or may still do so, those that have.
    pub(in crate::node::query) fn closest_so_far(&self) -> impl Iterator<Item = &Candidate> {
        self.chosen(|_| true).filter(|other| other.state.has_answered())
    }

    /// How many first bits of the target name the largest subtree of which every node that can
    /// be reached is among those that have answered; none where that is not known.
    ///
    /// Every node closer to the target than the K-th is known, so that is the subtree of all
    /// ids that share one bit more with the target than the K-th does. Where candidates as close
    /// were passed over, since their subnet has enough, they would count for other keys: then
    /// nothing is known; nor where questions were spared. Where fewer than K have answered it is
    /// the whole space, if none has failed: those that did may be back in a moment.
    pub(in crate::node::query) fn explored_bits(&self) -> Option<usize> {
        if self.is_crowded() || self.has_spared {
            return None;
        }
        let (count, farthest) = (self.closest().count(), self.closest().last()?);
        if count < self.k {
            let is_settled = |other: &Candidate| {
                matches!(other.state, State::Answered | State::Departing | State::Misnamed)
            };
            return self.candidates.iter().all(is_settled).then_some(0);
        }
        let is_closer = |other: &&Candidate| other.distance <= farthest.distance;
        let counting = self.hopeful().take_while(is_closer).filter(|other| other.is_fit);
        (counting.count() == self.k).then(|| farthest.distance.shared_prefix_bits() + 1)
    }
}

//! When a lookup has ended, and what it tries again before.

use super::{Candidate, Extent, Lookup, State};
use crate::limits::{ASKED_MAX, CANDIDATES_MAX};

impl Lookup {
    /// Whether the K closest hopeful candidates, but for those that are spared, have all answered
    /// and no other wants a retry; or, once [`ASKED_MAX`] were asked, none owes an answer; or
    /// enough have answered.
    pub(in crate::node::query) fn has_ended(&self) -> bool {
        if self.has_enough_replies() {
            return true;
        }
        if self.asked == ASKED_MAX {
            return !self.candidates.iter().any(|other| other.state.owes_an_answer());
        }
        let spares = self.spares();
        let is_unanswered =
            |other: &&Candidate| !(other.state.has_answered() || spares && other.may_be_spared());
        self.first_chosen(|_| true, is_unanswered).is_none() && !self.wants_retry()
            || self.has_k_in_time()
    }

    /// Whether a get asks others in place of those that are late, and of those that are asked
    /// only after them.
    pub(super) fn asks_beside_late(&self) -> bool {
        let is_late = |other: &Candidate| other.state == State::Slow;
        self.extent == Extent::Value && self.candidates.iter().any(is_late)
    }

    /// Whether a get no longer waits for a candidate, where K others answer.
    pub(super) fn is_given_up(&self, candidate: &Candidate) -> bool {
        self.extent == Extent::Value && candidate.is_overdue()
    }

    /// Whether the K closest but for those that are given up have all answered, and so has half
    /// of the K closest: where more of them are late it is likelier that datagrams are lost than
    /// that nodes are, and the late ones are those that have the value.
    fn has_k_in_time(&self) -> bool {
        if !self.candidates.iter().any(|other| self.is_given_up(other)) {
            return false;
        }
        let answered = |other: &&Candidate| other.state.has_answered();
        let in_time = self.chosen(|other| !self.is_given_up(other));
        in_time.take_while(answered).count() == self.k
            && 2 * self.chosen(|_| true).filter(answered).count() >= self.k
    }

    /// Whether an [`Extent::Few`] has alpha replies, or one and a candidate that is late.
    pub(super) fn has_enough_replies(&self) -> bool {
        let is_late = |other: &Candidate| matches!(other.state, State::Slow | State::Failed);
        self.extent == Extent::Few
            && self.replies > 0
            && (self.replies >= self.alpha || self.candidates.iter().any(is_late))
    }

    /// Whether all hopeful candidates have answered, they are fewer than K, and another can
    /// be retried, or was not asked because a budget was spent.
    pub(super) fn wants_retry(&self) -> bool {
        let answered = |other: &Candidate| other.state.has_answered();
        let is_hurried = self.extent == Extent::Hurried && self.candidates.iter().any(answered);
        !is_hurried
            && self.hopeful().all(answered)
            && self.hopeful().count() < self.k
            && self.candidates.iter().any(|other| {
                let is_spent = self.is_beyond_budget(other);
                other.may_be_retried() || is_spent && !self.budgets.is_refilled()
            })
    }

    /// Makes those that may be retried new again, and fills the budgets: the next to be
    /// asked are among them.
    pub(super) fn renew_failed(&mut self) {
        let failed = self.candidates.iter_mut().filter(|other| other.may_be_retried());
        // Fewer than K others are hopeful, so there is room for so many.
        for candidate in failed.take(CANDIDATES_MAX - self.k) {
            candidate.state = State::New;
        }
        self.budgets.refill();
    }
}

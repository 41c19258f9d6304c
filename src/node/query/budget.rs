//! Limits how many unresponsive candidates one reply can make a lookup query.
//!
//! Each reply gets a budget of [`UNANSWERED_MAX`]: a request to a candidate that it named
//! costs 1, an answer of one earns 2. What the own routing table names is not limited.

use alloc::vec::Vec;

use crate::limits::UNANSWERED_MAX;

/// Numbers the replies to a lookup; 0 is the own routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplyNumber(pub(super) u16);

impl ReplyNumber {
    pub(super) const TABLE: Self = Self(0);

    fn index(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

/// Whether a budget has room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    /// It is spent, but an answer may still come.
    Pending,
    Spent,
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    /// How many more candidates may be asked.
    left: i16,
    /// Candidates that were asked and have neither answered nor failed.
    owed: u16,
}

/// The budget of each reply to a lookup.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    /// By the reply's number, less one.
    replies: Vec<Budget>,
    is_refilled: bool,
}

impl Budgets {
    pub(super) const fn new() -> Self {
        Self { replies: Vec::new(), is_refilled: false }
    }

    /// How many replies there are.
    pub(super) const fn replies(&self) -> usize {
        self.replies.len()
    }

    /// Numbers one more reply.
    pub(super) fn open(&mut self) -> ReplyNumber {
        self.replies.push(Budget { left: UNANSWERED_MAX, owed: 0 });
        ReplyNumber(self.replies.len() as u16)
    }

    /// How many more candidates may be asked on a reply's budget.
    pub(super) fn left(&self, number: ReplyNumber) -> i16 {
        number.index().map_or(i16::MAX, |index| self.replies[index].left)
    }

    pub(super) fn standing(&self, number: ReplyNumber) -> Standing {
        match number.index().map(|index| self.replies[index]) {
            None | Some(Budget { left: 1.., .. }) => Standing::Good,
            Some(Budget { owed: 1.., .. }) => Standing::Pending,
            Some(Budget { .. }) => Standing::Spent,
        }
    }

    /// A candidate is asked. A retry owes an answer, but costs nothing.
    pub(super) fn ask(&mut self, number: ReplyNumber, cost: i16) {
        if let Some(budget) = self.of(number) {
            budget.left -= cost;
            budget.owed += 1;
        }
    }

    /// A candidate that was asked owes no answer any more.
    pub(super) fn settle(&mut self, number: ReplyNumber) {
        if let Some(budget) = self.of(number) {
            budget.owed -= 1;
        }
    }

    /// A candidate has answered.
    pub(super) fn earn(&mut self, number: ReplyNumber) {
        if let Some(budget) = self.of(number) {
            budget.left += 2;
        }
    }

    /// Whether every budget was [refilled](Self::refill).
    pub(super) const fn is_refilled(&self) -> bool {
        self.is_refilled
    }

    /// Fills every budget again, once in a lookup.
    pub(super) fn refill(&mut self) {
        if !self.is_refilled {
            self.is_refilled = true;
            for budget in &mut self.replies {
                budget.left = budget.left.max(UNANSWERED_MAX);
            }
        }
    }

    fn of(&mut self, number: ReplyNumber) -> Option<&mut Budget> {
        self.replies.get_mut(number.index()?)
    }
}

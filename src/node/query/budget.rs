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

/// The budget of each reply to a lookup.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    /// How many more candidates may be asked, by the reply's number, less one.
    replies: Vec<i16>,
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
        self.replies.push(UNANSWERED_MAX);
        ReplyNumber(self.replies.len() as u16)
    }

    /// How many more candidates may be asked on a reply's budget.
    pub(super) fn left(&self, number: ReplyNumber) -> i16 {
        number.index().map_or(i16::MAX, |index| self.replies[index])
    }

    pub(super) fn is_spent(&self, number: ReplyNumber) -> bool {
        self.left(number) <= 0
    }

    /// A candidate is asked for the first time: a retry costs nothing.
    pub(super) fn ask(&mut self, number: ReplyNumber) {
        if let Some(left) = self.of(number) {
            *left -= 1;
        }
    }

    /// A candidate has answered.
    pub(super) fn earn(&mut self, number: ReplyNumber) {
        if let Some(left) = self.of(number) {
            *left += 2;
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
            for left in &mut self.replies {
                *left = (*left).max(UNANSWERED_MAX);
            }
        }
    }

    fn of(&mut self, number: ReplyNumber) -> Option<&mut i16> {
        self.replies.get_mut(number.index()?)
    }
}

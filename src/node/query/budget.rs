//! Limits how many unresponsive candidates one party can make a lookup query.
//!
//! Each namer gets a budget of [`UNANSWERED_MAX`]: a request to a candidate that it named
//! costs 1, an answer of one earns 2. What the own routing table names is not limited.

use alloc::vec::Vec;

use crate::limits::UNANSWERED_MAX;
use crate::node::subnet::Subnet;

/// Numbers those whose replies name candidates; 0 is the own routing table. Where subnets
/// count, all that answer from one subnet are one namer, however many ids they have; where
/// they do not, each node is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Namer(pub(super) u16);

impl Namer {
    pub(super) const TABLE: Self = Self(0);

    fn index(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

#[derive(Clone, Debug)]
struct Budget {
    subnet: Option<Subnet>,
    /// How many more candidates may be asked.
    left: i16,
}

/// The budget of each namer.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    /// By the namer's number, less one.
    namers: Vec<Budget>,
    is_refilled: bool,
}

impl Budgets {
    pub(super) const fn new() -> Self {
        Self { namers: Vec::new(), is_refilled: false }
    }

    /// Numbers what answers from `subnet`.
    pub(super) fn open(&mut self, subnet: Option<Subnet>) -> Namer {
        let known = subnet.and_then(|_| self.namers.iter().position(|one| one.subnet == subnet));
        let index = known.unwrap_or_else(|| {
            self.namers.push(Budget { subnet, left: UNANSWERED_MAX });
            self.namers.len() - 1
        });
        Namer(index as u16 + 1)
    }

    /// How many more candidates may be asked on a namer's budget.
    pub(super) fn left(&self, namer: Namer) -> i16 {
        namer.index().map_or(i16::MAX, |index| self.namers[index].left)
    }

    pub(super) fn is_spent(&self, namer: Namer) -> bool {
        self.left(namer) <= 0
    }

    /// A candidate is asked for the first time: a retry costs nothing.
    pub(super) fn ask(&mut self, namer: Namer) {
        if let Some(budget) = self.of(namer) {
            budget.left -= 1;
        }
    }

    /// A candidate has answered.
    pub(super) fn earn(&mut self, namer: Namer) {
        if let Some(budget) = self.of(namer) {
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
            for budget in &mut self.namers {
                budget.left = budget.left.max(UNANSWERED_MAX);
            }
        }
    }

    fn of(&mut self, namer: Namer) -> Option<&mut Budget> {
        self.namers.get_mut(namer.index()?)
    }
}

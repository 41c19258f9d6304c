//! How far a lookup trusts its answers: those whom an answer names are asked on its
//! credit.

use alloc::vec::Vec;

use crate::limits::UNANSWERED_MAX;

/// Numbers a lookup's answers: 0 is what our own routing table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerNumber(pub(super) u16);

impl AnswerNumber {
    /// Our own routing table, or what it knows.
    pub(crate) const TABLE: Self = Self(0);

    fn index(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

/// Whether somebody may be asked, as far as those who named it are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// Too many whom the same answer named owe an answer.
    Pending,
    /// Too many whom the same answer named did not answer.
    Discredited,
}

/// How far an answer is trusted: how those fared whom it vouched for.
#[derive(Clone, Copy, Debug)]
struct Credit {
    /// How many more may be asked: one less for each that is, two more for each
    /// that answers.
    left: i16,
    /// How many were asked and have neither answered nor been given up.
    owed: u16,
}

/// Which chance somebody is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    First,
    /// It is not charged again.
    Second,
}

/// The credit of each answer of a lookup. What our own routing table says is no
/// answer, and not limited.
#[derive(Clone, Debug)]
pub(crate) struct Credits {
    /// By the answer's number, but for the first.
    answers: Vec<Credit>,
    /// Whether those who were not asked because of who named them, or some, were
    /// given a chance after all.
    has_relented: bool,
}

impl Credits {
    pub(crate) const fn new() -> Self {
        Self { answers: Vec::new(), has_relented: false }
    }

    /// How many answers there are.
    pub(crate) const fn answers(&self) -> usize {
        self.answers.len()
    }

    pub(crate) const fn has_relented(&self) -> bool {
        self.has_relented
    }

    /// Takes up one more answer, and numbers it.
    pub(crate) fn open(&mut self) -> AnswerNumber {
        self.answers.push(Credit { left: UNANSWERED_MAX, owed: 0 });
        AnswerNumber(self.answers.len() as u16)
    }

    /// How many more may be asked on the credit of an answer.
    pub(crate) fn left(&self, number: AnswerNumber) -> i16 {
        number.index().map_or(i16::MAX, |index| self.answers[index].left)
    }

    /// Whether those for whom an answer vouches may be asked.
    pub(crate) fn standing(&self, number: AnswerNumber) -> Standing {
        match number.index().map(|index| self.answers[index]) {
            None | Some(Credit { left: 1.., .. }) => Standing::Good,
            Some(Credit { owed: 1.., .. }) => Standing::Pending,
            Some(Credit { .. }) => Standing::Discredited,
        }
    }

    /// Notes that somebody for whom an answer vouches is asked.
    pub(crate) fn charge(&mut self, number: AnswerNumber, chance: Chance) {
        if let Some(credit) = self.of(number) {
            credit.left -= i16::from(chance == Chance::First);
            credit.owed += 1;
        }
    }

    /// Notes that somebody who was asked owes no answer any more.
    pub(crate) fn settle(&mut self, number: AnswerNumber) {
        if let Some(credit) = self.of(number) {
            credit.owed -= 1;
        }
    }

    /// Notes that somebody for whom an answer vouches has answered.
    pub(crate) fn reward(&mut self, number: AnswerNumber) {
        if let Some(credit) = self.of(number) {
            credit.left += 2;
        }
    }

    /// Gives every answer some credit again, once.
    pub(crate) fn relent(&mut self) {
        if !self.has_relented {
            self.has_relented = true;
            for credit in &mut self.answers {
                credit.left = credit.left.max(UNANSWERED_MAX);
            }
        }
    }

    fn of(&mut self, number: AnswerNumber) -> Option<&mut Credit> {
        self.answers.get_mut(number.index()?)
    }
}

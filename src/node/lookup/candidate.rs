//! The nodes that a lookup has heard of, and how far it trusts who named them.

use super::{Credential, RoundTrip};
use crate::id::Distance;
use crate::wire::Contact;

/// A node that a lookup has heard of.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct Candidate {
    pub(in crate::node) contact: Contact,
    pub(in crate::node) round_trip: RoundTrip,
    pub(in crate::node) credential: Credential,
    /// 1 for a contact of ours, one more for each node that lay between.
    pub(in crate::node) depth: u8,
    /// How often it was given up.
    pub(super) failures: u8,
    pub(super) named_in: AnswerNumber,
    /// Of the answers that named it, the one with the most credit when it did.
    pub(super) vouched_in: AnswerNumber,
    /// The number of its own answer, once it has answered.
    pub(super) answer: AnswerNumber,
    pub(super) distance: Distance,
    pub(super) state: State,
}

impl Candidate {
    pub(super) fn may_be_revived(&self) -> bool {
        self.state == State::Failed && self.failures < FAILURES_MAX
    }
}

/// How often one lookup gives a node up for good.
pub(super) const FAILURES_MAX: u8 = 2;

/// Numbers a lookup's answers: 0 is what our own routing table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AnswerNumber(pub(super) u16);

impl AnswerNumber {
    /// Our own routing table, or what it knows.
    pub(super) const TABLE: Self = Self(0);
}

/// How far an answer is trusted: how those fared whom it vouched for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    /// How many more may be asked: one less for each that is, two more for each
    /// that answers.
    pub(super) left: i16,
    /// How many were asked and have neither answered nor been given up.
    pub(super) owed: u16,
}

/// Whether a candidate may be asked, as far as those who named it are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    /// Too many whom the same answer named owe an answer.
    Pending,
    /// Too many whom the same answer named did not answer.
    Discredited,
}

/// Who names a candidate.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) enum NamedBy {
    /// Our own routing table.
    Table,
    /// This node, in its answer.
    Node(Candidate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not asked yet.
    New,
    /// Asked, and holding one of the alpha slots.
    Asked,
    /// Asked, and so late that its slot went to another; its answer still counts.
    Slow,
    /// It was asked once more, and is late again; its answer still counts.
    Late,
    /// It has answered.
    Answered,
    /// It has answered that it leaves.
    Left,
    /// It was given up.
    Failed,
    /// Another node answered at its address.
    Misnamed,
}

impl State {
    /// Whether it may still be one of the closest that answer.
    pub(super) const fn is_hopeful(self) -> bool {
        matches!(self, Self::New | Self::Asked | Self::Slow | Self::Late | Self::Answered)
    }

    /// Whether it was asked and has neither answered nor been given up.
    pub(super) const fn owes_an_answer(self) -> bool {
        matches!(self, Self::Asked | Self::Slow | Self::Late)
    }
}

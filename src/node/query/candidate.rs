//! The nodes that a lookup has heard of.

use super::budget::{AnswerNumber, Chance};
use crate::id::Distance;
use crate::node::credential::Credential;
use crate::node::round_trip::RoundTrip;
use crate::wire::Contact;

/// A node that a lookup has heard of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) contact: Contact,
    pub(crate) round_trip: RoundTrip,
    pub(crate) credential: Credential,
    /// 1 for a contact of ours, one more for each node that lay between.
    pub(crate) depth: u8,
    /// How often it was given up.
    pub(crate) failures: u8,
    pub(crate) named_in: AnswerNumber,
    /// Of the answers that named it, the one with the most credit when it did.
    pub(crate) vouched_in: AnswerNumber,
    /// The number of its own answer, once it has answered.
    pub(crate) answer: AnswerNumber,
    pub(crate) distance: Distance,
    pub(crate) state: State,
}

impl Candidate {
    pub(crate) const fn chance(&self) -> Chance {
        if self.failures == 0 { Chance::First } else { Chance::Second }
    }

    pub(crate) fn may_be_revived(&self) -> bool {
        self.state == State::Failed && self.failures < FAILURES_MAX
    }
}

/// How often one lookup gives a node up for good.
pub(crate) const FAILURES_MAX: u8 = 2;

/// Who names a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NamedBy {
    /// Our own routing table.
    Table,
    /// This node, in its answer.
    Node(Candidate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
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
    pub(crate) const fn is_hopeful(self) -> bool {
        matches!(self, Self::New | Self::Asked | Self::Slow | Self::Late | Self::Answered)
    }

    /// Whether it was asked and has neither answered nor been given up.
    pub(crate) const fn owes_an_answer(self) -> bool {
        matches!(self, Self::Asked | Self::Slow | Self::Late)
    }
}

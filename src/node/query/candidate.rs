//! The nodes that a lookup has heard of.

use super::budget::Namer;
use crate::id::{Distance, Id};
use crate::node::fit::id_fits;
use crate::node::known::Known;
use crate::node::subnet::{Subnet, SubnetLimit};
use crate::wire::Contact;

/// A node that a lookup has heard of.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "none of them follows from the others")]
pub(super) struct Candidate {
    pub(super) contact: Contact,
    pub(super) known: Known,
    /// 1 for a contact of the own table, one more for each node that lay between.
    pub(super) hops: u8,
    /// How often it failed.
    pub(super) failures: u8,
    /// What first named it.
    pub(super) named_by: Namer,
    /// Of those that named it, the one whose budget had most left.
    pub(super) paid_by: Namer,
    /// Its number, once it has answered.
    pub(super) namer: Namer,
    /// Whether the own table or two namers have named it. What one peer alone names may
    /// be a victim's address: it is sent one request, and not waited for.
    pub(super) is_confirmed: bool,
    /// Whether it was asked before it was confirmed, and so but once.
    pub(super) is_asked_once: bool,
    pub(super) distance: Distance,
    /// Whether its id fits its address.
    pub(super) is_fit: bool,
    /// Where it counts of which subnet the candidate is.
    pub(super) subnet: Option<Subnet>,
    /// Whether it has [shown lately](super::lookup) that it is there.
    pub(super) is_verified: bool,
    pub(super) state: State,
    /// How many of its time-outs have passed.
    pub(super) timeouts: u8,
}

/// A lookup has up to 128, and looks through them at each step.
const _: () = assert!(size_of::<Candidate>() <= 120);

impl Candidate {
    /// A contact of the own table.
    pub(super) fn new(contact: Contact, known: Known, target: Id, subnets: SubnetLimit) -> Self {
        let ip = contact.addr.ip();
        let subnet = subnets.subnet(ip);
        Self {
            contact,
            known,
            hops: 1,
            failures: 0,
            named_by: Namer::TABLE,
            paid_by: Namer::TABLE,
            namer: Namer::TABLE,
            is_confirmed: true,
            is_asked_once: false,
            distance: contact.id ^ target,
            is_fit: subnet.is_none() || id_fits(contact.id, ip),
            subnet,
            is_verified: false,
            state: State::New,
            timeouts: 0,
        }
    }

    /// As what it names others.
    pub(super) const fn names(&self) -> NamedBy {
        NamedBy::Reply { hops: self.hops, namer: self.namer }
    }

    pub(super) const fn is_retry(&self) -> bool {
        self.failures > 0
    }

    /// Whether it is verified, and was not asked.
    pub(super) const fn may_be_spared(&self) -> bool {
        self.is_verified && matches!(self.state, State::New) && !self.is_retry()
    }

    pub(super) fn may_be_retried(&self) -> bool {
        self.state == State::Failed && self.failures < FAILURES_MAX && self.is_confirmed
    }

    /// Whether it was asked but once, in vain.
    pub(super) fn has_failed_once(&self) -> bool {
        self.state == State::Failed && self.is_asked_once
    }

    /// Whether it was asked in vain so far, and is not waited for.
    pub(super) const fn is_silent(&self) -> bool {
        match self.state {
            State::Failed => true,
            State::Slow => !self.is_confirmed,
            _ => false,
        }
    }

    /// Whether it has let a second time-out pass, or the only one before it is asked no more:
    /// most that are there answer before.
    pub(super) const fn is_overdue(&self) -> bool {
        let most = if self.is_asked_once { 1 } else { 2 };
        matches!(self.state, State::Slow) && self.timeouts >= most
    }

    /// Whether it may still be one of the closest that answer, and is worth a wait.
    pub(super) const fn is_awaited(&self) -> bool {
        self.state.is_hopeful() && (self.is_confirmed || !matches!(self.state, State::Slow))
    }
}

/// How often one lookup lets a candidate fail.
pub(super) const FAILURES_MAX: u8 = 2;

/// How far a lookup goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// To the K closest.
    Closest,
    /// The same, but asks more at a time once those that are the closest have answered, and not
    /// all of those that are verified. Used for puts: the K are sent STOREs, and one that does
    /// not answer is made up for.
    Put,
    /// Like `Closest`, but asks others beside those that are late, and where K have answered, of
    /// the closest half, does not wait for what is late for the second time. Used for gets: any
    /// of the K has the value, and a node that answers PINGs alone would hold up each by all its
    /// time-outs.
    Value,
    /// To alpha nodes, near or far, and not beyond the first that is late once one has
    /// answered.
    Few,
    /// Like `Closest`, but without retries once a candidate has answered. Used while
    /// departing, when seconds remain.
    Hurried,
}

/// What names a candidate.
#[derive(Clone, Copy, Debug)]
pub(super) enum NamedBy {
    /// The own routing table.
    Table,
    /// The reply of a candidate so many hops away, with this number.
    Reply { hops: u8, namer: Namer },
}

/// What became of a node that was offered as a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is a candidate now.
    Taken,
    /// It was one already.
    Known,
    /// Its address has answered under another name, or not at all; or there are
    /// `CANDIDATES_MAX`, and the reply that named it has named more of them than others
    /// have.
    Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not asked yet.
    New,
    /// Asked, and holding one of the alpha slots.
    Asked,
    /// Asked, and so late that its slot went to another; its answer still counts.
    Slow,
    /// It has answered.
    Answered,
    /// It has answered that it departs.
    Departing,
    /// It did not answer.
    Failed,
    /// Another node answered at its address.
    Misnamed,
}

impl State {
    /// Whether it may still be one of the closest that answer.
    pub(super) const fn is_hopeful(self) -> bool {
        matches!(self, Self::New | Self::Asked | Self::Slow | Self::Answered)
    }

    pub(super) const fn has_answered(self) -> bool {
        matches!(self, Self::Answered)
    }

    /// Whether it was asked and has neither answered nor failed.
    pub(super) const fn owes_an_answer(self) -> bool {
        matches!(self, Self::Asked | Self::Slow)
    }
}

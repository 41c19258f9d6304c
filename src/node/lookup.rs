//! The iterative lookup (Kademlia 2.3) as a pure state machine: whom to ask
//! next, and when it has ended.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::credential::Credential;
use super::round_trip::RoundTrip;
use crate::id::{Distance, Id};
use crate::limits::{ASKED_MAX, CANDIDATES_MAX};
use crate::wire::Contact;

/// A node that a lookup has heard of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) contact: Contact,
    pub(super) round_trip: RoundTrip,
    pub(super) credential: Credential,
    /// 1 for a contact of ours, one more for each node that lay between.
    pub(super) depth: u8,
    /// How often it was given up.
    failures: u8,
    named_in: AnswerNumber,
    /// The number of its own answer, once it has answered.
    answer: AnswerNumber,
    distance: Distance,
    state: State,
}

impl Candidate {
    fn may_be_revived(&self) -> bool {
        self.state == State::Failed && self.failures < FAILURES_MAX
    }
}

/// How often one lookup gives a node up for good.
const FAILURES_MAX: u8 = 2;

/// Numbers a lookup's answers: 0 is what our own routing table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AnswerNumber(u16);

/// Who names a candidate.
#[derive(Clone, Copy, Debug)]
pub(super) enum NamedBy {
    /// Our own routing table.
    Table,
    /// This node, in its answer.
    Node(Candidate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not asked yet.
    New,
    /// Asked, and holding one of the alpha slots.
    Asked,
    /// Asked, and so late that its slot went to another; its answer still counts.
    Slow,
    /// It has answered.
    Answered,
    /// It was given up.
    Failed,
    /// Another node answered at its address.
    Misnamed,
}

impl State {
    /// Whether it may still be one of the closest that answer.
    const fn is_hopeful(self) -> bool {
        matches!(self, Self::New | Self::Asked | Self::Slow | Self::Answered)
    }
}

/// Whether a candidate was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is a candidate now, or was one already.
    Taken,
    /// Its address has answered under another name, or not at all; or there are
    /// [`CANDIDATES_MAX`] and its namer has named more of them than others have.
    Dropped,
}

/// Candidates in the order of their distance from the target, of which at most
/// alpha are asked at a time, the closest first. It ends when the K closest that
/// have not failed have all answered, or [`ASKED_MAX`] nodes were asked. Where
/// fewer than K have answered, those that failed are asked once more before it
/// ends: with few to ask, a loss is likelier than a death, and a get must not call
/// a value absent because of it.
///
/// Where there are too many candidates, those make way that were named by whoever
/// named most: a liar can make up any number of nodes closer than the real ones,
/// and they cost time, but they do not crowd out what honest nodes have named.
///
/// Use: [`offer`](Self::offer) the first contacts; ask whom [`next`](Self::next)
/// names until it names none; report each outcome by [`answered`](Self::answered),
/// [`slow`](Self::slow) or [`failed`](Self::failed), offer what was learned, and
/// go on until it [has ended](Self::has_ended).
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    target: Id,
    k: usize,
    alpha: usize,
    /// Candidates that hold one of the alpha slots.
    outstanding: usize,
    /// Candidates that were ever asked.
    asked: usize,
    answers: u16,
    candidates: Vec<Candidate>,
}

impl Lookup {
    pub(super) const fn new(target: Id, k: usize, alpha: usize) -> Self {
        Self { target, k, alpha, outstanding: 0, asked: 0, answers: 0, candidates: Vec::new() }
    }

    pub(super) const fn target(&self) -> Id {
        self.target
    }

    /// Takes up a node to ask, with what we know of it.
    pub(super) fn offer(
        &mut self,
        contact: Contact,
        named_by: NamedBy,
        round_trip: RoundTrip,
        credential: Credential,
    ) -> Offer {
        let distance = contact.id ^ self.target;
        let (start, end) = self.range(distance);
        if self.candidates[start..end].iter().any(|known| known.contact == contact) {
            return Offer::Taken;
        }
        if self.is_settled_at(contact) {
            return Offer::Dropped;
        }
        let (depth, named_in) = match named_by {
            NamedBy::Table => (1, AnswerNumber(0)),
            NamedBy::Node(from) => (from.depth.saturating_add(1), from.answer),
        };
        let (state, answer) = (State::New, AnswerNumber(0));
        let candidate = Candidate {
            contact,
            round_trip,
            credential,
            depth,
            failures: 0,
            named_in,
            answer,
            distance,
            state,
        };
        self.candidates.insert(start, candidate);
        // Those that were given up stay, so as not to be asked again, but do not
        // count: liars would fill the lookup with them.
        if self.hopeful().count() > CANDIDATES_MAX && self.drop_one() == Some(contact) {
            return Offer::Dropped;
        }
        Offer::Taken
    }

    /// Drops the farthest candidate not asked yet of those that were named in
    /// the answer that most such candidates were named in.
    fn drop_one(&mut self) -> Option<Contact> {
        let mut named = [0_u16; ASKED_MAX + 1];
        for known in self.candidates.iter().filter(|known| known.state == State::New) {
            named[usize::from(known.named_in.0)] += 1;
        }
        let most = named.into_iter().max().filter(|&most| most > 0)?;
        let victim = self.candidates.iter().rposition(|known| {
            known.state == State::New && named[usize::from(known.named_in.0)] == most
        })?;
        Some(self.candidates.remove(victim).contact)
    }

    /// The next node to ask: the closest of the K in question that has not been
    /// asked, while fewer than alpha are. An address that owes an answer under one
    /// name is not asked under another meanwhile.
    pub(super) fn next(&mut self) -> Option<Candidate> {
        if self.outstanding >= self.alpha || self.asked == ASKED_MAX {
            return None;
        }
        if self.is_short() {
            self.revive();
        }
        let ready = |known: &&Candidate| known.state == State::New && !self.owes(known);
        let next = self.hopeful().take(self.k).find(ready)?.contact;
        let next = self.find(next)?;
        next.state = State::Asked;
        let next = *next;
        self.outstanding += 1;
        self.asked += usize::from(next.failures == 0);
        Some(next)
    }

    /// Notes that a candidate answered, in what time and with what token, and
    /// returns it: the STORE that may follow waits and proves accordingly. Whoever
    /// else is said to be at its address is not asked any more: one node that
    /// lends its address to a hundred names gets one slot.
    pub(super) fn answered(
        &mut self,
        contact: Contact,
        round_trip: RoundTrip,
        credential: Credential,
    ) -> Option<Candidate> {
        let number = AnswerNumber(self.answers + 1);
        let candidate = self.settle(contact, State::Answered)?;
        candidate.round_trip = round_trip;
        candidate.credential = credential;
        candidate.answer = number;
        let answered = *candidate;
        self.answers += 1;
        self.forget_others_at(contact.addr, contact.id);
        Some(answered)
    }

    /// Notes that a candidate is late: its slot is free for another.
    pub(super) fn slow(&mut self, contact: Contact) {
        if let Some(candidate) = self.find(contact)
            && candidate.state == State::Asked
        {
            candidate.state = State::Slow;
            self.outstanding -= 1;
        }
    }

    /// Notes that a candidate was given up, and returns it. Nobody else is asked
    /// at its address, where there was no answer: a hundred names at one dead
    /// address cost one wait.
    pub(super) fn failed(&mut self, contact: Contact) -> Option<Candidate> {
        let candidate = self.settle(contact, State::Failed)?;
        candidate.failures += 1;
        let failed = *candidate;
        self.forget_others_at(contact.addr, contact.id);
        Some(failed)
    }

    /// Notes that another node, called `actual`, has answered at a candidate's
    /// address, and returns the candidate. Under that name, if at all, the address
    /// may be asked again.
    pub(super) fn misnamed(&mut self, contact: Contact, actual: Id) -> Option<Candidate> {
        let misnamed = *self.settle(contact, State::Misnamed)?;
        self.forget_others_at(contact.addr, actual);
        Some(misnamed)
    }

    /// Whether the K closest that have not failed have all answered, or nobody
    /// is left whom the lookup may ask.
    pub(super) fn has_ended(&self) -> bool {
        let is_waiting = |known: &Candidate| matches!(known.state, State::Asked | State::Slow);
        if self.asked == ASKED_MAX {
            return !self.candidates.iter().any(is_waiting);
        }
        self.hopeful().take(self.k).all(|known| known.state == State::Answered) && !self.is_short()
    }

    /// Whether everybody else has answered, they are fewer than K, and somebody
    /// that failed has not had a second chance yet.
    fn is_short(&self) -> bool {
        let answered = |known: &Candidate| known.state == State::Answered;
        self.hopeful().all(answered)
            && self.hopeful().count() < self.k
            && self.candidates.iter().any(Candidate::may_be_revived)
    }

    fn revive(&mut self) {
        for candidate in self.candidates.iter_mut().filter(|known| known.may_be_revived()) {
            candidate.state = State::New;
        }
    }

    /// The K closest that have answered, the closest first.
    pub(super) fn closest(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|known| known.state == State::Answered).take(self.k)
    }

    /// How many nodes were asked.
    pub(super) const fn asked(&self) -> usize {
        self.asked
    }

    fn hopeful(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|known| known.state.is_hopeful())
    }

    fn settle(&mut self, contact: Contact, outcome: State) -> Option<&mut Candidate> {
        let (start, end) = self.range(contact.id ^ self.target);
        let candidates = self.candidates[start..end].iter_mut();
        let candidate = candidates.into_iter().find(|known| known.contact == contact)?;
        match candidate.state {
            State::Asked => self.outstanding -= 1,
            State::Slow => {}
            State::New | State::Answered | State::Failed | State::Misnamed => return None,
        }
        candidate.state = outcome;
        Some(candidate)
    }

    fn find(&mut self, contact: Contact) -> Option<&mut Candidate> {
        let (start, end) = self.range(contact.id ^ self.target);
        self.candidates[start..end].iter_mut().find(|known| known.contact == contact)
    }

    /// Where the candidates of one id are: several, where one id is said to be
    /// at several addresses.
    fn range(&self, distance: Distance) -> (usize, usize) {
        let start = self.candidates.partition_point(|known| known.distance < distance);
        let end = self.candidates.partition_point(|known| known.distance <= distance);
        (start, end)
    }

    /// Whether the address has shown who is there, or that nobody is.
    fn is_settled_at(&self, contact: Contact) -> bool {
        let settled = |known: &Candidate| matches!(known.state, State::Answered | State::Failed);
        self.candidates.iter().any(|known| settled(known) && known.contact.addr == contact.addr)
    }

    /// Whether a candidate's address has been asked and has not answered yet.
    fn owes(&self, candidate: &Candidate) -> bool {
        let owes = |known: &Candidate| matches!(known.state, State::Asked | State::Slow);
        let addr = candidate.contact.addr;
        self.candidates.iter().any(|known| owes(known) && known.contact.addr == addr)
    }

    /// Drops those who have not been asked yet and are said to be at `addr`, but
    /// for the one called `name`.
    fn forget_others_at(&mut self, addr: SocketAddr, name: Id) {
        let elsewhere = |known: &Candidate| known.contact.addr != addr;
        self.candidates.retain(|known| {
            known.state != State::New || elsewhere(known) || known.contact.id == name
        });
    }
}

#[cfg(test)]
mod tests;

//! The iterative lookup (Kademlia 2.3) as a pure state machine: whom to ask
//! next, and when it has ended.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::credential::Credential;
use super::round_trip::RoundTrip;
use crate::id::{Distance, Id};
use crate::limits::CANDIDATES_MAX;
use crate::wire::Contact;

/// A node that a lookup has heard of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) contact: Contact,
    pub(super) round_trip: RoundTrip,
    pub(super) credential: Credential,
    /// 1 for a contact of ours, one more for each node that lay between.
    pub(super) depth: u8,
    distance: Distance,
    state: State,
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
    /// The lookup has [`CANDIDATES_MAX`] closer ones, or ones already asked; or
    /// its address has answered under another name, or not at all.
    Dropped,
}

/// Candidates in the order of their distance from the target, of which at most
/// alpha are asked at a time, the closest first. It ends when the K closest that
/// have not failed have all answered.
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
    asked: usize,
    candidates: Vec<Candidate>,
}

impl Lookup {
    pub(super) const fn new(target: Id, k: usize, alpha: usize) -> Self {
        Self { target, k, alpha, asked: 0, candidates: Vec::new() }
    }

    pub(super) const fn target(&self) -> Id {
        self.target
    }

    /// Takes up a node to ask, with what we know of it.
    pub(super) fn offer(
        &mut self,
        contact: Contact,
        depth: u8,
        round_trip: RoundTrip,
        credential: Credential,
    ) -> Offer {
        let distance = contact.id ^ self.target;
        let (mut index, end) = self.range(distance);
        if self.candidates[index..end].iter().any(|known| known.contact == contact) {
            return Offer::Taken;
        }
        if self.is_settled_at(contact) {
            return Offer::Dropped;
        }
        if self.candidates.len() == CANDIDATES_MAX {
            let farthest_new = self.candidates.iter().rposition(|known| known.state == State::New);
            match farthest_new.filter(|&farthest| farthest >= index) {
                None => return Offer::Dropped,
                Some(farthest) => {
                    self.candidates.remove(farthest);
                }
            }
        }
        index = index.min(self.candidates.len());
        let state = State::New;
        let candidate = Candidate { contact, round_trip, credential, depth, distance, state };
        self.candidates.insert(index, candidate);
        Offer::Taken
    }

    /// The next node to ask: the closest of the K in question that has not been
    /// asked, while fewer than alpha are. An address that owes an answer under one
    /// name is not asked under another meanwhile.
    pub(super) fn next(&mut self) -> Option<Candidate> {
        if self.asked >= self.alpha {
            return None;
        }
        let ready = |known: &&Candidate| known.state == State::New && !self.owes(known);
        let next = self.hopeful().take(self.k).find(ready)?.contact;
        let next = self.find(next)?;
        next.state = State::Asked;
        let next = *next;
        self.asked += 1;
        Some(next)
    }

    /// Notes that a candidate answered, with a token, and returns it. Whoever
    /// else is said to be at its address is not asked any more: one node that
    /// lends its address to a hundred names gets one slot.
    pub(super) fn answered(
        &mut self,
        contact: Contact,
        credential: Credential,
    ) -> Option<Candidate> {
        let candidate = self.settle(contact, State::Answered)?;
        candidate.credential = credential;
        let answered = *candidate;
        self.forget_others_at(contact.addr, contact.id);
        Some(answered)
    }

    /// Notes that a candidate is late: its slot is free for another.
    pub(super) fn slow(&mut self, contact: Contact) {
        if let Some(candidate) = self.find(contact)
            && candidate.state == State::Asked
        {
            candidate.state = State::Slow;
            self.asked -= 1;
        }
    }

    /// Notes that a candidate was given up, and returns it. Nobody else is asked
    /// at its address, where there was no answer: a hundred names at one dead
    /// address cost one wait.
    pub(super) fn failed(&mut self, contact: Contact) -> Option<Candidate> {
        let failed = *self.settle(contact, State::Failed)?;
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

    /// Whether the K closest that have not failed have all answered.
    pub(super) fn has_ended(&self) -> bool {
        self.hopeful().take(self.k).all(|known| known.state == State::Answered)
    }

    /// The K closest that have answered, the closest first.
    pub(super) fn closest(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|known| known.state == State::Answered).take(self.k)
    }

    /// How many nodes were asked.
    pub(super) fn asked(&self) -> usize {
        self.candidates.iter().filter(|known| known.state != State::New).count()
    }

    fn hopeful(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|known| known.state.is_hopeful())
    }

    fn settle(&mut self, contact: Contact, outcome: State) -> Option<&mut Candidate> {
        let (start, end) = self.range(contact.id ^ self.target);
        let candidates = self.candidates[start..end].iter_mut();
        let candidate = candidates.into_iter().find(|known| known.contact == contact)?;
        match candidate.state {
            State::Asked => self.asked -= 1,
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

//! The iterative lookup (Kademlia 2.3) as a pure state machine: whom to ask
//! next, and when it has ended.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::budget::{AnswerNumber, Chance, Credits, Standing};
use super::candidate::State;
use crate::id::Id;
use crate::limits::{ASKED_MAX, CANDIDATES_MAX};
use crate::node::credential::Credential;
use crate::node::round_trip::RoundTrip;
use crate::wire::Contact;

pub(crate) use super::candidate::{Candidate, NamedBy};

/// How far a lookup goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To the K closest.
    Closest,
    /// To as many as are asked at a time, whoever they are, and not beyond the
    /// first that is late where anybody has answered.
    Some,
    /// To the K closest that answer in time: where anybody has, nobody is waited for
    /// who is late for the second time, nor asked once more. A node that leaves
    /// has no time to wait for those that are gone already.
    Timely,
}

/// Whether a node that someone names is a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vouched {
    Known,
    Unknown,
}

/// Whether a candidate was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is a candidate now.
    Taken,
    /// It was one already.
    Known,
    /// Its address has answered under another name, or not at all; or there are
    /// [`CANDIDATES_MAX`] and its namer has named more of them than others have.
    Dropped,
}

/// Candidates in the order of their distance from the target, of which at most
/// alpha are asked at a time, the closest first. It ends when the K closest that
/// have not failed and do not leave have all answered, or [`ASKED_MAX`] nodes were asked. Where
/// fewer than K have answered, those that failed are asked once more before it
/// ends: with few to ask, a loss is likelier than a death, and a get must not call
/// a value absent because of it.
///
/// Where there are too many candidates, those make way that were named by whoever
/// named most: a liar can make up any number of nodes closer than the real ones,
/// and they cost time, but they do not crowd out what honest nodes have named.
///
/// And of those whom one answer named, only
/// [`UNANSWERED_MAX`](crate::limits::UNANSWERED_MAX) more than have
/// answered are asked in vain, while others are left: a liar can name anybody's
/// address, and what a lookup sends there is sent in our name. Whom several have
/// named, or our own table knows, is asked whatever becomes of one of them.
///
/// Use: [`offer`](Self::offer) the first contacts; ask whom [`next`](Self::next)
/// names until it names none; report each outcome by [`answered`](Self::answered),
/// [`slow`](Self::slow) or [`failed`](Self::failed), offer what was learned, and
/// go on until it [has ended](Self::has_ended).
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    target: Id,
    k: usize,
    alpha: usize,
    /// Candidates that hold one of the alpha slots.
    outstanding: usize,
    /// Candidates that were ever asked.
    asked: usize,
    extent: Extent,
    credits: Credits,
    candidates: Vec<Candidate>,
}

impl Lookup {
    pub(crate) const fn new(target: Id, k: usize, alpha: usize) -> Self {
        Self {
            target,
            k,
            alpha,
            outstanding: 0,
            asked: 0,
            extent: Extent::Closest,
            credits: Credits::new(),
            candidates: Vec::new(),
        }
    }

    /// The same lookup, to another extent.
    pub(crate) fn to(self, extent: Extent) -> Self {
        Self { extent, ..self }
    }

    pub(crate) const fn target(&self) -> Id {
        self.target
    }

    /// Notes that `from` names a node, and says whether it is a candidate already.
    pub(crate) fn vouch(&mut self, contact: Contact, from: Candidate) -> Vouched {
        let Some(index) = self.position(contact) else {
            return Vouched::Unknown;
        };
        let Candidate { state, vouched_in, .. } = self.candidates[index];
        if state == State::New && self.credits.left(from.answer) > self.credits.left(vouched_in) {
            self.candidates[index].vouched_in = from.answer;
        }
        Vouched::Known
    }

    /// Takes up a node to ask, with what we know of it.
    pub(crate) fn offer(
        &mut self,
        contact: Contact,
        named_by: NamedBy,
        round_trip: RoundTrip,
        credential: Credential,
    ) -> Offer {
        if self.position(contact).is_some() {
            return Offer::Known;
        }
        if self.is_settled_at(contact) {
            return Offer::Dropped;
        }
        let (depth, named_in) = match named_by {
            NamedBy::Table => (1, AnswerNumber::TABLE),
            NamedBy::Node(from) => (from.depth.saturating_add(1), from.answer),
        };
        // Who has given us a token is there.
        let is_met = credential != Credential::NONE;
        let vouched_in = if is_met { AnswerNumber::TABLE } else { named_in };
        let (state, answer) = (State::New, AnswerNumber::TABLE);
        let distance = contact.id ^ self.target;
        let candidate = Candidate {
            contact,
            round_trip,
            credential,
            depth,
            failures: 0,
            named_in,
            vouched_in,
            answer,
            distance,
            state,
        };
        let index = self.candidates.partition_point(|known| known.distance < distance);
        self.candidates.insert(index, candidate);
        // Those that were given up stay, so as not to be asked again, but do not
        // count: liars would fill the lookup with them.
        let counts = |known: &&Candidate| known.state.is_hopeful();
        let count = self.candidates.iter().filter(counts).count();
        if count > CANDIDATES_MAX && self.drop_one() == Some(contact) {
            return Offer::Dropped;
        }
        Offer::Taken
    }

    /// Drops the farthest of those whom nobody trusted names, or else the farthest
    /// candidate not asked yet of those that were named in the answer that most
    /// such candidates were named in.
    fn drop_one(&mut self) -> Option<Contact> {
        let mut named = [0_u16; ASKED_MAX + 1];
        let may_go = |known: &Candidate| known.state == State::New && known.failures == 0;
        for known in self.candidates.iter().filter(|known| may_go(known)) {
            named[usize::from(known.named_in.0)] += 1;
        }
        let most = named.into_iter().max().filter(|&most| most > 0)?;
        let discredited = |known: &Candidate| self.standing(known) == Standing::Discredited;
        let discredited = self.candidates.iter().rposition(discredited);
        let victim = discredited.or_else(|| {
            self.candidates
                .iter()
                .rposition(|known| may_go(known) && named[usize::from(known.named_in.0)] == most)
        })?;
        Some(self.candidates.remove(victim).contact)
    }

    /// The next node to ask: the closest of the K in question that has not been
    /// asked, while fewer than alpha are. An address that owes an answer under one
    /// name is not asked under another meanwhile.
    pub(crate) fn next(&mut self) -> Option<Candidate> {
        if self.is_enough() || self.outstanding >= self.alpha || self.asked == ASKED_MAX {
            return None;
        }
        if self.is_short() {
            self.revive();
        }
        let ready = |known: &&Candidate| known.state == State::New && !self.owes(known);
        let next = self.in_question().find(ready)?.contact;
        let next = self.find(next)?;
        next.state = State::Asked;
        let next = *next;
        self.outstanding += 1;
        self.asked += usize::from(next.chance() == Chance::First);
        self.credits.charge(next.vouched_in, next.chance());
        Some(next)
    }

    /// Notes that a candidate answered, in what time and with what token, and
    /// returns it: the STORE that may follow waits and proves accordingly. Whoever
    /// else is said to be at its address is not asked any more: one node that
    /// lends its address to a hundred names gets one slot.
    pub(crate) fn answered(
        &mut self,
        contact: Contact,
        round_trip: RoundTrip,
        credential: Credential,
    ) -> Option<Candidate> {
        let index = self.settle(contact, State::Answered)?;
        self.credits.reward(self.candidates[index].vouched_in);
        let candidate = &mut self.candidates[index];
        candidate.round_trip = round_trip;
        candidate.credential = credential;
        candidate.answer = self.credits.open();
        let answered = *candidate;
        self.forget_others_at(contact.addr, contact.id);
        Some(answered)
    }

    /// Notes that a candidate that has answered leaves the network: what it named
    /// counts, it does not.
    pub(crate) fn left(&mut self, contact: Contact) {
        if let Some(candidate) = self.find(contact)
            && candidate.state == State::Answered
        {
            candidate.state = State::Left;
        }
    }

    /// Notes that a candidate is late, and at the first time that its slot is free
    /// for another.
    pub(crate) fn slow(&mut self, contact: Contact) {
        let Some(candidate) = self.find(contact) else {
            return;
        };
        match candidate.state {
            State::Asked => {
                candidate.state = State::Slow;
                self.outstanding -= 1;
            }
            State::Slow => {
                candidate.state = State::Late;
                let vouched_in = candidate.vouched_in;
                if self.extent == Extent::Timely {
                    self.credits.settle(vouched_in);
                }
            }
            State::New
            | State::Late
            | State::Answered
            | State::Left
            | State::Failed
            | State::Misnamed => {}
        }
    }

    /// Notes that a candidate was given up, and returns it. Nobody else is asked
    /// at its address, where there was no answer: a hundred names at one dead
    /// address cost one wait. A second chance waits as for an unknown peer: its path
    /// may have become slower than all sends together waited.
    pub(crate) fn failed(&mut self, contact: Contact) -> Option<Candidate> {
        let index = self.settle(contact, State::Failed)?;
        let candidate = &mut self.candidates[index];
        candidate.failures += 1;
        candidate.round_trip = RoundTrip::default();
        let failed = *candidate;
        self.forget_others_at(contact.addr, contact.id);
        Some(failed)
    }

    /// Notes that another node, called `actual`, has answered at a candidate's
    /// address, and returns the candidate. Under that name, if at all, the address
    /// may be asked again.
    pub(crate) fn misnamed(&mut self, contact: Contact, actual: Id) -> Option<Candidate> {
        let index = self.settle(contact, State::Misnamed)?;
        let misnamed = self.candidates[index];
        self.forget_others_at(contact.addr, actual);
        Some(misnamed)
    }

    /// Whether the K closest that have not failed have all answered, or as many
    /// have as it needs, or nobody is left whom the lookup may ask.
    pub(crate) fn has_ended(&self) -> bool {
        if self.is_enough() {
            return true;
        }
        let is_waiting = |known: &Candidate| known.state.owes_an_answer();
        if self.asked == ASKED_MAX {
            return !self.candidates.iter().any(is_waiting);
        }
        self.hopeful().take(self.k).all(|known| known.state == State::Answered) && !self.is_short()
    }

    fn is_enough(&self) -> bool {
        let is_late =
            |known: &Candidate| matches!(known.state, State::Slow | State::Late | State::Failed);
        match self.extent {
            Extent::Closest | Extent::Timely => false,
            Extent::Some => match self.credits.answers() {
                0 => false,
                answers => answers >= self.alpha || self.candidates.iter().any(is_late),
            },
        }
    }

    /// Whether everybody else has answered, they are fewer than K, and somebody
    /// that failed has not had a second chance yet, or somebody was not asked
    /// because of who named it.
    fn is_short(&self) -> bool {
        let answered = |known: &Candidate| known.state == State::Answered;
        !self.is_in_a_hurry()
            && self.hopeful().all(answered)
            && self.hopeful().count() < self.k
            && self.candidates.iter().any(|known| {
                let is_discredited = self.standing(known) == Standing::Discredited;
                known.may_be_revived() || is_discredited && !self.credits.has_relented()
            })
    }

    fn revive(&mut self) {
        let failed = self.candidates.iter_mut().filter(|known| known.may_be_revived());
        // Fewer than K others are hopeful, so there is room for so many.
        for candidate in failed.take(CANDIDATES_MAX - self.k) {
            candidate.state = State::New;
        }
        self.credits.relent();
    }

    /// The K closest that have answered, the closest first.
    pub(crate) fn closest(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|known| known.state == State::Answered).take(self.k)
    }

    /// Whether nobody has answered, and it may ask others.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.credits.answers() == 0 && self.asked < ASKED_MAX
    }

    /// How many nodes were asked.
    pub(crate) const fn asked(&self) -> usize {
        self.asked
    }

    /// Those that may still be one of the closest that answer.
    fn hopeful(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|known| {
            known.state.is_hopeful()
                && self.standing(known) != Standing::Discredited
                && (known.state != State::Late || !self.is_in_a_hurry())
        })
    }

    /// Whether it passes over those that keep it waiting.
    fn is_in_a_hurry(&self) -> bool {
        let answered = |known: &Candidate| known.state == State::Answered;
        self.extent == Extent::Timely && self.candidates.iter().any(answered)
    }

    /// The K closest of them, but for those that may not be asked now.
    fn in_question(&self) -> impl Iterator<Item = &Candidate> {
        self.hopeful().filter(|known| self.standing(known) == Standing::Good).take(self.k)
    }

    /// Whether a candidate may be asked; those that were are beyond question.
    fn standing(&self, candidate: &Candidate) -> Standing {
        if candidate.state == State::New && candidate.chance() == Chance::First {
            self.credits.standing(candidate.vouched_in)
        } else {
            Standing::Good
        }
    }

    /// Ends the wait for a candidate's answer, and says where the candidate is.
    fn settle(&mut self, contact: Contact, outcome: State) -> Option<usize> {
        let index = self.position(contact)?;
        let candidate = &mut self.candidates[index];
        let was_late = candidate.state == State::Late;
        match candidate.state {
            State::Asked => self.outstanding -= 1,
            State::Slow | State::Late => {}
            State::New | State::Answered | State::Left | State::Failed | State::Misnamed => {
                return None;
            }
        }
        candidate.state = outcome;
        let vouched_in = candidate.vouched_in;
        if !(was_late && self.extent == Extent::Timely) {
            self.credits.settle(vouched_in);
        }
        Some(index)
    }

    fn find(&mut self, contact: Contact) -> Option<&mut Candidate> {
        let index = self.position(contact)?;
        Some(&mut self.candidates[index])
    }

    /// Where a candidate is: among those of its id, which are several where one id
    /// is said to be at several addresses.
    fn position(&self, contact: Contact) -> Option<usize> {
        let distance = contact.id ^ self.target;
        let start = self.candidates.partition_point(|known| known.distance < distance);
        let same_id =
            self.candidates[start..].iter().take_while(|known| known.distance == distance);
        same_id.into_iter().position(|known| known.contact == contact).map(|index| start + index)
    }

    /// Whether the address has shown who is there, or that nobody is.
    fn is_settled_at(&self, contact: Contact) -> bool {
        let settled = |known: &Candidate| {
            matches!(known.state, State::Answered | State::Left | State::Failed)
        };
        self.candidates.iter().any(|known| settled(known) && known.contact.addr == contact.addr)
    }

    /// Whether a candidate's address has been asked and has not answered yet.
    fn owes(&self, candidate: &Candidate) -> bool {
        let owes = |known: &Candidate| known.state.owes_an_answer();
        let addr = candidate.contact.addr;
        self.candidates.iter().any(|known| owes(known) && known.contact.addr == addr)
    }

    /// Drops those who have not been asked yet and are said to be at `addr`.
    pub(crate) fn forget_at(&mut self, addr: SocketAddr) {
        self.candidates.retain(|known| known.state != State::New || known.contact.addr != addr);
    }

    /// Drops those who have not been asked yet and are said to be at `addr`, but
    /// for the one called `name`.
    fn forget_others_at(&mut self, addr: SocketAddr, name: Id) {
        let is_other = |known: &Candidate| {
            known.state == State::New && known.contact.addr == addr && known.contact.id != name
        };
        // Who was asked before stays, so as not to be asked anew.
        for known in self.candidates.iter_mut().filter(|known| known.failures > 0) {
            if is_other(known) {
                known.state = State::Misnamed;
            }
        }
        self.candidates.retain(|known| !is_other(known));
    }
}

#[cfg(test)]
mod tests;

//! The iterative lookup (Kademlia 2.3) as a pure state machine: which node to ask next,
//! and when the lookup has ended.

mod addresses;
mod candidates;
mod ended;
mod ending;
mod sparing;

use super::budget::{Budgets, Namer};
use super::candidate::{Candidate, Extent, FAILURES_MAX, NamedBy, Offer, State};
use super::chosen::{Chosen, Undecided, first_of};
use crate::id::Id;
use crate::limits::{ASKED_MAX, CANDIDATES_MAX};
use crate::node::known::Known;
use crate::node::round_trip::RoundTrip;
use crate::node::subnet::SubnetLimit;
use crate::time::Instant;
use crate::wire::Contact;
use candidates::Candidates;

/// Candidates in the order of their distance from the target. At most alpha are asked at
/// a time, the closest first; a put asks more, and [spares some](sparing).
///
/// A lookup ends when the K closest, [of many subnets](super::chosen), that have neither
/// failed nor depart have all answered, or [`ASKED_MAX`] nodes were asked. Where fewer than
/// K have answered, those that failed are retried once before it ends: with few to ask, a
/// loss is likelier than a death, and a get must not call a value absent because of it.
///
/// Rules that keep liars at bay. Where there are too many candidates, those make way whose
/// namer named most: a liar can make up any number of nodes closer than the real ones, but it
/// cannot crowd out what honest nodes have named. And a liar can name any victim's address, and
/// what a lookup sends there is sent in this node's name. So each namer has a
/// [budget](super::budget); a candidate that several name is asked on the largest of theirs.
/// A candidate that one peer alone names is sent one request and not waited for when it is
/// late. And where subnets count, [few](addresses) requests to one IP are without an answer,
/// whatever names it.
///
/// Use: [`offer`](Self::offer) the first contacts; ask the node that [`next`](Self::next)
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
    /// Candidates that have answered.
    replies: usize,
    extent: Extent,
    subnets: SubnetLimit,
    /// Whether any candidate counts in a subnet: in a private network none does.
    has_subnets: bool,
    /// When it began, where it spares questions.
    spares_since: Option<Instant>,
    /// Whether it has spared any.
    has_spared: bool,
    budgets: Budgets,
    pub(super) candidates: Candidates,
    /// Where the candidate is that was named last, or would be.
    named_at: usize,
}

impl Lookup {
    pub(super) const fn new(target: Id, k: usize, alpha: usize, extent: Extent) -> Self {
        Self {
            target,
            k,
            alpha,
            outstanding: 0,
            asked: 0,
            replies: 0,
            extent,
            subnets: SubnetLimit::new(None),
            has_subnets: false,
            spares_since: None,
            has_spared: false,
            budgets: Budgets::new(),
            candidates: Candidates::new(),
            named_at: 0,
        }
    }

    pub(super) const fn with_subnets(mut self, subnets: SubnetLimit) -> Self {
        self.subnets = subnets;
        self
    }

    pub(super) const fn target(&self) -> Id {
        self.target
    }

    pub(super) const fn k(&self) -> usize {
        self.k
    }

    /// Takes up a node to ask, with what is known of it.
    pub(super) fn offer(&mut self, contact: Contact, named_by: NamedBy, known: Known) -> Offer {
        if self.is_candidate(contact, named_by) {
            return Offer::Known;
        }
        self.add(contact, named_by, known)
    }

    /// Takes up a node that is [no candidate](Self::is_candidate) yet.
    pub(super) fn add(&mut self, contact: Contact, named_by: NamedBy, known: Known) -> Offer {
        let ip = contact.addr.ip();
        let subnet = self.subnets.subnet(ip);
        self.has_subnets |= subnet.is_some();
        if self.is_settled_at(contact) || subnet.is_some() && self.is_silent(ip) {
            return Offer::Dropped;
        }
        let (hops, named_in) = match named_by {
            NamedBy::Table => (1, Namer::TABLE),
            NamedBy::Reply { hops, namer } => (hops.saturating_add(1), namer),
        };
        // A node that has given a token is there.
        let paid_by = if known.token.is_none() { named_in } else { Namer::TABLE };
        let candidate = Candidate {
            hops,
            named_by: named_in,
            paid_by,
            is_confirmed: paid_by == Namer::TABLE,
            is_verified: self.is_verified(&known),
            ..Candidate::new(contact, known, self.target, self.subnets)
        };
        self.candidates.insert(candidate);
        // Candidates that failed stay, so as not to be asked again, but do not count:
        // liars would fill the lookup with them.
        if self.candidates.len() > CANDIDATES_MAX
            && self.count_hopeful() > CANDIDATES_MAX
            && self.drop_one() == Some(contact)
        {
            return Offer::Dropped;
        }
        Offer::Taken
    }

    /// Whether a node is a candidate already. One that is named again is asked on the
    /// larger budget.
    pub(super) fn is_candidate(&mut self, contact: Contact, named_by: NamedBy) -> bool {
        let found = self.candidates.position_from(self.named_at, self.target, contact);
        self.named_at = found.unwrap_or_else(|would_be_at| would_be_at);
        let Ok(index) = found else { return false };
        let namer = match named_by {
            NamedBy::Table => Namer::TABLE,
            NamedBy::Reply { namer, .. } => namer,
        };
        let candidate = &mut self.candidates[index];
        if !candidate.is_confirmed && candidate.named_by != namer {
            candidate.is_confirmed = true;
            if candidate.has_failed_once() && self.count_hopeful() < CANDIDATES_MAX {
                self.candidates[index].state = State::New;
            }
        }
        let candidate = &mut self.candidates[index];
        if candidate.state == State::New
            && self.budgets.left(namer) > self.budgets.left(candidate.paid_by)
        {
            candidate.paid_by = namer;
        }
        true
    }

    /// Drops the farthest candidate whose budgets are spent; or else, of those not asked
    /// yet that were named in the reply that named most of them, the farthest.
    fn drop_one(&mut self) -> Option<Contact> {
        let mut named = [0_u16; ASKED_MAX + 1];
        let may_go = |other: &Candidate| other.state == State::New && !other.is_retry();
        for other in self.candidates.iter().filter(|other| may_go(other)) {
            named[usize::from(other.named_by.0)] += 1;
        }
        let most = named.into_iter().max().filter(|&most| most > 0)?;
        let spent = |other: &Candidate| self.is_beyond_budget(other);
        let victim = self.candidates.iter().rposition(spent).or_else(|| {
            self.candidates
                .iter()
                .rposition(|other| may_go(other) && named[usize::from(other.named_by.0)] == most)
        })?;
        Some(self.candidates.remove(victim).contact)
    }

    /// The next node to ask: the closest of the chosen K that has not been asked, while no more
    /// are than [may be](Self::width). When only retries are left, it begins them. An address
    /// that owes an answer under one name is not asked under another meanwhile.
    pub(super) fn next(&mut self) -> Option<Candidate> {
        let has_room = self.outstanding < self.width() && self.asked < ASKED_MAX;
        if self.has_enough_replies() || !has_room {
            return None;
        }
        if self.wants_retry() {
            self.renew_failed();
        }
        let spares = self.spares();
        let ready = |other: &&Candidate| {
            let is_new = other.state == State::New && !(spares && other.may_be_spared());
            is_new && !self.owes(other)
        };
        let asks_others = self.asks_beside_late();
        let is_late = |other: &Candidate| match other.state {
            State::Slow => true,
            State::New => self.owes(other),
            _ => false,
        };
        let counts = |other: &Candidate| !asks_others || !is_late(other);
        let next = self.quickest().or_else(|| self.first_chosen(counts, ready))?.contact;
        let index = self.position(next)?;
        let candidate = &mut self.candidates[index];
        candidate.state = State::Asked;
        candidate.timeouts = 0;
        candidate.is_asked_once = !candidate.is_confirmed;
        let next = *candidate;
        self.outstanding += 1;
        if !next.is_retry() {
            self.asked += 1;
            self.budgets.ask(next.paid_by);
        }
        Some(next)
    }

    /// Notes that a candidate answered, and what is known of it now. Returns it, if it was
    /// asked. No other name at its address is asked any more: a node that lends its
    /// address to a hundred names gets one slot.
    pub(super) fn answered(&mut self, contact: Contact, known: Known) -> Option<Candidate> {
        let index = self.settle(contact, State::Answered)?;
        self.budgets.earn(self.candidates[index].paid_by);
        let candidate = &mut self.candidates[index];
        candidate.known = known;
        candidate.namer = self.budgets.open(candidate.subnet);
        self.replies += 1;
        let answered = *candidate;
        self.forget_others_at(contact, contact.id);
        Some(answered)
    }

    /// Notes that a candidate that has answered departs: what it named counts, it does
    /// not.
    pub(super) fn departs(&mut self, contact: Contact) {
        if let Some(index) = self.position(contact)
            && self.candidates[index].state == State::Answered
        {
            self.candidates[index].state = State::Departing;
        }
    }

    /// Notes that a candidate that has answered is of no use, since it does not send the value
    /// that it has offered, or takes none: it does not count, and is not asked again.
    pub(super) fn discard(&mut self, contact: Contact) {
        if let Some(index) = self.position(contact)
            && self.candidates[index].state == State::Answered
        {
            self.candidates[index].state = State::Failed;
            self.candidates[index].failures = FAILURES_MAX;
        }
    }

    /// Notes that a candidate is late: its slot is free for another.
    pub(super) fn slow(&mut self, contact: Contact) {
        let Some(index) = self.position(contact) else { return };
        let candidate = &mut self.candidates[index];
        candidate.timeouts += 1;
        if candidate.state == State::Asked {
            candidate.state = State::Slow;
            self.outstanding -= 1;
        }
        let slow = *candidate;
        self.forget_silent(&slow);
    }

    /// Notes that a candidate did not answer, and returns it, if it was asked. No other
    /// name is asked at its address: a hundred names at one dead address cost one wait. A
    /// retry waits as for an unknown peer: its path may have become slower than all sends
    /// together waited.
    pub(super) fn failed(&mut self, contact: Contact) -> Option<Candidate> {
        let index = self.settle(contact, State::Failed)?;
        let candidate = &mut self.candidates[index];
        candidate.failures += 1;
        candidate.known.round_trip = RoundTrip::default();
        let failed = *candidate;
        if failed.is_confirmed && failed.is_asked_once {
            candidate.state = State::New;
        }
        self.forget_others_at(contact, contact.id);
        self.forget_silent(&failed);
        Some(failed)
    }

    /// Notes that another node, called `actual`, has answered at a candidate's address,
    /// and returns the candidate. Only under that name may the address be asked again.
    pub(super) fn misnamed(&mut self, contact: Contact, actual: Id) -> Option<Candidate> {
        let index = self.settle(contact, State::Misnamed)?;
        let misnamed = self.candidates[index];
        self.forget_others_at(contact, actual);
        Some(misnamed)
    }

    /// The K closest that have answered, the closest first.
    pub(super) fn closest(&self) -> impl Iterator<Item = &Candidate> {
        self.chosen(|other| other.state.has_answered())
    }

    /// Whether more of them are of one subnet than count: there are no others.
    pub(super) fn is_crowded(&self) -> bool {
        self.chosen(|other| other.state.has_answered()).crowded() > 0
    }

    fn chosen<'a>(
        &'a self,
        counts: impl Fn(&Candidate) -> bool + 'a,
    ) -> Chosen<'a, impl Iterator<Item = &'a Candidate>> {
        let hopeful = self.hopeful().filter(move |other| counts(other));
        Chosen::of(hopeful, self.k, self.most_of_subnet())
    }

    /// The first of the chosen that `is_wanted`.
    fn first_chosen<'a>(
        &'a self,
        counts: impl Fn(&Candidate) -> bool + 'a,
        is_wanted: impl Fn(&&Candidate) -> bool,
    ) -> Option<&'a Candidate> {
        let hopeful = || self.hopeful().filter(|other| counts(other));
        match first_of(hopeful(), self.k, self.most_of_subnet(), &is_wanted) {
            Ok(first) => first,
            Err(Undecided) => self.chosen(counts).find(is_wanted),
        }
    }

    /// Of how many of one subnet the chosen are, where subnets count.
    fn most_of_subnet(&self) -> Option<usize> {
        self.has_subnets.then_some(self.subnets.in_bucket)
    }

    /// Whether no candidate has answered, and it may ask more.
    pub(super) const fn is_unanswered(&self) -> bool {
        self.replies == 0 && self.asked < ASKED_MAX
    }

    /// How many nodes were asked.
    pub(super) const fn asked(&self) -> usize {
        self.asked
    }

    /// Those that may still be one of the closest that answer: they have neither failed nor
    /// departed, and were asked or may be.
    fn hopeful(&self) -> impl Iterator<Item = &Candidate> {
        let may_be = |other: &Candidate| other.is_awaited() && !self.is_beyond_budget(other);
        self.candidates.iter().filter(move |other| may_be(other))
    }

    /// Whether a candidate was never asked, and its budget is spent.
    fn is_beyond_budget(&self, candidate: &Candidate) -> bool {
        candidate.state == State::New
            && !candidate.is_retry()
            && self.budgets.is_spent(candidate.paid_by)
    }

    fn count_hopeful(&self) -> usize {
        self.candidates.iter().filter(|other| other.state.is_hopeful()).count()
    }

    /// Ends the wait for a candidate's answer, and returns the candidate's index.
    fn settle(&mut self, contact: Contact, outcome: State) -> Option<usize> {
        let index = self.position(contact)?;
        let candidate = &mut self.candidates[index];
        if !candidate.state.owes_an_answer() {
            return None;
        }
        self.outstanding -= usize::from(candidate.state == State::Asked);
        candidate.state = outcome;
        Some(index)
    }

    /// The index of a candidate.
    fn position(&self, contact: Contact) -> Option<usize> {
        self.candidates.position(self.target, contact)
    }
}

#[cfg(test)]
mod tests;

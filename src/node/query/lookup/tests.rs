//! The lookup against an adversary that answers what it likes, and against
//! honest networks.

mod addresses;
mod late;
mod liars;
mod sparing;
mod subnets;

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::candidate::FAILURES_MAX;
use super::*;
use crate::limits::{ALPHA_MAX, K_MAX};
use crate::node::samples::{addr, contact, entry, id};
use crate::node::table::{Health, RoutingTable};
use crate::rng::Rng;
use crate::time::Instant;

impl Lookup {
    fn offer_unknown(&mut self, contact: Contact) -> Offer {
        self.offer(contact, NamedBy::Table, Known::default())
    }

    fn offer_from(&mut self, from: Candidate, contact: Contact) -> Offer {
        self.offer(contact, from.names(), Known::default())
    }

    fn answer(&mut self, contact: Contact) -> Option<Candidate> {
        self.answered(contact, Known::default())
    }

    fn count(&self, state: State) -> usize {
        self.candidates.iter().filter(|known| known.state == state).count()
    }

    /// What holds after every call.
    fn assert_consistent(&self) {
        let hopeful = self.candidates.iter().filter(|known| known.state.is_hopeful());
        assert!(hopeful.count() <= CANDIDATES_MAX);
        assert!(self.candidates.is_sorted_by_key(|known| known.distance));
        assert_eq!(self.count(State::Asked), self.outstanding, "slots taken");
        let most = if self.extent == Extent::Put { 2 * self.k } else { self.alpha };
        assert!(self.outstanding <= most.max(self.alpha), "{} asked at a time", self.outstanding);
        assert!(self.asked <= ASKED_MAX);
        for (index, known) in self.candidates.iter().enumerate() {
            assert_eq!(known.distance, known.contact.id ^ self.target);
            let others = &self.candidates[index + 1..];
            assert!(others.iter().all(|other| other.contact != known.contact), "known twice");
            let here = others.iter().filter(|other| other.contact.addr == known.contact.addr);
            for other in here.filter(|_| known.state != State::Misnamed) {
                // Of two names at one address, neither asked nor given up yet, one
                // at most was asked; and none after an answer or none.
                let fresh = [known.state, other.state].contains(&State::New);
                let open = [State::New, State::Asked, State::Slow, State::Misnamed];
                let pair = open.contains(&known.state) && open.contains(&other.state);
                let misnamed = other.state == State::Misnamed;
                assert!(
                    misnamed || fresh && pair,
                    "one address under two names: {known:?} {other:?}"
                );
            }
        }
    }
}

/// What the adversary does to one of those that were asked and owe an answer.
#[derive(Clone, Debug)]
enum Act {
    /// It answers, and names these (id, address).
    Answer(Vec<(u16, u16)>),
    /// So it does, and says that it departs.
    Depart(Vec<(u16, u16)>),
    Late,
    GiveUp,
    /// Another node answers at its address.
    Misname(u16),
}

fn act(addresses: u16) -> impl Strategy<Value = Act> {
    let named = vec((0..600_u16, 0..addresses), 0..=K_MAX);
    prop_oneof![
        4 => named.clone().prop_map(Act::Answer),
        1 => named.prop_map(Act::Depart),
        2 => Just(Act::Late),
        1 => Just(Act::GiveUp),
        1 => (0..600_u16).prop_map(Act::Misname),
    ]
}

fn acts() -> impl Strategy<Value = Vec<(prop::sample::Index, Act)>> {
    let few_addresses = vec((any::<prop::sample::Index>(), act(12)), 1..60);
    let many_addresses = vec((any::<prop::sample::Index>(), act(600)), 1..60);
    prop_oneof![few_addresses, many_addresses]
}

/// Asks each candidate that the lookup names now.
fn ask(lookup: &mut Lookup, asked: &mut Vec<Contact>, owing: &mut Vec<Contact>) {
    while let Some(candidate) = lookup.next() {
        let named = candidate.contact;
        let before = asked.iter().filter(|&&before| before == named).count();
        assert_eq!(
            before,
            usize::from(candidate.failures),
            "{named:?} is asked again only if it failed"
        );
        assert!(before < usize::from(FAILURES_MAX));
        let closest: Vec<_> = lookup.hopeful().take(lookup.k).map(|known| known.contact).collect();
        assert!(closest.contains(&named), "{named:?} is not among the K in question");
        asked.push(named);
        owing.push(named);
        lookup.assert_consistent();
    }
}

proptest! {
    #[test]
    fn a_lookup_keeps_its_bounds_and_ends_whatever_the_answers_are(
        k in 1..=K_MAX, alpha in 1..=ALPHA_MAX, first in vec(0..600_u16, 0..K_MAX), acts in acts(),
        extent in prop_oneof![Just(Extent::Closest), Just(Extent::Put), Just(Extent::Hurried)],
    ) {
        let mut lookup = Lookup::new(id(9999), k, alpha, extent);
        for number in first {
            lookup.offer_unknown(contact(number));
        }
        let (mut asked, mut owing) = (Vec::new(), Vec::new());
        // The adversary begins again where its script ends. Each candidate is
        // late once each time, and then settled: more turns than that cannot be.
        let mut script = acts.iter().cycle();
        for turn in 0.. {
            let turns_max = 3 * ASKED_MAX * usize::from(FAILURES_MAX);
            prop_assert!(turn <= turns_max, "it does not end");
            ask(&mut lookup, &mut asked, &mut owing);
            if lookup.has_ended() {
                break;
            }
            prop_assert!(!owing.is_empty(), "it waits for no candidate");
            let (pick, act) = script.next().expect("it never ends");
            let index = pick.index(owing.len());
            let known = lookup.candidates.iter().find(|known| known.contact == owing[index]);
            let state = known.expect("a candidate that was asked stays").state;
            match act {
                Act::Late if state == State::Asked => lookup.slow(owing[index]),
                Act::Late | Act::GiveUp => {
                    prop_assert!(lookup.failed(owing.remove(index)).is_some());
                }
                Act::Misname(actual) => {
                    prop_assert!(lookup.misnamed(owing.remove(index), id(*actual)).is_some());
                }
                Act::Answer(named) | Act::Depart(named) => {
                    // Its slot is its own to answer with: once, however late.
                    let contact = owing.remove(index);
                    let from = lookup.answer(contact).expect("it was asked");
                    prop_assert_eq!(from.contact, contact);
                    prop_assert!(lookup.answer(contact).is_none());
                    if matches!(act, Act::Depart(_)) {
                        lookup.departs(contact);
                        prop_assert!(lookup.closest().all(|known| known.contact != contact));
                    }
                    for &(number, place) in named {
                        lookup.offer_from(from, Contact { id: id(number), addr: addr(place) });
                        lookup.assert_consistent();
                    }
                }
            }
            lookup.assert_consistent();
        }
        asked.sort_by_key(|contact| (contact.id, contact.addr));
        asked.dedup();
        prop_assert!(asked.len() <= ASKED_MAX);
        prop_assert_eq!(asked.len(), lookup.asked());
        if asked.len() == ASKED_MAX {
            return Ok(());
        }
        let closest: Vec<&Candidate> = lookup.hopeful().take(k).collect();
        prop_assert!(closest.iter().all(|known| known.state == State::Answered));
        let chances = |known: &Candidate| {
            (known.state != State::Failed || known.failures == FAILURES_MAX || !known.is_confirmed)
                && (lookup.budgets.is_refilled() || !lookup.is_beyond_budget(known))
        };
        let all_had_chances = lookup.candidates.iter().all(chances);
        let is_hurried = extent == Extent::Hurried && lookup.closest().next().is_some();
        prop_assert!(closest.len() == k || all_had_chances || is_hurried);
        let result: Vec<Contact> = lookup.closest().map(|known| known.contact).collect();
        let expected: Vec<Contact> = closest.iter().map(|known| known.contact).collect();
        prop_assert_eq!(result, expected);
    }
}

/// The routing tables of an honest network in which each node has met every other.
fn tables(count: u16, k: usize, rng: &mut Rng) -> Vec<RoutingTable> {
    let mut order: Vec<u16> = (0..count).collect();
    let mut table = |own: u16| {
        for index in (1..order.len()).rev() {
            order.swap(index, rng.below(index as u64 + 1) as usize);
        }
        let mut table = RoutingTable::new(id(own), k, SubnetLimit::new(None));
        for &other in order.iter().filter(|&&other| other != own) {
            table.answered(entry(contact(other), Instant::ZERO));
        }
        table
    };
    (0..count).map(&mut table).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn in_an_honest_network_a_lookup_finds_the_k_closest(
        count in 2..150_u16, k in 1..9_usize, alpha in 1..5_usize, seed: u64, target: u16,
    ) {
        let mut rng = Rng::from_u64(seed);
        let tables = tables(count, k, &mut rng);
        let named = |of: u16| tables[usize::from(of)].closest(id(target), k, Health::Good, id(0));
        let mut lookup = Lookup::new(id(target), k, alpha, Extent::Closest);
        for known in named(0) {
            lookup.offer_unknown(known);
        }
        let (mut asked, mut owing) = (Vec::new(), Vec::new());
        loop {
            ask(&mut lookup, &mut asked, &mut owing);
            if lookup.has_ended() {
                break;
            }
            let from = owing.swap_remove(rng.below(owing.len() as u64) as usize);
            if rng.ratio(1, 3) {
                lookup.slow(from);
                ask(&mut lookup, &mut asked, &mut owing);
            }
            let answered = lookup.answer(from).expect("it was asked");
            let number = (0..count).find(|&number| id(number) == from.id).expect("of the network");
            for known in named(number) {
                lookup.offer_from(answered, known);
            }
        }
        let mut expected: Vec<Contact> = (1..count).map(contact).collect();
        expected.sort_by_key(|known| known.id ^ id(target));
        expected.truncate(k);
        let found: Vec<Contact> = lookup.closest().map(|known| known.contact).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn an_answer_counts_however_late() {
    let mut lookup = Lookup::new(id(0), 2, 1, Extent::Closest);
    lookup.offer_unknown(contact(1));
    lookup.offer_unknown(contact(2));
    let first = lookup.next().expect("a candidate").contact;
    assert!(lookup.next().is_none(), "one at a time");
    lookup.slow(first);
    let second = lookup.next().expect("its slot is free").contact;
    lookup.answer(second);
    assert!(!lookup.has_ended(), "the closest has not answered yet");
    assert!(lookup.answer(first).is_some());
    assert!(lookup.has_ended());
    assert_eq!(lookup.closest().count(), 2);
}

#[test]
fn a_candidate_that_fails_is_not_retried_in_a_hurry_once_another_has_answered() {
    for (extent, ends) in [(Extent::Hurried, true), (Extent::Closest, false)] {
        let mut lookup = Lookup::new(id(0), 3, 3, extent);
        let [dead, slow, quick] = [1, 2, 3].map(contact);
        for known in [dead, slow, quick] {
            lookup.offer_unknown(known);
            lookup.next();
        }
        lookup.slow(slow);
        lookup.failed(dead);
        lookup.answer(quick);
        assert!(!lookup.has_ended(), "one still owes an answer");
        lookup.answer(slow);
        assert_eq!(lookup.has_ended(), ends);
        assert_eq!(lookup.next().is_none(), ends, "a retry");
        assert_eq!(lookup.closest().count(), 2);
        lookup.assert_consistent();
    }
}

#[test]
fn what_a_departing_node_has_named_counts_and_it_does_not() {
    let mut lookup = Lookup::new(id(0), 1, 1, Extent::Closest);
    lookup.offer_unknown(contact(1));
    lookup.next();
    let from = lookup.answer(contact(1)).expect("it was asked");
    lookup.departs(contact(1));
    lookup.offer_from(from, contact(2));
    assert!(!lookup.has_ended());
    assert_eq!(lookup.next().map(|known| known.contact), Some(contact(2)));
    lookup.answer(contact(2));
    assert!(lookup.has_ended());
    assert_eq!(lookup.closest().map(|known| known.contact).collect::<Vec<_>>(), [contact(2)]);
    let elsewhere = Contact { id: id(3), ..contact(1) };
    assert_eq!(lookup.offer_unknown(elsewhere), Offer::Dropped, "its address is settled");
}

#[test]
fn a_slow_candidate_that_settles_frees_no_slot_twice() {
    let mut lookup = Lookup::new(id(0), 8, 2, Extent::Closest);
    for number in 1..8 {
        lookup.offer_unknown(contact(number));
    }
    let first = lookup.next().expect("a candidate").contact;
    lookup.slow(first);
    lookup.slow(first);
    lookup.answer(first);
    lookup.assert_consistent();
    assert!(lookup.next().is_some() && lookup.next().is_some());
    assert!(lookup.next().is_none());
}

#[test]
fn an_answer_of_a_node_that_was_not_asked_changes_nothing() {
    let mut lookup = Lookup::new(id(0), 8, 1, Extent::Closest);
    lookup.offer_unknown(contact(1));
    assert!(lookup.answer(contact(1)).is_none());
    assert!(lookup.failed(contact(1)).is_none());
    assert!(lookup.answer(contact(2)).is_none());
    lookup.slow(contact(2));
    lookup.assert_consistent();
    assert_eq!(lookup.count(State::New), 1);
}

#[test]
fn a_full_lookup_takes_closer_candidates_and_drops_farther_ones() {
    let mut lookup = Lookup::new(id(0), 20, 3, Extent::Closest);
    let mut order: Vec<Contact> = (1..=200).map(contact).collect();
    order.sort_by_key(|known| known.id ^ id(0));
    for &known in order[100..].iter().rev() {
        assert_eq!(lookup.offer_unknown(known), Offer::Taken);
    }
    for &known in &order[..99] {
        assert_eq!(lookup.offer_unknown(known), Offer::Taken);
        lookup.assert_consistent();
    }
    // The closest of the farther hundred has outlasted the others, till now.
    assert_eq!(lookup.offer_unknown(order[101]), Offer::Dropped);
    assert_eq!(lookup.offer_unknown(order[99]), Offer::Taken);
    let kept: Vec<Contact> = lookup.candidates.iter().map(|known| known.contact).collect();
    assert_eq!(kept, order[..100]);
}

#[test]
fn a_lookup_without_candidates_has_ended() {
    let mut lookup = Lookup::new(id(0), 20, 3, Extent::Closest);
    assert!(lookup.next().is_none());
    assert!(lookup.has_ended());
    assert_eq!((lookup.closest().count(), lookup.asked()), (0, 0));
}

#[test]
fn a_retry_waits_as_for_an_unknown_peer() {
    let mut quick = RoundTrip::default();
    quick.sample(core::time::Duration::from_millis(1));
    let mut lookup = Lookup::new(id(0), 2, 1, Extent::Closest);
    lookup.offer(contact(1), NamedBy::Table, Known { round_trip: quick, ..Known::default() });
    assert_eq!(lookup.next().expect("a candidate").known.round_trip, quick);
    lookup.failed(contact(1));
    assert_eq!(lookup.next().expect("a retry").known.round_trip, RoundTrip::default());
}

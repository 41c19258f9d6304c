//! The k-bucket under any sequence of what can happen to it.

mod replica;

use alloc::collections::BTreeSet;
use core::net::SocketAddr;
use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::limits::TIMEOUT_FIRST;
use crate::node::samples::{addr, contact, entry, id};

impl Bucket {
    fn assert_consistent(&self, k: usize) {
        assert!(self.entries.len() <= k);
        assert!(self.replacements.len() <= REPLACEMENTS_MAX);
        for entries in [&self.entries, &self.replacements] {
            assert!(entries.is_sorted_by_key(|entry| entry.seen), "least recently seen first");
        }
        for entries in [&self.entries, &self.replacements] {
            let ids: Vec<Id> = entries.iter().map(Entry::id).collect();
            for (index, id) in ids.iter().enumerate() {
                assert!(!ids[index + 1..].contains(id), "{id} is here twice");
            }
        }
        assert!(!self.entries.iter().any(|entry| self.waits(entry.contact())), "here and waiting");
        let claims = |waiting: &Entry| self.position(waiting.id()).is_some();
        if !self.replacements.iter().all(claims) {
            assert_eq!(self.entries.len(), k, "none waits while there is room");
            let stale = self.entries.iter().any(Entry::is_stale);
            assert!(!stale, "none waits while a stale contact is in the way");
        }
    }

    fn waits(&self, contact: Contact) -> bool {
        self.replacements.iter().any(|entry| entry.is(contact))
    }

    fn at(&self, contact: Contact) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is(contact))
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Answered,
    Heard,
    Failed,
    Renamed,
}

/// A contact of few ids, each at its own address or at one of two others.
fn contacts() -> impl Strategy<Value = Contact> {
    let place = prop_oneof![6 => Just(0_u16), 1 => 1..3_u16];
    (0..24_u16, place)
        .prop_map(|(number, place)| Contact { id: id(number), addr: addr(number + 1000 * place) })
}

fn acts() -> impl Strategy<Value = Vec<(Act, Contact, u64)>> {
    let act = prop_oneof![
        5 => Just(Act::Answered),
        1 => Just(Act::Heard),
        6 => Just(Act::Failed),
        1 => Just(Act::Renamed),
    ];
    vec((act, contacts(), 0..90_u64), 1..250)
}

proptest! {
    #[test]
    fn a_responsive_contact_is_displaced_by_no_newcomer(k in 1..6_usize, acts in acts()) {
        let mut bucket = Bucket::new();
        let mut now = Instant::ZERO;
        for (act, contact, seconds) in acts {
            now = now + Duration::from_secs(seconds);
            let before = bucket.clone();
            let known = before.at(contact).copied();
            match act {
                Act::Answered => {
                    let admission = bucket.answered(k, entry(contact, now));
                    check_admission(&before, &bucket, contact, admission)?;
                }
                Act::Heard => {
                    bucket.heard(now, contact);
                    prop_assert_eq!(bucket.at(contact).is_some(), known.is_some());
                    prop_assert!(bucket.at(contact).is_none_or(|entry| entry.seen() == now));
                }
                Act::Failed => {
                    let failure = bucket.failed(contact, FAILURES_FORGET);
                    check_failure(&before, &bucket, contact, failure)?;
                }
                Act::Renamed => {
                    let failure = bucket.gone(contact);
                    prop_assert!(bucket.at(contact).is_none());
                    prop_assert_eq!(known.is_none(), failure.is_none());
                }
            }
            bucket.assert_consistent(k);
            for responsive in before.entries.iter().filter(|entry| !entry.is_stale()) {
                let its_own = responsive.is(contact)
                    && matches!(act, Act::Failed | Act::Renamed);
                prop_assert!(
                    its_own || bucket.at(responsive.contact()).is_some(),
                    "{:?} of {:?} displaced {:?}", act, contact, responsive,
                );
            }
        }
    }
}

/// What other shards must know of a bucket.
#[derive(Debug, PartialEq)]
struct Told {
    /// Its contacts, each with whether it is stale.
    contacts: BTreeSet<(Id, SocketAddr, bool)>,
    /// Those that wait; none where enough do.
    waiting: Option<BTreeSet<Id>>,
}

fn told(bucket: &Bucket) -> Told {
    let contact = |entry: &Entry| (entry.id(), entry.contact().addr, entry.is_stale());
    let has_room = bucket.replacements() < REPLACEMENTS_MAX;
    Told {
        contacts: bucket.entries().iter().map(contact).collect(),
        waiting: has_room.then(|| bucket.replacements.iter().map(Entry::id).collect()),
    }
}

proptest! {
    /// So that a replica to which the bucket is handed whenever the revision rises
    /// is as good as the bucket, and is handed it no more often than that takes.
    #[test]
    fn the_revision_rises_exactly_when_others_must_know(k in 1..6_usize, acts in acts()) {
        let (mut bucket, mut replica) = (Bucket::new(), Bucket::new());
        let mut now = Instant::ZERO;
        for (act, contact, seconds) in acts {
            now = now + Duration::from_secs(seconds);
            let before = bucket.clone();
            match act {
                Act::Answered => drop(bucket.answered(k, entry(contact, now))),
                Act::Heard => bucket.heard(now, contact),
                Act::Failed => drop(bucket.failed(contact, FAILURES_FORGET)),
                Act::Renamed => drop(bucket.gone(contact)),
            }
            let rises = bucket.revision() > before.revision();
            prop_assert_eq!(rises, told(&bucket) != told(&before), "{:?} of {:?}", act, contact);
            if rises {
                replica.adopt(bucket.clone());
            }
            prop_assert_eq!(told(&replica).contacts, told(&bucket).contacts);
            for asker in (0..24).map(crate::node::samples::contact) {
                prop_assert_eq!(replica.wants(k, asker), bucket.wants(k, asker));
            }
        }
    }
}

fn check_admission(
    before: &Bucket,
    after: &Bucket,
    contact: Contact,
    admission: Admission,
) -> Result<(), TestCaseError> {
    let entered = after.at(contact).is_some();
    let (fewer, more) = (before.entries.len(), after.entries.len());
    let (same, grown) = (more == fewer, more == fewer + 1);
    match admission {
        Admission::Known => prop_assert!(before.at(contact).is_some() && entered && same),
        Admission::Inserted => prop_assert!(before.at(contact).is_none() && entered && grown),
        Admission::Replaced => {
            prop_assert!(before.at(contact).is_none() && entered && same);
            let gone = before.entries.iter().filter(|entry| after.at(entry.contact()).is_none());
            prop_assert_eq!(gone.clone().count(), 1);
            prop_assert!(gone.clone().all(Entry::is_stale));
        }
        Admission::Waiting { check } => {
            prop_assert!(!entered && same);
            let check = check.map(|check| before.at(check).is_some());
            prop_assert!(check.unwrap_or(true), "only a contact can be in the way");
        }
        Admission::Crowded => prop_assert!(false, "the table says so, no bucket"),
    }
    if entered {
        prop_assert_eq!(after.entries.last().map(Entry::contact), Some(contact));
        prop_assert_eq!(after.at(contact).map(|entry| entry.failures), Some(0));
    }
    Ok(())
}

fn check_failure(
    before: &Bucket,
    after: &Bucket,
    contact: Contact,
    failure: Option<Failure>,
) -> Result<(), TestCaseError> {
    let Some(known) = before.at(contact) else {
        prop_assert_eq!(failure, None);
        return Ok(());
    };
    let failures = known.failures + 1;
    let expected = if failures < FAILURES_STALE {
        Failure::Suspect
    } else if let Some(heir) = before.heir(contact.id) {
        prop_assert!(after.at(before.replacements[heir].contact()).is_some());
        Failure::Replaced
    } else if failures < FAILURES_FORGET {
        Failure::Stale
    } else {
        Failure::Evicted
    };
    prop_assert_eq!(failure, Some(expected));
    let stays = matches!(expected, Failure::Suspect | Failure::Stale);
    let expected = stays.then_some(failures);
    prop_assert_eq!(after.at(contact).map(|entry| entry.failures), expected);
    Ok(())
}

fn at_second(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

/// A bucket of the contacts `1..=k`, seen a second after one another.
fn full(k: u16) -> Bucket {
    let mut bucket = Bucket::new();
    for number in 1..=k {
        bucket.answered(usize::from(k), entry(contact(number), at_second(number.into())));
    }
    bucket
}

#[test]
fn the_oldest_contact_is_checked_once_it_was_silent_for_long_enough() {
    let mut bucket = full(3);
    let soon = at_second(1) + CONTACT_FRESH - Duration::from_micros(1);
    let admission = bucket.answered(3, entry(contact(4), soon));
    assert_eq!(admission, Admission::Waiting { check: None });
    let later = at_second(1) + CONTACT_FRESH;
    let admission = bucket.answered(3, entry(contact(5), later));
    assert_eq!(admission, Admission::Waiting { check: Some(contact(1)) });
    // It answers, and the next oldest is in question.
    assert_eq!(bucket.answered(3, entry(contact(1), later)), Admission::Known);
    let admission = bucket.answered(3, entry(contact(6), later + CONTACT_FRESH));
    assert_eq!(admission, Admission::Waiting { check: Some(contact(2)) });
}

#[test]
fn a_second_address_that_claims_an_id_does_not_displace_a_live_one() {
    let mut bucket = full(3);
    let impostor = Contact { addr: addr(77), ..contact(2) };
    for second in 4..20 {
        assert!(bucket.wants(3, impostor), "it may have moved");
        let admission = bucket.answered(3, entry(impostor, at_second(second)));
        assert_eq!(admission, Admission::Waiting { check: Some(contact(2)) }, "it is asked");
    }
    bucket.answered(3, entry(contact(2), at_second(30)));
    assert!(bucket.at(contact(2)).is_some() && bucket.at(impostor).is_none());
    assert_eq!(bucket.replacements(), 1, "the second waits");
}

#[test]
fn a_contact_that_has_moved_takes_its_place_once_its_old_address_is_silent() {
    let mut bucket = full(3);
    let moved = Contact { addr: addr(77), ..contact(2) };
    bucket.answered(3, entry(moved, at_second(4)));
    bucket.answered(3, entry(contact(9), at_second(5)));
    for failures in 1..=FAILURES_STALE {
        let expected = if failures < FAILURES_STALE { Failure::Suspect } else { Failure::Replaced };
        assert_eq!(bucket.failed(contact(2), FAILURES_FORGET), Some(expected));
    }
    assert!(bucket.at(moved).is_some() && bucket.at(contact(2)).is_none());
    assert!(bucket.waits(contact(9)), "a newcomer seen later waits on");
}

#[test]
fn what_claims_the_id_of_a_live_contact_takes_the_place_of_no_other() {
    let mut bucket = full(3);
    bucket.answered(3, entry(Contact { addr: addr(77), ..contact(2) }, at_second(4)));
    for failures in 1..FAILURES_FORGET {
        let expected = if failures < FAILURES_STALE { Failure::Suspect } else { Failure::Stale };
        assert_eq!(bucket.failed(contact(1), FAILURES_FORGET), Some(expected));
    }
    assert_eq!(bucket.failed(contact(1), FAILURES_FORGET), Some(Failure::Evicted));
    assert!(bucket.at(contact(2)).is_some());
}

#[test]
fn the_replacement_cache_forgets_those_seen_longest_ago() {
    let mut bucket = full(2);
    let newcomers = 10..10 + REPLACEMENTS_MAX as u16 + 3;
    for number in newcomers.clone() {
        bucket.answered(2, entry(contact(number), at_second(number.into())));
    }
    let waiting: Vec<Contact> = bucket.replacements.iter().map(Entry::contact).collect();
    assert_eq!(waiting, newcomers.skip(3).map(contact).collect::<Vec<_>>());
}

#[test]
fn a_waiting_contact_that_was_heard_from_lately_comes_in_first() {
    let mut bucket = full(1);
    for number in 10..13 {
        bucket.answered(1, entry(contact(number), at_second(number.into())));
    }
    bucket.heard(at_second(20), contact(11));
    bucket.assert_consistent(1);
    for _ in 0..FAILURES_STALE {
        bucket.failed(contact(1), FAILURES_FORGET);
    }
    assert!(bucket.at(contact(11)).is_some());
}

#[test]
fn a_stale_contact_stays_while_nothing_can_replace_it_and_is_forgotten_in_the_end() {
    let mut bucket = full(2);
    for failures in 1..FAILURES_FORGET {
        let expected = if failures < FAILURES_STALE { Failure::Suspect } else { Failure::Stale };
        assert_eq!(bucket.failed(contact(1), FAILURES_FORGET), Some(expected));
        assert!(bucket.at(contact(1)).is_some());
    }
    assert_eq!(bucket.failed(contact(1), FAILURES_FORGET), Some(Failure::Evicted));
    assert!(bucket.at(contact(1)).is_none());
    // While the fault may be ours, it is never forgotten.
    for _ in 0..=u8::MAX {
        bucket.failed(contact(2), FAILURES_STALE);
    }
    assert!(bucket.at(contact(2)).is_some_and(Entry::is_stale));
}

#[test]
fn only_new_contacts_of_use_are_wanted() {
    let mut bucket = full(2);
    assert!(!bucket.wants(2, contact(1)), "it is here");
    for number in 10..10 + REPLACEMENTS_MAX as u16 {
        assert!(bucket.wants(2, contact(number)));
        bucket.answered(2, entry(contact(number), at_second(10)));
        assert!(!bucket.wants(2, contact(number)), "it waits already");
    }
    assert!(!bucket.wants(2, contact(99)), "enough are waiting");
    assert!(full(2).wants(3, contact(99)));
}

#[test]
fn a_contact_that_did_not_answer_is_given_the_time_of_an_unknown_one() {
    let mut known = entry(contact(1), Instant::ZERO);
    known.known.round_trip.sample(Duration::from_millis(1));
    let mut bucket = Bucket::new();
    bucket.answered(20, known);
    assert!(bucket.entries()[0].known.round_trip.timeout(0) < TIMEOUT_FIRST);

    let mut replica = bucket.clone();
    assert_eq!(bucket.failed(contact(1), FAILURES_FORGET), Some(Failure::Suspect));
    assert_eq!(bucket.entries()[0].known.round_trip.timeout(0), TIMEOUT_FIRST);

    assert!(!replica.note_failed(contact(2)), "no contact of the bucket");
    assert!(replica.entries()[0].known.round_trip.timeout(0) < TIMEOUT_FIRST);
    assert!(replica.note_failed(contact(1)));
    assert_eq!(replica.entries()[0].known.round_trip.timeout(0), TIMEOUT_FIRST);
}

#[test]
fn a_contact_that_waits_and_answers_again_is_nothing_to_tell() {
    let mut bucket = full(2);
    let waits = |bucket: &mut Bucket, number, second| {
        let before = bucket.revision();
        bucket.answered(2, entry(contact(number), at_second(second)));
        bucket.revision() - before
    };
    for number in 10..10 + REPLACEMENTS_MAX as u16 {
        assert_eq!(waits(&mut bucket, number, 10), 1);
        assert_eq!(waits(&mut bucket, number, 11), 0);
    }
    for number in 30..60 {
        assert_eq!(waits(&mut bucket, number, 12), 0, "enough wait, before as after");
    }
}

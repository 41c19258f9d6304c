//! The lookup among candidates that are late.

use super::*;

const K: usize = 4;

/// A lookup that has been offered contacts `0..count`, the closest first.
fn lookup(count: u16, extent: Extent) -> (Lookup, Vec<Contact>) {
    let mut lookup = Lookup::new(id(0), K, 2, extent);
    let mut contacts: Vec<Contact> = (1..=count).map(contact).collect();
    contacts.sort_unstable_by_key(|one| one.id ^ id(0));
    for &one in &contacts {
        lookup.offer_unknown(one);
    }
    (lookup, contacts)
}

/// Asks all that the lookup wants asked: `silent` are late, once each, the others answer.
fn ask_all(lookup: &mut Lookup, silent: &[Contact]) -> Vec<Contact> {
    let mut asked = Vec::new();
    while let Some(candidate) = lookup.next() {
        asked.push(candidate.contact);
        if silent.contains(&candidate.contact) {
            lookup.slow(candidate.contact);
        } else {
            lookup.answer(candidate.contact);
        }
        lookup.assert_consistent();
    }
    asked
}

#[test]
fn a_get_asks_others_beside_those_that_are_late_and_ends_without_those_that_are_so_twice() {
    let (mut lookup, contacts) = lookup(8, Extent::Value);
    let silent = &contacts[1..3];
    assert_eq!(ask_all(&mut lookup, silent), contacts[..K + 2]);
    assert!(!lookup.has_ended(), "their second sends are under way");
    lookup.slow(silent[0]);
    assert!(!lookup.has_ended());
    lookup.slow(silent[1]);
    assert!(lookup.has_ended());
    // An answer that comes before counts as any other.
    lookup.answer(silent[0]);
    let closest: Vec<Contact> = lookup.closest().map(|known| known.contact).collect();
    assert_eq!(closest, [contacts[0], contacts[1], contacts[3], contacts[4]]);
}

#[test]
fn a_get_waits_where_more_than_half_of_the_closest_are_late() {
    let (mut lookup, contacts) = lookup(12, Extent::Value);
    let silent = &contacts[..K - 1];
    assert_eq!(ask_all(&mut lookup, silent), contacts[..2 * K - 1]);
    for late in silent {
        lookup.slow(*late);
    }
    assert!(!lookup.has_ended(), "one of the closest has answered");
    lookup.answer(silent[K - 2]);
    assert!(lookup.has_ended(), "two of four have");
}

#[test]
fn what_is_to_be_stored_is_not_stored_beyond_a_node_that_is_late() {
    let (mut lookup, contacts) = lookup(8, Extent::Closest);
    let silent = &contacts[1..3];
    assert_eq!(ask_all(&mut lookup, silent), contacts[..K]);
    for late in silent.iter().chain(silent) {
        lookup.slow(*late);
    }
    assert!(!lookup.has_ended());
    for late in silent {
        lookup.failed(*late);
    }
    assert_eq!(ask_all(&mut lookup, silent), contacts[K..K + 2]);
    assert!(lookup.has_ended());
}

#[test]
fn where_fewer_than_k_answer_a_get_waits_for_all() {
    let (mut lookup, contacts) = lookup(K as u16, Extent::Value);
    let silent = &contacts[..1];
    assert_eq!(ask_all(&mut lookup, silent), contacts);
    lookup.slow(silent[0]);
    assert!(!lookup.has_ended(), "it may be the one that has the value");
    lookup.failed(silent[0]);
    assert_eq!(ask_all(&mut lookup, &[]), silent, "it is asked once more");
    assert!(lookup.has_ended());
}

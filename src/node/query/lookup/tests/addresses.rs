//! The lookup where several names are given for one address.

use super::*;

/// Two names at the address of contact 1, and contact 1.
fn two_names_at_one_address() -> (Lookup, [Contact; 2]) {
    let mut lookup = Lookup::new(id(0), 20, 3, Extent::Closest);
    let mut names = [contact(1), Contact { addr: addr(1), ..contact(2) }];
    names.sort_by_key(|name| name.id ^ id(0));
    for name in names {
        assert_eq!(lookup.offer_unknown(name), Offer::Taken);
    }
    (lookup, names)
}

#[test]
fn an_address_is_asked_under_one_name_at_a_time() {
    let (mut lookup, [closer, farther]) = two_names_at_one_address();
    assert_eq!(lookup.next().map(|known| known.contact), Some(closer));
    assert!(lookup.next().is_none(), "though slots are free");
    lookup.slow(closer);
    assert!(lookup.next().is_none(), "it still owes an answer");
    assert!(!lookup.has_ended());
    lookup.misnamed(closer, farther.id);
    assert_eq!(lookup.next().map(|known| known.contact), Some(farther), "so it is called");
}

#[test]
fn a_dead_address_costs_its_two_chances_however_many_names_it_has() {
    let (mut lookup, [closer, farther]) = two_names_at_one_address();
    for _ in 0..FAILURES_MAX {
        assert!(!lookup.has_ended());
        assert_eq!(lookup.next().map(|known| known.contact), Some(closer));
        lookup.failed(closer);
    }
    assert!(lookup.has_ended());
    assert_eq!(lookup.offer_unknown(farther), Offer::Dropped);
}

#[test]
fn a_false_name_does_not_keep_the_node_at_the_address_from_being_asked() {
    let (mut lookup, [closer, farther]) = two_names_at_one_address();
    let third = Contact { addr: addr(1), ..contact(3) };
    lookup.offer_unknown(third);
    let first = lookup.next().expect("one of them").contact;
    let real = if first == closer { farther } else { closer };
    lookup.misnamed(first, real.id);
    assert_eq!(lookup.next().map(|known| known.contact), Some(real));
    lookup.answer(real);
    assert!(lookup.has_ended());
    assert_eq!(lookup.closest().map(|known| known.contact).collect::<Vec<_>>(), [real]);
}

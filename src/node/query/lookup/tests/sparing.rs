//! What a put and a get ask of candidates that are verified.

use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::node::fitted_id;
use crate::node::known::PeerToken;
use crate::time::Instant;
use crate::wire::Token;

const K: usize = 8;
const ALPHA: usize = 2;

fn now() -> Instant {
    Instant::ZERO + Duration::from_mins(10)
}

/// What is known of a node that has given a token at `given`.
fn known_since(given: Instant, round_trip_ms: u64) -> Known {
    let mut round_trip = RoundTrip::default();
    round_trip.sample(Duration::from_millis(round_trip_ms));
    Known { round_trip, token: PeerToken::new(Token::new([1; 8]), given) }
}

fn lookup(extent: Extent) -> Lookup {
    Lookup::new(id(0), K, ALPHA, extent).sparing(now())
}

/// So many contacts, the closest first.
fn contacts(count: u16) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = (1..=count).map(contact).collect();
    contacts.sort_unstable_by_key(|one| one.id ^ id(0));
    contacts
}

/// Has all answer that are asked, each round at once. Returns how many were in each.
fn rounds(lookup: &mut Lookup) -> Vec<usize> {
    let mut rounds = Vec::new();
    while !lookup.has_ended() {
        let mut asked = Vec::new();
        while let Some(candidate) = lookup.next() {
            asked.push(candidate.contact);
            lookup.assert_consistent();
        }
        for &contact in &asked {
            lookup.answer(contact);
        }
        rounds.push(asked.len());
    }
    rounds
}

#[test]
fn a_put_asks_twice_as_many_as_have_answered() {
    for (extent, expected) in [(Extent::Put, [2, 4, 2].as_slice()), (Extent::Closest, &[2; 4])] {
        let mut lookup = lookup(extent);
        for one in contacts(20) {
            lookup.offer_unknown(one);
        }
        assert_eq!(rounds(&mut lookup), expected);
    }
}

#[test]
fn a_put_spares_half_of_the_closest_where_they_are_verified_and_all_others_nothing() {
    let old = now() - Duration::from_mins(5);
    for (extent, given, asked) in [
        (Extent::Put, now(), K / 2),
        (Extent::Put, old, K),
        (Extent::Closest, now(), K),
        (Extent::Value, now(), K),
    ] {
        let mut lookup = lookup(extent);
        for one in contacts(20) {
            lookup.offer(one, NamedBy::Table, known_since(given, 1));
        }
        rounds(&mut lookup);
        assert_eq!(lookup.asked(), asked);
        lookup.spare();
        let closest: Vec<Contact> = lookup.closest().map(|one| one.contact).collect();
        assert_eq!(closest, contacts(20)[..K]);
        assert_eq!(lookup.explored_bits().is_none(), asked < K);
    }
}

#[test]
fn what_is_not_verified_is_asked_and_spares_others_the_question() {
    let mut lookup = lookup(Extent::Put);
    for (index, one) in contacts(20).into_iter().enumerate() {
        let known = if index % 2 == 0 { known_since(now(), 1) } else { Known::default() };
        lookup.offer(one, NamedBy::Table, known);
    }
    rounds(&mut lookup);
    let asked = lookup.candidates.iter().filter(|one| one.state == State::Answered);
    assert!(asked.clone().all(|one| !one.is_verified), "half of them are enough");
    assert_eq!(asked.count(), K / 2);
}

#[test]
fn where_fewer_than_k_are_known_each_is_asked() {
    let mut lookup = lookup(Extent::Put);
    for one in contacts(K as u16 - 1) {
        lookup.offer(one, NamedBy::Table, known_since(now(), 1));
    }
    rounds(&mut lookup);
    assert_eq!(lookup.asked(), K - 1);
}

#[test]
fn nodes_of_one_subnet_count_as_one_that_was_asked() {
    let of_subnet = |subnet: u8, number: u8| {
        let addr = SocketAddr::from(([192, 0, subnet, number], 9000));
        Contact { id: fitted_id(id(u16::from_be_bytes([subnet, number])), addr.ip()), addr }
    };
    for (subnets, is_more) in [(20, false), (K as u8 / 2, true)] {
        let mut lookup = lookup(Extent::Put);
        for number in 0..20 {
            let one = of_subnet(number % subnets, number);
            lookup.offer(one, NamedBy::Table, known_since(now(), 1));
        }
        rounds(&mut lookup);
        assert_eq!(lookup.asked() > K / 2, is_more);
    }
}

#[test]
fn a_get_asks_the_quickest_of_the_closest_alone_and_others_where_it_is_late() {
    let mut lookup = lookup(Extent::Value);
    let closest = contacts(20);
    for (index, &one) in closest.iter().enumerate() {
        let round_trip_ms = if index == 1 { 10 } else { 50 };
        lookup.offer(one, NamedBy::Table, known_since(now(), round_trip_ms));
    }
    assert_eq!(lookup.next().map(|one| one.contact), Some(closest[1]));
    assert!(lookup.next().is_none());
    lookup.slow(closest[1]);
    let asked: Vec<Contact> =
        core::iter::from_fn(|| lookup.next()).map(|one| one.contact).collect();
    assert_eq!(asked, [closest[0], closest[2]]);
}

#[test]
fn what_goes_on_after_its_end_waits_for_none_that_was_asked_before() {
    let mut lookup = Lookup::new(id(0), 1, 2, Extent::Put);
    let [near, far] = contacts(2)[..] else { unreachable!("two") };
    lookup.offer_unknown(far);
    lookup.next();
    lookup.offer_unknown(near);
    lookup.next();
    lookup.answer(near);
    assert!(lookup.has_ended(), "the other is not among the closest");
    lookup.discard(near);
    lookup.resume();
    lookup.assert_consistent();
    assert_eq!(lookup.next().map(|one| one.contact), Some(far), "it is asked once more");
}

//! The lookup among nodes that make up others.

use super::*;
use crate::limits::UNANSWERED_MAX;

/// What a lookup came to.
struct Ended {
    asked: usize,
    /// Of those asked, how many do not exist.
    made_up: usize,
    found: Vec<Contact>,
    /// What it ought to have found.
    closest: Vec<Contact>,
}

/// A lookup among 200 nodes, of which the `liars` closest name only nodes that
/// they made up, each at an address of its own and closer than any real one.
fn lie(seed: u64, liars: usize, alpha: usize) -> Ended {
    const NODES: u16 = 200;
    const K: usize = 20;
    let mut rng = Rng::from_u64(seed);
    let target = rng.id();
    let mut nodes: Vec<Contact> = (0..NODES).map(contact).collect();
    nodes.sort_unstable_by_key(|node| node.id ^ target);
    let mut lookup = Lookup::new(target, K, alpha, Extent::Closest);
    for node in nodes.iter().rev().take(K).chain(&nodes[..liars]) {
        lookup.offer_unknown(*node);
    }
    let (mut made_up, mut made_up_asked) = (0, 0);
    loop {
        // All that may be asked at once is settled at once.
        let asked: Vec<_> = core::iter::from_fn(|| lookup.next()).collect();
        if asked.is_empty() {
            break;
        }
        for candidate in asked {
            let Some(rank) = nodes.iter().position(|node| *node == candidate.contact) else {
                made_up_asked += 1;
                lookup.failed(candidate.contact);
                continue;
            };
            let from = lookup.answer(candidate.contact).expect("it was asked");
            for node in &nodes[..K] {
                made_up += 1;
                let near = target.to_bytes().into_iter().take(12).chain(rng.bytes::<8>());
                let near = near.collect::<Vec<u8>>().try_into().expect("20 bytes");
                let lie = Contact { id: Id::new(near), addr: addr(NODES + made_up) };
                lookup.offer_from(from, if rank < liars { lie } else { *node });
            }
            lookup.assert_consistent();
        }
    }
    assert!(lookup.has_ended());
    let found = lookup.closest().map(|known| known.contact).collect();
    nodes.truncate(K);
    Ended { asked: lookup.asked(), made_up: made_up_asked, found, closest: nodes }
}

#[test]
fn nodes_that_liars_make_up_do_not_crowd_out_the_real_ones() {
    for seed in 0..20 {
        let ended = lie(seed, 8, 8);
        assert_eq!(ended.found, ended.closest);
        // What they make up is closer than any node, so each is believed at first.
        assert_eq!(ended.made_up, 8 * UNANSWERED_MAX as usize, "of {}", ended.asked);
    }
}

#[test]
fn a_node_that_an_honest_node_names_is_asked_whatever_becomes_of_a_liar() {
    let mut lookup = Lookup::new(id(0), 20, 20, Extent::Closest);
    lookup.offer_unknown(contact(1));
    lookup.offer_unknown(contact(2));
    let named: Vec<Contact> = (10..30).map(contact).collect();
    let [liar, honest] = [1, 2].map(|number| {
        lookup.next().expect("both are asked");
        contact(number)
    });
    let liar = lookup.answer(liar).expect("it was asked");
    for &contact in &named {
        assert_eq!(lookup.offer_from(liar, contact), Offer::Taken);
    }
    let asked: Vec<_> = core::iter::from_fn(|| lookup.next()).collect();
    assert_eq!(asked.len(), UNANSWERED_MAX as usize);
    for candidate in asked {
        assert!(lookup.next().is_none(), "one of them may still answer");
        lookup.failed(candidate.contact);
    }
    assert!(lookup.next().is_none());
    let honest = lookup.answer(honest).expect("it was asked");
    for contact in &named[10..] {
        assert_eq!(lookup.offer_from(honest, *contact), Offer::Known);
    }
    // Those that the liar had asked in vain are asked again, now that two have named them.
    let mut asked = core::iter::from_fn(|| lookup.next());
    let next = asked.find(|candidate| !candidate.is_retry()).expect("an honest node has named it");
    let others = asked.filter(|candidate| !candidate.is_retry()).count();
    assert!(named[10..].contains(&next.contact));
    assert_eq!(others + 1, UNANSWERED_MAX as usize);
    // One that answers speaks for two more.
    lookup.answer(next.contact);
    assert_eq!(core::iter::from_fn(|| lookup.next()).count(), 2);
}

#[test]
fn with_no_other_candidate_a_few_more_of_those_that_a_liar_named_are_asked() {
    let mut lookup = Lookup::new(id(0), 20, 3, Extent::Closest);
    lookup.offer_unknown(contact(1));
    lookup.next();
    let from = lookup.answer(contact(1)).expect("it was asked");
    for number in 10..30 {
        lookup.offer_from(from, contact(number));
    }
    let mut asked = 0;
    while !lookup.has_ended() {
        let next = lookup.next().expect("a candidate is left").contact;
        asked += 1;
        lookup.failed(next);
        lookup.assert_consistent();
    }
    // Nothing that one peer alone has named has a second chance.
    assert_eq!(asked, 2 * UNANSWERED_MAX as usize);
}

#[test]
fn a_lookup_that_is_told_nothing_but_lies_ends() {
    let ended = lie(1, 40, 3);
    assert!(ended.made_up <= 40 * UNANSWERED_MAX as usize, "{} of {}", ended.made_up, ended.asked);
    assert!(ended.asked < ASKED_MAX);
}

#[test]
fn a_lookup_in_which_every_node_makes_up_answers_ends() {
    let mut lookup = Lookup::new(id(0), 20, 3, Extent::Closest);
    lookup.offer_unknown(contact(1));
    let mut names = 2..;
    while let Some(next) = lookup.next() {
        let from = lookup.answer(next.contact).expect("it was asked");
        for number in names.by_ref().take(20) {
            lookup.offer_from(from, contact(number));
        }
    }
    assert!(lookup.has_ended());
    assert!(lookup.asked() <= ASKED_MAX);
}

//! The lookup among nodes of few subnets.

use core::net::SocketAddr;

use super::*;
use crate::limits::PEERS_PER_SUBNET;
use crate::node::fitted_id;

const K: usize = 4;

/// The `number`th of a series of contacts of a subnet of public addresses.
fn of_subnet(subnet: u8, number: u8) -> Contact {
    let addr = SocketAddr::from(([192, 0, subnet, number], 9000));
    Contact { id: fitted_id(id(u16::from_be_bytes([subnet, number])), addr.ip()), addr }
}

/// A lookup to the K closest of `nodes`, all of which answer, and which it has asked.
fn looked_up(nodes: &[Contact]) -> (Lookup, Vec<Contact>) {
    let mut lookup = Lookup::new(id(0), K, 2, Extent::Closest);
    for &node in nodes {
        lookup.offer_unknown(node);
    }
    let mut asked = Vec::new();
    while let Some(candidate) = lookup.next() {
        asked.push(candidate.contact);
        lookup.answered(candidate.contact, Known::default());
    }
    assert!(lookup.has_ended());
    (lookup, asked)
}

#[test]
fn few_of_one_subnet_count_among_the_k_closest() {
    let mut nodes: Vec<Contact> = (0..250).map(|number| of_subnet(1, number)).collect();
    nodes.extend((10..40).map(|subnet| of_subnet(subnet, 1)));
    nodes.sort_unstable_by_key(|node| node.id ^ id(0));
    let (lookup, asked) = looked_up(&nodes);
    let is_of_first = |node: &&Contact| node.addr.ip().to_string().starts_with("192.0.1.");
    assert!(nodes[..K].iter().filter(is_of_first).count() > PEERS_PER_SUBNET);
    let first = nodes.iter().filter(is_of_first).take(PEERS_PER_SUBNET);
    let others = nodes.iter().filter(|node| !is_of_first(node)).take(K);
    let mut expected: Vec<Contact> = first.chain(others).copied().collect();
    expected.sort_unstable_by_key(|node| node.id ^ id(0));
    expected.truncate(K);
    assert_eq!(lookup.closest().map(|known| known.contact).collect::<Vec<_>>(), expected);
    assert!(asked.iter().filter(is_of_first).count() <= PEERS_PER_SUBNET, "no more are asked");
    assert!(!lookup.is_crowded());
}

#[test]
fn where_there_are_no_others_those_of_one_subnet_fill_the_k_up() {
    let mut nodes: Vec<Contact> = (0..40).map(|number| of_subnet(1, number)).collect();
    nodes.sort_unstable_by_key(|node| node.id ^ id(0));
    nodes.push(of_subnet(2, 1));
    let (lookup, asked) = looked_up(&nodes);
    assert_eq!(asked.len(), K);
    assert_eq!(lookup.closest().count(), K);
    assert!(lookup.closest().any(|known| known.contact == of_subnet(2, 1)), "however far");
    assert!(lookup.is_crowded());
}

#[test]
fn what_does_not_fit_its_address_counts_only_where_there_are_no_others() {
    let unfit = |number: u8| Contact { id: id(number.into()), ..of_subnet(100 + number, 1) };
    let mut nodes: Vec<Contact> = (0..40).map(unfit).collect();
    nodes.extend((10..10 + K as u8).map(|subnet| of_subnet(subnet, 1)));
    let (lookup, _) = looked_up(&nodes);
    assert!(lookup.closest().all(|known| known.is_fit), "however far");
    assert!(!lookup.is_crowded());
    let (lookup, asked) = looked_up(&nodes[..40]);
    let closest: Vec<_> = lookup.closest().map(|known| known.contact).collect();
    nodes.truncate(40);
    nodes.sort_unstable_by_key(|node| node.id ^ id(0));
    assert_eq!((closest, asked.len()), (nodes[..K].to_vec(), K), "as before ids had to fit");
    assert!(lookup.is_crowded());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_first_that_is_wanted_is_the_first_of_all_that_are_chosen(
        nodes in vec((0..6_u8, any::<u8>(), any::<bool>()), 0..40),
        answered in vec(any::<bool>(), 40),
        k in 1..=8_usize,
    ) {
        let mut lookup = Lookup::new(id(0), k, 2, Extent::Closest);
        for (subnet, number, is_fit) in nodes {
            let node = of_subnet(subnet, number);
            let unfit = Contact { id: id(number.into()), ..node };
            lookup.offer_unknown(if is_fit { node } else { unfit });
        }
        for (candidate, answered) in lookup.candidates.iter_mut().zip(answered) {
            candidate.state = if answered { State::Answered } else { State::New };
        }
        let is_wanted = |candidate: &&Candidate| candidate.state == State::New;
        let first = lookup.first_chosen(|_| true, is_wanted).map(|found| found.contact);
        let expected = lookup.chosen(|_| true).find(is_wanted).map(|found| found.contact);
        prop_assert_eq!(first, expected);
    }
}

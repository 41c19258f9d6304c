//! The lookup where several names are given for one address.

use core::net::SocketAddr;

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

/// Contacts at so many ports of one public host.
fn ports_of_one_host(count: u16) -> Vec<Contact> {
    let addr = |number| SocketAddr::from(([192, 0, 2, 1], 9000 + number));
    (0..count).map(|number| Contact { addr: addr(number), ..contact(100 + number) }).collect()
}

#[test]
fn two_requests_to_one_ip_are_outstanding_and_two_in_vain_are_all() {
    for (limit, most) in [(SubnetLimit::new(None), 2), (SubnetLimit::new(Some(20)), 2)] {
        let mut lookup = Lookup::new(id(0), 20, 16, Extent::Closest).with_subnets(limit);
        for node in ports_of_one_host(10) {
            lookup.offer_unknown(node);
        }
        let asked: Vec<_> = core::iter::from_fn(|| lookup.next()).collect();
        assert_eq!(asked.len(), most);
        for one in &asked {
            lookup.failed(one.contact);
        }
        let retried: Vec<_> = core::iter::from_fn(|| lookup.next()).collect();
        assert!(retried.iter().all(Candidate::is_retry), "the same again: the table knows them");
        for one in &retried {
            lookup.failed(one.contact);
        }
        assert!(lookup.has_ended());
        assert_eq!(lookup.asked(), most);
        assert_eq!(lookup.offer_unknown(ports_of_one_host(11)[10]), Offer::Dropped);
    }
}

#[test]
fn a_host_that_answers_at_one_port_is_asked_at_others() {
    let limit = SubnetLimit::new(Some(20));
    let mut lookup = Lookup::new(id(0), 20, 16, Extent::Closest).with_subnets(limit);
    for node in ports_of_one_host(10) {
        lookup.offer_unknown(node);
    }
    let asked: Vec<_> = core::iter::from_fn(|| lookup.next()).collect();
    lookup.failed(asked[0].contact);
    lookup.answer(asked[1].contact);
    assert_eq!(core::iter::from_fn(|| lookup.next()).count(), 8);
}

/// Nodes of a demo share an IP, and the containers of a host a subnet.
#[test]
fn private_networks_are_exempt_from_the_limit_of_an_ip() {
    for limit in [None, Some(20)] {
        let limit = SubnetLimit::new(limit);
        let mut lookup = Lookup::new(id(0), 20, 16, Extent::Closest).with_subnets(limit);
        let addr = |number| SocketAddr::from(([127, 0, 0, 1], 9000 + number));
        for number in 0..10 {
            lookup.offer_unknown(Contact { addr: addr(number), ..contact(100 + number) });
        }
        let asked = core::iter::from_fn(|| lookup.next()).count();
        assert_eq!(asked, if limit.subnet(addr(0).ip()).is_some() { 2 } else { 10 });
    }
}

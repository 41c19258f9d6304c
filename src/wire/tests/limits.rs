//! The largest datagrams, and what is larger.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv6Addr, SocketAddr};

use super::encoded;
use crate::id::Id;
use crate::limits::{
    DATAGRAM_BYTES_MAX, K_MAX, PIECE_BYTES_MAX, RENEWALS_MAX, REQUEST_PADDED_BYTES,
};
use crate::wire::{
    Body, CONTACT_BYTES_MAX, Contact, Contacts, Costly, Datagram, DecodeError, ErrorCode,
    HEADER_BYTES, NetworkId, Purpose, Renewal, Renewals, Role, Store, Token, TransactionId, Value,
    costly, decode, is_reachable,
};

const V6: SocketAddr = SocketAddr::new(core::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 9001);
const ID: Id = Id::new([0x55; 20]);

/// A datagram with the longest header: it announces an IPv6 address.
fn announced(body: Body<'_>) -> Datagram<'_> {
    Datagram {
        network: NetworkId(1),
        transaction: TransactionId::new([2; 8]),
        sender: ID,
        role: Role::Client,
        announce: Some(V6),
        asks_proof: !body.is_request(),
        token: Token::new([3; 8]),
        body,
    }
}

fn store(value: &[u8]) -> Body<'_> {
    let total = value.len() as u32;
    Body::Store(Store { key: ID, offset: 0, total, life_s: 1, purpose: Purpose::Cache, value })
}

fn value(value: &[u8]) -> Body<'_> {
    Body::Value(Value { offset: 0, total: value.len() as u32, life_s: 1, value })
}

#[test]
fn the_largest_of_each_kind_fits_a_datagram() {
    let longest = vec![7; PIECE_BYTES_MAX];
    let contacts = [Contact { id: ID, addr: V6 }; K_MAX];
    let renewals = [Renewal { key: ID, life_s: 1 }; RENEWALS_MAX];
    for (body, length) in [
        // The largest value is what fills a STORE with an announced address.
        (store(&longest), DATAGRAM_BYTES_MAX),
        (value(&longest), 48 + 19 + 12 + PIECE_BYTES_MAX),
        (Body::Nodes(Contacts::new(&contacts)), 48 + 19 + 1 + 39 * K_MAX),
        (Body::Renew(Renewals::new(&renewals)), 48 + 19 + 1 + 24 * RENEWALS_MAX),
    ] {
        let datagram = announced(body);
        let bytes = encoded(&datagram);
        assert_eq!(bytes.len(), length);
        assert!(bytes.len() <= DATAGRAM_BYTES_MAX);
        assert_eq!(decode(&bytes), Ok(datagram));
    }
}

#[test]
fn requests_without_a_value_are_shorter_than_their_padded_size() {
    for body in [Body::Ping, Body::FindNode { target: ID }, Body::FindValue { key: ID, offset: 0 }]
    {
        assert!(encoded(&announced(body)).len() < REQUEST_PADDED_BYTES);
    }
}

#[test]
fn a_datagram_longer_than_the_limit_is_refused() {
    let mut bytes = encoded(&announced(Body::Ping));
    bytes.resize(DATAGRAM_BYTES_MAX, 0);
    assert_eq!(decode(&bytes), Ok(announced(Body::Ping)));
    bytes.push(0);
    assert_eq!(decode(&bytes), Err(DecodeError::Oversized));
    bytes.resize(1 << 16, 0);
    assert_eq!(decode(&bytes), Err(DecodeError::Oversized));
}

#[test]
fn a_value_longer_than_the_limit_is_refused_though_the_datagram_is_not() {
    let longest = vec![7; PIECE_BYTES_MAX];
    for body in [store(&longest), value(&longest)] {
        // Without an announced address there is room for more.
        let datagram = Datagram { announce: None, ..announced(body) };
        let mut bytes = encoded(&datagram);
        assert_eq!(decode(&bytes), Ok(datagram));
        bytes.push(7);
        assert!(bytes.len() <= DATAGRAM_BYTES_MAX);
        assert_eq!(decode(&bytes), Err(DecodeError::Oversized));
    }
}

#[test]
#[should_panic(expected = "value.len() <= PIECE_BYTES_MAX")]
fn encoding_a_value_longer_than_the_limit_panics() {
    let too_long = vec![7; PIECE_BYTES_MAX + 1];
    encoded(&Datagram { announce: None, ..announced(store(&too_long)) });
}

#[test]
fn more_contacts_than_the_largest_k_are_refused() {
    let contact = Contact { id: ID, addr: "192.0.2.1:1".parse().expect("an address") };
    let contacts = [contact; K_MAX];
    let datagram = Datagram { announce: None, ..announced(Body::Nodes(Contacts::new(&contacts))) };
    let mut bytes = encoded(&datagram);
    assert_eq!(usize::from(bytes[HEADER_BYTES]), K_MAX);
    // One contact more, of the smaller family, so that the datagram has room.
    let last: Vec<u8> = bytes[bytes.len() - 27..].to_vec();
    bytes.extend(last);
    bytes[HEADER_BYTES] += 1;
    assert!(bytes.len() + CONTACT_BYTES_MAX <= DATAGRAM_BYTES_MAX);
    assert_eq!(decode(&bytes), Err(DecodeError::Contacts));
    bytes[HEADER_BYTES] = u8::MAX;
    assert_eq!(decode(&bytes), Err(DecodeError::Contacts));
}

#[test]
fn contacts_beyond_the_largest_k_are_left_out() {
    let contacts = [Contact { id: ID, addr: V6 }; K_MAX + 1];
    assert_eq!(Contacts::new(&contacts).len(), K_MAX);
    assert_eq!(Contacts::new(&contacts).iter().count(), K_MAX);
    assert!(Contacts::new(&[]).is_empty());
}

#[test]
fn a_renew_of_no_value_or_of_more_than_fit_is_refused() {
    let renewals = [Renewal { key: ID, life_s: 1 }; RENEWALS_MAX + 1];
    assert_eq!(Renewals::new(&renewals).len(), RENEWALS_MAX, "those beyond are left out");
    let body = Body::Renew(Renewals::new(&renewals));
    let mut bytes = encoded(&Datagram { announce: None, ..announced(body) });
    for count in [0, RENEWALS_MAX as u8 + 1, u8::MAX] {
        bytes[HEADER_BYTES] = count;
        assert_eq!(decode(&bytes), Err(DecodeError::Renewals));
    }
}

#[test]
fn a_renew_costs_as_many_renewals_as_it_names() {
    let renewals = [Renewal { key: ID, life_s: 1 }; RENEWALS_MAX];
    for named in [1, 2, RENEWALS_MAX] {
        let body = Body::Renew(Renewals::new(&renewals[..named]));
        for datagram in [announced(body), Datagram { announce: None, ..announced(body) }] {
            let cost = costly(&encoded(&datagram));
            assert_eq!(cost, Some(Costly::Renew { renewals: named }));
        }
    }
}

#[test]
fn each_unknown_byte_has_its_own_error() {
    let of = |body| encoded(&announced(body));
    let refused = |mut bytes: Vec<u8>, position: usize, byte: u8| {
        bytes[position] = byte;
        decode(&bytes).expect_err("an unknown byte")
    };
    let body = HEADER_BYTES + 19;
    assert_eq!(refused(of(Body::Ping), 0, b'd'), DecodeError::Magic);
    assert_eq!(refused(of(Body::Ping), 1, 2), DecodeError::Version);
    for kind in (0..=u8::MAX).filter(|kind| !matches!(kind, 1..=6 | 0x81..=0x86 | 0x8f)) {
        assert_eq!(refused(of(Body::Ping), 2, kind), DecodeError::Kind);
    }
    for purpose in 2..=u8::MAX {
        assert_eq!(refused(of(store(b"")), body + 32, purpose), DecodeError::Code);
    }
    for code in (0..=u8::MAX).filter(|code| !matches!(code, 1..=5)) {
        let error = of(Body::Error(ErrorCode::Full));
        assert_eq!(refused(error, body, code), DecodeError::Code);
    }
    let contacts = [Contact { id: ID, addr: V6 }; 2];
    let nodes = of(Body::Nodes(Contacts::new(&contacts)));
    for family in (0..=u8::MAX).filter(|family| !matches!(family, 4 | 6)) {
        assert_eq!(refused(of(Body::Ping), HEADER_BYTES, family), DecodeError::Address);
        let second = body + 1 + CONTACT_BYTES_MAX;
        assert_eq!(refused(nodes.clone(), second, family), DecodeError::Address);
    }
}

#[test]
fn an_address_is_reachable_only_if_it_is_of_one_host() {
    for addr in
        ["127.0.0.1:1", "192.0.2.1:65535", "[::1]:1", "[2001:db8::1]:9001", "[::ffff:192.0.2.1]:1"]
    {
        assert!(is_reachable(addr.parse().expect("an address")), "{addr}");
    }
    for addr in [
        "192.0.2.1:0",
        "0.0.0.0:1",
        "224.0.0.1:1",
        "239.255.255.255:1",
        "255.255.255.255:1",
        "[2001:db8::1]:0",
        "[::]:1",
        "[ff02::1]:1",
        "[::ffff:0.0.0.0]:1",
        "[::ffff:224.0.0.1]:1",
        "[::ffff:255.255.255.255]:1",
    ] {
        assert!(!is_reachable(addr.parse().expect("an address")), "{addr}");
    }
}

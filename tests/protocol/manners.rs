//! How a node treats those that it has no reason to trust.

use std::net::SocketAddr;

use kad_node::id::Id;
use kad_node::limits::{AMPLIFICATION_MAX, DATAGRAM_BYTES_MAX, REQUEST_PADDED_BYTES};
use kad_node::wire::{
    self, Body, Datagram, ErrorCode, HEADER_BYTES, Role, Store, Token, TransactionId,
};

use crate::datagram::{datagram, encoded, store};
use crate::net::{Net, addr};

const UNKNOWN: u16 = 500;

fn unknown() -> SocketAddr {
    addr(UNKNOWN)
}

fn request(body: Body<'_>) -> Datagram<'_> {
    datagram(9, body)
}

/// The token that node `number` gives the unknown client.
fn token(net: &mut Net, number: u16) -> Token {
    let replies = net.ask(unknown(), number, &request(Body::Ping));
    wire::decode(&replies[0]).expect("a PONG").token
}

fn only_reply(net: &mut Net, number: u16, request: &Datagram<'_>) -> Vec<u8> {
    let mut replies = net.ask(unknown(), number, request);
    assert_eq!(replies.len(), 1);
    replies.remove(0)
}

#[test]
fn a_store_needs_a_token_of_the_node_for_that_address() {
    let mut net = Net::new(1);
    net.add(0);
    net.add(1);
    let (key, body) = (Id::of_value(b"value"), Body::Store(store(b"value")));
    let foreign = token(&mut net, 1);
    for token in [Token::NONE, Token::new([7; 8]), foreign] {
        let reply = only_reply(&mut net, 0, &Datagram { token, ..request(body) });
        let reply = wire::decode(&reply).expect("an ERROR");
        assert_eq!(reply.body, Body::Error(ErrorCode::Token));
        assert!(!net.nodes[&addr(0)].holds(key));
    }
    assert_eq!(net.stats(0).stores_without_token, 3);
    let token = token(&mut net, 0);
    let reply = only_reply(&mut net, 0, &Datagram { token, ..request(body) });
    assert_eq!(wire::decode(&reply).expect("a STORED").body, Body::Stored);
    assert!(net.nodes[&addr(0)].holds(key));
}

#[test]
fn a_value_that_does_not_hash_to_its_key_is_not_stored() {
    let mut net = Net::new(2);
    net.add(0);
    let token = token(&mut net, 0);
    let key = Id::of_value(b"something else");
    let body = Body::Store(Store { key, ..store(b"value") });
    let reply = only_reply(&mut net, 0, &Datagram { token, ..request(body) });
    assert_eq!(wire::decode(&reply).expect("an ERROR").body, Body::Error(ErrorCode::Mismatch));
    assert!(!net.nodes[&addr(0)].holds(key));
    assert_eq!(net.stats(0).stores_mismatched, 1);
}

#[test]
fn a_value_in_pieces_is_refused() {
    let mut net = Net::new(3);
    net.add(0);
    let token = token(&mut net, 0);
    let whole = store(b"value");
    for piece in [Store { total: 6, ..whole }, Store { offset: 1, ..whole }] {
        let reply = only_reply(&mut net, 0, &Datagram { token, ..request(Body::Store(piece)) });
        assert_eq!(wire::decode(&reply).expect("an ERROR").body, Body::Error(ErrorCode::TooLarge));
    }
    assert_eq!(net.stats(0).stores_too_large, 2);
}

#[test]
fn a_reply_to_an_unproven_address_is_at_most_three_times_the_request() {
    let mut net = Net::joined(4, 60);
    let key = net.put(0, &"x".repeat(1000));
    net.settle();
    let holder = (1..60).find(|&number| net.nodes[&addr(number)].holds(key)).expect("a holder");
    let proven = token(&mut net, holder);
    let bodies = [
        Body::Ping,
        Body::FindNode { target: key },
        Body::FindValue { key, offset: 0 },
        Body::FindValue { key: Id::of_value(b"absent"), offset: 0 },
    ];
    for body in bodies {
        let whole = encoded(&request(body));
        for least in [0, 100, 200, REQUEST_PADDED_BYTES] {
            let mut padded = whole.clone();
            padded.resize(least.max(whole.len()), 0);
            let before = net.sent.len();
            net.inject(unknown(), holder, &padded);
            let replied: usize = net.sent[before..]
                .iter()
                .filter(|sent| sent.to == unknown())
                .map(|sent| sent.bytes.len())
                .sum();
            assert!(replied >= HEADER_BYTES);
            let most = padded.len() * AMPLIFICATION_MAX;
            assert!(replied <= most, "{replied} for {}", padded.len());
        }
        let unproven = only_reply(&mut net, holder, &request(body)).len();
        let full = only_reply(&mut net, holder, &Datagram { token: proven, ..request(body) }).len();
        assert!(full > unproven || body == Body::Ping, "a token gets the whole reply");
    }
    let value = only_reply(&mut net, holder, &request(Body::FindValue { key, offset: 0 }));
    assert_eq!(wire::decode(&value).expect("an ERROR").body, Body::Error(ErrorCode::Token));
    assert!(net.stats(holder).replies_cut >= 3);
}

/// PINGs to `to`, and the bytes of all datagrams to it, since `before` were sent.
fn received(net: &Net, before: usize, to: SocketAddr) -> (usize, usize) {
    let sent = || net.sent[before..].iter().filter(|sent| sent.to == to);
    let is_ping = |bytes: &[u8]| wire::decode(bytes).is_ok_and(|sent| sent.body == Body::Ping);
    let pings = sent().filter(|sent| is_ping(&sent.bytes)).count();
    (pings, sent().map(|sent| sent.bytes.len()).sum())
}

#[test]
fn a_forged_request_brings_its_victim_at_most_three_times_its_size() {
    let mut net = Net::joined(8, 60);
    let target = Id::of_value(b"target");
    let bodies =
        [Body::Ping, Body::FindNode { target }, Body::FindValue { key: target, offset: 0 }];
    let announced = [None, Some(addr(600))];
    let forgeries = bodies.into_iter().flat_map(|body| announced.map(|addr| (body, addr)));
    for (number, (body, announce)) in forgeries.enumerate() {
        // Of a bucket that has room, so that the sender is verified.
        let mut sender = net.id(0).to_bytes();
        sender[19] ^= number as u8 + 1;
        let sender = Id::new(sender);
        let forged = encoded(&Datagram { role: Role::Peer, announce, sender, ..request(body) });
        let before = net.sent.len();
        net.inject(unknown(), 0, &forged);
        net.run_for(std::time::Duration::from_mins(1));
        let victims = [unknown(), addr(600)].map(|victim| received(&net, before, victim));
        let [pings, bytes] = [victims[0].0 + victims[1].0, victims[0].1 + victims[1].1];
        assert_eq!(pings, 1, "one PING verifies the sender");
        let most = forged.len() * AMPLIFICATION_MAX;
        assert!((HEADER_BYTES * 2..=most).contains(&bytes), "{bytes} for {}", forged.len());
    }
}

#[test]
fn a_loopback_address_is_pinged_only_where_a_sender_on_this_host_announces_it() {
    let mut net = Net::new(9);
    net.add(0);
    let local = SocketAddr::from(([127, 0, 0, 1], 9000));
    let announced = SocketAddr::from(([127, 0, 0, 2], 9000));
    for (number, (source, expected)) in [(unknown(), 0), (local, 1)].into_iter().enumerate() {
        let sender = Id::of_value(&[number as u8]);
        let (role, announce) = (Role::Peer, Some(announced));
        let before = net.sent.len();
        net.ask(source, 0, &Datagram { role, announce, sender, ..request(Body::Ping) });
        assert_eq!(received(&net, before, announced).0, expected, "announced by {source}");
    }
    assert_eq!(net.stats(0).verifications_of_loopback, 1);
}

#[test]
fn garbage_is_counted_and_answered_by_silence() {
    let mut net = Net::new(5);
    net.add(0);
    let find = encoded(&request(Body::FindNode { target: Id::of_value(b"") }));
    let mut unknown_kind = find.clone();
    unknown_kind[2] = 0x7f;
    let datagrams: [&[u8]; 6] = [
        b"",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        &find[..find.len() - 1],
        &find[..HEADER_BYTES - 1],
        &[MAGIC_BYTES; 1].concat()[..],
        &unknown_kind,
    ];
    for bytes in datagrams {
        net.inject(unknown(), 0, bytes);
    }
    net.inject(unknown(), 0, &[0x4b; DATAGRAM_BYTES_MAX + 1]);
    let stats = net.stats(0);
    assert_eq!(stats.datagrams_truncated, 4);
    assert_eq!(stats.datagrams_foreign, 1);
    assert_eq!(stats.datagrams_malformed, 1);
    assert_eq!(stats.datagrams_oversized, 1);
    assert!(net.sent.is_empty());
    assert_eq!(only_reply(&mut net, 0, &request(Body::Ping)).len(), HEADER_BYTES);
}

/// The magic and the version, and nothing else.
const MAGIC_BYTES: [u8; 2] = [wire::MAGIC, wire::VERSION];

#[test]
fn forged_replies_change_nothing() {
    let mut net = Net::joined(6, 5);
    let before = net.stats(0);
    for number in 0..200_u8 {
        let forged = Datagram {
            transaction: TransactionId::new([0, 0, number % 8, 0, number, 1, 2, 3]),
            role: Role::Peer,
            ..request(Body::Pong)
        };
        assert!(net.ask(unknown(), 0, &forged).is_empty());
    }
    let after = net.stats(0);
    assert_eq!(after.replies_unmatched, before.replies_unmatched + 200);
    assert_eq!(after.contacts, before.contacts);
}

#[test]
fn a_flood_of_new_senders_is_met_at_a_bounded_pace() {
    let mut net = Net::new(7);
    net.add(0);
    for number in 0..1000_u16 {
        let from = addr(1000 + number);
        let sender = Id::of_value(&number.to_be_bytes());
        net.ask(from, 0, &Datagram { sender, role: Role::Peer, ..request(Body::Ping) });
    }
    let pings = net.sent_by(0, |body| matches!(body, Body::Ping)).len();
    assert_eq!(pings, kad_node::limits::VERIFICATIONS_MAX);
    assert!(net.stats(0).verifications_refused >= 900);
    assert_eq!(net.stats(0).contacts, 0);
}

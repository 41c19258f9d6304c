//! How a node treats those that it has no reason to trust.

use std::net::SocketAddr;

use kad_node::id::Id;
use kad_node::limits::{
    AMPLIFICATION_MAX, DATAGRAM_BYTES_MAX, REQUEST_PADDED_BYTES, VERIFICATIONS_MAX,
};
use kad_node::wire::{
    self, Body, Contact, Contacts, Datagram, ErrorCode, HEADER_BYTES, Role, Store, Token,
    TransactionId,
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
    // That of another host, as one that forges this address would have it.
    let pong = &net.ask(addr(UNKNOWN + 1), 0, &request(Body::Ping))[0];
    let of_another = wire::decode(pong).expect("a PONG").token;
    for token in [Token::NONE, Token::new([7; 8]), foreign, of_another] {
        let reply = only_reply(&mut net, 0, &Datagram { token, ..request(body) });
        let reply = wire::decode(&reply).expect("an ERROR");
        assert_eq!(reply.body, Body::Error(ErrorCode::Token));
        assert!(!net.nodes[&addr(0)].holds(key));
    }
    assert_eq!(net.stats(0).stores_without_token, 4);
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

/// Bytes of all datagrams to `to` since `before` were sent.
fn received(net: &Net, before: usize, to: SocketAddr) -> usize {
    net.sent[before..].iter().filter(|sent| sent.to == to).map(|sent| sent.bytes.len()).sum()
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
        // Of a bucket that has room for it.
        let mut sender = net.id(0).to_bytes();
        sender[19] ^= number as u8 + 1;
        let sender = Id::new(sender);
        let forged = encoded(&Datagram { role: Role::Peer, announce, sender, ..request(body) });
        let before = net.sent.len();
        net.inject(unknown(), 0, &forged);
        net.run_for(std::time::Duration::from_mins(1));
        assert_eq!(received(&net, before, addr(600)), 0, "what is only announced gets nothing");
        let bytes = received(&net, before, unknown());
        let most = forged.len() * AMPLIFICATION_MAX;
        assert!((HEADER_BYTES..=most).contains(&bytes), "{bytes} for {}", forged.len());
    }
}

#[test]
fn a_token_shown_from_its_own_address_makes_a_contact_without_a_ping() {
    let mut net = Net::new(9);
    net.add(0);
    let sender = Id::of_value(b"newcomer");
    let ping = Datagram { role: Role::Peer, sender, ..request(Body::Ping) };
    let reply = only_reply(&mut net, 0, &ping);
    let reply = wire::decode(&reply).expect("a PONG");
    assert!(reply.asks_proof && !net.knows(0, sender), "a sender may be forged");
    let token = reply.token;
    for (role, is_known) in [(Role::Client, false), (Role::Peer, true)] {
        let shown = only_reply(&mut net, 0, &Datagram { role, token, ..ping });
        assert!(!wire::decode(&shown).expect("a PONG").asks_proof);
        assert_eq!(net.knows(0, sender), is_known, "{role:?}");
    }
    assert!(net.sent_by(0, |body| matches!(body, Body::Ping)).is_empty());
    let later = only_reply(&mut net, 0, &ping);
    assert!(!wire::decode(&later).expect("a PONG").asks_proof, "it is known");
}

#[test]
fn a_loopback_address_is_pinged_only_where_a_sender_on_this_host_announces_it() {
    let mut net = Net::new(9);
    net.add(0);
    let local = SocketAddr::from(([127, 0, 0, 1], 9000));
    let announced = SocketAddr::from(([127, 0, 0, 2], 9000));
    for (number, (source, is_pinged)) in [(unknown(), false), (local, true)].into_iter().enumerate()
    {
        let before = net.sent.len();
        announce(&mut net, source, announced, Id::of_value(&[number as u8]));
        assert_eq!(received(&net, before, announced) > 0, is_pinged, "announced by {source}");
    }
    assert_eq!(net.stats(0).verifications_of_loopback, 1);
}

/// Has the peer `sender`, which shows its token, announce an address to node 0.
fn announce(net: &mut Net, source: SocketAddr, announced: SocketAddr, sender: Id) {
    let (role, announce) = (Role::Peer, Some(announced));
    let ping = Datagram { role, announce, sender, ..request(Body::Ping) };
    let reply = &net.ask(source, 0, &ping)[0];
    let token = wire::decode(reply).expect("a PONG").token;
    net.ask(source, 0, &Datagram { token, ..ping });
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
fn a_flood_of_forged_senders_costs_nothing_and_keeps_no_newcomer_out() {
    let mut net = Net::new(7);
    net.add(0);
    let forge = |net: &mut Net, number: u16| {
        let sender = Id::of_value(&number.to_be_bytes());
        let forged = Datagram { sender, role: Role::Peer, ..request(Body::Ping) };
        assert_eq!(net.ask(addr(1000 + number), 0, &forged).len(), 1, "one reply");
    };
    (0..1000).for_each(|number| forge(&mut net, number));
    let newcomer = Id::of_value(b"newcomer");
    net.introduce(UNKNOWN, 0, newcomer);
    (1000..2000).for_each(|number| forge(&mut net, number));
    assert!(net.knows(0, newcomer));
    let stats = net.stats(0);
    assert_eq!((stats.contacts, stats.requests_sent, stats.rpcs), (1, 0, 0));
}

#[test]
fn announced_addresses_are_verified_at_a_bounded_pace_that_no_subnet_uses_up() {
    let mut net = Net::new(11);
    net.add(0);
    let source = |subnet: u8, host: u8| SocketAddr::from(([192, 0, subnet, host], 9000));
    let announce_of = |net: &mut Net, subnet: u8, host: u8| {
        let before = net.sent.len();
        let announced = SocketAddr::from(([198, 51, subnet, host], 9000));
        announce(net, source(subnet, host), announced, Id::of_value(&[subnet, host]));
        received(net, before, announced) > 0
    };
    let of_first = (0..200).filter(|&host| announce_of(&mut net, 0, host)).count();
    assert!((2..=VERIFICATIONS_MAX / 16).contains(&of_first), "{of_first} of the first subnet");
    for subnet in 1..32 {
        assert!(announce_of(&mut net, subnet, 0), "subnet {subnet} finds room");
        (1..50).for_each(|host| _ = announce_of(&mut net, subnet, host));
    }
    let pings = net.sent_by(0, |body| matches!(body, Body::Ping)).len();
    assert!(pings <= VERIFICATIONS_MAX);
    assert!(net.stats(0).verifications_refused > 1500);
    assert_eq!(net.stats(0).contacts, 0);
    net.run_for(std::time::Duration::from_secs(1));
    assert!(announce_of(&mut net, 0, 201), "there is room again once they have come to nothing");
}

/// The liar names twenty ports of a victim in each reply, and node 0 knows no other node.
#[test]
fn what_one_peer_alone_names_is_sent_one_small_request() {
    let mut net = Net::new(12);
    net.add(0);
    let victim = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
    let named: Vec<Contact> = (0..20)
        .map(|port| Contact { id: Id::of_value(&[port]), addr: victim(9000 + u16::from(port)) })
        .collect();
    let named: &'static [Contact] = named.leak();
    let nodes = Body::Nodes(Contacts::new(named));
    net.add_puppet(
        UNKNOWN,
        Id::of_value(b"liar"),
        Box::new(move |request| match request.body {
            Body::Ping => Some(Body::Pong),
            Body::FindNode { .. } | Body::FindValue { .. } => Some(nodes),
            _ => None,
        }),
    );
    net.introduce(UNKNOWN, 0, Id::of_value(b"liar"));
    for lookup in 0..20_u8 {
        let before = net.sent.len();
        net.get(0, Id::of_value(&[lookup]));
        net.run_for(std::time::Duration::from_secs(30));
        // The node looks for its neighbours meanwhile.
        let is_of_get = |bytes: &[u8]| {
            matches!(wire::decode(bytes).expect("no garbage").body, Body::FindValue { .. })
        };
        let to_victim = net.sent[before..].iter().filter(|sent| sent.to.ip() == victim(0).ip());
        let to_victim: Vec<_> = to_victim.filter(|sent| is_of_get(&sent.bytes)).collect();
        let mut ports: Vec<_> = to_victim.iter().map(|sent| sent.to.port()).collect();
        ports.dedup();
        assert_eq!((ports.len(), to_victim.len()), (2, 2), "one request each, to two ports");
        // As much as brings 20 IPv4 contacts, each of 27 bytes.
        let most = (HEADER_BYTES + 1 + 20 * 27_usize).div_ceil(AMPLIFICATION_MAX);
        assert!(to_victim.iter().all(|sent| sent.bytes.len() == most));
    }
}

//! Values larger than one datagram: what is refused, and how transfers end that come to
//! nothing.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{
    AMPLIFICATION_MAX, PIECE_BYTES_MAX, PULLS_PER_HOST_MAX, RANGE_PIECES_MAX, VALUE_BYTES_DEFAULT,
};
use kad_node::node::{Event, OperationId, Refusal};
use kad_node::wire::{self, Body, Contacts, Datagram, ErrorCode, Range, Role, Store, Token, Value};

use crate::datagram::{datagram, encoded, store};
use crate::large::{get, got, put, stored, value_of};
use crate::net::{Net, addr};

/// What a node says to the first piece of `value`, from an address of no node.
fn offer(net: &mut Net, from: u16, token: Token, value: &[u8]) -> Vec<Vec<u8>> {
    let body = Body::Store(Store { value: &value[..PIECE_BYTES_MAX], ..store(value) });
    net.ask(addr(from), 0, &Datagram { token, ..datagram(7, body) })
}

fn token(net: &mut Net, from: u16) -> Token {
    let pong = &net.ask(addr(from), 0, &datagram(1, Body::Ping))[0];
    wire::decode(pong).expect("a PONG").token
}

/// The first reply; the node may have requests of its own.
fn first_body(sent: &[Vec<u8>]) -> Body<'_> {
    let mut bodies = sent.iter().map(|bytes| wire::decode(bytes).expect("no garbage").body);
    bodies.find(|body| !body.is_request()).expect("a reply")
}

#[test]
fn a_holder_with_a_smaller_limit_says_so_and_the_put_counts_it() {
    for (limit, bytes) in [(2000, 5000), (100, 101)] {
        let mut net = Net::joined(1, 10);
        for number in 10..14 {
            net.add_with(number, |config| config.value_bytes_max = limit);
            net.join(number, 0);
        }
        net.run_for(Duration::from_secs(30));
        put(&mut net, 0, 900, &value_of(bytes));
        net.run_for(Duration::from_secs(2));
        let stored = stored(&net, 900).expect("the put has ended");
        assert_eq!((stored.holders, stored.asked, stored.too_large), (9, 13, 4), "{bytes}");
    }
}

#[test]
fn a_value_above_the_own_limit_is_neither_put_nor_fetched_and_the_size_is_said() {
    for (bytes_max, bytes) in [(2000, 5000), (100, 101)] {
        let mut net = Net::joined(2, 10);
        net.add_with(10, |config| config.value_bytes_max = bytes_max);
        net.join(10, 0);
        let key = put(&mut net, 0, 900, &value_of(bytes));
        net.run_for(Duration::from_secs(2));
        get(&mut net, 10, 901, key);
        net.run_for(Duration::from_secs(2));
        assert_eq!(got(&net, 901), Some(Err(Refusal::TooLarge { bytes, bytes_max })));
    }
}

#[test]
fn a_sender_that_is_never_pulled_ends_its_put() {
    let mut net = Net::new(3);
    net.add(0);
    let answer = |request: &Datagram<'_>| {
        Some(match request.body {
            Body::Ping => Body::Pong,
            Body::Store(_) => Body::Pending,
            _ => Body::Nodes(Contacts::new(&[])),
        })
    };
    net.add_puppet(1, Id::of_value(b"pending"), Box::new(answer));
    net.join(0, 1);
    put(&mut net, 0, 900, &value_of(5000));
    net.run_for(Duration::from_secs(30));
    let stored = stored(&net, 900).expect("it does not wait for ever");
    assert_eq!((stored.holders, stored.asked), (0, 1));
    assert_eq!((net.stats(0).uploads, net.stats(0).uploads_given_up), (0, 1));
}

#[test]
fn a_busy_holder_is_asked_again() {
    let mut net = Net::new(4);
    net.add(0);
    let mut refusals = 3;
    let answer = move |request: &Datagram<'_>| {
        Some(match request.body {
            Body::Ping => Body::Pong,
            Body::Store(_) if refusals == 0 => Body::Stored,
            Body::Store(_) => {
                refusals -= 1;
                Body::Error(ErrorCode::Busy)
            }
            _ => Body::Nodes(Contacts::new(&[])),
        })
    };
    net.add_puppet(1, Id::of_value(b"busy"), Box::new(answer));
    net.join(0, 1);
    put(&mut net, 0, 900, &value_of(5000));
    net.run_for(Duration::from_secs(30));
    assert_eq!(stored(&net, 900).map(|stored| stored.holders), Some(1));
}

#[test]
fn a_thousand_half_open_stores_take_no_more_than_their_bound_and_end() {
    let mut net = Net::new(5);
    net.add(0);
    let token = token(&mut net, 600);
    let mut pending = 0;
    for number in 0..1000_u32 {
        let mut value = value_of(200_000);
        value[..4].copy_from_slice(&number.to_be_bytes());
        match first_body(&offer(&mut net, 600, token, &value)) {
            Body::Pending => pending += 1,
            Body::Error(ErrorCode::Busy) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pending, PULLS_PER_HOST_MAX);
    let stats = net.stats(0);
    assert_eq!(stats.transfers, PULLS_PER_HOST_MAX as u64);
    assert_eq!(stats.transfers_refused, 1000 - PULLS_PER_HOST_MAX as u64);
    assert_eq!(stats.stores_busy, stats.transfers_refused);
    // Another host has room all the same, and so has the user.
    let other = self::token(&mut net, 700);
    let replies = offer(&mut net, 700, other, &value_of(9000));
    assert_eq!(first_body(&replies), Body::Pending);
    net.run_for(Duration::from_secs(20));
    let stats = net.stats(0);
    assert_eq!((stats.transfers, stats.transfer_bytes), (0, 0));
    assert_eq!(stats.transfers_failed, PULLS_PER_HOST_MAX as u64 + 1);
}

#[test]
fn what_a_large_store_lacks_is_said() {
    let mut net = Net::new(6);
    net.add(0);
    let token = token(&mut net, 600);
    let value = value_of(VALUE_BYTES_DEFAULT + 1);
    for (token, value, code) in
        [(Token::NONE, &value[..5000], ErrorCode::Token), (token, &value[..], ErrorCode::TooLarge)]
    {
        let replies = offer(&mut net, 600, token, value);
        assert_eq!(first_body(&replies), Body::Error(code));
    }
    // Pieces of another shape are none.
    let value = value_of(5000);
    let short = Store { value: &value[..1000], ..store(&value) };
    let inner = Store { offset: 1132, value: &value[..PIECE_BYTES_MAX], ..store(&value) };
    for store in [short, inner] {
        let request = Datagram { token, ..datagram(8, Body::Store(store)) };
        let replies = net.ask(addr(600), 0, &request);
        assert_eq!(first_body(&replies), Body::Error(ErrorCode::TooLarge));
    }
    assert_eq!(net.stats(0).transfers, 0);
}

#[test]
fn an_empty_value_is_neither_put_nor_stored_nor_found() {
    let mut net = Net::new(10);
    net.add(0);
    let key = put(&mut net, 0, 900, b"");
    let refused = |event: &Event| matches!(event, Event::Put { outcome: Err(Refusal::Empty), .. });
    assert!(net.answers(OperationId(900)).any(refused));
    let token = token(&mut net, 600);
    let whole = store(b"");
    let begun = Store { total: 5000, ..store(b"") };
    let of_no_bytes = Store { total: 0, ..store(b"not empty") };
    for store in [whole, begun, of_no_bytes] {
        let request = Datagram { token, ..datagram(8, Body::Store(store)) };
        let replies = net.ask(addr(600), 0, &request);
        assert_eq!(first_body(&replies), Body::Error(ErrorCode::TooLarge), "{store:?}");
    }
    assert!(!net.nodes[&addr(0)].holds(key));
    assert_eq!((net.stats(0).values, net.stats(0).stores_too_large), (0, 3));

    let answer = |request: &Datagram<'_>| {
        Some(match request.body {
            Body::Ping => Body::Pong,
            Body::FindValue { .. } => {
                Body::Value(Value { offset: 0, total: 0, life_s: 3600, value: b"" })
            }
            _ => Body::Nodes(Contacts::new(&[])),
        })
    };
    net.add_puppet(1, Id::of_value(b"empty"), Box::new(answer));
    net.join(0, 1);
    get(&mut net, 0, 901, key);
    net.run_for(Duration::from_secs(5));
    assert_eq!(got(&net, 901), Some(Ok(None)));
    assert_eq!(net.stats(0).values, 0);
}

#[test]
fn ranges_are_answered_in_full_to_a_token_alone() {
    let mut net = Net::new(7);
    net.add(0);
    let value = value_of(100_000);
    let key = put(&mut net, 0, 900, &value);
    net.settle();
    let length = (RANGE_PIECES_MAX * PIECE_BYTES_MAX) as u32;
    let body = Body::FindRange(Range { key, offset: 0, length });
    let bare = Datagram { role: Role::Peer, ..datagram(1, body) };
    let request = encoded(&bare);
    let replies = net.ask(addr(600), 0, &bare);
    let answered: usize = replies.iter().map(Vec::len).sum();
    assert!(answered <= AMPLIFICATION_MAX * request.len(), "{answered} to {}", request.len());
    assert_eq!(first_body(&replies), Body::Error(ErrorCode::Token));

    let token = token(&mut net, 600);
    let asked = |body| Datagram { token, ..datagram(2, body) };
    let replies = net.ask(addr(600), 0, &asked(body));
    assert_eq!(replies.len(), RANGE_PIECES_MAX);
    let all = Body::FindRange(Range { key, offset: 0, length: u32::MAX });
    assert_eq!(net.ask(addr(600), 0, &asked(all)).len(), RANGE_PIECES_MAX, "and no more");
    let beyond = Body::FindRange(Range { key, offset: u32::MAX, length: u32::MAX });
    assert_eq!(net.ask(addr(600), 0, &asked(beyond)).len(), 0);
    let unknown = Body::FindRange(Range { key: Id::of_value(b"none"), offset: 0, length });
    let replies = net.ask(addr(600), 0, &asked(unknown));
    assert_eq!(first_body(&replies), Body::Nodes(Contacts::new(&[])));
}

#[test]
fn what_the_store_has_no_room_for_is_not_pulled() {
    let mut net = Net::new(9);
    net.add_with(0, |config| config.store_bytes_max = 100_000);
    let token = token(&mut net, 600);
    let replies = offer(&mut net, 600, token, &value_of(99_000));
    assert_eq!(first_body(&replies), Body::Pending);
    let replies = offer(&mut net, 600, token, &value_of(101_000));
    assert_eq!(first_body(&replies), Body::Error(ErrorCode::Full));
}

#[test]
fn a_get_that_is_abandoned_pulls_nothing_more() {
    let mut net = Net::joined(8, 25);
    let key = put(&mut net, 0, 900, &value_of(900_000));
    net.run_for(Duration::from_secs(2));
    let reader = (0..25).find(|&number| !net.nodes[&addr(number)].holds(key)).expect("one");
    get(&mut net, reader, 901, key);
    while net.stats(reader).transfers == 0 {
        assert!(net.step(), "the value is offered");
    }
    let operation = OperationId(901);
    net.command(reader, kad_node::node::Command::Abandon { operation, key });
    assert_eq!(got(&net, 901), Some(Err(Refusal::Abandoned)));
    assert_eq!(net.stats(reader).transfers, 0);
    net.run_for(Duration::from_secs(5));
    assert!(!net.nodes[&addr(reader)].holds(key));
}

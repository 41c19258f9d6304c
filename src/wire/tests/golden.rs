//! The bytes of each kind, written out by hand from the tables in [`crate::wire`].
//!
//! Other programs, and nodes of other releases, rely on them: a test that fails
//! here means a new [`VERSION`](crate::wire::VERSION).

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::encoded;
use crate::id::Id;
use crate::wire::{
    Body, Contact, Contacts, Datagram, ErrorCode, NetworkId, Purpose, Range, Renewal, Renewals,
    Renewed, Role, STEER_OFFSET, Store, Token, TransactionId, Value, decode,
};

// Magic and version.
const MAGIC: &str = "4b 01";
const NETWORK: &str = "0a0b0c0d";
// The reply tag is 71.
const TRANSACTION: &str = "71 02030405060708";
const SENDER: &str = "101112131415161718191a1b1c1d1e1f20212223";
const NO_FLAGS: &str = "00000000";
const TOKEN: &str = "a1a2a3a4a5a6a7a8";
const NO_TOKEN: &str = "0000000000000000";
// Of a target or key.
const TARGET: &str = "404142434445464748494a4b4c4d4e4f50515253";

fn from_hex(fields: &[&str]) -> Vec<u8> {
    hex::decode(fields.concat().replace(' ', "")).expect("golden bytes are hexadecimal")
}

fn id(hex: &str) -> Id {
    hex.parse().expect("40 digits")
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn datagram(body: Body<'_>) -> Datagram<'_> {
    Datagram {
        network: NetworkId(0x0a0b_0c0d),
        transaction: TransactionId::new([0x71, 2, 3, 4, 5, 6, 7, 8]),
        sender: id(SENDER),
        role: Role::Peer,
        announce: None,
        asks_proof: false,
        token: Token::new([0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8]),
        body,
    }
}

#[track_caller]
fn assert_bytes(datagram: &Datagram<'_>, fields: &[&str]) {
    let golden = from_hex(fields);
    assert_eq!(hex::encode(encoded(datagram)), hex::encode(&golden), "encoding {datagram:?}");
    assert_eq!(decode(&golden).as_ref(), Ok(datagram));
}

/// [`assert_bytes`] of a reply or request without flags.
#[track_caller]
fn assert_body(body: Body<'_>, kind_and_steer: &str, fields: &[&str]) {
    let header = [MAGIC, kind_and_steer, NETWORK, TRANSACTION, SENDER, NO_FLAGS, TOKEN];
    assert_bytes(&datagram(body), &[&header[..], fields].concat());
}

#[test]
fn ping_is_a_bare_header_steered_by_its_sender() {
    assert_body(Body::Ping, "01 23", &[]);
}

#[test]
fn proof_is_a_ping_with_a_flag() {
    let header = [MAGIC, "01 23", NETWORK, TRANSACTION, SENDER, "00000008", TOKEN];
    assert_bytes(&datagram(Body::Proof), &header);
}

#[test]
fn the_flag_of_proofs_means_nothing_in_a_request_other_than_a_ping() {
    let find = datagram(Body::FindNode { target: id(TARGET) });
    for body in [Body::Ping, find.body] {
        let plain = datagram(body);
        assert_eq!(encoded(&Datagram { asks_proof: true, ..plain }), encoded(&plain));
    }
    let header = [MAGIC, "02 53", NETWORK, TRANSACTION, SENDER, "00000008", TOKEN, TARGET];
    assert_eq!(decode(&from_hex(&header)), Ok(find));
}

#[test]
fn find_node_carries_its_target_and_is_steered_by_it() {
    assert_body(Body::FindNode { target: id(TARGET) }, "02 53", &[TARGET]);
}

#[test]
fn find_value_carries_key_and_offset_and_is_steered_by_the_key() {
    let body = Body::FindValue { key: id(TARGET), offset: 0x0102_0304 };
    assert_body(body, "03 53", &[TARGET, "01020304"]);
}

#[test]
fn store_carries_its_fields_and_the_value_and_is_steered_by_the_key() {
    let replica = Store {
        key: id(TARGET),
        offset: 0x10,
        total: 0x0001_0203,
        life_s: 86_400,
        purpose: Purpose::Replica,
        value: b"hello",
    };
    let fields = [TARGET, "00000010", "00010203", "00015180"];
    let with = |purpose, value| [&fields[..], &[purpose, value]].concat();
    assert_body(Body::Store(replica), "04 53", &with("00", "68656c6c6f"));
    let cache = Store { purpose: Purpose::Cache, ..replica };
    assert_body(Body::Store(cache), "04 53", &with("01", "68656c6c6f"));
    let empty = Store { value: b"", ..replica };
    assert_body(Body::Store(empty), "04 53", &with("00", ""));
}

#[test]
fn renew_counts_its_renewals_and_is_steered_by_the_first_key() {
    let renewals = [
        Renewal { key: id(TARGET), life_s: 86_400 },
        Renewal { key: id(SENDER), life_s: 0x0102_0304 },
    ];
    let fields = ["02", TARGET, "00015180", SENDER, "01020304"];
    assert_body(Body::Renew(Renewals::new(&renewals)), "06 53", &fields);
    let reversed = ["01", SENDER, "01020304"];
    assert_body(Body::Renew(Renewals::new(&renewals[1..])), "06 23", &reversed);
}

#[test]
fn renewed_carries_two_sets_of_bits_and_is_steered_by_the_reply_tag() {
    let renewed = Renewed { answered: 0b111, lacking: 1 << 63 | 0b10 };
    assert_body(Body::Renewed(renewed), "86 71", &["0000000000000007", "8000000000000002"]);
}

#[test]
fn pong_is_a_bare_header_steered_by_the_reply_tag() {
    assert_body(Body::Pong, "81 71", &[]);
}

#[test]
fn nodes_counts_its_contacts_of_either_family() {
    let contacts = [
        Contact { id: id(TARGET), addr: addr("192.0.2.1:9001") },
        Contact { id: id(SENDER), addr: addr("[2001:db8::a:b]:65535") },
    ];
    let v4 = ["04", TARGET, "c0000201", "2329"];
    let v6 = ["06", SENDER, "20010db800000000 00000000000a000b", "ffff"];
    let both = [&["02"], &v4[..], &v6[..]].concat();
    assert_body(Body::Nodes(Contacts::new(&contacts)), "82 71", &both);
    assert_body(Body::Nodes(Contacts::new(&[])), "82 71", &["00"]);
}

#[test]
fn value_carries_its_fields_and_the_bytes() {
    let value = Value { offset: 0x10, total: 0x15, life_s: 3600, value: b"hello" };
    let fields = ["00000010", "00000015", "00000e10", "68656c6c6f"];
    assert_body(Body::Value(value), "83 71", &fields);
    let empty = Value { value: b"", ..value };
    assert_body(Body::Value(empty), "83 71", &fields[..3]);
}

#[test]
fn stored_is_a_bare_header_steered_by_the_reply_tag() {
    assert_body(Body::Stored, "84 71", &[]);
}

#[test]
fn pending_is_a_bare_header_steered_by_the_reply_tag() {
    assert_body(Body::Pending, "85 71", &[]);
}

#[test]
fn find_range_carries_its_key_and_the_part() {
    let range = Range { key: id(TARGET), offset: 0x46c, length: 0x8d8 };
    assert_body(Body::FindRange(range), "05 53", &[TARGET, "0000046c", "000008d8"]);
}

#[test]
fn error_carries_its_code() {
    let codes = [
        (ErrorCode::Token, "01"),
        (ErrorCode::Mismatch, "02"),
        (ErrorCode::TooLarge, "03"),
        (ErrorCode::Full, "04"),
        (ErrorCode::Busy, "05"),
    ];
    for (code, byte) in codes {
        assert_body(Body::Error(code), "8f 71", &[byte]);
    }
}

#[test]
fn flags_tell_a_client_one_that_departs_an_announced_address_and_a_proof_asked_for() {
    let ping = datagram(Body::Ping);
    let start = [MAGIC, "01 23", NETWORK, TRANSACTION, SENDER];
    let after = |fields: [&'static str; 3]| [&start[..], &fields].concat();

    let client = Datagram { role: Role::Client, ..ping };
    assert_bytes(&client, &after(["00000001", TOKEN, ""]));
    let departing = Datagram { role: Role::Departing, ..ping };
    assert_bytes(&departing, &after(["00000005", TOKEN, ""]));
    let v4 = Datagram { announce: Some(addr("192.0.2.1:9001")), ..ping };
    assert_bytes(&v4, &after(["00000002", TOKEN, "04 c0000201 2329"]));
    let v6 = Datagram { announce: Some(addr("[2001:db8::1]:9001")), ..client };
    let address = "06 20010db8000000000000000000000001 2329";
    assert_bytes(&v6, &after(["00000003", TOKEN, address]));
    let asking = Datagram { asks_proof: true, ..datagram(Body::Pong) };
    let answer = [MAGIC, "81 71", NETWORK, TRANSACTION, SENDER, "00000008", TOKEN];
    assert_bytes(&asking, &answer);
    let no_token = Datagram { token: Token::NONE, ..ping };
    assert_bytes(&no_token, &after([NO_FLAGS, NO_TOKEN, ""]));
}

#[test]
fn an_announced_address_stands_before_the_body() {
    let announced = Datagram {
        announce: Some(addr("192.0.2.1:9001")),
        ..datagram(Body::FindNode { target: id(TARGET) })
    };
    let header = [MAGIC, "02 53", NETWORK, TRANSACTION, SENDER, "00000002", TOKEN];
    assert_bytes(&announced, &[&header[..], &["04 c0000201 2329", TARGET]].concat());
}

#[test]
fn an_ipv4_address_in_ipv6_form_travels_as_ipv4() {
    let v4 = Contact { id: id(TARGET), addr: addr("192.0.2.1:9001") };
    let mapped = Contact { addr: addr("[::ffff:192.0.2.1]:9001"), ..v4 };
    let (v4_body, mapped_body) = ([v4], [mapped]);
    let of = |contact: &'static str| {
        let header = [MAGIC, "82 71", NETWORK, TRANSACTION, SENDER, "00000002", TOKEN];
        from_hex(&[&header[..], &["04 c0000201 2329", "01", contact]].concat())
    };
    let nodes = |contacts, announce| Datagram {
        announce: Some(announce),
        ..datagram(Body::Nodes(Contacts::new(contacts)))
    };
    let golden = of("04 404142434445464748494a4b4c4d4e4f50515253 c0000201 2329");
    let told = nodes(&mapped_body, mapped.addr);
    assert_eq!(hex::encode(encoded(&told)), hex::encode(&golden));
    assert_eq!(told.body.encoded_bytes() + 7, golden.len());
    let foreign =
        of("06 404142434445464748494a4b4c4d4e4f50515253 00000000000000000000ffff c0000201 2329");
    for bytes in [golden, foreign] {
        assert_eq!(decode(&bytes), Ok(nodes(&v4_body, v4.addr)));
    }
}

#[test]
fn a_network_is_the_start_of_the_sha1_of_its_name() {
    // SHA-1 of "default" and of nothing.
    assert_eq!(NetworkId::of_name("default"), NetworkId(0x7505_d64a));
    assert_eq!(NetworkId::of_name(""), NetworkId(0xda39_a3ee));
}

#[test]
fn steer_is_where_the_kernel_looks_for_it() {
    let request = encoded(&datagram(Body::FindNode { target: id(TARGET) }));
    assert_eq!(request[STEER_OFFSET], 0x53);
    let reply = encoded(&datagram(Body::Pong));
    assert_eq!(reply[STEER_OFFSET], decode(&reply).expect("ours").transaction.reply_tag());
}

#[test]
fn a_request_is_answered_by_the_kinds_that_the_format_names() {
    let (key, offset, total, life_s, value) = (Id::new([1; 20]), 0, 0, 0, &[][..]);
    let purpose = Purpose::Cache;
    let renewals = [Renewal { key, life_s }];
    let requests = [
        Body::Ping,
        Body::FindNode { target: key },
        Body::FindValue { key, offset },
        Body::Store(Store { key, offset, total, life_s, purpose, value }),
        Body::FindRange(Range { key, offset, length: 1 }),
        Body::Renew(Renewals::new(&renewals)),
    ];
    let [ping, find_node, find_value, store, find_range, renew] = [0, 1, 2, 3, 4, 5];
    for (reply, answered) in [
        (Body::Pong, &[ping][..]),
        (Body::Nodes(Contacts::new(&[])), &[find_node, find_value, find_range]),
        (Body::Value(Value { offset, total, life_s, value }), &[find_value, find_range]),
        (Body::Stored, &[store]),
        (Body::Pending, &[store]),
        (Body::Renewed(Renewed::default()), &[renew]),
        (Body::Error(ErrorCode::Full), &[find_node, find_value, store, find_range, renew]),
        (Body::Ping, &[]),
        (Body::Proof, &[]),
    ] {
        for (index, request) in requests.iter().enumerate() {
            assert_eq!(reply.answers(request), answered.contains(&index), "{reply:?} {request:?}");
            assert!(!reply.answers(&reply), "{reply:?} answers no reply");
        }
    }
}

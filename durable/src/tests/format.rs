//! The bytes of the format: they change only with its version.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;

use super::model::{any_change, contacts, value};
use crate::identity;
use crate::record::{Body, Decoded, decode, encode};
use crate::segment::header;
use crate::types::{Identity, Purpose};

const MARKER: u32 = 0xfeed_f00d;

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("memory");
    }
    text
}

#[test]
fn golden() {
    let value = value(3, 4);
    let key = [0xab; 20];
    let date = 0x0102_0304_0506_0708;
    let v4 = Some(IpAddr::from([10, 0, 0, 1]));
    let v6 = Some(IpAddr::from(Ipv6Addr::LOCALHOST));
    let purpose = Purpose::Replica;
    let bodies = [
        Body::Clock { folder_ms: 1, wall_ms: 2 },
        Body::Publish { key, republish_ms: date, value: &value },
        Body::Republish { key, republish_ms: date },
        Body::Forget { key },
        Body::Hold { key, expires_ms: date, purpose, source: None, value: &value },
        Body::Hold { key, expires_ms: date, purpose, source: v4, value: &value },
        Body::Hold { key, expires_ms: date, purpose: Purpose::Cache, source: v6, value: &[] },
        Body::Renew { key, expires_ms: date, purpose: Purpose::Cache },
        Body::Evict { key },
        Body::Contacts(contacts(2)),
    ];
    let mut text = format!("header {}\n", hex(&header(MARKER)));
    for body in bodies {
        let mut bytes = Vec::new();
        let length = encode(&body, MARKER, &mut bytes);
        assert_eq!(length, bytes.len());
        assert!(
            matches!(decode(&bytes, MARKER), Decoded::Record(l, b) if l == length && b == body)
        );
        writeln!(text, "{}", hex(&bytes)).expect("memory");
    }
    let identity = Identity { id: key, key_material: vec![1, 2, 3] };
    writeln!(text, "identity {}", hex(&identity::encode(&identity))).expect("memory");
    assert_eq!(text, include_str!("golden.txt"));
}

#[test]
fn an_identity_is_read_whole_or_not_at_all() {
    let identity = Identity { id: [7; 20], key_material: vec![9; 64] };
    let bytes = identity::encode(&identity);
    assert_eq!(identity::decode(&bytes).expect("an identity"), identity);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(identity::decode(&damaged).is_err(), "byte {at}");
        assert!(identity::decode(&bytes[..at]).is_err(), "{at} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_undoes_encoding(change in any_change(), marker: u32, after: Vec<u8>) {
        let body = Body::from(&change);
        let mut bytes = Vec::new();
        let length = encode(&body, marker, &mut bytes);
        prop_assert!(length <= change.bytes(), "a change takes what it is counted for");
        bytes.extend_from_slice(&after);
        let decoded = decode(&bytes, marker);
        let is_same = matches!(decoded, Decoded::Record(l, b) if l == length && b == body);
        prop_assert!(is_same);
        prop_assert!(matches!(decode(&bytes, !marker), Decoded::Nothing), "another segment's");
    }
}

//! Vectors of the cipher and of the format, and what no change of a byte gets past.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::{fs, iter};

use proptest::collection::vec;
use proptest::prelude::*;

use super::cipher::{REST_BYTES, Root};
use super::opener::CIPHERS_MAX;
use super::*;
use crate::id::Id;
use crate::limits::PIECE_BYTES_MAX;
use crate::wire::{
    self, Body, Contact, Contacts, Datagram, ErrorCode, NetworkId, Purpose, Range, Renewal,
    Renewals, Renewed, Role, Store, Token, TransactionId, Value,
};

fn keys(firsts: &[u8]) -> NetworkKeys {
    let keys: Vec<_> = firsts.iter().map(|&first| NetworkKey::new([first; KEY_BYTES])).collect();
    NetworkKeys::new(&keys).expect("few").expect("one at least")
}

/// A sealer of key 1 whose nonces begin with `drawn`.
fn sealer(drawn: u8) -> Sealer {
    Sealer::with(&keys(&[1]), [drawn; 16])
}

fn sealed(sealer: &mut Sealer, datagram: &[u8]) -> Vec<u8> {
    let mut room = [0xff; SEALED_BYTES_MAX];
    let length = sealer.seal(datagram, &mut room);
    room[..length].to_vec()
}

fn opened(opener: &mut Opener, bytes: &[u8]) -> Result<Vec<u8>, Unopened> {
    opener.open(bytes, &mut [0xff; SEALED_BYTES_MAX]).map(<[u8]>::to_vec)
}

fn encoded(body: Body<'_>) -> Vec<u8> {
    let datagram = Datagram {
        network: NetworkId::of_name("default"),
        transaction: TransactionId::new([0x71, 2, 3, 4, 5, 6, 7, 8]),
        sender: Id::new([0x23; 20]),
        role: Role::Peer,
        announce: Some("[2001:db8::1]:9001".parse().expect("an address")),
        asks_proof: false,
        token: Token::new([0xa1; 8]),
        body,
    };
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(&datagram, &mut buffer);
    buffer[..length].to_vec()
}

/// One datagram of each kind, the longest that there is among them.
fn every_kind() -> Vec<Vec<u8>> {
    let key = Id::new([0x53; 20]);
    let piece = [7; PIECE_BYTES_MAX];
    let contacts = [Contact { id: key, addr: "192.0.2.1:9001".parse().expect("an address") }];
    let store =
        |value| Store { key, offset: 0, total: 5, life_s: 60, purpose: Purpose::Replica, value };
    let renewals = [Renewal { key, life_s: 60 }];
    let bodies = [
        Body::Ping,
        Body::FindNode { target: key },
        Body::FindValue { key, offset: 0 },
        Body::Store(store(b"hello")),
        Body::Store(store(&piece)),
        Body::FindRange(Range { key, offset: 1132, length: 1132 }),
        Body::Renew(Renewals::new(&renewals)),
        Body::Pong,
        Body::Nodes(Contacts::new(&contacts)),
        Body::Value(Value { offset: 0, total: 5, life_s: 60, value: b"hello" }),
        Body::Stored,
        Body::Pending,
        Body::Renewed(Renewed { answered: 1, lacking: 0 }),
        Body::Error(ErrorCode::Token),
    ];
    bodies.into_iter().map(encoded).collect()
}

#[test]
fn the_cipher_has_the_vectors_of_its_specification() {
    let nonce = *b"ABCDEFGHIJKLMNOPQRSTUVWX";
    for (key, clear, expected) in [
        (1, &b""[..], "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (3, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ] {
        let cipher = Root::new(&NetworkKey::new([key; KEY_BYTES]))
            .derive(nonce.first_chunk().expect("12 bytes"));
        let rest: &[u8; REST_BYTES] = nonce.last_chunk().expect("12 bytes");
        let mut bytes = *b"XAES-256-GCM";
        let tag = cipher.seal(rest, clear, &mut bytes);
        assert_eq!(hex::encode([&bytes[..], &tag].concat()), expected);
        let mut bytes_and_tag = [&bytes[..], &tag].concat();
        assert!(cipher.open(rest, clear, &mut bytes_and_tag));
        assert_eq!(bytes_and_tag[..bytes.len()], *b"XAES-256-GCM");
    }
}

/// Other releases rely on these bytes: another result means a new version of the format.
#[test]
fn a_sealed_datagram_has_its_golden_bytes() {
    let mut sealer = sealer(0xd0);
    let datagram = encoded(Body::Ping);
    let golden = [GOLDEN_FIRST, GOLDEN_SECOND];
    for expected in golden {
        let bytes = sealed(&mut sealer, &datagram);
        assert_eq!(hex::encode(&bytes), expected.concat());
        assert_eq!(opened(&mut Opener::new(&keys(&[1])), &bytes), Ok(datagram.clone()));
    }
}

/// Magic, version, kind and steer byte; the ciphertext; the nonce; the tag. They were made by
/// another implementation, from the description in [`crate::seal`].
const GOLDEN_FIRST: [&str; 4] = [
    "4b011023",
    "833ba210fa4b1e20c8ebc53a215fae5dc407ecad8490d0cf61563c48085e10c671f759dd52acd2bc58d60cbe\
     4b34bb0b93095923de9d2e251f1923ae36656b38",
    "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d00000000000000000",
    "34563f5100d39aec137409881b89e18b",
];
const GOLDEN_SECOND: [&str; 4] = [
    "4b011023",
    "0d851af06fb345ad7dbe8395aa1d111a2aa86937387796fc97846ba40fd6eb234ce887552973bccbe6c70908\
     e796482fd5b22d2a7463cb92be1d128ee6779ea4",
    "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d00000000000000001",
    "5acec91f37073474bcdea9ac5052f7cb",
];

#[test]
fn no_bit_of_any_kind_of_datagram_can_be_changed() {
    let (mut sealer, mut opener) = (sealer(1), Opener::new(&keys(&[1, 2])));
    for datagram in every_kind() {
        let bytes = sealed(&mut sealer, &datagram);
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = opened(&mut opener, &changed).expect_err("it was changed");
            let is_marked = bit / 8 > KIND_OFFSET;
            assert_eq!(refused == Unopened::Refused, is_marked, "bit {bit}");
        }
        // The cipher is known from here on.
        assert_eq!(opened(&mut opener, &bytes), Ok(datagram));
    }
}

#[test]
fn a_datagram_that_is_cut_or_longer_does_not_open() {
    let mut opener = Opener::new(&keys(&[1]));
    for datagram in every_kind() {
        let bytes = sealed(&mut sealer(1), &datagram);
        for length in 0..bytes.len() {
            opened(&mut opener, &bytes[..length]).expect_err("it is cut");
        }
        for more in [1, SEAL_BYTES, SEALED_BYTES_MAX] {
            opened(&mut opener, &[&bytes[..], &vec![0; more]].concat()).expect_err("it is longer");
        }
    }
}

#[test]
fn only_what_the_kernel_steers_by_is_in_the_clear() {
    for datagram in every_kind() {
        let bytes = sealed(&mut sealer(1), &datagram);
        assert_eq!(bytes.len(), datagram.len() + SEAL_BYTES);
        assert_eq!(bytes[..CLEAR_BYTES], [wire::MAGIC, wire::VERSION, SEALED, datagram[3]]);
        let sealed = &bytes[CLEAR_BYTES..=datagram.len()];
        let shown = datagram.windows(8).filter(|part| sealed.windows(8).any(|at| at == *part));
        assert_eq!(shown.count(), 0);
        wire::decode(&bytes).expect_err("to others it is no datagram");
    }
}

#[test]
fn a_datagram_in_the_clear_or_of_another_key_is_told_apart() {
    let mut opener = Opener::new(&keys(&[2]));
    for datagram in every_kind() {
        assert_eq!(opened(&mut opener, &datagram), Err(Unopened::Clear));
        let bytes = sealed(&mut sealer(1), &datagram);
        assert_eq!(opened(&mut opener, &bytes), Err(Unopened::Refused));
    }
}

#[test]
fn a_key_is_changed_while_both_are_accepted() {
    let (mut old, mut new) = (sealer(1), Sealer::with(&keys(&[2, 1]), [2; 16]));
    let ping = encoded(Body::Ping);
    let mut changing = Opener::new(&keys(&[2, 1]));
    for _ in 0..2 {
        assert_eq!(opened(&mut changing, &sealed(&mut old, &ping)), Ok(ping.clone()));
        assert_eq!(opened(&mut changing, &sealed(&mut new, &ping)), Ok(ping.clone()));
    }
    let mut changed = Opener::new(&keys(&[2]));
    assert_eq!(opened(&mut changed, &sealed(&mut new, &ping)), Ok(ping.clone()));
    assert_eq!(opened(&mut changed, &sealed(&mut old, &ping)), Err(Unopened::Refused));
}

#[test]
fn more_senders_than_are_remembered_are_opened_all_the_same() {
    let ping = encoded(Body::Ping);
    let mut opener = Opener::new(&keys(&[1]));
    let drawn = |number: u16| {
        let mut drawn = [number as u8; 16];
        drawn[1..3].copy_from_slice(&number.to_be_bytes());
        drawn
    };
    let numbers = 0..2 * CIPHERS_MAX as u16;
    let mut sealers: Vec<_> =
        numbers.map(|number| Sealer::with(&keys(&[1]), drawn(number))).collect();
    for _ in 0..3 {
        for sealer in &mut sealers {
            assert_eq!(opened(&mut opener, &sealed(sealer, &ping)), Ok(ping.clone()));
        }
    }
}

#[test]
fn no_two_datagrams_share_a_nonce() {
    let keys = keys(&[1]);
    let ping = encoded(Body::Ping);
    let nonce = |bytes: Vec<u8>| bytes[ping.len() + 1..][..cipher::NONCE_BYTES].to_vec();
    let mut sealers: Vec<_> =
        iter::repeat_with(|| Sealer::new(&keys).expect("randomness")).take(100).collect();
    let nonces: std::collections::BTreeSet<_> = sealers
        .iter_mut()
        .flat_map(|sealer| (0..100).map(|_| nonce(sealed(sealer, &ping))).collect::<Vec<_>>())
        .collect();
    assert_eq!(nonces.len(), 100 * 100);
}

proptest! {
    #[test]
    fn what_was_sealed_opens_to_the_same(
        datagram in vec(any::<u8>(), HEADER_BYTES..=DATAGRAM_BYTES_MAX),
        drawn in any::<[u8; 16]>(),
    ) {
        let mut sealer = Sealer::with(&keys(&[1]), drawn);
        // The first bytes of a datagram are always these.
        let datagram = [&[wire::MAGIC, wire::VERSION], &datagram[2..]].concat();
        let mut opener = Opener::new(&keys(&[2, 1]));
        for _ in 0..2 {
            let bytes = sealed(&mut sealer, &datagram);
            prop_assert_eq!(opened(&mut opener, &bytes), Ok(datagram.clone()));
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..2 * SEALED_BYTES_MAX)) {
        let mut opener = Opener::new(&keys(&[1]));
        prop_assert!(opened(&mut opener, &bytes).is_err());
        let marked = [&[wire::MAGIC, wire::VERSION, SEALED], &bytes[..]].concat();
        prop_assert_eq!(opened(&mut opener, &marked), Err(Unopened::Refused));
    }
}

/// A file of a folder of its own, with these bytes and permissions.
fn file(bytes: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    fs::write(&path, bytes).expect("it is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
    (folder, path)
}

#[test]
fn a_key_comes_back_from_the_file_that_it_was_written_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    let key = NetworkKey::draw().expect("randomness");
    key.write(&path).expect("it is new");
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(NetworkKey::read(&path).expect("a key"), key);
    key.write(&path).expect_err("a key is not overwritten");
    let (_folder, bare) = file(key.as_bytes(), 0o640);
    assert_eq!(NetworkKey::read(&bare).expect("a key"), key);
    assert_eq!(format!("{key:?}"), "NetworkKey(..)", "no log shows it");
}

#[test]
fn a_file_without_a_key_is_refused_on_one_line_that_helps() {
    let digits = [b'a'; 64];
    for (bytes, mode, remedy) in [
        (&digits[..63], 0o600, "its 63 bytes are no key"),
        (&[b'a'; 65], 0o600, "64 hexadecimal digits"),
        (&[b'g'; 64], 0o600, "kad-node keygen"),
        (&[1; 31], 0o600, "expected 32 bytes"),
        (&[1; 1000], 0o600, "its 1000 bytes"),
        (&[], 0o600, "its 0 bytes"),
        (&digits, 0o644, "mode 0644"),
        (&digits, 0o604, "chmod 600"),
        (&digits, 0o620, "other users"),
    ] {
        let (_folder, path) = file(bytes, mode);
        let said = NetworkKey::read(&path).expect_err(remedy).to_string();
        assert!(said.contains(remedy) && !said.contains('\n'), "{said}");
    }
    let said = NetworkKey::read("/nowhere".as_ref()).expect_err("it is absent").to_string();
    assert!(said.contains("No such file") && said.contains("keygen"), "{said}");
}

#[test]
fn a_network_has_few_keys() {
    let key = NetworkKey::new([1; KEY_BYTES]);
    assert!(NetworkKeys::new(&[]).expect("none is few").is_none());
    let refused = NetworkKeys::new(&vec![key; 5]).expect_err("too many");
    assert_eq!(refused.to_string(), "5 keys: a network has 4 at most");
}

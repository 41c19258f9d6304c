//! Random and mutated datagrams in great number, by a fixed seed.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::encoded;
use crate::id::Id;
use crate::limits::{DATAGRAM_BYTES_MAX, K_MAX, PIECE_BYTES_MAX, RENEWALS_MAX};
use crate::rng::Rng;
use crate::wire::{
    Body, Contact, Contacts, Datagram, ErrorCode, NetworkId, Purpose, Range, Renewal, Renewals,
    Renewed, Role, Store, Token, TransactionId, Value, decode,
};

/// What [`survive`] has seen, so that a run which tests nothing shows.
#[derive(Debug, Default)]
struct Tally {
    decoded: u64,
    refused: u64,
}

/// Encodings of each kind, with and without an announced address.
fn originals(rng: &mut Rng) -> Vec<Vec<u8>> {
    let value = rng.bytes::<PIECE_BYTES_MAX>();
    let contacts = core::array::from_fn::<_, K_MAX, _>(|index| Contact {
        id: rng.id(),
        addr: if index % 2 == 0 {
            SocketAddr::from((rng.bytes::<4>(), 9001))
        } else {
            SocketAddr::from((rng.bytes::<16>(), 9001))
        },
    });
    let key = rng.id();
    let store =
        |value| Store { key, offset: 0, total: 1, life_s: 60, purpose: Purpose::Replica, value };
    let renewals = [Renewal { key, life_s: 60 }; RENEWALS_MAX];
    let bodies = [
        Body::Ping,
        Body::Proof,
        Body::FindNode { target: key },
        Body::FindValue { key, offset: 0 },
        Body::FindRange(Range { key, offset: 0, length: 1132 }),
        Body::Renew(Renewals::new(&renewals)),
        Body::Renew(Renewals::new(&renewals[..2])),
        Body::Pending,
        Body::Renewed(Renewed { answered: 7, lacking: 2 }),
        Body::Store(store(b"hello")),
        Body::Store(store(&value)),
        Body::Pong,
        Body::Nodes(Contacts::new(&contacts)),
        Body::Nodes(Contacts::new(&contacts[..3])),
        Body::Value(Value { offset: 0, total: 1, life_s: 60, value: &value }),
        Body::Stored,
        Body::Error(ErrorCode::Full),
    ];
    let announces = [None, Some(SocketAddr::from(([192, 0, 2, 1], 9001)))];
    let datagrams = bodies.iter().flat_map(|&body| {
        announces.map(|announce| Datagram {
            network: NetworkId(1),
            transaction: TransactionId::new([7; 8]),
            sender: Id::new([9; 20]),
            role: Role::Peer,
            announce,
            asks_proof: false,
            token: Token::new([3; 8]),
            body,
        })
    });
    datagrams.map(|datagram| encoded(&datagram)).collect()
}

/// Damages `bytes` in one of the ways in which datagrams are damaged.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, originals: &[Vec<u8>]) {
    match rng.below(8) {
        0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
        1 => bytes.resize(rng.below(DATAGRAM_BYTES_MAX as u64 + 64) as usize, 0xff),
        2 => {
            // The end of another one.
            let other = &originals[rng.below(originals.len() as u64) as usize];
            let cut = rng.below(bytes.len().min(other.len()) as u64 + 1) as usize;
            bytes.truncate(cut);
            bytes.extend(&other[cut..]);
        }
        3 => {
            // Noise behind the first bytes, of which the first few lead further in.
            let keep = rng.below(5) as usize;
            for byte in bytes.iter_mut().skip(keep) {
                *byte = rng.u32() as u8;
            }
        }
        _ => {
            if bytes.is_empty() {
                return;
            }
            // Mostly in the first bytes, where the structure is.
            let near = if rng.ratio(3, 4) { bytes.len().min(96) } else { bytes.len() };
            for _ in 0..=rng.below(4) {
                bytes[rng.below(near as u64) as usize] = rng.u32() as u8;
            }
        }
    }
}

/// Decodes `count` damaged datagrams. What decodes must survive being encoded.
fn survive(count: u64) -> Tally {
    let mut rng = Rng::from_u64(1337);
    let originals = originals(&mut rng);
    let mut tally = Tally::default();
    let mut bytes = Vec::with_capacity(2 * DATAGRAM_BYTES_MAX);
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    for _ in 0..count {
        bytes.clear();
        bytes.extend(&originals[rng.below(originals.len() as u64) as usize]);
        for _ in 0..=rng.below(2) {
            mutate(&mut rng, &mut bytes, &originals);
        }
        let Ok(datagram) = decode(&bytes) else {
            tally.refused += 1;
            continue;
        };
        tally.decoded += 1;
        let length = crate::wire::encode(&datagram, &mut buffer);
        assert_eq!(decode(&buffer[..length]), Ok(datagram), "{}", hex::encode(&bytes));
    }
    tally
}

#[test]
fn damaged_datagrams_are_refused_or_read_without_a_panic() {
    let tally = survive(20_000);
    assert!(tally.decoded > 2_000 && tally.refused > 2_000, "{tally:?}");
}

/// `cargo test --release --lib ten_million -- --ignored`
#[test]
#[ignore = "takes long: for a release build, by hand"]
fn ten_million_damaged_datagrams_are_refused_or_read_without_a_panic() {
    let tally = survive(10_000_000);
    assert!(tally.decoded > 1_000_000 && tally.refused > 1_000_000, "{tally:?}");
}

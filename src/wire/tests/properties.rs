//! What holds for every datagram, and for every sequence of bytes.

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::encoded;
use super::sample::{any_padded_request, any_sample};
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::wire::{
    Body, DecodeError, FLAG_ANNOUNCE, FLAG_CLIENT, FLAG_DEPARTING, FLAG_PROOF, MAGIC, STEER_OFFSET,
    VERSION, decode,
};

/// Where the flags are.
const FLAGS: core::ops::Range<usize> = 36..40;

/// `bytes` without what a decoder passes over: the steer byte, which is the
/// kernel's, and the flags of later versions; of one that is no client also the one
/// that says that the client leaves, and of a request other than a PING the one of proofs.
fn without_what_is_ignored(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[STEER_OFFSET] = 0;
    let flags = bytes[FLAGS].first_chunk().map_or(0, |flags| u32::from_be_bytes(*flags));
    let of_client = if flags & FLAG_CLIENT == 0 { 0 } else { FLAG_DEPARTING };
    let of_kind = if matches!(bytes[2], 1 | 0x80..) { FLAG_PROOF } else { 0 };
    let known = flags & (FLAG_CLIENT | FLAG_ANNOUNCE | of_kind | of_client);
    bytes[FLAGS].copy_from_slice(&known.to_be_bytes());
    bytes
}

/// Bytes whose first three lead the decoder to a body.
fn any_bytes_past_the_header() -> impl Strategy<Value = Vec<u8>> {
    let kind = proptest::sample::select(&[1, 2, 3, 4, 6, 0x81, 0x82, 0x83, 0x84, 0x86, 0x8f][..]);
    (kind, vec(any::<u8>(), 45..DATAGRAM_BYTES_MAX + 8))
        .prop_map(|(kind, rest)| [&[MAGIC, VERSION, kind][..], &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_undoes_encoding(sample in any_sample()) {
        let datagram = sample.datagram();
        let bytes = encoded(&datagram);
        prop_assert!(bytes.len() <= DATAGRAM_BYTES_MAX);
        let announce_bytes = match datagram.announce {
            None => 0,
            Some(addr) if addr.is_ipv4() => 7,
            Some(_) => 19,
        };
        prop_assert_eq!(bytes.len(), datagram.body.encoded_bytes() + announce_bytes);
        prop_assert_eq!(decode(&bytes), Ok(datagram));
    }

    #[test]
    fn a_truncated_datagram_is_refused_or_has_a_shorter_value(sample in any_sample()) {
        let bytes = encoded(&sample.datagram());
        let least = bytes.len() - sample.value_length().unwrap_or(0);
        for length in 0..bytes.len() {
            let decoded = decode(&bytes[..length]);
            if length < least {
                prop_assert_eq!(decoded, Err(DecodeError::Truncated), "{} bytes", length);
            } else {
                let cut = sample.clone().with_value_cut(length - least);
                prop_assert_eq!(decoded, Ok(cut.datagram()));
            }
        }
    }

    #[test]
    fn padding_does_not_change_a_request(
        sample in any_padded_request(),
        padding in vec(any::<u8>(), 0..DATAGRAM_BYTES_MAX),
    ) {
        let mut bytes = encoded(&sample.datagram());
        bytes.extend(padding);
        bytes.truncate(DATAGRAM_BYTES_MAX);
        prop_assert_eq!(decode(&bytes), Ok(sample.datagram()));
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(sample in any_sample(), change in 1u8..) {
        let bytes = encoded(&sample.datagram());
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= change;
            let ignored = without_what_is_ignored(&changed) == without_what_is_ignored(&bytes);
            let unnoticed = decode(&changed) == Ok(sample.datagram());
            prop_assert_eq!(unnoticed, ignored, "byte {}", position);
        }
    }

    #[test]
    fn decoding_any_bytes_does_not_panic(bytes in vec(any::<u8>(), 0..2 * DATAGRAM_BYTES_MAX)) {
        prop_assert!(decode(&bytes).is_err() || bytes[0] == MAGIC);
    }

    /// One meaning has one encoding: what decodes is, byte for byte, the encoding
    /// of what it decodes to, but for what is ignored and what follows the body.
    #[test]
    fn what_decodes_is_the_encoding_of_its_meaning(bytes in any_bytes_past_the_header()) {
        if let Ok(datagram) = decode(&bytes) {
            let again = encoded(&datagram);
            prop_assert!(again.len() <= bytes.len());
            prop_assert_eq!(
                without_what_is_ignored(&again),
                without_what_is_ignored(&bytes[..again.len()])
            );
            if matches!(datagram.body, Body::Store(_) | Body::Value(_)) {
                prop_assert_eq!(again.len(), bytes.len());
            }
        }
    }
}

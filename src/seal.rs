//! Private networks: every datagram encrypted and authenticated by a key that all nodes of
//! the network have.
//!
//! A sealed datagram carries one of [`wire`](crate::wire). Only its first four bytes are in
//! the clear, because the receiver's kernel steers by them; they are authenticated too.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | magic, 0x4b |
//! | 1 | version, 1 |
//! | 2 | 0x10, in place of the kind |
//! | 3 | steer byte |
//! | 4- | encrypted: the datagram from its byte 4 on, then its kind |
//! | last 40 | nonce 24, tag 16 |
//!
//! So sealing adds [`SEAL_BYTES`] at the end, the same to each segment of a segmented
//! message, and a datagram is opened where it lies.
//!
//! # The cipher
//! [XAES-256-GCM](https://c2sp.org/XAES-256-GCM): AES-256-GCM with a nonce of 192 bits. The
//! first 96 bits choose a key of their own, which both ends derive once and remember.
//!
//! # Nonces
//! Each [`Sealer`] draws 128 bits at random when it is made, and counts its datagrams in the
//! other 64. There is one for each shard and each start, so two datagrams of one network
//! share a nonce only when two starts draw the same 128 bits. Among 2^40 starts (a million
//! shards, each started a million times) that has a chance of 2^80 / 2^129 = 2^-49. A count
//! ends after 2^64 datagrams: 584 years at a billion a second. What a copy of a running
//! process sends (a snapshot of a virtual machine that is started twice) repeats nonces.
//!
//! # Replays
//! A datagram that was recorded opens again. It does no more than the first time: every
//! request is idempotent; a token fits the address that it was given to alone, for minutes;
//! a reply fits a transaction id that is used once. A reply to a recorded request is sealed,
//! and at most three times as long, wherever it goes.

mod cipher;
mod key;
mod opener;
mod sealer;
#[cfg(test)]
mod tests;

use crate::limits::{DATAGRAM_BYTES_MAX, HEADER_BYTES, OUTBOX_BYTES_MAX};
use crate::wire::STEER_OFFSET;

pub use key::{KEY_BYTES, KeyFileError, NetworkKey, NetworkKeys, TooManyKeys};
pub use opener::{Opener, Unopened};
pub use sealer::Sealer;

/// In place of the kind, says that a datagram is sealed. It is no kind of its own.
const SEALED: u8 = 0x10;
/// Where the kind is.
const KIND_OFFSET: usize = 2;
/// Bytes in the clear: up to the steer byte.
const CLEAR_BYTES: usize = STEER_OFFSET + 1;
/// Bytes of the kind, encrypted behind the datagram.
const KIND_BYTES: usize = 1;

/// What sealing adds to a datagram.
pub const SEAL_BYTES: usize = KIND_BYTES + cipher::NONCE_BYTES + cipher::TAG_BYTES;
/// Longest sealed datagram: in IPv6 a packet of 1321 bytes, which Ethernet (1500) and usual
/// tunnels over it (`WireGuard` 1420, VXLAN 1450) carry whole. On a path that carries less the
/// sending kernel makes fragments.
pub const SEALED_BYTES_MAX: usize = DATAGRAM_BYTES_MAX + SEAL_BYTES;
/// Room in which all datagrams of an outbox can be sealed one after another: each at least
/// doubles at most, since a header is longer than a seal.
pub(crate) const SEALED_OUTBOX_BYTES: usize = 2 * OUTBOX_BYTES_MAX + SEALED_BYTES_MAX;

const _: () = assert!(SEAL_BYTES == 41 && SEALED_BYTES_MAX + 48 == 1321, "as documented");
const _: () = assert!(SEAL_BYTES <= HEADER_BYTES, "sealing doubles a datagram at most");

/// Seals and opens the datagrams of a network: as they are where it has no key.
#[derive(Debug)]
pub struct Channel(Option<(Sealer, Box<Opener>)>);

impl Channel {
    /// The channel of a network with these keys.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(keys: Option<&NetworkKeys>) -> Result<Self, getrandom::Error> {
        let pair = |keys| Ok((Sealer::new(keys)?, Box::new(Opener::new(keys))));
        keys.map(pair).transpose().map(Self)
    }

    /// Writes what travels of `datagram`; its length.
    pub fn seal(&mut self, datagram: &[u8], room: &mut [u8; SEALED_BYTES_MAX]) -> usize {
        if let Some((sealer, _)) = &mut self.0 {
            return sealer.seal(datagram, room);
        }
        room[..datagram.len()].copy_from_slice(datagram);
        datagram.len()
    }

    /// The datagram that `bytes` carry.
    ///
    /// # Errors
    /// When the network has a key and they were not sealed by it.
    pub fn open<'a>(
        &mut self,
        bytes: &'a [u8],
        room: &'a mut [u8; SEALED_BYTES_MAX],
    ) -> Result<&'a [u8], Unopened> {
        match &mut self.0 {
            Some((_, opener)) => opener.open(bytes, room),
            None => Ok(bytes),
        }
    }
}

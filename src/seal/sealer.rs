//! Sealing what is sent.

use std::fmt;

use super::cipher::{Cipher, NONCE_BYTES, PREFIX_BYTES, Prefix, REST_BYTES, Root};
use super::key::NetworkKeys;
use super::{CLEAR_BYTES, KIND_OFFSET, SEAL_BYTES, SEALED, SEALED_BYTES_MAX};

/// Bytes of a nonce that are drawn at random.
const DRAWN_BYTES: usize = NONCE_BYTES - size_of::<u64>();

/// Seals datagrams by the first key of a network. It is never copied: its nonces would be
/// used twice.
pub struct Sealer {
    cipher: Cipher,
    drawn: [u8; DRAWN_BYTES],
    /// Datagrams that were sealed.
    count: u64,
}

impl Sealer {
    /// A sealer whose nonces no other has.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(keys: &NetworkKeys) -> Result<Self, getrandom::Error> {
        let mut drawn = [0; DRAWN_BYTES];
        getrandom::fill(&mut drawn)?;
        Ok(Self::with(keys, drawn))
    }

    /// A sealer whose nonces begin so.
    pub(super) fn with(keys: &NetworkKeys, drawn: [u8; DRAWN_BYTES]) -> Self {
        let prefix: &Prefix = drawn.first_chunk().expect("more is drawn");
        Self { cipher: Root::new(keys.first()).derive(prefix), drawn, count: 0 }
    }

    /// Writes `datagram`, sealed; its length.
    ///
    /// # Panics
    /// When `datagram` is shorter than a header, or longer than a datagram may be.
    pub fn seal(&mut self, datagram: &[u8], room: &mut [u8; SEALED_BYTES_MAX]) -> usize {
        let (end, nonce) = (datagram.len(), self.next_nonce());
        room[..end].copy_from_slice(datagram);
        room[end] = room[KIND_OFFSET];
        room[KIND_OFFSET] = SEALED;
        let rest: &[u8; REST_BYTES] = nonce.last_chunk().expect("it is longer");
        let (clear, encrypted) = room[..=end].split_at_mut(CLEAR_BYTES);
        let tag = self.cipher.seal(rest, clear, encrypted);
        let seal = &mut room[end + 1..end + SEAL_BYTES];
        seal[..NONCE_BYTES].copy_from_slice(&nonce);
        seal[NONCE_BYTES..].copy_from_slice(&tag);
        end + SEAL_BYTES
    }

    fn next_nonce(&mut self) -> [u8; NONCE_BYTES] {
        const { assert!(PREFIX_BYTES <= DRAWN_BYTES, "the prefix stays the same") };
        let mut nonce = [0; NONCE_BYTES];
        nonce[..DRAWN_BYTES].copy_from_slice(&self.drawn);
        nonce[DRAWN_BYTES..].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        nonce
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("count", &self.count).finish_non_exhaustive()
    }
}

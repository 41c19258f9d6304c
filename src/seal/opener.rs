//! Opening what is received.

use std::fmt;

use super::cipher::{Cipher, NONCE_BYTES, Prefix, REST_BYTES, Root, TAG_BYTES};
use super::key::NetworkKeys;
use super::{CLEAR_BYTES, KIND_BYTES, KIND_OFFSET, SEAL_BYTES, SEALED, SEALED_BYTES_MAX};
use crate::wire::{MAGIC, VERSION};

/// Senders whose ciphers are remembered at most, some 140 KiB. The cipher of another is
/// derived for each of its datagrams.
pub(super) const CIPHERS_MAX: usize = 256;

/// Opens datagrams that were sealed by any key of a network.
pub struct Opener {
    roots: Vec<Root>,
    /// Each where the prefix of its nonces says.
    ciphers: Box<[Option<Known>]>,
}

/// The cipher of a sender that has the key.
struct Known {
    prefix: Prefix,
    cipher: Cipher,
}

/// Why a datagram is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It was not sealed.
    Clear,
    /// It was sealed by another key, or is not as it was sealed.
    Refused,
}

impl Opener {
    /// An opener by any of `keys`.
    pub fn new(keys: &NetworkKeys) -> Self {
        let ciphers = std::iter::repeat_with(|| None).take(CIPHERS_MAX).collect();
        Self { roots: keys.iter().map(Root::new).collect(), ciphers }
    }

    /// Opens the datagram that `bytes` carry, into `room`.
    ///
    /// # Errors
    /// Why it is to be ignored.
    pub fn open<'a>(
        &mut self,
        bytes: &[u8],
        room: &'a mut [u8; SEALED_BYTES_MAX],
    ) -> Result<&'a [u8], Unopened> {
        if !matches!(bytes, [MAGIC, VERSION, SEALED, ..]) {
            return Err(Unopened::Clear);
        }
        if !(CLEAR_BYTES + SEAL_BYTES..=SEALED_BYTES_MAX).contains(&bytes.len()) {
            return Err(Unopened::Refused);
        }
        let end = bytes.len() - SEAL_BYTES;
        let (datagram, seal) = bytes.split_at(end + KIND_BYTES);
        let (nonce, tag) = seal.split_at(NONCE_BYTES);
        let nonce: &[u8; NONCE_BYTES] = nonce.try_into().expect("its length");
        let is_opened = self.try_ciphers(nonce, |cipher, rest| {
            let room = &mut room[..datagram.len() + TAG_BYTES];
            room[..datagram.len()].copy_from_slice(datagram);
            room[datagram.len()..].copy_from_slice(tag);
            let (clear, bytes_and_tag) = room.split_at_mut(CLEAR_BYTES);
            cipher.open(rest, clear, bytes_and_tag)
        });
        if !is_opened {
            return Err(Unopened::Refused);
        }
        room[KIND_OFFSET] = room[end];
        Ok(&room[..end])
    }

    /// Whether a cipher that `nonce` chooses opens.
    fn try_ciphers(
        &mut self,
        nonce: &[u8; NONCE_BYTES],
        mut opens: impl FnMut(&Cipher, &[u8; REST_BYTES]) -> bool,
    ) -> bool {
        let prefix: &Prefix = nonce.first_chunk().expect("it is longer");
        let rest: &[u8; REST_BYTES] = nonce.last_chunk().expect("it is longer");
        let place = &mut self.ciphers[usize::from(prefix[0]) % CIPHERS_MAX];
        if let Some(known) = place.as_ref().filter(|known| known.prefix == *prefix) {
            return opens(&known.cipher, rest);
        }
        let mut ciphers = self.roots.iter().map(|root| root.derive(prefix));
        let found = ciphers.find(|cipher| opens(cipher, rest));
        // Only a sender that has the key takes the place of another.
        found.is_some_and(|cipher| {
            *place = Some(Known { prefix: *prefix, cipher });
            true
        })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("keys", &self.roots.len()).finish_non_exhaustive()
    }
}

//! XAES-256-GCM, as <https://c2sp.org/XAES-256-GCM> describes it: AES-256-GCM with a nonce of
//! 24 bytes. The first 12 choose a key, made from the network's; under that key the last 12
//! are the nonce.
//!
//! The crates that offer it derive the key for each message. Here a sender keeps the first 12
//! bytes, so that either end derives once for as long as the sender runs.

use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes256Enc, Block};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::key::{KEY_BYTES, NetworkKey};

/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 24;
/// Bytes of it that choose the key.
pub(super) const PREFIX_BYTES: usize = 12;
/// The bytes of it that are the nonce under that key.
pub(super) const REST_BYTES: usize = NONCE_BYTES - PREFIX_BYTES;
/// Bytes of a tag.
pub(super) const TAG_BYTES: usize = 16;

/// What chooses a key: the same in all nonces of one sealer.
pub(super) type Prefix = [u8; PREFIX_BYTES];

/// A network's key, ready to derive others from.
pub(super) struct Root {
    aes: Aes256Enc,
    /// The first subkey of CMAC (NIST SP 800-38B, 6.1).
    subkey: u128,
}

impl Root {
    pub(super) fn new(key: &NetworkKey) -> Self {
        /// Of CMAC, for a block of 128 bits.
        const REDUCTION: u128 = 0x87;

        let aes = Aes256Enc::new(key.as_bytes().into());
        let zero = encrypted(&aes, 0);
        Self { subkey: (zero << 1) ^ ((zero >> 127) * REDUCTION), aes }
    }

    /// The cipher of all nonces that begin with `prefix`.
    pub(super) fn derive(&self, prefix: &Prefix) -> Cipher {
        let mut key = [0; KEY_BYTES];
        for (half, number) in key.chunks_exact_mut(size_of::<Block>()).zip(1..) {
            let mut block = [0; size_of::<Block>()];
            block[..4].copy_from_slice(&[0, number, b'X', 0]);
            block[4..].copy_from_slice(prefix);
            let mixed = u128::from_be_bytes(block) ^ self.subkey;
            half.copy_from_slice(&encrypted(&self.aes, mixed).to_be_bytes());
        }
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("as many bytes as a key has");
        Cipher(LessSafeKey::new(key))
    }
}

fn encrypted(aes: &Aes256Enc, block: u128) -> u128 {
    let mut block = Block::from(block.to_be_bytes());
    aes.encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

/// The cipher of one sealer.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    /// Encrypts `bytes` in place; the tag over them and over `clear`.
    pub(super) fn seal(
        &self,
        rest: &[u8; REST_BYTES],
        clear: &[u8],
        bytes: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        let nonce = Nonce::assume_unique_for_key(*rest);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(clear), bytes);
        let tag = tag.expect("a datagram is shorter than 64 GiB");
        tag.as_ref().try_into().expect("its length")
    }

    /// Decrypts in place the bytes before a tag; whether it is theirs. If not, what they are
    /// then says nothing.
    pub(super) fn open(
        &self,
        rest: &[u8; REST_BYTES],
        clear: &[u8],
        bytes_and_tag: &mut [u8],
    ) -> bool {
        let nonce = Nonce::assume_unique_for_key(*rest);
        self.0.open_in_place(nonce, Aad::from(clear), bytes_and_tag).is_ok()
    }
}

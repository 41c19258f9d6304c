//! The bytes of a datagram on its way, with their hash.
//!
//! The hash is made where the bytes are written, on whichever thread: they are in its cache
//! then. Taken at the arrival it had each datagram read once more, by the one thread that all
//! others wait for.

/// A hash of a run, word by word: no attacker sees it, and a run has gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    pub(crate) const NEW: Self = Self(1);

    /// Both halves of a product with an odd constant, so that every bit of what
    /// came before counts.
    pub(crate) const fn fold(&mut self, word: u64) {
        let product = (self.0 ^ word) as u128 * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let mut hash = Self::NEW;
        hash.fold(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        for word in words {
            hash.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut padded = [0; 8];
            padded[..rest.len()].copy_from_slice(rest);
            hash.fold(u64::from_le_bytes(padded));
        }
        hash
    }
}

/// The bytes of a datagram, and their hash.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    bytes: Vec<u8>,
    hash: Hash,
}

impl Payload {
    /// Of these bytes, kept in a buffer that another may have had before.
    pub(crate) fn new(mut buffer: Vec<u8>, bytes: &[u8]) -> Self {
        buffer.clear();
        buffer.extend_from_slice(bytes);
        Self { bytes: buffer, hash: Hash::of_bytes(bytes) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn hash(&self) -> Hash {
        self.hash
    }

    /// The same, with its bytes changed on the way.
    pub(crate) fn changed(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self.bytes);
        self.hash = Hash::of_bytes(&self.bytes);
        self
    }

    /// Takes the bytes out; the hash stays.
    pub(crate) fn take(&mut self) -> Self {
        Self { bytes: std::mem::take(&mut self.bytes), hash: self.hash }
    }

    /// Its buffer, for another.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

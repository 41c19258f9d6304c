//! A hash map whose order and collisions peers cannot choose: the keys are ids
//! that anyone may make up.

use core::hash::{BuildHasher, Hasher};

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

use crate::id::Id;

/// A hash map by id under a secret key.
pub(super) type IdMap<V> = HashMap<Id, V, Keyed>;

/// Builds hashers under a secret key.
#[derive(Clone)]
pub(super) struct Keyed(SipHasher13);

impl Keyed {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(&secret))
    }
}

impl BuildHasher for Keyed {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { key: self.0, hash: 0 }
    }
}

/// Hashes an id, which comes in one piece: half the work of a hasher that has to
/// expect more.
pub(super) struct IdHasher {
    key: SipHasher13,
    hash: u64,
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.hash, 0, "an id is hashed as one piece");
        self.hash = self.key.hash(bytes);
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

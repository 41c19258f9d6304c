//! A hash map whose order and collisions peers cannot choose: the keys are ids
//! that anyone may make up.

use core::hash::BuildHasher;

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

/// A hash map under a secret key.
pub(super) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// Builds hashers under a secret key.
#[derive(Clone)]
pub(super) struct Keyed([u8; 16]);

impl Keyed {
    pub(super) const fn new(secret: [u8; 16]) -> Self {
        Self(secret)
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

//! A hash whose collisions peers cannot choose: the keys are ids that any peer may make up.

use core::hash::{BuildHasher, Hasher};

use siphasher::sip::SipHasher24;

/// Words of an id.
const WORDS: usize = 3;

/// Builds hashers under a secret key.
///
/// The hash of an id is the upper half of a secret number plus the sum of its words,
/// each times a secret factor. Over the choice of the secrets any two ids have hashes
/// that are uniform and independent (Dietzfelbinger 1996): a peer that knows the
/// ids and not the secrets meets collisions as chance has them. A hash that keeps its
/// secrets even from a reader of the hashes, as `SipHash` does, would be a fifth of the
/// instructions of a `FIND_VALUE`; no peer reads these.
#[derive(Clone)]
pub(crate) struct Keyed {
    factors: [u128; WORDS],
    offset: u128,
}

impl Keyed {
    pub(crate) fn new(secret: [u8; 16]) -> Self {
        let random = SipHasher24::new_with_key(&secret);
        let half = |number: u8| u128::from(random.hash(&[number]));
        let whole = |number: u8| half(2 * number) << 64 | half(2 * number + 1);
        Self { factors: [whole(0), whole(1), whole(2)], offset: whole(3) }
    }
}

impl BuildHasher for Keyed {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { factors: self.factors, sum: self.offset, words: 0 }
    }
}

/// Hashes an id, which comes in words.
pub(crate) struct IdHasher {
    factors: [u128; WORDS],
    sum: u128,
    words: usize,
}

impl Hasher for IdHasher {
    fn write_u64(&mut self, word: u64) {
        let product = self.factors[self.words].wrapping_mul(u128::from(word));
        self.sum = self.sum.wrapping_add(product);
        self.words += 1;
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("an id comes in words");
    }

    fn finish(&self) -> u64 {
        (self.sum >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ID_BITS, ID_BYTES, Id};
    use crate::rng::Rng;

    const SECRETS: usize = 512;
    const PLACES: u64 = 256;

    /// Which of so many places of a table an id has: the lowest bits of its hash.
    fn place(keyed: &Keyed, id: [u8; ID_BYTES]) -> u64 {
        keyed.hash_one(Id::new(id)) % PLACES
    }

    #[test]
    fn ids_that_differ_in_one_bit_share_a_place_as_often_as_chance_has_it() {
        let mut rng = Rng::from_u64(1);
        let mut shared = 0;
        for bit in 0..ID_BITS {
            let id = rng.id().to_bytes();
            let mut other = id;
            other[bit / 8] ^= 1 << (bit % 8);
            for _ in 0..SECRETS {
                let keyed = Keyed::new(rng.bytes());
                shared += u64::from(place(&keyed, id) == place(&keyed, other));
            }
        }
        // Within 6 standard deviations of 18.
        let expected = (ID_BITS * SECRETS) as u64 / PLACES;
        assert!(shared.abs_diff(expected) < 108, "{shared}, and {expected} expected");
    }

    #[test]
    fn the_order_of_the_words_counts() {
        let mut rng = Rng::from_u64(3);
        let keyed = Keyed::new(rng.bytes());
        let id = rng.id().to_bytes();
        let mut other = id;
        other.rotate_left(8);
        other[8..].rotate_left(4);
        assert_eq!((&id[..8], &id[8..16]), (&other[8..16], &other[..8]), "swapped");
        assert_eq!(id[16..], other[16..]);
        assert_ne!(keyed.hash_one(Id::new(id)), keyed.hash_one(Id::new(other)));
    }

    #[test]
    fn a_thousand_values_are_spread_over_the_table() {
        let mut rng = Rng::from_u64(2);
        let keyed = Keyed::new(rng.bytes());
        let mut used = [0u32; PLACES as usize];
        (0..1024).for_each(|_| used[place(&keyed, rng.id().to_bytes()) as usize] += 1);
        // Four each, give or take two.
        assert!(used.iter().all(|count| *count < 16), "{used:?}");
        assert!(used.iter().filter(|count| **count == 0).count() < 16, "{used:?}");
    }
}

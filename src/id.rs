//! Identifiers of nodes and keys, and the XOR metric between them (Kademlia 2.1).

use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{BitXor, RangeInclusive};
use core::str::FromStr;

use sha1::{Digest, Sha1};

/// Bytes in an identifier: a SHA-1 digest.
pub const ID_BYTES: usize = 20;
/// Bits in an identifier, and so the number of k-buckets.
pub const ID_BITS: usize = ID_BYTES * 8;

/// A node's id or a value's key: a number of 160 bits.
///
/// In words rather than in bytes: ids are compared, measured and copied far more often
/// than they are read and written, and the compiler takes an array of bytes that lies
/// in an enum apart byte by byte. Packed, so that it takes 20 bytes anywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C, packed)]
pub struct Id {
    high: u64,
    middle: u64,
    low: u32,
}

const _: () = assert!(size_of::<Id>() == ID_BYTES);

impl Id {
    /// The id made of `bytes`, the most significant first.
    pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self {
            high: u64::from_be_bytes(word(&bytes, 0)),
            middle: u64::from_be_bytes(word(&bytes, 8)),
            low: u32::from_be_bytes(word(&bytes, 16)),
        }
    }

    /// The key of a value: its SHA-1 digest. No value is stored or returned
    /// under any other key.
    pub fn of_value(value: &[u8]) -> Self {
        Self::new(Sha1::digest(value).into())
    }

    /// The id's bytes, most significant first.
    pub const fn to_bytes(self) -> [u8; ID_BYTES] {
        let mut bytes = [0; ID_BYTES];
        let (high, rest) = bytes.split_at_mut(8);
        let (middle, low) = rest.split_at_mut(8);
        high.copy_from_slice(&self.high.to_be_bytes());
        middle.copy_from_slice(&self.middle.to_be_bytes());
        low.copy_from_slice(&self.low.to_be_bytes());
        bytes
    }

    /// The number that the first `bits` bits make, 32 at most.
    pub(crate) const fn prefix(self, bits: usize) -> usize {
        (self.high >> 32 >> (32 - bits)) as usize
    }

    /// The ids that share the first `bits` bits with this one.
    pub(crate) fn sharing(self, bits: usize) -> RangeInclusive<Self> {
        let (mut first, mut last) = (self.to_bytes(), self.to_bytes());
        for (index, (first, last)) in first.iter_mut().zip(&mut last).enumerate() {
            let shared = bits.saturating_sub(index * 8).min(8);
            let rest = u8::MAX.checked_shr(shared as u32).unwrap_or(0);
            *first &= !rest;
            *last |= rest;
        }
        Self::new(first)..=Self::new(last)
    }

    /// The least significant byte. Unlike the first one it is uniform even
    /// among the ids that are close to one another, so it spreads the load.
    pub const fn last_byte(self) -> u8 {
        self.low as u8
    }
}

/// `N` bytes of an id from `offset` on.
const fn word<const N: usize>(bytes: &[u8; ID_BYTES], offset: usize) -> [u8; N] {
    *bytes.split_at(offset).1.first_chunk().expect("a word of an id lies within it")
}

/// Computes the key of a value whose bytes come one part after another.
#[derive(Clone, Debug, Default)]
pub struct KeyHasher(Sha1);

impl KeyHasher {
    /// Takes in the bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The key of all bytes taken in.
    pub fn finish(self) -> Id {
        Id::new(self.0.finalize().into())
    }
}

impl BitXor for Id {
    type Output = Distance;

    fn bitxor(self, other: Self) -> Distance {
        let high = u128::from(self.high ^ other.high) << 64;
        let middle = u128::from(self.middle ^ other.middle);
        Distance { high: high | middle, low: self.low ^ other.low }
    }
}

impl Hash for Id {
    /// By words, as a hasher of nothing but ids expects it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.high);
        state.write_u64(self.middle);
        state.write_u32(self.low);
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; ID_BYTES * 2];
        hex::encode_to_slice(self.to_bytes(), &mut digits).map_err(|_| fmt::Error)?;
        f.pad(core::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an [`Id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 40 hexadecimal digits")
    }
}

impl core::error::Error for ParseIdError {}

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut bytes = [0; ID_BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseIdError)?;
        Ok(Self::new(bytes))
    }
}

/// The XOR of two ids, ordered as an unsigned 160-bit number. Packed, so that it takes 20 bytes
/// rather than 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C, packed(4))]
pub struct Distance {
    high: u128,
    low: u32,
}

impl Distance {
    /// The first 64 bits: of two distances that differ in them, they say which is
    /// less.
    pub(crate) const fn first_bits(self) -> u64 {
        (self.high >> 64) as u64
    }

    /// How many leading bits the two ids share: 160 when they are equal.
    pub const fn shared_prefix_bits(self) -> usize {
        if self.high == 0 {
            128 + self.low.leading_zeros() as usize
        } else {
            self.high.leading_zeros() as usize
        }
    }

    /// Bit `index` of the distance, counted from the most significant.
    ///
    /// # Panics
    /// When `index` is not below [`ID_BITS`].
    pub const fn bit(self, index: usize) -> bool {
        assert!(index < ID_BITS, "no such bit");
        if index < 128 {
            self.high >> (127 - index) & 1 == 1
        } else {
            self.low >> (ID_BITS - 1 - index) & 1 == 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    type Bytes = [u8; ID_BYTES];

    fn distance(a: Bytes, b: Bytes) -> Distance {
        Id::new(a) ^ Id::new(b)
    }

    /// A distance's bytes, most significant first.
    fn number(distance: Distance) -> Bytes {
        let mut bytes = [0; ID_BYTES];
        bytes[..16].copy_from_slice(&distance.high.to_be_bytes());
        bytes[16..].copy_from_slice(&distance.low.to_be_bytes());
        bytes
    }

    /// The distance as the paper defines it, byte by byte, most significant first.
    fn naive_distance(a: Bytes, b: Bytes) -> Bytes {
        core::array::from_fn(|index| a[index] ^ b[index])
    }

    /// The sum of two 160-bit numbers, with the carry before it.
    fn naive_sum(a: Bytes, b: Bytes) -> [u8; ID_BYTES + 1] {
        let mut sum = [0; ID_BYTES + 1];
        let mut carry = 0;
        for index in (0..ID_BYTES).rev() {
            let digit = u16::from(a[index]) + u16::from(b[index]) + carry;
            sum[index + 1] = digit as u8;
            carry = digit >> 8;
        }
        sum[0] = carry as u8;
        sum
    }

    fn naive_shared_prefix_bits(a: Bytes, b: Bytes) -> usize {
        let bit = |bytes: Bytes, index: usize| bytes[index / 8] >> (7 - index % 8) & 1;
        (0..ID_BITS).take_while(|&index| bit(a, index) == bit(b, index)).count()
    }

    /// An id, and one that shares a prefix of any length with it.
    fn any_neighbours() -> impl Strategy<Value = (Bytes, Bytes)> {
        (any::<Bytes>(), any::<Bytes>(), 0..=ID_BITS).prop_map(|(id, mut other, shared)| {
            for index in 0..shared {
                let mask = 0x80 >> (index % 8);
                other[index / 8] = other[index / 8] & !mask | id[index / 8] & mask;
            }
            (id, other)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn distance_is_zero_to_oneself_alone_and_the_same_both_ways((a, b) in any_neighbours()) {
            prop_assert_eq!(distance(a, a), distance([0; ID_BYTES], [0; ID_BYTES]));
            prop_assert_eq!(distance(a, b) == distance(a, a), a == b);
            prop_assert_eq!(distance(a, b), distance(b, a));
        }

        #[test]
        fn one_id_alone_is_at_a_given_distance((a, b) in any_neighbours(), c in any::<Bytes>()) {
            let at = naive_distance(a, number(distance(a, b)));
            prop_assert_eq!(at, b);
            prop_assert_eq!(distance(a, b) == distance(a, c), b == c);
        }

        #[test]
        fn distances_are_ordered_like_numbers((a, b) in any_neighbours(), c in any::<Bytes>()) {
            let numbers = naive_distance(a, b).cmp(&naive_distance(a, c));
            prop_assert_eq!(distance(a, b).cmp(&distance(a, c)), numbers);
            let numbers = naive_distance(c, a).cmp(&naive_distance(c, b));
            prop_assert_eq!(distance(c, a).cmp(&distance(c, b)), numbers);
        }

        #[test]
        fn a_detour_is_never_shorter((a, b) in any_neighbours(), c in any::<Bytes>()) {
            for (from, over, to) in [(a, b, c), (a, c, b), (b, a, c)] {
                let detour = naive_sum(number(distance(from, over)), number(distance(over, to)));
                let straight = naive_sum(number(distance(from, to)), [0; ID_BYTES]);
                prop_assert!(straight <= detour);
            }
        }

        #[test]
        fn shared_prefix_and_bits_are_those_of_the_ids((a, b) in any_neighbours()) {
            let shared = naive_shared_prefix_bits(a, b);
            prop_assert_eq!(distance(a, b).shared_prefix_bits(), shared);
            for index in 0..ID_BITS {
                let differs = (a[index / 8] ^ b[index / 8]) >> (7 - index % 8) & 1 == 1;
                prop_assert_eq!(distance(a, b).bit(index), differs);
            }
        }

        #[test]
        fn parsing_undoes_printing(bytes in any::<Bytes>()) {
            let id = Id::new(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
    }

    #[test]
    fn text_and_bytes_are_the_same_id() {
        let text = "000102030405060708090a0b0c0d0e0f10111213";
        let id: Id = text.parse().expect("40 digits");
        assert_eq!(id.to_string(), text);
        assert_eq!(id.last_byte(), 0x13);
        for bad in ["", "00", "zz0102030405060708090a0b0c0d0e0f10111213"] {
            assert_eq!(bad.parse::<Id>(), Err(ParseIdError));
        }
    }

    #[test]
    fn a_key_is_the_sha1_of_its_value() {
        assert_eq!(Id::of_value(b"hello").to_string(), "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
    }

    #[test]
    fn distance_counts_the_shared_prefix_and_orders_like_a_number() {
        let zero = Id::new([0; ID_BYTES]);
        assert_eq!((zero ^ zero).shared_prefix_bits(), ID_BITS);
        for index in 0..ID_BITS {
            let mut bytes = [0; ID_BYTES];
            bytes[index / 8] = 0x80 >> (index % 8);
            let distance = zero ^ Id::new(bytes);
            assert_eq!(distance.shared_prefix_bits(), index);
            assert!((0..ID_BITS).all(|bit| distance.bit(bit) == (bit == index)));
            bytes[ID_BYTES - 1] |= 1;
            assert!(zero ^ Id::new(bytes) >= distance);
        }
    }
}

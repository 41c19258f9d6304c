//! Identifiers of nodes and keys, and the XOR metric between them (Kademlia 2.1).

use core::fmt;
use core::ops::BitXor;
use core::str::FromStr;

use sha1::{Digest, Sha1};

/// Bytes in an identifier: a SHA-1 digest.
pub const ID_BYTES: usize = 20;
/// Bits in an identifier, and so the number of k-buckets.
pub const ID_BITS: usize = ID_BYTES * 8;

/// A node's id or a value's key: 160 bits, most significant byte first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; ID_BYTES]);

impl Id {
    /// The id made of `bytes`.
    pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key of a value: its SHA-1 digest. No value is stored or returned
    /// under any other key.
    pub fn of_value(value: &[u8]) -> Self {
        Self(Sha1::digest(value).into())
    }

    /// The id's bytes, most significant first.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// The least significant byte. Unlike the first one it is uniform even
    /// among the ids that are close to one another, so it spreads the load.
    pub const fn last_byte(&self) -> u8 {
        self.0[ID_BYTES - 1]
    }

    fn halves(self) -> (u128, u32) {
        let (high, low) = self.0.split_at(16);
        (
            u128::from_be_bytes(high.try_into().expect("16 of 20 bytes")),
            u32::from_be_bytes(low.try_into().expect("the last 4 of 20 bytes")),
        )
    }
}

impl BitXor for Id {
    type Output = Distance;

    fn bitxor(self, other: Self) -> Distance {
        let (high, low) = self.halves();
        let (other_high, other_low) = other.halves();
        Distance { high: high ^ other_high, low: low ^ other_low }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; ID_BYTES * 2];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
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
        Ok(Self(bytes))
    }
}

/// The XOR of two ids, ordered as an unsigned 160-bit number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distance {
    high: u128,
    low: u32,
}

impl Distance {
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

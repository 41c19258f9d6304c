//! How large values are: one size, or several with weights.

use std::fmt;
use std::str::FromStr;

use kad_node::limits::{PIECE_BYTES_MAX, VALUE_BYTES_MAX};
use kad_node::quantity::{parse_bytes, parse_count};
use kad_node::rng::Rng;

use crate::deck::Deck;
use crate::mix::WEIGHTS_MAX;

/// Most bytes of a value that a single RPC carries: a larger one takes a whole put or get.
pub const RPC_BYTES_MAX: u32 = PIECE_BYTES_MAX as u32;
/// Most sizes of one run.
const SIZES_MAX: usize = 16;

/// The sizes of values, each with its weight: `100`, or `100:90,1000:10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSizes {
    /// Bytes and weight.
    sizes: Vec<(u32, u32)>,
}

impl ValueSizes {
    /// Every value of so many bytes.
    pub fn all(bytes: u32) -> Self {
        Self { sizes: vec![(bytes, 1)] }
    }

    /// Each size in bytes, with its weight.
    pub fn weights(&self) -> impl Iterator<Item = (u32, u32)> + Clone {
        self.sizes.iter().copied()
    }

    /// Bytes of the largest value.
    pub fn largest(&self) -> u32 {
        self.weights().map(|(bytes, _)| bytes).max().unwrap_or(0)
    }

    /// The size of each of `keys` values, in bytes: in proportion, and in an order that is
    /// the seed's, so that size has nothing to do with how often a key is asked for.
    pub fn draw(&self, keys: usize, seed: u64) -> impl Iterator<Item = usize> {
        let mut deck = Deck::new(self.weights(), Rng::from_u64(!seed));
        (0..keys).map(move |_| deck.draw() as usize)
    }

    /// Bytes of `keys` values at most.
    pub fn bytes_max(&self, keys: u64) -> u64 {
        let deck: u64 = self.weights().map(|(_, weight)| u64::from(weight)).sum();
        let of_deck = self.weights().map(|(bytes, weight)| u64::from(bytes) * u64::from(weight));
        let rest = keys % deck * u64::from(self.largest());
        (keys / deck).saturating_mul(of_deck.sum()).saturating_add(rest)
    }
}

impl FromStr for ValueSizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut sizes: Vec<(u32, u32)> = Vec::new();
        for part in text.split(',') {
            let (size, weight) = part.split_once(':').unwrap_or((part, "1"));
            let bytes = parse_bytes(size).map_err(|error| {
                format!("'{size}': {error}; several are 100:90,1kB:10, each with its weight")
            })?;
            if !(1..=VALUE_BYTES_MAX as u64).contains(&bytes) {
                return Err(format!("expected 1 to {VALUE_BYTES_MAX} bytes, not {size}"));
            }
            let weight = parse_count(weight).ok().filter(|weight| *weight > 0);
            let weight = weight.filter(|weight| *weight <= u64::from(WEIGHTS_MAX));
            let weight = weight.ok_or_else(|| format!("a weight is 1 to {WEIGHTS_MAX}"))?;
            if sizes.iter().any(|(other, _)| u64::from(*other) == bytes) {
                return Err(format!("'{size}' has two weights"));
            }
            sizes.push((bytes as u32, weight as u32));
        }
        let sum: u64 = sizes.iter().map(|(_, weight)| u64::from(*weight)).sum();
        match sizes.len() {
            1..=SIZES_MAX if sum <= u64::from(WEIGHTS_MAX) => Ok(Self { sizes }),
            1..=SIZES_MAX => Err(format!("the weights' sum is at most {WEIGHTS_MAX}")),
            _ => Err(format!("at most {SIZES_MAX} sizes")),
        }
    }
}

/// As it is written: `100`, `100:90,64KiB:10`.
impl fmt::Display for ValueSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (bytes, weight)) in self.weights().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let (number, unit) = match bytes {
                bytes if bytes.is_multiple_of(1 << 20) => (bytes >> 20, "MiB"),
                bytes if bytes.is_multiple_of(1 << 10) => (bytes >> 10, "KiB"),
                bytes => (bytes, ""),
            };
            write!(f, "{comma}{number}{unit}")?;
            if self.sizes.len() > 1 {
                write!(f, ":{weight}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> ValueSizes {
        text.parse().expect(text)
    }

    #[test]
    fn sizes_print_as_they_are_written() {
        for text in ["100", "1KiB", "16MiB", "100:90,1KiB:10"] {
            assert_eq!(sizes(text).to_string(), text);
        }
        assert_eq!(sizes("100,1KiB"), sizes("100:1,1024:1"));
        for (text, said) in [
            ("", "expected a size"),
            ("0", "1 to"),
            ("9GiB", "1 to 16777216 bytes, not 9GiB"),
            ("16777217", "1 to"),
            ("100:", "a weight"),
            ("100:0", "a weight"),
            ("100:10k,50:1", "sum"),
            ("1:1,1:2", "two weights"),
            ("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16"),
            ("big", "100:90,1kB:10"),
        ] {
            let error = text.parse::<ValueSizes>().expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn proportions_are_exact_after_each_deck_and_the_order_is_the_seed_s() {
        let mixed = sizes("10:3,1000:1");
        let drawn = |seed| mixed.draw(400, seed).collect::<Vec<usize>>();
        for deck in drawn(1).chunks(4) {
            assert_eq!(deck.iter().sum::<usize>(), 1030);
        }
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn the_bytes_of_all_values_are_known_before_they_are_made() {
        for text in ["7", "10:3,1000:1", "1:1,2:1,3:5"] {
            let mixed = sizes(text);
            for keys in 0..30 {
                let sum: usize = mixed.draw(keys, 1).sum();
                assert!(sum as u64 <= mixed.bytes_max(keys as u64), "{text}: {keys}");
            }
            let deck: u32 = mixed.weights().map(|(_, weight)| weight).sum();
            let sum: usize = mixed.draw(deck as usize, 1).sum();
            assert_eq!(mixed.bytes_max(deck.into()), sum as u64, "{text}");
        }
    }
}

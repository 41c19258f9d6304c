//! The values that are stored and fetched, and which of them a request is about.

use kad_node::id::Id;
use kad_node::rng::Rng;

use crate::memory::{self, OutOfMemory};
use crate::value_sizes::ValueSizes;

/// What the memory of [`AliasTable`] is for.
const TABLE: &str = "the popularity of keys";

/// Names one key of the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIndex(pub u32);

/// Most keys of a run.
pub const KEYS_MAX: u64 = 10_000_000;
/// Most bytes of values that a run keeps in memory.
pub const CORPUS_BYTES_MAX: u64 = 4 << 30;

/// All values of a run and their keys, made from its seed: so each value that
/// comes back is compared with the one that was stored, and since the key is the
/// value's SHA-1, equal bytes are a valid value.
#[derive(Debug)]
pub struct Corpus {
    keys: Vec<Id>,
    values: Vec<u8>,
    /// Where each value ends in them.
    ends: Vec<u64>,
}

/// What values are made of: text, so that a node's prompt can show it.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Corpus {
    /// `keys` values of these sizes.
    pub fn new(keys: usize, sizes: &ValueSizes, seed: u64) -> Result<Self, OutOfMemory> {
        let mut rng = Rng::from_u64(seed);
        let bytes = sizes.draw(keys, seed).sum();
        let mut values = memory::room(bytes, "values")?;
        let mut all_keys = memory::room(keys, "keys")?;
        let mut ends = memory::room(keys, "keys")?;
        while values.len() < bytes {
            // Ten letters of six bits from each 64.
            let bits = rng.u64();
            let room = (bytes - values.len()).min(10);
            values.extend((0..room).map(|letter| ALPHABET[(bits >> (letter * 6)) as usize & 63]));
        }
        let mut begin = 0;
        for size in sizes.draw(keys, seed) {
            all_keys.push(Id::of_value(&values[begin..begin + size]));
            begin += size;
            ends.push(begin as u64);
        }
        Ok(Self { keys: all_keys, values, ends })
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key.
    pub fn key(&self, index: KeyIndex) -> Id {
        self.keys[index.0 as usize]
    }

    /// Its value.
    pub fn value(&self, index: KeyIndex) -> &[u8] {
        let index = index.0 as usize;
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[begin as usize..self.ends[index] as usize]
    }
}

/// How often each key is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Popularity {
    /// All alike.
    Uniform,
    /// The n-th key with a chance proportional to n to the power of -exponent.
    Zipf {
        /// Above 0; 0.99 is what YCSB uses.
        exponent: f64,
    },
}

/// Draws keys by their popularity, each in constant time.
#[derive(Clone, Debug)]
pub enum KeyPicker {
    /// All alike.
    Uniform {
        /// How many there are.
        keys: u64,
    },
    /// By weights.
    Weighted(AliasTable),
}

impl KeyPicker {
    /// A picker of `keys` keys.
    pub fn new(popularity: Popularity, keys: usize) -> Result<Self, OutOfMemory> {
        Ok(match popularity {
            Popularity::Uniform => Self::Uniform { keys: keys as u64 },
            Popularity::Zipf { exponent } => {
                let mut weights = memory::room(keys, TABLE)?;
                weights.extend((1..=keys).map(|rank| (rank as f64).powf(-exponent)));
                Self::Weighted(AliasTable::new(weights)?)
            }
        })
    }

    /// The next key.
    pub fn pick(&self, rng: &mut Rng) -> KeyIndex {
        match self {
            Self::Uniform { keys } => KeyIndex(rng.below(*keys) as u32),
            Self::Weighted(table) => KeyIndex(table.pick(rng)),
        }
    }
}

/// Walker's alias method, built as Vose does: each column holds its own index up
/// to a threshold and one other above it.
#[derive(Clone, Debug)]
pub struct AliasTable {
    columns: Vec<(f64, u32)>,
}

impl AliasTable {
    fn new(mut weights: Vec<f64>) -> Result<Self, OutOfMemory> {
        let count = weights.len();
        let mean = weights.iter().sum::<f64>() / count as f64;
        let mut columns = memory::room(count, TABLE)?;
        columns.extend((0..count as u32).map(|index| (1.0, index)));
        let (mut light, mut heavy) = (memory::room(count, TABLE)?, memory::room(count, TABLE)?);
        for (index, weight) in weights.iter_mut().enumerate() {
            *weight /= mean;
            if *weight < 1.0 { light.push(index) } else { heavy.push(index) }
        }
        while let (Some(small), Some(&large)) = (light.pop(), heavy.last()) {
            columns[small] = (weights[small], large as u32);
            weights[large] -= 1.0 - weights[small];
            if weights[large] < 1.0 {
                heavy.pop();
                light.push(large);
            }
        }
        Ok(Self { columns })
    }

    fn pick(&self, rng: &mut Rng) -> u32 {
        let index = rng.below(self.columns.len() as u64) as usize;
        let (threshold, alias) = self.columns[index];
        // 53 bits: what a double holds exactly.
        let fraction = (rng.u64() >> 11) as f64 / (1u64 << 53) as f64;
        if fraction < threshold { index as u32 } else { alias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_seed_s_and_hash_to_their_keys() {
        let sizes: ValueSizes = "33:3,1000:1".parse().expect("sizes");
        let corpus = Corpus::new(100, &sizes, 1).expect("memory");
        for (index, size) in (0..100).map(KeyIndex).zip(sizes.draw(100, 1)) {
            assert_eq!(Id::of_value(corpus.value(index)), corpus.key(index));
            assert_eq!(corpus.value(index).len(), size);
        }
        let again = Corpus::new(100, &sizes, 1).expect("memory");
        assert_eq!(corpus.values, again.values);
        assert_ne!(corpus.values, Corpus::new(100, &sizes, 2).expect("memory").values);
    }

    #[test]
    fn zipf_draws_each_key_in_proportion_to_its_rank() {
        let picker = KeyPicker::new(Popularity::Zipf { exponent: 1.0 }, 10).expect("memory");
        let harmonic: f64 = (1..=10).map(|rank| 1.0 / f64::from(rank)).sum();
        let mut rng = Rng::from_u64(1);
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[picker.pick(&mut rng).0 as usize] += 1;
        }
        for (rank, count) in (1u32..).zip(counts) {
            let expected = 100_000.0 / harmonic / f64::from(rank);
            // Five standard deviations of a binomial count.
            let tolerance = 5.0 * expected.sqrt();
            assert!((f64::from(count) - expected).abs() < tolerance, "rank {rank}: {count}");
        }
    }

    #[test]
    fn uniform_keys_reach_the_first_and_the_last() {
        let picker = KeyPicker::new(Popularity::Uniform, 3).expect("memory");
        let mut rng = Rng::from_u64(1);
        let mut seen = [false; 3];
        for _ in 0..100 {
            seen[picker.pick(&mut rng).0 as usize] = true;
        }
        assert_eq!(seen, [true; 3]);
    }
}

//! A histogram in JSON: base64 of `HdrHistogram`'s V2 form, compressed, as its other tools
//! read and write it.
//!
//! A file may come from anywhere, and what it says of its own size is not believed: the text,
//! what it unpacks to and the bounds are checked before a histogram is made of them.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Deserializer as Source, Serialize, Serializer as Target, de, ser};

use crate::record::histogram;

/// Bytes before the counts in the plain form: cookie, length, offset, digits, least and
/// greatest value, ratio.
const HEADER_BYTES: usize = 40;
/// Bytes before the plain form: cookie and length.
const OUTER_BYTES: usize = 8;
/// Bytes that a histogram unpacks to at most: nine for each of its counts.
const PLAIN_BYTES_MAX: usize = HEADER_BYTES + 9 * COUNTS_MAX;
/// Counts of a histogram of nanoseconds up to an hour with three digits, rounded up.
const COUNTS_MAX: usize = 1 << 16;
/// A count takes a ninth byte from 2^56 on, which no run reaches: eight bytes in a row that
/// each say that another follows.
const CONTINUED_MAX: usize = 8;

/// A histogram of nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredHistogram(pub Histogram<u64>);

impl StoredHistogram {
    fn encode(&self) -> Result<String, String> {
        let mut bytes = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        serializer.serialize(&self.0, &mut bytes).map_err(|error| error.to_string())?;
        Ok(BASE64_STANDARD.encode(bytes))
    }

    fn decode(text: &str) -> Result<Self, &'static str> {
        const TEXT_BYTES_MAX: usize = PLAIN_BYTES_MAX * 4 / 3;
        if text.len() > TEXT_BYTES_MAX {
            return Err("a histogram is too long");
        }
        let packed = BASE64_STANDARD.decode(text).map_err(|_| "a histogram is no base64")?;
        let packed = packed.get(OUTER_BYTES..).ok_or("a histogram ends too soon")?;
        let mut plain = Vec::new();
        let mut unpacked = ZlibDecoder::new(packed).take(PLAIN_BYTES_MAX as u64 + 1);
        unpacked.read_to_end(&mut plain).map_err(|_| "a histogram does not unpack")?;
        let counts = plain.get(HEADER_BYTES..).ok_or("a histogram ends too soon")?;
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| plain[at + byte]));
        let own = histogram();
        let digits = u64::from(own.sigfig());
        let is_ours = word(8) == digits && (word(16), word(24)) == (own.low(), own.high());
        if !is_ours {
            return Err("a histogram has other bounds than loadgen's");
        }
        // The cookie stands before the length.
        if word(0) & u64::from(u32::MAX) != counts.len() as u64 || plain.len() > PLAIN_BYTES_MAX {
            return Err("a histogram has another length than it says");
        }
        let is_continued = |byte: &u8| byte & 0x80 != 0;
        if counts.windows(CONTINUED_MAX).any(|bytes| bytes.iter().all(is_continued)) {
            return Err("a histogram counts more than any run");
        }
        let read = Deserializer::new().deserialize(&mut plain.as_slice());
        read.map(Self).map_err(|_| "a histogram is in no V2 form")
    }
}

impl Serialize for StoredHistogram {
    fn serialize<S: Target>(&self, target: S) -> Result<S::Ok, S::Error> {
        target.serialize_str(&self.encode().map_err(ser::Error::custom)?)
    }
}

impl<'a> Deserialize<'a> for StoredHistogram {
    fn deserialize<S: Source<'a>>(source: S) -> Result<Self, S::Error> {
        let text = std::borrow::Cow::<str>::deserialize(source)?;
        Self::decode(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> StoredHistogram {
        let mut latency = histogram();
        for ns in [1, 999, 15_000, 15_001, 2_000_000, 3_600_000_000_000] {
            latency.record_n(ns, 1 + ns % 7).expect("within the bounds");
        }
        StoredHistogram(latency)
    }

    #[test]
    fn it_comes_back_as_it_was_and_other_tools_know_its_beginning() {
        for stored in [sample(), StoredHistogram(histogram())] {
            let text = stored.encode().expect("it fits");
            // The cookie of the compressed V2 form, in base64.
            assert!(text.starts_with("HISTFAAA"), "{text}");
            assert_eq!(StoredHistogram::decode(&text), Ok(stored));
        }
    }

    #[test]
    fn a_histogram_with_other_bounds_is_refused() {
        let other = Histogram::new_with_bounds(1, 1 << 60, 3).expect("in order");
        let text = StoredHistogram(other).encode().expect("it fits");
        assert_eq!(
            StoredHistogram::decode(&text),
            Err("a histogram has other bounds than loadgen's")
        );
    }

    /// A histogram of these counts, as other tools may have written it.
    fn packed(counts: &[u8]) -> String {
        use flate2::Compression;
        use flate2::write::ZlibEncoder;
        use hdrhistogram::serialization::V2Serializer;
        use std::io::Write as _;

        let mut plain = Vec::new();
        V2Serializer::new().serialize(&histogram(), &mut plain).expect("it fits");
        plain.truncate(HEADER_BYTES);
        plain[4..8].copy_from_slice(&(counts.len() as u32).to_be_bytes());
        plain.extend(counts);
        let mut bytes = vec![0; OUTER_BYTES];
        let mut packer = ZlibEncoder::new(&mut bytes, Compression::best());
        packer.write_all(&plain).expect("memory");
        packer.finish().expect("memory");
        BASE64_STANDARD.encode(bytes)
    }

    #[test]
    fn what_unpacks_to_more_than_a_histogram_is_refused() {
        let text = packed(&vec![0; 64 << 20]);
        assert!(text.len() < 200_000, "it is small on the disk");
        let error = StoredHistogram::decode(&text).expect_err("it is too long");
        assert_eq!(error, "a histogram has another length than it says");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = StoredHistogram::decode(&BASE64_STANDARD.encode(bytes));
        }

        #[test]
        fn no_counts_panic(counts in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = StoredHistogram::decode(&packed(&counts));
        }
    }
}

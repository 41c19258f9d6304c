//! A segment: a file of records, written once, from the beginning to the end.
//!
//! | bytes | field |
//! |---|---|
//! | 0-3 | `KADS` |
//! | 4-7 | version, 1 |
//! | 8-11 | marker, random: every record of the segment begins with it |
//! | 12-15 | CRC-32 of the twelve bytes before |
//! | 16- | records, a clock first |
//!
//! Segments are numbered in the order in which they are written, `00000001.seg` first.
//!
//! The marker is how the reader finds the next record behind a damaged one. It is random, so
//! that no sender can have a value stored that contains what looks like a record.

use std::hash::{BuildHasher as _, RandomState};

use crate::error::OpenError;
use crate::record::{self, Body, Decoded};

/// The version of the format.
pub(crate) const VERSION: u32 = 1;
/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 16;
const MAGIC: [u8; 4] = *b"KADS";

/// The name of segment `number`.
pub(crate) fn name(number: u32) -> String {
    format!("{number:08}.seg")
}

/// The number of the segment of this name.
pub(crate) fn number(file: &str) -> Option<u32> {
    let digits = file.strip_suffix(".seg")?;
    let number = digits.parse().ok()?;
    (name(number) == file).then_some(number)
}

/// A marker for a new segment.
pub(crate) fn random_marker() -> u32 {
    RandomState::new().hash_one(0) as u32
}

pub(crate) fn header(marker: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&VERSION.to_be_bytes());
    header[8..12].copy_from_slice(&marker.to_be_bytes());
    let sum = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&sum.to_be_bytes());
    header
}

/// What the reader finds, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A record, where it begins, and how long it is.
    Record { offset: u32, length: u32, body: Body<'a> },
    /// Bytes that are no record, with records behind them.
    Damaged,
    /// Bytes that are no record, up to the end: a write that was cut off.
    TornTail { offset: u32 },
}

/// Reads a segment.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// `None` where no record can be found.
    marker: Option<u32>,
    offset: usize,
    header_damaged: bool,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, the segment `file`. Only another version is an error.
    pub(crate) fn new(file: &str, bytes: &'a [u8]) -> Result<Self, OpenError> {
        let word = |at: usize| {
            bytes.get(at..at + 4).map(|word| u32::from_be_bytes(word.try_into().expect("a word")))
        };
        let sum = bytes.get(..12).map(crc32fast::hash);
        let header_damaged = sum.is_none() || word(12) != sum || bytes[..4] != MAGIC;
        let mut marker = word(8);
        if header_damaged {
            // The first record has the marker too.
            marker = word(HEADER_BYTES).filter(|&marker| {
                !matches!(record::decode(&bytes[HEADER_BYTES..], marker), Decoded::Nothing)
            });
        } else if word(4) != Some(VERSION) {
            return Err(OpenError::Version {
                file: file.to_owned(),
                found: word(4).unwrap_or_default(),
            });
        }
        let offset = if marker.is_some() { HEADER_BYTES } else { 0 };
        Ok(Self { bytes, marker, offset, header_damaged: header_damaged && marker.is_some() })
    }

    /// Where the next record may begin.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Goes on at a place that [`Self::offset`] has given.
    pub(crate) fn go_to(&mut self, offset: usize) {
        self.header_damaged &= offset <= HEADER_BYTES;
        self.offset = offset.max(self.offset);
    }

    /// The next place behind `from` at which a record begins.
    fn next_record(&self, from: usize, marker: u32) -> Option<usize> {
        let pattern = marker.to_be_bytes();
        let windows = self.bytes.get(from..)?.windows(pattern.len());
        let places = windows.enumerate().filter(|(_, window)| *window == pattern);
        places.map(|(index, _)| from + index).find(|&place| {
            !matches!(record::decode(&self.bytes[place..], marker), Decoded::Nothing)
        })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        if std::mem::take(&mut self.header_damaged) {
            return Some(Found::Damaged);
        }
        let offset = self.offset;
        if offset >= self.bytes.len() {
            return None;
        }
        let Some(marker) = self.marker else {
            self.offset = self.bytes.len();
            return Some(Found::TornTail { offset: offset as u32 });
        };
        match record::decode(&self.bytes[offset..], marker) {
            Decoded::Record(length, body) => {
                self.offset += length;
                Some(Found::Record { offset: offset as u32, length: length as u32, body })
            }
            Decoded::Unknown(length) => {
                self.offset += length;
                Some(Found::Damaged)
            }
            Decoded::Nothing => {
                let next = self.next_record(offset + 1, marker);
                self.offset = next.unwrap_or(self.bytes.len());
                let torn = Found::TornTail { offset: offset as u32 };
                Some(next.map_or(torn, |_| Found::Damaged))
            }
        }
    }
}

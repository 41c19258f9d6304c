//! Segments: the datagrams of one message.
//!
//! All but the last are of equal length, which a control message tells
//! ([`control`](crate::control)).

use std::ops::Range;

use crate::DATAGRAM_BYTES_MAX;
use crate::observer::Received;

/// Segments of one message: kernels before 6.9 take no more.
pub const SEGMENTS_MAX: usize = 64;
/// Bytes that are looked at of a datagram: one more than a valid one has, so that an
/// oversized one shows.
pub const VISIBLE_BYTES: usize = DATAGRAM_BYTES_MAX + 1;

/// What a receive has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferSize {
    /// A datagram.
    Datagram,
    /// The longest message, of several segments.
    Message,
}

impl BufferSize {
    /// Bytes of it.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Datagram => VISIBLE_BYTES,
            // The length of an IP packet is a number of 16 bits.
            Self::Message => u16::MAX as usize,
        }
    }

    /// From one buffer to the next, for buffers that do not share a line of the cache and,
    /// the long ones, of which mostly the beginning is used, not a page either.
    pub(crate) const fn stride_bytes(self) -> usize {
        match self {
            Self::Datagram => self.bytes().next_multiple_of(64),
            Self::Message => self.bytes().next_multiple_of(4 << 10),
        }
    }
}

/// The datagrams of a received message that have not been taken yet.
#[derive(Clone, Debug)]
pub struct Segments {
    /// Where the next datagram begins; none when all were taken.
    next: Option<usize>,
    end: usize,
    segment_bytes: usize,
}

impl Segments {
    /// No datagram at all.
    pub const NONE: Self = Self { next: None, end: 0, segment_bytes: 0 };

    /// Those of a message of `bytes`, with the length of its segments if there are several.
    pub const fn new(bytes: usize, segment_bytes: Option<usize>) -> Self {
        let segment_bytes = match segment_bytes {
            Some(segment_bytes) => segment_bytes,
            None => bytes,
        };
        Self { next: Some(0), end: bytes, segment_bytes }
    }

    /// The counts of all its datagrams, before any was taken. At once, since one by one it
    /// would be a dozen instructions for each.
    pub fn counts(&self) -> Received {
        // A message of no bytes is one datagram, and 0 divides nothing.
        let segment_bytes = self.segment_bytes.max(1);
        let (whole, rest_bytes) = (self.end / segment_bytes, self.end % segment_bytes);
        let datagrams = (whole + usize::from(rest_bytes > 0)).max(1);
        let visible = whole * segment_bytes.min(VISIBLE_BYTES) + rest_bytes.min(VISIBLE_BYTES);
        let is_oversized = |bytes: usize| usize::from(bytes > VISIBLE_BYTES);
        let truncated = whole * is_oversized(segment_bytes) + is_oversized(rest_bytes);
        Received { datagrams: datagrams as u64, bytes: visible as u64, truncated: truncated as u64 }
    }

    /// Where the next datagram lies in the message: of an oversized one the first
    /// [`VISIBLE_BYTES`].
    pub fn take(&mut self) -> Option<Range<usize>> {
        let start = self.next?;
        let end = self.end.min(start + self.segment_bytes);
        self.next = (end < self.end).then_some(end);
        Some(start..end.min(start + VISIBLE_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(mut segments: Segments) -> (Vec<Range<usize>>, Received) {
        let counts = segments.counts();
        let ranges: Vec<_> = std::iter::from_fn(|| segments.take()).collect();
        let bytes: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let taken = (ranges.len() as u64, bytes as u64);
        assert_eq!((counts.datagrams, counts.bytes), taken, "what is counted is taken");
        (ranges, counts)
    }

    #[test]
    fn a_message_is_split_into_its_datagrams() {
        let (parts, counts) = ranges(Segments::new(250, Some(100)));
        assert_eq!(parts, [0..100, 100..200, 200..250]);
        assert_eq!(counts, Received { datagrams: 3, bytes: 250, truncated: 0 });
        assert_eq!(ranges(Segments::new(200, Some(100))).0, [0..100, 100..200]);
    }

    #[test]
    fn a_single_datagram_is_whole_and_may_be_empty() {
        for bytes in [0, 100] {
            assert_eq!(ranges(Segments::new(bytes, None)).0, vec![Range { start: 0, end: bytes }]);
        }
        let mut none = Segments::NONE;
        assert_eq!(none.take(), None);
        assert_eq!(ranges(Segments::new(100, Some(100))).1.datagrams, 1);
    }

    #[test]
    fn an_oversized_datagram_shows_and_is_counted() {
        let long = 2 * VISIBLE_BYTES;
        let (parts, counts) = ranges(Segments::new(2 * long, Some(long)));
        assert_eq!(parts, [0..VISIBLE_BYTES, long..long + VISIBLE_BYTES]);
        assert_eq!(counts.truncated, 2);
    }
}

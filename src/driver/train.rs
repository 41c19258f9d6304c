//! Trains: runs of datagrams that cross the edge of the kernel as one message.
//!
//! All but the last are of equal length, which a control message tells ([`control`]):
//! `UDP_SEGMENT` on the way out (Linux 4.18), `UDP_GRO` on the way in (Linux 5.0).
//!
//! [`control`]: super::control

use std::ops::Range;

use super::stats::DriverStats;
use crate::limits::DATAGRAM_BYTES_MAX;

/// Datagrams of one train: kernels before 6.9 take no more.
pub(super) const TRAIN_DATAGRAMS_MAX: usize = 64;
/// Bytes of one train: what an IPv6 packet without a jumbo option carries, less
/// the headers of IPv6 and UDP.
pub(super) const TRAIN_BYTES_MAX: usize = u16::MAX as usize - 40 - 8;
/// Bytes that are looked at of a datagram: one more than one of ours has, so that
/// an oversized one shows.
pub(super) const VISIBLE_BYTES: usize = DATAGRAM_BYTES_MAX + 1;

/// What a receive has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// A datagram.
    Datagram,
    /// The longest train.
    Train,
}

impl Room {
    /// Bytes of it.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Datagram => VISIBLE_BYTES,
            // The length of an IP packet is a number of 16 bits.
            Self::Train => u16::MAX as usize,
        }
    }

    /// From one room to the next, for rooms that do not share a line of the cache
    /// and, the long ones, of which mostly the beginning is used, not a page either.
    pub(super) const fn stride_bytes(self) -> usize {
        match self {
            Self::Datagram => self.bytes().next_multiple_of(64),
            Self::Train => self.bytes().next_multiple_of(4 << 10),
        }
    }
}

/// What one receive has brought: a datagram, which may be empty, or several.
#[derive(Clone, Debug)]
pub(super) struct Train {
    /// Where the next datagram begins; none when all were taken.
    next: Option<usize>,
    end: usize,
    segment_bytes: usize,
}

impl Train {
    /// A message of `bytes`, with the length of its datagrams if there are several.
    pub(super) const fn new(bytes: usize, segment_bytes: Option<usize>) -> Self {
        let segment_bytes = match segment_bytes {
            Some(segment_bytes) => segment_bytes,
            None => bytes,
        };
        Self { next: Some(0), end: bytes, segment_bytes }
    }

    /// No datagram at all.
    pub(super) const NONE: Self = Self { next: None, end: 0, segment_bytes: 0 };

    /// Counts its datagrams as received, before any was taken. At once, since one by one
    /// it would be a dozen instructions for each.
    pub(super) fn count(&self, stats: &mut DriverStats) {
        // None of no bytes is parted: it is one datagram, and its length nobody's divisor.
        let segment_bytes = self.segment_bytes.max(1);
        let (whole, rest_bytes) = (self.end / segment_bytes, self.end % segment_bytes);
        let datagrams = (whole + usize::from(rest_bytes > 0)).max(1);
        let visible = whole * segment_bytes.min(VISIBLE_BYTES) + rest_bytes.min(VISIBLE_BYTES);
        let is_oversized = |bytes: usize| usize::from(bytes > VISIBLE_BYTES);
        let truncated = whole * is_oversized(segment_bytes) + is_oversized(rest_bytes);
        stats.datagrams_received += datagrams as u64;
        stats.bytes_received += visible as u64;
        stats.receives_truncated += truncated as u64;
        if datagrams > 1 {
            stats.trains_received += 1;
            stats.train_datagrams_received += datagrams as u64;
        }
    }

    /// Where the next datagram lies in the message: of an oversized one the first
    /// [`VISIBLE_BYTES`].
    pub(super) fn take(&mut self) -> Option<Range<usize>> {
        let start = self.next?;
        let end = self.end.min(start + self.segment_bytes);
        self.next = (end < self.end).then_some(end);
        Some(start..end.min(start + VISIBLE_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(mut train: Train) -> (Vec<Range<usize>>, DriverStats) {
        let mut stats = DriverStats::default();
        train.count(&mut stats);
        let ranges: Vec<_> = std::iter::from_fn(|| train.take()).collect();
        let bytes: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let counted = (stats.datagrams_received, stats.bytes_received);
        assert_eq!(counted, (ranges.len() as u64, bytes as u64), "what is counted is taken");
        (ranges, stats)
    }

    #[test]
    fn a_train_is_parted_into_its_datagrams() {
        let (parts, stats) = ranges(Train::new(250, Some(100)));
        assert_eq!(parts, [0..100, 100..200, 200..250]);
        assert_eq!((stats.datagrams_received, stats.bytes_received), (3, 250));
        assert_eq!((stats.trains_received, stats.train_datagrams_received), (1, 3));
        assert_eq!(ranges(Train::new(200, Some(100))).0, [0..100, 100..200]);
    }

    #[test]
    fn a_single_datagram_is_whole_and_may_be_empty() {
        for bytes in [0, 100] {
            assert_eq!(ranges(Train::new(bytes, None)).0, vec![Range { start: 0, end: bytes }]);
        }
        let mut none = Train::NONE;
        assert_eq!(none.take(), None);
        assert_eq!(ranges(Train::new(100, Some(100))).1.trains_received, 0);
    }

    #[test]
    fn an_oversized_datagram_shows_and_is_counted() {
        let long = 2 * VISIBLE_BYTES;
        let (parts, stats) = ranges(Train::new(2 * long, Some(long)));
        assert_eq!(parts, [0..VISIBLE_BYTES, long..long + VISIBLE_BYTES]);
        assert_eq!(stats.receives_truncated, 2);
    }
}

//! Trains: runs of datagrams that cross the edge of the kernel as one message.
//!
//! All but the last are of equal length, which a control message tells: of 16
//! bits on the way out (`UDP_SEGMENT`, Linux 4.18), of 32 on the way in (`UDP_GRO`,
//! Linux 5.0). Read and written by the byte, since the kernel aligns it to
//! nothing where a ring brings it.

use std::mem::offset_of;
use std::ops::Range;

use libc::{c_int, cmsghdr};

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

const HEADER_BYTES: usize = size_of::<cmsghdr>();
const LENGTH_BYTES: usize = size_of::<usize>();
/// Room for a control message of a number: the header, and up to a word.
pub(super) const CONTROL_BYTES: usize = HEADER_BYTES + 8;

const _: () = assert!(HEADER_BYTES.is_multiple_of(align_of::<cmsghdr>()));
const _: () = assert!(size_of::<c_int>() == 4 && align_of::<cmsghdr>() <= align_of::<Control>());

/// A control message, or room for one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Control {
    bytes: [u8; CONTROL_BYTES],
}

impl Control {
    /// Room for the kernel to write a message into.
    pub(super) const ROOM: Self = Self { bytes: [0; CONTROL_BYTES] };

    /// What tells the kernel to part a message into datagrams of so many bytes.
    pub(super) fn segment(segment_bytes: u16) -> Self {
        let mut bytes = [0; CONTROL_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..][..field.len()].copy_from_slice(field);
        put(offset_of!(cmsghdr, cmsg_len), &(HEADER_BYTES + size_of::<u16>()).to_ne_bytes());
        put(offset_of!(cmsghdr, cmsg_level), &libc::SOL_UDP.to_ne_bytes());
        put(offset_of!(cmsghdr, cmsg_type), &libc::UDP_SEGMENT.to_ne_bytes());
        put(HEADER_BYTES, &segment_bytes.to_ne_bytes());
        Self { bytes }
    }

    /// All bytes that the kernel may have written.
    pub(super) const fn bytes(&self) -> &[u8; CONTROL_BYTES] {
        &self.bytes
    }

    /// Where the kernel reads or writes it.
    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.bytes.as_mut_ptr().cast()
    }
}

/// The length of the datagrams of a train, as a received control message tells;
/// none where there is no such message, so that what was received is one datagram.
pub(super) fn segment_bytes(control: &[u8]) -> Option<usize> {
    fn field<const N: usize>(control: &[u8], at: usize) -> Option<[u8; N]> {
        control.get(at..)?.first_chunk().copied()
    }
    let length =
        usize::from_ne_bytes(field::<LENGTH_BYTES>(control, offset_of!(cmsghdr, cmsg_len))?);
    let level = c_int::from_ne_bytes(field(control, offset_of!(cmsghdr, cmsg_level))?);
    let kind = c_int::from_ne_bytes(field(control, offset_of!(cmsghdr, cmsg_type))?);
    let number = c_int::from_ne_bytes(field(control, HEADER_BYTES)?);
    let tells = (level, kind) == (libc::SOL_UDP, libc::UDP_GRO)
        && length == HEADER_BYTES + size_of::<c_int>();
    usize::try_from(number).ok().filter(|bytes| tells && *bytes > 0)
}

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

    #[test]
    fn only_a_control_message_of_gro_tells_a_length() {
        let mut told = *Control::segment(0).bytes();
        told[..LENGTH_BYTES].copy_from_slice(&(HEADER_BYTES + 4).to_ne_bytes());
        told[offset_of!(cmsghdr, cmsg_type)..][..4].copy_from_slice(&libc::UDP_GRO.to_ne_bytes());
        assert_eq!(segment_bytes(&told), None, "of no bytes");
        told[HEADER_BYTES..][..4].copy_from_slice(&1200_i32.to_ne_bytes());
        assert_eq!(segment_bytes(&told), Some(1200));
        for length in 0..HEADER_BYTES + 4 {
            assert_eq!(segment_bytes(&told[..length]), None, "{length} bytes");
        }
        assert_eq!(segment_bytes(Control::segment(1200).bytes()), None, "another message");
    }
}

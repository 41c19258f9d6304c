//! The pieces of one value as they come in.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::id::{Id, KeyHasher};
use crate::limits::PIECE_BYTES_MAX;

/// Least that is hashed at once, but for the last bytes: a piece at a time costs more.
const HASHED_BYTES_MIN: usize = 16 << 10;

/// What is known of one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Missing,
    /// Asked of a holder.
    Asked,
    Here,
}

/// A value that is put together from pieces of [`PIECE_BYTES_MAX`], the last one shorter.
///
/// It is hashed as far as it is whole from its beginning, a bounded part at a time, so that no
/// large value stops the shard.
pub(super) struct Pieces {
    bytes: Arc<[u8]>,
    states: Vec<Piece>,
    here: usize,
    /// Before this piece none is missing.
    cursor: usize,
    /// Before this piece all are here.
    in_order: usize,
    hasher: KeyHasher,
    hashed_bytes: usize,
}

impl Pieces {
    /// None of `total` bytes.
    pub(super) fn new(total: usize) -> Self {
        Self {
            bytes: core::iter::repeat_n(0, total).collect(),
            states: vec![Piece::Missing; total.div_ceil(PIECE_BYTES_MAX)],
            here: 0,
            cursor: 0,
            in_order: 0,
            hasher: KeyHasher::default(),
            hashed_bytes: 0,
        }
    }

    pub(super) fn total(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that have come, but for the last piece's.
    pub(super) const fn bytes_here(&self) -> usize {
        self.here * PIECE_BYTES_MAX
    }

    /// Forgets all that has come.
    pub(super) fn clear(&mut self) {
        self.states.fill(Piece::Missing);
        (self.here, self.cursor, self.in_order, self.hashed_bytes) = (0, 0, 0, 0);
        self.hasher = KeyHasher::default();
    }

    /// The bytes of the pieces of `range` within the value.
    pub(super) fn byte_range(&self, range: &Range<usize>) -> Range<usize> {
        let end = (range.end * PIECE_BYTES_MAX).min(self.total());
        range.start * PIECE_BYTES_MAX..end
    }

    /// The piece that `bytes` at `offset` are, where they are just that.
    pub(super) fn at(&self, offset: usize, bytes: &[u8]) -> Option<usize> {
        let index = offset / PIECE_BYTES_MAX;
        let is_piece = index < self.states.len()
            && self.byte_range(&(index..index + 1)) == (offset..offset + bytes.len());
        is_piece.then_some(index)
    }

    /// Takes in a piece. Whether it is new.
    pub(super) fn take(&mut self, index: usize, bytes: &[u8]) -> bool {
        if self.states[index] == Piece::Here {
            return false;
        }
        self.states[index] = Piece::Here;
        self.here += 1;
        let range = self.byte_range(&(index..index + 1));
        let value = Arc::get_mut(&mut self.bytes).expect("it is shared once it is whole");
        value[range].copy_from_slice(bytes);
        while self.states.get(self.in_order) == Some(&Piece::Here) {
            self.in_order += 1;
        }
        true
    }

    /// Bytes from the beginning without a gap that are not hashed yet.
    fn unhashed(&self) -> Range<usize> {
        self.hashed_bytes..(self.in_order * PIECE_BYTES_MAX).min(self.total())
    }

    /// Whether there is enough to hash.
    pub(super) fn is_hashable(&self) -> bool {
        let bytes = self.unhashed().len();
        bytes >= HASHED_BYTES_MIN || bytes > 0 && self.is_whole()
    }

    /// Hashes at most so many bytes, and says how many it has hashed.
    pub(super) fn hash(&mut self, bytes_max: usize) -> usize {
        let mut range = self.unhashed();
        range.end = range.end.min(range.start + bytes_max);
        self.hasher.update(&self.bytes[range.clone()]);
        self.hashed_bytes = range.end;
        range.len()
    }

    /// A piece that was asked of a holder will not come.
    pub(super) fn lost(&mut self, index: usize) {
        if self.states[index] == Piece::Asked {
            self.states[index] = Piece::Missing;
            self.cursor = self.cursor.min(index);
        }
    }

    /// Whether a piece has not come.
    pub(super) fn is_awaited(&self, index: usize) -> bool {
        self.states[index] != Piece::Here
    }

    /// Notes that pieces are asked of a holder.
    pub(super) fn ask(&mut self, range: &Range<usize>) {
        for piece in &mut self.states[range.clone()] {
            if *piece == Piece::Missing {
                *piece = Piece::Asked;
            }
        }
    }

    /// The first pieces that are missing, next to each other, at most `count`.
    pub(super) fn next_missing(&mut self, count: usize) -> Option<Range<usize>> {
        let is_missing = |piece: &Piece| *piece == Piece::Missing;
        let Some(skipped) = self.states[self.cursor..].iter().position(is_missing) else {
            self.cursor = self.states.len();
            return None;
        };
        self.cursor += skipped;
        let run = self.states[self.cursor..].iter().take(count).take_while(|one| is_missing(one));
        Some(self.cursor..self.cursor + run.count())
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.here == self.states.len()
    }

    /// The key of the value, once it is whole and hashed.
    pub(super) fn key(&self) -> Option<Id> {
        let is_hashed = self.is_whole() && self.hashed_bytes == self.total();
        is_hashed.then(|| self.hasher.clone().finish())
    }

    /// The value.
    pub(super) fn into_bytes(self) -> Arc<[u8]> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_whole_when_its_pieces_have_come_in_any_order_and_twice() {
        let value: Vec<u8> = (0..5 * PIECE_BYTES_MAX + 7).map(|n| (n / 251) as u8).collect();
        let mut pieces = Pieces::new(value.len());
        for index in [3, 0, 5, 3, 1, 4, 2] {
            assert!(!pieces.is_whole());
            let bytes = &value[pieces.byte_range(&(index..index + 1))];
            assert_eq!(pieces.at(index * PIECE_BYTES_MAX, bytes), Some(index));
            pieces.take(index, bytes);
        }
        assert!(pieces.is_whole());
        assert_eq!(pieces.key(), None, "not hashed yet");
        while pieces.is_hashable() {
            assert!((1..=1000).contains(&pieces.hash(1000)));
        }
        assert_eq!(pieces.key(), Some(Id::of_value(&value)));
        assert_eq!(pieces.into_bytes()[..], value[..]);
    }

    #[test]
    fn only_bytes_that_are_just_one_piece_are_taken() {
        let pieces = Pieces::new(2 * PIECE_BYTES_MAX + 3);
        let full = [0; PIECE_BYTES_MAX];
        assert_eq!(pieces.at(PIECE_BYTES_MAX, &full), Some(1));
        assert_eq!(pieces.at(2 * PIECE_BYTES_MAX, &full[..3]), Some(2));
        assert_eq!(pieces.at(2 * PIECE_BYTES_MAX, &full), None);
        assert_eq!(pieces.at(1, &full), None);
        assert_eq!(pieces.at(0, &full[..3]), None);
        assert_eq!(pieces.at(3 * PIECE_BYTES_MAX, &[]), None);
        assert_eq!(pieces.at(u32::MAX as usize, &full), None);
    }

    #[test]
    fn what_is_lost_is_missing_again_and_asked_for_first() {
        let mut pieces = Pieces::new(10 * PIECE_BYTES_MAX);
        let first = pieces.next_missing(4).expect("all are missing");
        assert_eq!(first, 0..4);
        pieces.ask(&first);
        assert_eq!(pieces.next_missing(99), Some(4..10));
        pieces.ask(&(4..10));
        assert_eq!(pieces.next_missing(1), None);
        pieces.take(2, &[1; PIECE_BYTES_MAX]);
        pieces.lost(1);
        pieces.lost(2);
        pieces.lost(3);
        assert_eq!(pieces.next_missing(9), Some(1..2), "the second has come");
        pieces.ask(&(1..2));
        assert_eq!(pieces.next_missing(9), Some(3..4));
    }
}

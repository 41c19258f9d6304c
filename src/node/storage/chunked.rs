//! A vector in chunks: it grows and shrinks without moving what it holds, so that no push
//! takes long, and little of what it has reserved is unused.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::ops::{Index, IndexMut};

/// Items of a chunk.
const CHUNK: usize = 256;

/// Room that a vector of few items keeps when it shrinks.
const ROOM_MIN: usize = 8;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Chunked<T> {
    full: Vec<Box<[T; CHUNK]>>,
    last: Vec<T>,
}

impl<T> Chunked<T> {
    pub(super) const fn new() -> Self {
        Self { full: Vec::new(), last: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.full.len() * CHUNK + self.last.len()
    }

    pub(super) fn push(&mut self, item: T) {
        if self.last.len() == CHUNK {
            let chunk = mem::replace(&mut self.last, Vec::with_capacity(CHUNK));
            let chunk = chunk.try_into().ok().expect("a chunk that has all its items");
            self.full.push(chunk);
        }
        self.last.push(item);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        if self.last.is_empty() {
            let chunk: Box<[T]> = self.full.pop()?;
            self.last = chunk.into_vec();
        }
        let item = self.last.pop();
        let (used, room) = (self.last.len(), self.last.capacity());
        if self.full.is_empty() && used * 4 <= room && room > ROOM_MIN {
            self.last.shrink_to((used * 2).max(ROOM_MIN));
        }
        item
    }

    pub(super) fn swap(&mut self, one: usize, other: usize) {
        let (low, high) = (one.min(other), one.max(other));
        let (low_chunk, high_chunk) = (low / CHUNK, high / CHUNK);
        if low_chunk == high_chunk {
            self.chunk_mut(low_chunk).swap(low % CHUNK, high % CHUNK);
            return;
        }
        let full = self.full.len();
        let (below, above) = self.full.split_at_mut(high_chunk.min(full));
        let high_chunk = above.first_mut().map_or(&mut self.last[..], |chunk| &mut chunk[..]);
        mem::swap(&mut below[low_chunk][low % CHUNK], &mut high_chunk[high % CHUNK]);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.full.iter().flat_map(|chunk| chunk.iter()).chain(&self.last)
    }

    fn chunk_mut(&mut self, chunk: usize) -> &mut [T] {
        match self.full.get_mut(chunk) {
            Some(chunk) => &mut chunk[..],
            None => &mut self.last,
        }
    }
}

impl<T> Index<usize> for Chunked<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        match self.full.get(index / CHUNK) {
            Some(chunk) => &chunk[index % CHUNK],
            None => &self.last[index - self.full.len() * CHUNK],
        }
    }
}

impl<T> IndexMut<usize> for Chunked<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        let before = self.full.len() * CHUNK;
        match self.full.get_mut(index / CHUNK) {
            Some(chunk) => &mut chunk[index % CHUNK],
            None => &mut self.last[index - before],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn it_behaves_like_a_vector(
            acts in proptest::collection::vec((0..4_u8, 0..400_usize, 0..10_000_usize), 1..40),
        ) {
            let (mut chunked, mut model) = (Chunked::new(), Vec::new());
            for (act, count, number) in acts {
                for number in number..number + count {
                    match act {
                        0 | 1 => {
                            chunked.push(number);
                            model.push(number);
                        }
                        2 => assert_eq!(chunked.pop(), model.pop()),
                        _ if model.is_empty() => {}
                        _ => {
                            let (one, other) = (number % model.len(), number * 7 % model.len());
                            chunked.swap(one, other);
                            model.swap(one, other);
                            chunked[one] += 1;
                            model[one] += 1;
                        }
                    }
                }
                assert_eq!(chunked.len(), model.len());
                assert!(chunked.iter().eq(&model));
                assert!((0..model.len()).all(|index| chunked[index] == model[index]));
            }
        }
    }

    #[test]
    fn what_it_has_reserved_follows_what_it_holds() {
        let mut chunked = Chunked::new();
        (0..10 * CHUNK).for_each(|number| chunked.push(number));
        (0..10 * CHUNK - 3).for_each(|_| _ = chunked.pop());
        assert_eq!((chunked.len(), chunked.full.len()), (3, 0));
        assert!(chunked.last.capacity() <= 2 * ROOM_MIN, "{}", chunked.last.capacity());
    }
}

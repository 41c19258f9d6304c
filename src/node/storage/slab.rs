//! Items in one piece of memory, without gaps, named by where they lie.

use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};

use super::chunked::Chunked;

/// Where an item of a [`Slab`] lies.
pub(super) struct Slot<T> {
    /// One more than the index, so that an `Option` of it takes no more bytes.
    number: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Slot<T> {
    pub(super) fn new(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self { number: number.expect("a slab holds fewer than 2^32 items"), of: PhantomData }
    }

    pub(super) const fn index(self) -> usize {
        self.number.get() as usize - 1
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Slot<T> {}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.index(), f)
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Slab<T>(Chunked<T>);

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self(Chunked::new())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, item: T) -> Slot<T> {
        let slot = Slot::new(self.0.len());
        self.0.push(item);
        slot
    }

    /// Takes the last item away.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Exchanges two items: each is named by the other's slot from then on.
    pub(super) fn swap(&mut self, one: Slot<T>, other: Slot<T>) {
        self.0.swap(one.index(), other.index());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Index<Slot<T>> for Slab<T> {
    type Output = T;

    fn index(&self, slot: Slot<T>) -> &T {
        &self.0[slot.index()]
    }
}

impl<T> IndexMut<Slot<T>> for Slab<T> {
    fn index_mut(&mut self, slot: Slot<T>) -> &mut T {
        &mut self.0[slot.index()]
    }
}

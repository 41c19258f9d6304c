//! An order of some items of a slab, of which the first is known at once. An item knows its
//! place, so that any of them is taken out or put elsewhere in O(log n), without allocation.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::chunked::Chunked;
use super::slab::{Slab, Slot};

/// Children of a place. With four, half as many items are moved as with two.
const CHILDREN: usize = 4;

/// Where an item is in a [`Heap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(u32);

/// What a heap orders by, and where its items keep their place in it.
pub(super) trait Order<T> {
    fn is_before(one: &T, other: &T) -> bool;
    fn place(item: &mut T) -> &mut Place;
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Heap<T, O> {
    slots: Chunked<Slot<T>>,
    order: PhantomData<fn() -> O>,
}

impl<T, O: Order<T>> Heap<T, O> {
    pub(super) const fn new() -> Self {
        Self { slots: Chunked::new(), order: PhantomData }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn first(&self) -> Option<Slot<T>> {
        (self.slots.len() > 0).then(|| self.slots[0])
    }

    /// The items, the first one first, the others in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Slot<T>> {
        self.slots.iter().copied()
    }

    /// How many items `is_first` holds for, which holds for none behind one that it does not
    /// hold for. Looks at them and at those right below them alone.
    pub(super) fn count_first(&self, slab: &Slab<T>, is_first: impl Fn(&T) -> bool) -> usize {
        let (mut count, mut at) = (0, Vec::from([0]));
        while let Some(index) = at.pop() {
            if index < self.slots.len() && is_first(&slab[self.slots[index]]) {
                count += 1;
                at.extend(index * CHILDREN + 1..=index * CHILDREN + CHILDREN);
            }
        }
        count
    }

    pub(super) fn insert(&mut self, slab: &mut Slab<T>, slot: Slot<T>) {
        self.slots.push(slot);
        self.settle(slab, self.slots.len() - 1, slot);
    }

    pub(super) fn remove(&mut self, slab: &mut Slab<T>, slot: Slot<T>) {
        let index = Self::index_of(slab, slot);
        let last = self.slots.pop().expect("an item of this heap");
        if last != slot {
            self.settle(slab, index, last);
        }
    }

    /// Puts an item where it belongs that was changed.
    pub(super) fn changed(&mut self, slab: &mut Slab<T>, slot: Slot<T>) {
        let index = Self::index_of(slab, slot);
        self.settle(slab, index, slot);
    }

    /// Notes the slot of an item that was moved.
    pub(super) fn moved(&mut self, slab: &mut Slab<T>, to: Slot<T>) {
        self.slots[Self::index_of(slab, to)] = to;
    }

    fn index_of(slab: &mut Slab<T>, slot: Slot<T>) -> usize {
        O::place(&mut slab[slot]).0 as usize
    }

    /// Puts an item where it belongs; the one at `index` may be overwritten.
    fn settle(&mut self, slab: &mut Slab<T>, mut index: usize, slot: Slot<T>) {
        while index > 0 {
            let parent = (index - 1) / CHILDREN;
            let above = self.slots[parent];
            if !O::is_before(&slab[slot], &slab[above]) {
                break;
            }
            self.put(slab, index, above);
            index = parent;
        }
        while let Some((child, below)) = self.first_child(slab, index)
            && O::is_before(&slab[below], &slab[slot])
        {
            self.put(slab, index, below);
            index = child;
        }
        self.put(slab, index, slot);
    }

    fn first_child(&self, slab: &Slab<T>, index: usize) -> Option<(usize, Slot<T>)> {
        let first = index * CHILDREN + 1;
        let children = first..(first + CHILDREN).min(self.slots.len());
        let children = children.map(|child| (child, self.slots[child]));
        children.reduce(
            |least, child| {
                if O::is_before(&slab[child.1], &slab[least.1]) { child } else { least }
            },
        )
    }

    fn put(&mut self, slab: &mut Slab<T>, index: usize, slot: Slot<T>) {
        self.slots[index] = slot;
        *O::place(&mut slab[slot]) = Place(index as u32);
    }
}

#[cfg(test)]
impl<T, O: Order<T>> Heap<T, O> {
    /// Checks that none is before the one above it, and that each knows its place.
    pub(super) fn assert_ordered(&self, slab: &mut Slab<T>) {
        for index in 0..self.slots.len() {
            let slot = self.slots[index];
            assert_eq!(Self::index_of(slab, slot), index);
            let above = self.slots[index.saturating_sub(1) / CHILDREN];
            assert!(!O::is_before(&slab[slot], &slab[above]));
        }
    }
}

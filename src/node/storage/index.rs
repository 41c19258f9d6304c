//! Finds the items of a slab by their keys.
//!
//! A hash table with chains that lie in the items. It grows by one bucket at a time (linear
//! hashing, Litwin 1980): a table that doubles takes every item in hand again, which for a
//! million items takes a tenth of a second.

use core::hash::{BuildHasher, Hash};

use super::chunked::Chunked;
use super::keyed::Keyed;
use super::slab::{Slab, Slot};

/// An item that is found by its key.
pub(super) trait Keep: Sized {
    type Key: Hash + Eq + Copy;

    fn key(&self) -> Self::Key;
    /// The next of its chain.
    fn next(&self) -> Option<Slot<Self>>;
    fn next_mut(&mut self) -> &mut Option<Slot<Self>>;
}

/// See the [module](self).
pub(super) struct Index<T> {
    hash: Keyed,
    /// The first of each chain.
    heads: Chunked<Option<Slot<T>>>,
    len: usize,
}

impl<T: Keep> Index<T> {
    pub(super) const fn new(hash: Keyed) -> Self {
        Self { hash, heads: Chunked::new(), len: 0 }
    }

    pub(super) fn find(&self, slab: &Slab<T>, key: T::Key) -> Option<Slot<T>> {
        if self.len == 0 {
            return None;
        }
        let mut next = self.heads[self.bucket(key)];
        while let Some(slot) = next {
            let item = &slab[slot];
            if item.key() == key {
                break;
            }
            next = item.next();
        }
        next
    }

    pub(super) fn insert(&mut self, slab: &mut Slab<T>, slot: Slot<T>) {
        self.len += 1;
        if self.heads.len() < self.len {
            self.grow(slab);
        }
        self.link(slab, slot);
    }

    pub(super) fn remove(&mut self, slab: &mut Slab<T>, slot: Slot<T>) {
        let next = slab[slot].next_mut().take();
        *self.pointer(slab, slab[slot].key(), slot) = next;
        self.len -= 1;
        while self.heads.len() > 2 * self.len {
            self.shrink(slab);
        }
    }

    /// Notes the slot of an item that was moved.
    pub(super) fn moved(&mut self, slab: &mut Slab<T>, from: Slot<T>, to: Slot<T>) {
        *self.pointer(slab, slab[to].key(), from) = Some(to);
    }

    /// The chain of a key. With the last bucket at `n`, below a power of two, those above
    /// it are not split off yet from the ones half as far.
    fn bucket(&self, key: T::Key) -> usize {
        let buckets = self.heads.len();
        let mask = buckets.next_power_of_two() - 1;
        let bucket = self.hash.hash_one(key) as usize & mask;
        if bucket < buckets { bucket } else { bucket & (mask >> 1) }
    }

    fn link(&mut self, slab: &mut Slab<T>, slot: Slot<T>) {
        let bucket = self.bucket(slab[slot].key());
        *slab[slot].next_mut() = self.heads[bucket].replace(slot);
    }

    /// What points to `slot` in the chain of a key.
    fn pointer<'a>(
        &'a mut self,
        slab: &'a mut Slab<T>,
        key: T::Key,
        slot: Slot<T>,
    ) -> &'a mut Option<Slot<T>> {
        let bucket = self.bucket(key);
        let (mut before, mut at) = (None, self.heads[bucket]);
        while at != Some(slot) {
            before = at;
            at = slab[at.expect("an item of this index")].next();
        }
        match before {
            None => &mut self.heads[bucket],
            Some(before) => slab[before].next_mut(),
        }
    }

    /// Adds a bucket, and splits the one that it comes from.
    fn grow(&mut self, slab: &mut Slab<T>) {
        self.heads.push(None);
        let added = self.heads.len() - 1;
        if added > 0 {
            self.link_again(slab, Self::origin(added));
        }
    }

    /// Takes the last bucket away.
    fn shrink(&mut self, slab: &mut Slab<T>) {
        let chain = self.heads.pop().flatten();
        self.link_chain(slab, chain);
    }

    fn link_again(&mut self, slab: &mut Slab<T>, bucket: usize) {
        let chain = self.heads[bucket].take();
        self.link_chain(slab, chain);
    }

    fn link_chain(&mut self, slab: &mut Slab<T>, mut chain: Option<Slot<T>>) {
        while let Some(slot) = chain {
            chain = slab[slot].next();
            self.link(slab, slot);
        }
    }

    /// The bucket that a bucket is split from: without its highest bit.
    const fn origin(bucket: usize) -> usize {
        bucket & !(1 << bucket.ilog2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::rng::Rng;

    struct Item {
        key: Id,
        next: Option<Slot<Self>>,
    }

    impl Keep for Item {
        type Key = Id;

        fn key(&self) -> Id {
            self.key
        }

        fn next(&self) -> Option<Slot<Self>> {
            self.next
        }

        fn next_mut(&mut self) -> &mut Option<Slot<Self>> {
            &mut self.next
        }
    }

    #[test]
    fn each_item_is_found_while_the_table_grows_and_shrinks() {
        let mut rng = Rng::from_u64(1);
        let mut index = Index::new(Keyed::new([7; 16]));
        let mut slab = Slab::new();
        for most in [3000, 10, 700, 0, 5] {
            while slab.len() < most {
                let slot = slab.push(Item { key: rng.id(), next: None });
                index.insert(&mut slab, slot);
            }
            while slab.len() > most {
                let slot = Slot::new(rng.below(slab.len() as u64) as usize);
                let (key, last) = (slab[slot].key, Slot::new(slab.len() - 1));
                index.remove(&mut slab, slot);
                if slot != last {
                    slab.swap(slot, last);
                    index.moved(&mut slab, last, slot);
                }
                slab.pop();
                assert_eq!(index.find(&slab, key), None);
            }
            for number in 0..slab.len() {
                let slot = Slot::new(number);
                assert_eq!(index.find(&slab, slab[slot].key), Some(slot));
            }
            assert_eq!(index.find(&slab, rng.id()), None);
            assert!((most..=2 * most).contains(&index.heads.len()), "{}", index.heads.len());
        }
    }
}

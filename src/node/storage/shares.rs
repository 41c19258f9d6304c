//! What each source has stored, and which has stored the most.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::chunked::Chunked;
use super::heap::{Heap, Order, Place};
use super::held::{ByEviction, Held};
use super::index::{Index, Keep};
use super::keyed_map::Keyed;
use super::slab::{Slab, Slot};
use super::source::Source;

/// Names a share as long as it is there, wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShareNumber(u32);

/// What one source has stored.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) source: Source,
    pub(super) bytes: usize,
    number: ShareNumber,
    next: Option<Slot<Self>>,
    place: Place,
    evictions: Heap<Held, ByEviction>,
}

impl Share {
    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.evictions.len()
    }

    /// The value that is evicted first.
    pub(super) fn first(&self) -> Option<Slot<Held>> {
        self.evictions.first()
    }
}

impl Keep for Share {
    type Key = Source;

    fn key(&self) -> Source {
        self.source
    }

    fn next(&self) -> Option<Slot<Self>> {
        self.next
    }

    fn next_mut(&mut self) -> &mut Option<Slot<Self>> {
        &mut self.next
    }
}

/// The share first that weighs the most.
#[derive(Debug)]
struct ByWeight;

impl Order<Share> for ByWeight {
    fn is_before(one: &Share, other: &Share) -> bool {
        (one.bytes, one.source) > (other.bytes, other.source)
    }

    fn place(share: &mut Share) -> &mut Place {
        &mut share.place
    }
}

/// What a [`ShareNumber`] names.
#[derive(Debug)]
enum Numbered {
    Share(Slot<Share>),
    /// Nothing; with the next such number.
    Free(Option<ShareNumber>),
}

/// See the [module](self).
pub(super) struct Shares {
    slab: Slab<Share>,
    sources: Index<Share>,
    heaviest: Heap<Share, ByWeight>,
    /// Where the shares are: a value names its share by number, so that one that moves
    /// changes nothing in its values.
    numbers: Chunked<Numbered>,
    free: Option<ShareNumber>,
}

impl Shares {
    pub(super) fn new(hash: Keyed) -> Self {
        Self {
            slab: Slab::new(),
            sources: Index::new(hash),
            heaviest: Heap::new(),
            numbers: Chunked::new(),
            free: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn of(&self, source: Source) -> Option<&Share> {
        self.sources.find(&self.slab, source).map(|slot| &self.slab[slot])
    }

    pub(super) fn heaviest(&self) -> Option<&Share> {
        self.heaviest.first().map(|slot| &self.slab[slot])
    }

    /// The heaviest shares, in their order.
    pub(super) fn largest(&self, count: usize) -> Vec<&Share> {
        let mut shares: Vec<&Share> = self.slab.iter().collect();
        let key = |share: &&Share| Reverse((share.bytes, share.source));
        if shares.len() > count {
            shares.select_nth_unstable_by_key(count, key);
            shares.truncate(count);
        }
        shares.sort_unstable_by_key(key);
        shares
    }

    pub(super) fn source(&self, number: ShareNumber) -> Source {
        self.slab[self.slot(number)].source
    }

    /// The share of a source, which is new where it has none.
    pub(super) fn open(&mut self, source: Source) -> ShareNumber {
        if let Some(slot) = self.sources.find(&self.slab, source) {
            return self.slab[slot].number;
        }
        let number = self.free.unwrap_or(ShareNumber(self.numbers.len() as u32));
        let slot = self.slab.push(Share {
            source,
            bytes: 0,
            number,
            next: None,
            place: Place::default(),
            evictions: Heap::new(),
        });
        if self.free.is_none() {
            self.numbers.push(Numbered::Share(slot));
        } else {
            let free = core::mem::replace(self.numbered(number), Numbered::Share(slot));
            self.free = match free {
                Numbered::Free(next) => next,
                Numbered::Share(_) => unreachable!("a free number names no share"),
            };
        }
        self.sources.insert(&mut self.slab, slot);
        self.heaviest.insert(&mut self.slab, slot);
        number
    }

    /// Drops a share that has no values any more.
    pub(super) fn close_if_empty(&mut self, number: ShareNumber) {
        let Numbered::Share(slot) = *self.numbered(number) else { return };
        if self.slab[slot].len() > 0 {
            return;
        }
        self.sources.remove(&mut self.slab, slot);
        self.heaviest.remove(&mut self.slab, slot);
        *self.numbered(number) = Numbered::Free(self.free.replace(number));
        let last = Slot::new(self.slab.len() - 1);
        if slot != last {
            self.slab.swap(slot, last);
            self.sources.moved(&mut self.slab, last, slot);
            self.heaviest.moved(&mut self.slab, slot);
            let moved = self.slab[slot].number;
            *self.numbered(moved) = Numbered::Share(slot);
        }
        self.slab.pop();
    }

    /// Counts a value in its share.
    pub(super) fn add(&mut self, values: &mut Slab<Held>, value: Slot<Held>) {
        let (slot, weight) = (self.slot(values[value].share), values[value].weight());
        let share = &mut self.slab[slot];
        share.bytes += weight;
        share.evictions.insert(values, value);
        self.heaviest.changed(&mut self.slab, slot);
    }

    /// Counts a value in its share no longer. The share stays, if need be without values.
    pub(super) fn take(&mut self, values: &mut Slab<Held>, value: Slot<Held>) {
        let (slot, weight) = (self.slot(values[value].share), values[value].weight());
        let share = &mut self.slab[slot];
        share.bytes -= weight;
        share.evictions.remove(values, value);
        self.heaviest.changed(&mut self.slab, slot);
    }

    /// Notes that a value lives longer, or is for something else.
    pub(super) fn changed(&mut self, values: &mut Slab<Held>, value: Slot<Held>) {
        let slot = self.slot(values[value].share);
        self.slab[slot].evictions.changed(values, value);
    }

    /// Notes the slot of a value that was moved.
    pub(super) fn moved(&mut self, values: &mut Slab<Held>, to: Slot<Held>) {
        let slot = self.slot(values[to].share);
        self.slab[slot].evictions.moved(values, to);
    }

    fn slot(&self, number: ShareNumber) -> Slot<Share> {
        match self.numbers[number.0 as usize] {
            Numbered::Share(slot) => slot,
            Numbered::Free(_) => unreachable!("a value has a share"),
        }
    }

    fn numbered(&mut self, number: ShareNumber) -> &mut Numbered {
        &mut self.numbers[number.0 as usize]
    }
}

#[cfg(test)]
impl Shares {
    /// Counts everything anew and compares.
    pub(super) fn assert_consistent(&mut self, values: &mut Slab<Held>) {
        self.heaviest.assert_ordered(&mut self.slab);
        assert_eq!(self.heaviest.len(), self.slab.len());
        for index in 0..self.slab.len() {
            let slot = Slot::new(index);
            let share = &self.slab[slot];
            let of = || values.iter().filter(|held| held.share == share.number);
            assert_eq!(share.bytes, of().map(Held::weight).sum::<usize>());
            assert!(share.len() > 0 && share.len() == of().count());
            assert_eq!(self.slot(share.number), slot);
            assert_eq!(self.sources.find(&self.slab, share.source), Some(slot));
            share.evictions.assert_ordered(values);
        }
    }
}

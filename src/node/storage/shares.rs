//! Which source has stored the most: of the subnets first, then of the sources in one. What
//! yields is counted apart from what stays.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::hash::BuildHasher;
use core::mem;

use super::chunked::Chunked;
use super::heap::{Heap, Place};
use super::held::{Eviction, Held, Rank};
use super::index::Index;
use super::keyed::Keyed;
use super::share::{ByWeight, Group, GroupKey, Owner, Share, ShareNumber};
use super::slab::{Slab, Slot};
use crate::limits::{SOURCE_OVERHEAD_BYTES, SUBNET_OVERHEAD_BYTES};

/// What a [`ShareNumber`] names.
#[derive(Debug)]
enum Numbered {
    Share(Slot<Share>),
    /// Nothing; with the next such number.
    Free(Option<ShareNumber>),
}

/// A value that is to be counted in a share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) owner: Owner,
    pub(super) weight: usize,
    pub(super) eviction: Eviction,
}

impl Newcomer {
    /// What it would weigh if there were no other.
    pub(super) const fn weight_alone(&self) -> usize {
        self.weight + SOURCE_OVERHEAD_BYTES + SUBNET_OVERHEAD_BYTES
    }
}

/// What a share, its group, and all together would weigh with a value more.
struct With {
    share: usize,
    group: usize,
    all: usize,
}

/// See the [module](self).
pub(super) struct Shares {
    hash: Keyed,
    slab: Slab<Share>,
    owners: Index<Share>,
    groups: Slab<Group>,
    subnets: Index<Group>,
    /// Of each rank.
    heaviest: [Heap<Group, ByWeight>; Rank::COUNT],
    bytes: [usize; Rank::COUNT],
    /// Where the shares are: a value names its share by number, so that one that moves
    /// changes nothing in its values.
    numbers: Chunked<Numbered>,
    free: Option<ShareNumber>,
}

impl Shares {
    pub(super) fn new(hash: Keyed) -> Self {
        Self {
            slab: Slab::new(),
            owners: Index::new(hash.clone()),
            groups: Slab::new(),
            subnets: Index::new(hash.clone()),
            heaviest: [Heap::new(), Heap::new()],
            bytes: [0; Rank::COUNT],
            numbers: Chunked::new(),
            free: None,
            hash,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// What all values weigh, with what it takes to know their sources.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.iter().sum()
    }

    /// The heaviest shares, in their order.
    pub(super) fn largest(&self, count: usize) -> Vec<&Share> {
        let mut shares: Vec<&Share> = self.slab.iter().collect();
        let key = |share: &&Share| Reverse((share.bytes, share.tie));
        if shares.len() > count {
            shares.select_nth_unstable_by_key(count, key);
            shares.truncate(count);
        }
        shares.sort_unstable_by_key(key);
        shares
    }

    pub(super) fn owner(&self, number: ShareNumber) -> Owner {
        self.slab[self.slot(number)].owner
    }

    /// What all would weigh with a value more.
    pub(super) fn bytes_with(&self, newcomer: &Newcomer) -> usize {
        self.with(newcomer).all
    }

    /// The value that makes way for a new one: one that yields, where there is any, and else,
    /// for a new one that stays, one that stays. The heaviest source of the heaviest subnet
    /// pays. A new value by which its own subnet or source would be the heaviest makes those
    /// pay: one large value must not push out many small ones of others.
    pub(super) fn victim(&self, values: &Slab<Held>, new: &Newcomer) -> Option<Slot<Held>> {
        let rank = self.lowest_rank();
        let heaviest = self.heaviest_group(rank)?;
        if new.owner.rank < rank {
            return None;
        }
        let with = self.with(new);
        if new.owner.rank > rank || with.group <= heaviest.bytes {
            return self.heaviest_share(heaviest)?.first();
        }
        let heaviest = self.heaviest_share(self.group(new.owner)?)?;
        if with.share <= heaviest.bytes {
            return heaviest.first();
        }
        let first = self.share(new.owner)?.first()?;
        (values[first].eviction() < new.eviction).then_some(first)
    }

    /// Whether room may be found for a new value, where all may weigh `bytes_max`.
    pub(super) fn may_hold(&self, new: &Newcomer, bytes_max: usize) -> bool {
        let with = self.with(new);
        let yields = match new.owner.rank {
            Rank::Yields => 0,
            Rank::Stays => self.bytes[Rank::Yields as usize],
        };
        let own = self.group(new.owner).map_or(0, |group| group.bytes);
        let heaviest = self.heaviest_group(new.owner.rank).map_or(0, |group| group.bytes);
        with.all - yields - own <= bytes_max || new.weight_alone() <= heaviest
    }

    /// The rank that makes way next.
    fn lowest_rank(&self) -> Rank {
        let yields = self.bytes[Rank::Yields as usize] > 0;
        if yields { Rank::Yields } else { Rank::Stays }
    }

    fn share(&self, owner: Owner) -> Option<&Share> {
        self.owners.find(&self.slab, owner).map(|slot| &self.slab[slot])
    }

    fn group(&self, owner: Owner) -> Option<&Group> {
        self.subnets.find(&self.groups, owner.group()).map(|slot| &self.groups[slot])
    }

    fn heaviest_group(&self, rank: Rank) -> Option<&Group> {
        self.heaviest[rank as usize].first().map(|slot| &self.groups[slot])
    }

    fn heaviest_share(&self, group: &Group) -> Option<&Share> {
        group.shares.first().map(|slot| &self.slab[slot])
    }

    fn with(&self, new: &Newcomer) -> With {
        let share = self.share(new.owner).map_or(0, |share| share.bytes);
        let group = self.group(new.owner).map_or(0, |group| group.bytes);
        let share_with = loaded(share, 0, new.weight, SOURCE_OVERHEAD_BYTES);
        let group_with = loaded(group, share, share_with, SUBNET_OVERHEAD_BYTES);
        With { share: share_with, group: group_with, all: self.bytes() - group + group_with }
    }

    /// The share of an owner, which is new where it has none.
    pub(super) fn open(&mut self, owner: Owner) -> ShareNumber {
        if let Some(share) = self.share(owner) {
            return share.number;
        }
        let group = self.open_group(owner.group());
        let number = self.free.unwrap_or(ShareNumber(self.numbers.len() as u32));
        let slot = self.slab.push(Share {
            owner,
            bytes: 0,
            number,
            tie: self.hash.hash_one(owner) as u32,
            next: None,
            place: Place::default(),
            evictions: Heap::new(),
        });
        if self.free.is_none() {
            self.numbers.push(Numbered::Share(slot));
        } else {
            let free = mem::replace(self.numbered(number), Numbered::Share(slot));
            self.free = match free {
                Numbered::Free(next) => next,
                Numbered::Share(_) => unreachable!("a free number names no share"),
            };
        }
        self.owners.insert(&mut self.slab, slot);
        self.groups[group].shares.insert(&mut self.slab, slot);
        number
    }

    fn open_group(&mut self, key: GroupKey) -> Slot<Group> {
        if let Some(slot) = self.subnets.find(&self.groups, key) {
            return slot;
        }
        let slot = self.groups.push(Group {
            key,
            bytes: 0,
            tie: self.hash.hash_one(key) as u32,
            next: None,
            place: Place::default(),
            shares: Heap::new(),
        });
        self.subnets.insert(&mut self.groups, slot);
        self.heaviest[key.rank as usize].insert(&mut self.groups, slot);
        slot
    }

    /// Drops a share that has no values any more.
    pub(super) fn close_if_empty(&mut self, number: ShareNumber) {
        let Numbered::Share(slot) = *self.numbered(number) else { return };
        if self.slab[slot].len() > 0 {
            return;
        }
        let group = self.group_slot(slot);
        self.groups[group].shares.remove(&mut self.slab, slot);
        if self.groups[group].shares.len() == 0 {
            self.close_group(group);
        }
        self.owners.remove(&mut self.slab, slot);
        *self.numbered(number) = Numbered::Free(self.free.replace(number));
        let last = Slot::new(self.slab.len() - 1);
        if slot != last {
            self.slab.swap(slot, last);
            self.owners.moved(&mut self.slab, last, slot);
            let group = self.group_slot(slot);
            self.groups[group].shares.moved(&mut self.slab, slot);
            let moved = self.slab[slot].number;
            *self.numbered(moved) = Numbered::Share(slot);
        }
        self.slab.pop();
    }

    fn close_group(&mut self, slot: Slot<Group>) {
        let rank = self.groups[slot].key.rank;
        self.heaviest[rank as usize].remove(&mut self.groups, slot);
        self.subnets.remove(&mut self.groups, slot);
        let last = Slot::new(self.groups.len() - 1);
        if slot != last {
            self.groups.swap(slot, last);
            self.subnets.moved(&mut self.groups, last, slot);
            let rank = self.groups[slot].key.rank;
            self.heaviest[rank as usize].moved(&mut self.groups, slot);
        }
        self.groups.pop();
    }

    /// Counts a value in its share.
    pub(super) fn add(&mut self, values: &mut Slab<Held>, value: Slot<Held>) {
        let (slot, weight) = (self.slot(values[value].share), values[value].weight());
        let share = &mut self.slab[slot];
        share.evictions.insert(values, value);
        let bytes = loaded(share.bytes, 0, weight, SOURCE_OVERHEAD_BYTES);
        self.weigh(slot, bytes);
    }

    /// Counts a value in its share no longer. The share stays, if need be without values.
    pub(super) fn take(&mut self, values: &mut Slab<Held>, value: Slot<Held>) {
        let (slot, weight) = (self.slot(values[value].share), values[value].weight());
        let share = &mut self.slab[slot];
        share.evictions.remove(values, value);
        let bytes = loaded(share.bytes, weight, 0, SOURCE_OVERHEAD_BYTES);
        self.weigh(slot, bytes);
    }

    /// Notes what a share weighs now.
    fn weigh(&mut self, slot: Slot<Share>, bytes: usize) {
        let group_slot = self.group_slot(slot);
        let before = mem::replace(&mut self.slab[slot].bytes, bytes);
        let group = &mut self.groups[group_slot];
        group.shares.changed(&mut self.slab, slot);
        let rank = group.key.rank as usize;
        self.bytes[rank] -= group.bytes;
        group.bytes = loaded(group.bytes, before, bytes, SUBNET_OVERHEAD_BYTES);
        self.bytes[rank] += group.bytes;
        self.heaviest[rank].changed(&mut self.groups, group_slot);
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

    fn group_slot(&self, share: Slot<Share>) -> Slot<Group> {
        let key = self.slab[share].owner.group();
        self.subnets.find(&self.groups, key).expect("a share has a group")
    }

    fn numbered(&mut self, number: ShareNumber) -> &mut Numbered {
        &mut self.numbers[number.0 as usize]
    }
}

/// What weighs `bytes`, `overhead` included, when of its parts one of weight `before` has
/// another weight: nothing, where none is left.
const fn loaded(bytes: usize, before: usize, after: usize, overhead: usize) -> usize {
    let parts = bytes.saturating_sub(overhead) + after - before;
    if parts == 0 { 0 } else { parts + overhead }
}

#[cfg(test)]
impl Shares {
    /// What says which of two sources that weigh the same is the heavier.
    pub(super) fn tie_of_share(&self, owner: Owner) -> u32 {
        self.hash.hash_one(owner) as u32
    }

    pub(super) fn tie_of_group(&self, owner: Owner) -> u32 {
        self.hash.hash_one(owner.group()) as u32
    }

    /// Counts everything anew and compares.
    pub(super) fn assert_consistent(&mut self, values: &mut Slab<Held>) {
        for index in 0..self.slab.len() {
            let slot = Slot::new(index);
            let share = &self.slab[slot];
            let of = || values.iter().filter(|held| held.share == share.number);
            let parts = of().map(Held::weight).sum::<usize>();
            assert_eq!(share.bytes, parts + SOURCE_OVERHEAD_BYTES);
            assert!(share.len() > 0 && share.len() == of().count());
            assert_eq!(self.slot(share.number), slot);
            assert_eq!(self.owners.find(&self.slab, share.owner), Some(slot));
            share.evictions.assert_ordered(values);
        }
        let mut bytes = [0; Rank::COUNT];
        for index in 0..self.groups.len() {
            let slot = Slot::new(index);
            let group = &self.groups[slot];
            let of = || self.slab.iter().filter(|share| share.owner.group() == group.key);
            let parts = of().map(|share| share.bytes).sum::<usize>();
            assert_eq!(group.bytes, parts + SUBNET_OVERHEAD_BYTES);
            assert!(group.shares.len() > 0 && group.shares.len() == of().count());
            assert_eq!(self.subnets.find(&self.groups, group.key), Some(slot));
            group.shares.assert_ordered(&mut self.slab);
            bytes[group.key.rank as usize] += group.bytes;
        }
        assert_eq!(self.bytes, bytes);
        let groups = self.heaviest.iter_mut().map(|heaviest| {
            heaviest.assert_ordered(&mut self.groups);
            heaviest.len()
        });
        assert_eq!(groups.sum::<usize>(), self.groups.len());
    }
}

//! Which datagrams of a turn leave together: those to the same destination, in
//! the order in which they were made, as [trains](super::train).
//!
//! One system call for many datagrams saves little; one message for many saves
//! most of the kernel's work. Measured (`benches/datapath`): where 64 peers alternate
//! and a queue has formed, CPU a request is a third of what it is without, 0.8 to 0.9
//! of it where there is no queue, and a tenth where they send and receive in bursts.
//!
//! A peer's kernel steers a train as a whole, by its first datagram. So only
//! datagrams with the same steer byte go together, and each comes to the shard
//! that acts on it, however many the peer has.

use std::net::{IpAddr, SocketAddr};

use super::address::Name;
use super::settings::Coalescing;
use super::train::{TRAIN_BYTES_MAX, TRAIN_DATAGRAMS_MAX};
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::wire::STEER_OFFSET;

/// Datagrams that are looked at together.
pub(super) const BATCH_MAX: usize = 512;
/// Places of the table of groups: twice as many as there can be groups.
const SLOTS: usize = 2 * BATCH_MAX;
/// Places that are looked at before a datagram goes by itself. Peers choose their
/// addresses, and so how many fall on one place: this bounds what it costs.
const PROBES_MAX: usize = 8;
const NONE: u16 = u16::MAX;

const _: () = assert!(SLOTS.is_power_of_two() && SLOTS < NONE as usize);
const _: () = assert!(DATAGRAM_BYTES_MAX <= u16::MAX as usize);

/// Datagrams that leave as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Train {
    group: u16,
    /// Its first, counted in the order in which they leave.
    pub(super) first: u16,
    pub(super) count: u16,
}

/// A batch of datagrams and their order. Use: [`clear`](Self::clear), then
/// [`add`](Self::add) each, then [`couple`](Self::couple), and read
/// [`order`](Self::order) and [`trains`](Self::trains).
pub(super) struct Grouping {
    coalescing: Coalescing,
    members: Vec<Member>,
    groups: Vec<Group>,
    slots: Box<[u16]>,
    order: Vec<u16>,
    trains: Vec<Train>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    length: u16,
    /// The next of the same group.
    next: u16,
}

#[derive(Clone, Debug)]
struct Group {
    key: Key,
    name: Name,
    /// Its place in the table; none where it had to go without.
    slot: u16,
    first: u16,
    last: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    destination: SocketAddr,
    steer: u8,
}

impl Key {
    fn slot(self) -> usize {
        let ip = match self.destination.ip() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                (bits >> 64) as u64 ^ bits as u64
            }
        };
        let mixed = ip.rotate_left(24) ^ u64::from(self.destination.port()) << 8;
        // Fibonacci hashing: 2^64 divided by the golden ratio; the upper bits are
        // the mixed ones.
        let hash = (mixed ^ u64::from(self.steer)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> (u64::BITS - SLOTS.ilog2())) as usize
    }
}

impl Grouping {
    pub(super) fn new(coalescing: Coalescing) -> Self {
        Self {
            coalescing,
            members: Vec::with_capacity(BATCH_MAX),
            groups: Vec::with_capacity(BATCH_MAX),
            slots: vec![NONE; SLOTS].into_boxed_slice(),
            order: Vec::with_capacity(BATCH_MAX),
            trains: Vec::with_capacity(BATCH_MAX),
        }
    }

    pub(super) fn clear(&mut self) {
        for group in self.groups.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(group.slot)) {
                *slot = NONE;
            }
        }
        self.members.clear();
    }

    pub(super) const fn is_full(&self) -> bool {
        self.members.len() == BATCH_MAX
    }

    /// Adds a datagram, whose destination is called `name` where a system call
    /// wants it; false where it has no name, and is not added.
    pub(super) fn add(
        &mut self,
        destination: SocketAddr,
        bytes: &[u8],
        name: impl FnOnce() -> Option<Name>,
    ) -> bool {
        let steer = bytes.get(STEER_OFFSET).copied().unwrap_or_default();
        let key = Key { destination, steer };
        let index = self.members.len() as u16;
        let found = self.find(key);
        if let Found::Group(group) = found {
            let group = &mut self.groups[usize::from(group)];
            self.members[usize::from(group.last)].next = index;
            group.last = index;
        } else {
            let Some(name) = name() else {
                return false;
            };
            let slot = match found {
                Found::Free(slot) => slot,
                _ => NONE,
            };
            if let Some(slot) = self.slots.get_mut(usize::from(slot)) {
                *slot = self.groups.len() as u16;
            }
            self.groups.push(Group { key, name, slot, first: index, last: index });
        }
        self.members.push(Member { length: bytes.len() as u16, next: NONE });
        true
    }

    fn find(&self, key: Key) -> Found {
        if self.coalescing == Coalescing::Off {
            return Found::Crowded;
        }
        // A burst of one peer comes one after another.
        if let Some(last) = self.groups.len().checked_sub(1)
            && self.groups[last].key == key
        {
            return Found::Group(last as u16);
        }
        let start = key.slot();
        for probe in 0..PROBES_MAX {
            let slot = (start + probe) & (SLOTS - 1);
            match self.slots[slot] {
                NONE => return Found::Free(slot as u16),
                group if self.groups[usize::from(group)].key == key => return Found::Group(group),
                _ => {}
            }
        }
        Found::Crowded
    }

    /// Couples what may be coupled: the groups one after another, and of each as
    /// many of equal length as a train takes, and one shorter one after them.
    /// `takes_trains` is asked of each group's destination, where there are several
    /// datagrams for it; where it says no they go one by one.
    pub(super) fn couple(&mut self, mut takes_trains: impl FnMut(IpAddr) -> bool) {
        let Self { members, groups, order, trains, .. } = self;
        order.clear();
        trains.clear();
        for (group, Group { key, first, last, .. }) in groups.iter().enumerate() {
            let may_couple = first != last && takes_trains(key.destination.ip());
            let longest = if may_couple { TRAIN_DATAGRAMS_MAX } else { 1 };
            let mut next = *first;
            while next != NONE {
                let head = members[usize::from(next)];
                let mut train = Train { group: group as u16, first: order.len() as u16, count: 0 };
                let mut bytes = 0;
                let mut last = head.length;
                while let Some(member) = members.get(usize::from(next))
                    && last == head.length
                    && member.length <= head.length
                    // As a part of a train an empty one would vanish.
                    && (train.count == 0 || member.length > 0)
                    && usize::from(train.count) < longest
                    && bytes + usize::from(member.length) <= TRAIN_BYTES_MAX
                {
                    order.push(next);
                    train.count += 1;
                    bytes += usize::from(member.length);
                    last = member.length;
                    next = member.next;
                }
                trains.push(train);
            }
        }
    }

    /// Undoes the coupling of train number `index`: each of its datagrams is a
    /// message of its own, in its place. How many they are.
    pub(super) fn uncouple(&mut self, index: usize) -> usize {
        let Train { group, first, count } = self.trains[index];
        let singles = (first..first + count).map(|first| Train { group, first, count: 1 });
        self.trains.splice(index..=index, singles);
        usize::from(count)
    }

    /// The order in which the datagrams leave: the numbers under which they were
    /// added.
    pub(super) fn order(&self) -> &[u16] {
        &self.order
    }

    /// How they leave, one train after another.
    pub(super) fn trains(&self) -> &[Train] {
        &self.trains
    }

    /// Where a train goes.
    pub(super) fn name(&self, train: Train) -> &Name {
        &self.groups[usize::from(train.group)].name
    }

    /// The host to which a train goes.
    pub(super) fn host(&self, train: Train) -> IpAddr {
        self.groups[usize::from(train.group)].key.destination.ip()
    }
}

/// What the table of groups knows of a key.
enum Found {
    Group(u16),
    /// None yet, and this place is free for it.
    Free(u16),
    /// None that was found, and no place for it.
    Crowded,
}

#[cfg(test)]
mod tests;

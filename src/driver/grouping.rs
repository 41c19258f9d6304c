//! Which datagrams of a turn leave together: those to the same destination, in
//! the order in which they were made, as [trains](super::train).
//!
//! One system call for many datagrams saves little; one message for many saves
//! most of the kernel's work. Measured (`benches/datapath`): where 64 peers alternate
//! CPU a request is 0.7 of what it is without, where a queue has formed a third, and
//! where they send and receive in bursts a twelfth.
//!
//! A peer's kernel steers a train as a whole, by its first datagram. So only
//! datagrams with the same steer byte go together, and each comes to the shard
//! that acts on it, however many the peer has.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::address::{self, Name};
use super::settings::Coalescing;
use super::train::{TRAIN_BYTES_MAX, TRAIN_DATAGRAMS_MAX};
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::wire::STEER_OFFSET;

/// Runs of datagrams that are looked at together.
pub(super) const BATCH_MAX: usize = 512;
/// Places of the table of groups: twice as many as there can be groups.
const SLOTS: usize = 2 * BATCH_MAX;
/// Places that are looked at before a datagram goes by itself. Peers choose their
/// addresses, and so how many fall on one place: this bounds what it costs.
const PROBES_MAX: usize = 8;
const NONE: u16 = u16::MAX;

const _: () = assert!(SLOTS.is_power_of_two() && SLOTS < NONE as usize);
const _: () = assert!(DATAGRAM_BYTES_MAX <= u16::MAX as usize);
/// Parts of a batch of which each datagram was once in a train, and then alone.
const PARTS_MAX: usize = BATCH_MAX + BATCH_MAX * TRAIN_DATAGRAMS_MAX;
const _: () = assert!(PARTS_MAX <= u16::MAX as usize, "a part has a number of 16 bits");

/// Datagrams that leave as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Train {
    group: u16,
    /// Where its parts begin in [`parts`](Grouping::parts).
    pub(super) first: u16,
    pub(super) parts: u16,
    /// Datagrams of it.
    pub(super) count: u16,
}

/// Datagrams of a run that leave together: mostly all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The run, by the number under which it was begun.
    pub(super) run: u16,
    first: u16,
    count: u16,
    /// Bytes of each datagram.
    pub(super) length: u16,
}

impl Part {
    /// Where its bytes are among those of the run.
    pub(super) const fn bytes(self) -> Range<usize> {
        let Self { first, count, length, .. } = self;
        let length = length as usize;
        length * first as usize..length * (first + count) as usize
    }
}

/// What came of adding a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It continues the run of the one before it.
    Joined,
    /// It begins a run.
    Begun,
    /// Its destination has no name, so it was left out.
    Nameless,
}

/// A batch of datagrams and their order. Use: [`clear`](Self::clear), then
/// [`add`](Self::add) each, then [`couple`](Self::couple), and read
/// [`parts`](Self::parts) and [`trains`](Self::trains).
pub(super) struct Grouping {
    coalescing: Coalescing,
    runs: Vec<Run>,
    groups: Vec<Group>,
    slots: Box<[u16]>,
    latest: Option<Latest>,
    parts: Vec<Part>,
    trains: Vec<Train>,
}

/// Datagrams of equal length to one destination that lie one after another in memory,
/// so that the kernel takes them in as one slice: the answers to one peer's burst. As
/// slices of their own, 160 bytes each, they cost it 28 ns more apiece, a sixth of all
/// that such a request costs.
#[derive(Clone, Copy, Debug)]
struct Run {
    length: u16,
    count: u16,
    /// The next of the same group.
    next: u16,
}

impl Run {
    /// Whether one more of `length` bytes goes with it.
    const fn takes(self, length: usize) -> bool {
        let count = self.count as usize + 1;
        // An empty one lies after any other.
        self.length as usize == length
            && length > 0
            && count <= TRAIN_DATAGRAMS_MAX
            && count * length <= TRAIN_BYTES_MAX
    }
}

/// Where the datagram that was added last belongs.
#[derive(Clone, Copy, Debug)]
struct Latest {
    group: u16,
    /// Where its bytes end, to compare with.
    end: *const u8,
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
        let ip = address::spread(self.destination.ip());
        let mixed = ip.rotate_left(24) ^ u64::from(self.destination.port()) << 8;
        let hash = address::mix(mixed ^ u64::from(self.steer));
        (hash >> (u64::BITS - SLOTS.ilog2())) as usize
    }
}

impl Grouping {
    pub(super) fn new(coalescing: Coalescing) -> Self {
        Self {
            coalescing,
            runs: Vec::with_capacity(BATCH_MAX),
            groups: Vec::with_capacity(BATCH_MAX),
            slots: vec![NONE; SLOTS].into_boxed_slice(),
            latest: None,
            parts: Vec::with_capacity(BATCH_MAX),
            trains: Vec::with_capacity(BATCH_MAX),
        }
    }

    pub(super) fn clear(&mut self) {
        for group in self.groups.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(group.slot)) {
                *slot = NONE;
            }
        }
        self.runs.clear();
        self.latest = None;
    }

    pub(super) const fn is_full(&self) -> bool {
        self.runs.len() == BATCH_MAX
    }

    /// Adds a datagram, whose destination is called `name` where a system call
    /// wants it.
    pub(super) fn add(
        &mut self,
        destination: SocketAddr,
        bytes: &[u8],
        name: impl FnOnce() -> Option<Name>,
    ) -> Added {
        let steer = bytes.get(STEER_OFFSET).copied().unwrap_or_default();
        let key = Key { destination, steer };
        let Range { start, end } = bytes.as_ptr_range();
        let latest = self.latest.filter(|latest| self.groups[usize::from(latest.group)].key == key);
        if let Some(latest) = latest
            && latest.end == start
            && let Some(run) = self.runs.last_mut()
            && run.takes(bytes.len())
        {
            run.count += 1;
            self.latest = Some(Latest { end, ..latest });
            return Added::Joined;
        }
        let found = latest.map_or_else(|| self.find(key), |latest| Found::Group(latest.group));
        let index = self.runs.len() as u16;
        let group = if let Found::Group(group) = found {
            let Group { last, .. } = &mut self.groups[usize::from(group)];
            self.runs[usize::from(*last)].next = index;
            *last = index;
            group
        } else if let Some(name) = name() {
            let slot = if let Found::Free(slot) = found { slot } else { NONE };
            self.begin_group(Group { key, name, slot, first: index, last: index })
        } else {
            return Added::Nameless;
        };
        self.runs.push(Run { length: bytes.len() as u16, count: 1, next: NONE });
        // Where nothing is coupled nothing is looked for.
        self.latest = (self.coalescing == Coalescing::On).then_some(Latest { group, end });
        Added::Begun
    }

    fn begin_group(&mut self, begun: Group) -> u16 {
        let number = self.groups.len() as u16;
        if let Some(slot) = self.slots.get_mut(usize::from(begun.slot)) {
            *slot = number;
        }
        self.groups.push(begun);
        number
    }

    /// Looks for the group of a key in the table.
    fn find(&self, key: Key) -> Found {
        if self.coalescing == Coalescing::Off {
            return Found::Crowded;
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
    /// many runs of equal length as a train takes, and one datagram that is shorter
    /// after them. `takes_trains` is asked of each group's destination, where there
    /// are several datagrams for it; where it says no they go one by one.
    pub(super) fn couple(&mut self, mut takes_trains: impl FnMut(IpAddr) -> bool) {
        self.parts.clear();
        self.trains.clear();
        for index in 0..self.groups.len() {
            let Group { key, first, last, .. } = &self.groups[index];
            let (mut next, is_single) = (*first, first == last && self.run(*first).count == 1);
            let may_couple = !is_single && takes_trains(key.destination.ip());
            while next != NONE {
                let group = index as u16;
                next = if may_couple { self.train(group, next) } else { self.singles(group, next) };
            }
        }
    }

    /// Makes a train that begins with run `head`. Returns the first run that is not
    /// in it.
    fn train(&mut self, group: u16, head: u16) -> u16 {
        let length = self.run(head).length;
        let mut train = Train { group, first: self.parts.len() as u16, parts: 0, count: 0 };
        let (mut next, mut bytes, mut is_open) = (head, 0, true);
        while let Some(&run) = self.runs.get(usize::from(next))
            && is_open
        {
            bytes += usize::from(run.length) * usize::from(run.count);
            let is_shorter = run.length < length && run.length > 0 && run.count == 1;
            let goes_along = train.count == 0 || run.length == length && length > 0 || is_shorter;
            let count = train.count + run.count;
            if !goes_along || usize::from(count) > TRAIN_DATAGRAMS_MAX || bytes > TRAIN_BYTES_MAX {
                break;
            }
            self.parts.push(Part { run: next, first: 0, count: run.count, length: run.length });
            train.parts += 1;
            train.count = count;
            is_open = run.length == length;
            next = run.next;
        }
        self.trains.push(train);
        next
    }

    /// Makes each datagram of run `index` a message of its own. Returns the next run
    /// of the group.
    fn singles(&mut self, group: u16, index: u16) -> u16 {
        let Run { length, count, next } = self.run(index);
        for first in 0..count {
            self.trains.push(Train { group, first: self.parts.len() as u16, parts: 1, count: 1 });
            self.parts.push(Part { run: index, first, count: 1, length });
        }
        next
    }

    fn run(&self, index: u16) -> Run {
        self.runs[usize::from(index)]
    }

    /// Undoes the coupling of train number `index`: each of its datagrams is a
    /// message of its own, in its place. How many they are.
    pub(super) fn uncouple(&mut self, index: usize) -> usize {
        let Self { parts, trains, .. } = self;
        let Train { group, first, parts: count, .. } = trains[index];
        let (first, end) = (usize::from(first), parts.len());
        // Theirs come after all others, whose places stay as they are.
        for place in first..first + usize::from(count) {
            let part = parts[place];
            let singles = part.first..part.first + part.count;
            parts.extend(singles.map(|first| Part { first, count: 1, ..part }));
        }
        let places = end as u16..parts.len() as u16;
        let singles = places.map(|first| Train { group, first, parts: 1, count: 1 });
        trains.splice(index..=index, singles);
        parts.len() - end
    }

    /// What the trains consist of.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How the datagrams leave, one train after another.
    pub(super) fn trains(&self) -> &[Train] {
        &self.trains
    }

    /// Where a train goes.
    pub(super) fn name(&self, train: Train) -> &Name {
        &self.groups[usize::from(train.group)].name
    }

    /// The peer to which a train goes.
    pub(super) fn destination(&self, train: Train) -> SocketAddr {
        self.groups[usize::from(train.group)].key.destination
    }

    /// The host to which a train goes.
    pub(super) fn host(&self, train: Train) -> IpAddr {
        self.destination(train).ip()
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

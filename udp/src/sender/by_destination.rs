//! Which datagrams leave together: those to the same destination, in the order in which
//! they were made, as the segments of one message.
//!
//! One system call for many datagrams saves little; one message for many saves most of the
//! kernel's work. Measured for a whole node (`benches/datapath`): where 64 peers alternate
//! CPU a request is 0.7 of what it is without, where a queue has formed a third, and where
//! they send and receive in bursts a twelfth.
//!
//! A peer's kernel may steer a message as a whole, by a byte of its first datagram. So only
//! datagrams with the same steer byte go together, and each comes to the socket that it is
//! for, however many the peer has.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use crate::address::{self, RawAddress};
use crate::segments::SEGMENTS_MAX;
use crate::socket::Coalescing;
use crate::{DATAGRAM_BYTES_MAX, MESSAGE_BYTES_MAX};

/// Slices that are looked at together.
pub(super) const BATCH_MAX: usize = 512;
/// Places of the table of destinations: twice as many as there can be destinations.
const SLOTS: usize = 2 * BATCH_MAX;
/// Places that are looked at before a datagram goes by itself. Peers choose their
/// addresses, and so how many fall on one place: this bounds what it costs.
const PROBES_MAX: usize = 8;
const NONE: u16 = u16::MAX;

const _: () = assert!(SLOTS.is_power_of_two() && SLOTS < NONE as usize);
const _: () = assert!(DATAGRAM_BYTES_MAX <= u16::MAX as usize);
/// Parts of a batch of which each datagram was once a segment, and then alone.
const PARTS_MAX: usize = BATCH_MAX + BATCH_MAX * SEGMENTS_MAX;
const _: () = assert!(PARTS_MAX <= u16::MAX as usize, "a part has a number of 16 bits");

/// Datagrams that leave as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    destination: u16,
    /// Where its parts begin in [`parts`](ByDestination::parts).
    first: u16,
    parts: u16,
    /// Datagrams of it.
    pub(super) datagrams: u16,
}

/// Datagrams of a slice that leave together: mostly all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The slice, by the number under which it was begun.
    pub(super) slice: u16,
    first: u16,
    count: u16,
    /// Bytes of each datagram.
    pub(super) length: u16,
}

impl Part {
    /// Where its bytes are among those of the slice.
    pub(super) const fn bytes(self) -> Range<usize> {
        let Self { first, count, length, .. } = self;
        let length = length as usize;
        length * first as usize..length * (first + count) as usize
    }
}

/// What came of adding a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It continues the slice of the one before it.
    ToSlice,
    /// It begins a slice.
    NewSlice,
    /// The socket cannot reach its destination, so it was left out.
    Unreachable,
}

/// A batch of datagrams and their order. Use: [`clear`](Self::clear), then
/// [`add`](Self::add) each, then [`form_messages`](Self::form_messages), and read
/// [`parts`](Self::parts) and [`messages`](Self::messages).
pub(super) struct ByDestination {
    coalescing: Coalescing,
    /// Where a datagram's steer byte is.
    steer_offset: usize,
    slices: Vec<Slice>,
    destinations: Vec<Destination>,
    slots: Box<[u16]>,
    latest: Option<Latest>,
    parts: Vec<Part>,
    messages: Vec<Message>,
}

/// Datagrams of equal length to one destination that lie one after another in memory,
/// so that the kernel takes them in as one slice: the answers to one peer's burst. As
/// slices of their own, 160 bytes each, they cost it 28 ns more apiece, a sixth of all
/// that such a request costs.
#[derive(Clone, Copy, Debug)]
struct Slice {
    length: u16,
    count: u16,
    /// The next to the same destination.
    next: u16,
}

impl Slice {
    /// Whether one more of `length` bytes goes with it.
    const fn takes(self, length: usize) -> bool {
        let count = self.count as usize + 1;
        // An empty one lies after any other.
        self.length as usize == length
            && length > 0
            && count <= SEGMENTS_MAX
            && count * length <= MESSAGE_BYTES_MAX
    }
}

/// Where the datagram that was added last belongs.
#[derive(Clone, Copy, Debug)]
struct Latest {
    destination: u16,
    /// Where its bytes end, to compare with.
    end: *const u8,
}

#[derive(Clone, Debug)]
struct Destination {
    key: Key,
    raw: RawAddress,
    /// Its place in the table; none where it had to go without.
    slot: u16,
    first: u16,
    last: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    address: SocketAddr,
    steer: u8,
}

impl Key {
    fn slot(self) -> usize {
        let ip = address::bits(self.address.ip());
        let mixed = ip.rotate_left(24) ^ u64::from(self.address.port()) << 8;
        let hash = address::mix(mixed ^ u64::from(self.steer));
        (hash >> (u64::BITS - SLOTS.ilog2())) as usize
    }
}

impl ByDestination {
    pub(super) fn new(coalescing: Coalescing, steer_offset: usize) -> Self {
        Self {
            coalescing,
            steer_offset,
            slices: Vec::with_capacity(BATCH_MAX),
            destinations: Vec::with_capacity(BATCH_MAX),
            slots: vec![NONE; SLOTS].into_boxed_slice(),
            latest: None,
            parts: Vec::with_capacity(BATCH_MAX),
            messages: Vec::with_capacity(BATCH_MAX),
        }
    }

    pub(super) fn clear(&mut self) {
        for destination in self.destinations.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(destination.slot)) {
                *slot = NONE;
            }
        }
        self.slices.clear();
        self.latest = None;
    }

    pub(super) const fn is_full(&self) -> bool {
        self.slices.len() == BATCH_MAX
    }

    /// Adds a datagram to `address`, which `raw` writes as the kernel takes it.
    pub(super) fn add(
        &mut self,
        address: SocketAddr,
        bytes: &[u8],
        raw: impl FnOnce() -> Option<RawAddress>,
    ) -> Added {
        let steer = bytes.get(self.steer_offset).copied().unwrap_or_default();
        let key = Key { address, steer };
        let Range { start, end } = bytes.as_ptr_range();
        let is_same =
            |latest: &Latest| self.destinations[usize::from(latest.destination)].key == key;
        let latest = self.latest.filter(is_same);
        if let Some(latest) = latest
            && latest.end == start
            && let Some(slice) = self.slices.last_mut()
            && slice.takes(bytes.len())
        {
            slice.count += 1;
            self.latest = Some(Latest { end, ..latest });
            return Added::ToSlice;
        }
        let found =
            latest.map_or_else(|| self.find(key), |latest| Found::Destination(latest.destination));
        let index = self.slices.len() as u16;
        let destination = if let Found::Destination(destination) = found {
            let Destination { last, .. } = &mut self.destinations[usize::from(destination)];
            self.slices[usize::from(*last)].next = index;
            *last = index;
            destination
        } else if let Some(raw) = raw() {
            let slot = if let Found::Free(slot) = found { slot } else { NONE };
            self.begin(Destination { key, raw, slot, first: index, last: index })
        } else {
            return Added::Unreachable;
        };
        self.slices.push(Slice { length: bytes.len() as u16, count: 1, next: NONE });
        // Where nothing goes together nothing is looked for.
        self.latest = (self.coalescing == Coalescing::On).then_some(Latest { destination, end });
        Added::NewSlice
    }

    fn begin(&mut self, destination: Destination) -> u16 {
        let number = self.destinations.len() as u16;
        if let Some(slot) = self.slots.get_mut(usize::from(destination.slot)) {
            *slot = number;
        }
        self.destinations.push(destination);
        number
    }

    /// Looks for the destination of a key in the table.
    fn find(&self, key: Key) -> Found {
        if self.coalescing == Coalescing::Off {
            return Found::Crowded;
        }
        let start = key.slot();
        for probe in 0..PROBES_MAX {
            let slot = (start + probe) & (SLOTS - 1);
            match self.slots[slot] {
                NONE => return Found::Free(slot as u16),
                number if self.destinations[usize::from(number)].key == key => {
                    return Found::Destination(number);
                }
                _ => {}
            }
        }
        Found::Crowded
    }

    /// Forms messages of what may go together: the destinations one after another, and to
    /// each as many slices of equal length as a message takes, and one datagram that is
    /// shorter after them. `takes_segments` is asked of each destination's host, where
    /// there are several datagrams for it; where it says no they go one by one.
    pub(super) fn form_messages(&mut self, mut takes_segments: impl FnMut(IpAddr) -> bool) {
        self.parts.clear();
        self.messages.clear();
        for index in 0..self.destinations.len() {
            let Destination { key, first, last, .. } = &self.destinations[index];
            let (mut next, is_single) = (*first, first == last && self.slice(*first).count == 1);
            let may_segment = !is_single && takes_segments(key.address.ip());
            while next != NONE {
                let destination = index as u16;
                next = if may_segment {
                    self.segmented_message(destination, next)
                } else {
                    self.single_messages(destination, next)
                };
            }
        }
    }

    /// Forms a message that begins with slice `head`. Returns the first slice that is not
    /// in it.
    fn segmented_message(&mut self, destination: u16, head: u16) -> u16 {
        let length = self.slice(head).length;
        let first = self.parts.len() as u16;
        let mut message = Message { destination, first, parts: 0, datagrams: 0 };
        let (mut next, mut bytes, mut is_open) = (head, 0, true);
        while let Some(&slice) = self.slices.get(usize::from(next))
            && is_open
        {
            let Slice { length: own_length, count, next: after } = slice;
            bytes += usize::from(own_length) * usize::from(count);
            let is_shorter = own_length < length && own_length > 0 && count == 1;
            let goes_along =
                message.datagrams == 0 || own_length == length && length > 0 || is_shorter;
            let datagrams = message.datagrams + count;
            if !goes_along || usize::from(datagrams) > SEGMENTS_MAX || bytes > MESSAGE_BYTES_MAX {
                break;
            }
            self.parts.push(Part { slice: next, first: 0, count, length: own_length });
            message.parts += 1;
            message.datagrams = datagrams;
            is_open = own_length == length;
            next = after;
        }
        self.messages.push(message);
        next
    }

    /// Makes each datagram of slice `index` a message of its own. Returns the next slice to
    /// the destination.
    fn single_messages(&mut self, destination: u16, index: u16) -> u16 {
        let Slice { length, count, next } = self.slice(index);
        for number in 0..count {
            let first = self.parts.len() as u16;
            self.messages.push(Message { destination, first, parts: 1, datagrams: 1 });
            self.parts.push(Part { slice: index, first: number, count: 1, length });
        }
        next
    }

    fn slice(&self, index: u16) -> Slice {
        self.slices[usize::from(index)]
    }

    /// Splits message number `index`: each of its datagrams is a message of its own, in its
    /// place. How many they are.
    pub(super) fn split(&mut self, index: usize) -> usize {
        let Self { parts, messages, .. } = self;
        let Message { destination, first, parts: count, .. } = messages[index];
        let (first, end) = (usize::from(first), parts.len());
        // Theirs come after all others, whose places stay as they are.
        for place in first..first + usize::from(count) {
            let part = parts[place];
            let singles = part.first..part.first + part.count;
            parts.extend(singles.map(|first| Part { first, count: 1, ..part }));
        }
        let places = end as u16..parts.len() as u16;
        let singles = places.map(|first| Message { destination, first, parts: 1, datagrams: 1 });
        messages.splice(index..=index, singles);
        parts.len() - end
    }

    /// What the messages consist of.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How the datagrams leave, one message after another.
    pub(super) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The parts of a message, one at least.
    pub(super) fn parts_of(&self, message: Message) -> &[Part] {
        &self.parts[usize::from(message.first)..][..usize::from(message.parts)]
    }

    /// Where a message goes, as the kernel takes it.
    pub(super) fn raw(&self, message: Message) -> &RawAddress {
        &self.destinations[usize::from(message.destination)].raw
    }

    /// The peer to which a message goes.
    pub(super) fn destination(&self, message: Message) -> SocketAddr {
        self.destinations[usize::from(message.destination)].key.address
    }

    /// The host to which a message goes.
    pub(super) fn host(&self, message: Message) -> IpAddr {
        self.destination(message).ip()
    }
}

/// What the table of destinations knows of a key.
enum Found {
    Destination(u16),
    /// None yet, and this place is free for it.
    Free(u16),
    /// None that was found, and no place for it.
    Crowded,
}

#[cfg(test)]
mod tests;

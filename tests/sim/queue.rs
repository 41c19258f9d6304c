//! What is to happen next: moments, in their order.
//!
//! Of two events at the same moment the one scheduled first comes first, so that
//! a run has one order and no other.
//!
//! Time is cut into slots. An event of the next [`SLOTS`] is put into its slot's list, and the
//! events of a slot are brought into their order when it comes; those of later slots, most of
//! them maintenance, wait in a heap. With a heap for all, of a hundred thousand nodes' time-outs,
//! each event costs a way through memory that no cache holds.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use kad_node::time::Instant;

use crate::network::FlightIndex;
use crate::peers::PeerIndex;

/// A slot lasts a millisecond or so: two to this power in microseconds.
const SLOT_BITS: u32 = 10;
/// Four seconds: nearly every time-out of a request is within it.
const SLOTS: u64 = 1 << 12;

/// What happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happening {
    /// A datagram arrives.
    Arrival(FlightIndex),
    /// A peer's time-out comes.
    Wake(PeerIndex),
    /// A new node joins.
    Join,
}

/// In the sequence number of what comes after all else of its moment.
const LAST: u64 = 1 << 63;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    sequence: u64,
    happening: Happening,
}

impl Entry {
    const fn slot(&self) -> u64 {
        self.at.as_micros() >> SLOT_BITS
    }
}

/// The events to come.
pub(crate) struct Queue {
    /// Those of the current slot and of slots before.
    heap: BinaryHeap<Reverse<Entry>>,
    /// The current slot.
    slot: u64,
    /// Those of each of the slots that follow, in no order.
    slots: Vec<Vec<Entry>>,
    /// How many these are.
    in_slots: usize,
    /// Those of the slots after them.
    later: BinaryHeap<Reverse<Entry>>,
    /// Those of the current window, and of the next, that were scheduled before these were
    /// opened, in their order.
    window: VecDeque<Entry>,
    sequence: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            slot: 0,
            slots: vec![Vec::new(); SLOTS as usize],
            in_slots: 0,
            later: BinaryHeap::new(),
            window: VecDeque::new(),
            sequence: 0,
        }
    }
}

impl Queue {
    pub(crate) fn schedule(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.place(Entry { at, sequence: self.sequence, happening });
    }

    /// The same for what comes after all else of its moment.
    pub(crate) fn schedule_last(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.place(Entry { at, sequence: self.sequence | LAST, happening });
    }

    fn place(&mut self, entry: Entry) {
        let slot = entry.slot();
        if slot <= self.slot {
            self.heap.push(Reverse(entry));
        } else if slot - self.slot < SLOTS {
            self.slots[(slot % SLOTS) as usize].push(entry);
            self.in_slots += 1;
        } else {
            self.later.push(Reverse(entry));
        }
    }

    /// Goes on to the next slot that has events, where the current one has none.
    fn go_on(&mut self) {
        while self.heap.is_empty() {
            self.slot = match self.later.peek() {
                Some(Reverse(first)) if self.in_slots == 0 => first.slot(),
                None if self.in_slots == 0 => return,
                _ => self.slot + 1,
            };
            while let Some(Reverse(first)) = self.later.peek()
                && first.slot() - self.slot < SLOTS
                && let Some(Reverse(first)) = self.later.pop()
            {
                self.place(first);
            }
            let due = &mut self.slots[(self.slot % SLOTS) as usize];
            self.in_slots -= due.len();
            self.heap.extend(due.drain(..).map(Reverse));
        }
    }

    /// When the next event comes.
    pub(crate) fn next_at(&mut self) -> Option<Instant> {
        self.go_on();
        let first = self.heap.peek().map(|Reverse(entry)| entry.at);
        self.window.front().map(|entry| entry.at).into_iter().chain(first).min()
    }

    /// Opens the window that follows `current_end`, the end of the current one, where there is
    /// one, and lasts until `end`: says by which numbers [`in_window`](Self::in_window) gives the
    /// events in it that are scheduled by now, which stay to be taken; none where they are fewer
    /// than `events_min`.
    pub(crate) fn open_window(
        &mut self,
        current_end: Option<Instant>,
        end: Instant,
        events_min: usize,
    ) -> Option<Range<usize>> {
        let (opened, mut others) = (self.window.len(), Vec::new());
        while let Some(entry) = self.pop_until(end) {
            if current_end.is_some_and(|current_end| entry.at <= current_end) {
                others.push(entry);
            } else {
                self.window.push_back(entry);
            }
        }
        let is_worth_it = self.window.len() - opened >= events_min;
        if !is_worth_it {
            others.extend(self.window.drain(opened..));
        }
        self.heap.extend(others.into_iter().map(Reverse));
        is_worth_it.then_some(opened..self.window.len())
    }

    /// An event that was scheduled before its window was opened.
    pub(crate) fn in_window(&self, index: usize) -> (Instant, Happening) {
        let entry = self.window[index];
        (entry.at, entry.happening)
    }

    /// Removes the next event where it comes no later than `end`.
    pub(crate) fn next_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        self.go_on();
        let from_heap = match (self.window.front(), self.heap.peek()) {
            (Some(window), Some(Reverse(heap))) => heap < window,
            (None, _) => true,
            (Some(_), None) => false,
        };
        let entry = if from_heap {
            self.pop_until(end)
        } else {
            self.window.pop_front_if(|entry| entry.at <= end)
        };
        entry.map(|entry| (entry.at, entry.happening))
    }

    /// Removes the first event outside the window where it comes no later than `end`.
    fn pop_until(&mut self, end: Instant) -> Option<Entry> {
        self.go_on();
        let Reverse(first) = self.heap.peek()?;
        if first.at > end {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

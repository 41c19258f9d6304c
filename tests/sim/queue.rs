//! What is to happen next: a heap of moments.
//!
//! Of two events at the same moment the one scheduled first comes first, so that
//! a run has one order and no other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use kad_node::time::Instant;

use crate::network::FlightIndex;
use crate::peers::PeerIndex;

/// What happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happening {
    /// A datagram arrives.
    Arrival(FlightIndex),
    /// A peer's time-out comes.
    Wake(PeerIndex),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    sequence: u64,
    happening: Happening,
}

/// The events to come.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    /// Those of the current window that were scheduled before it began, in their order.
    window: VecDeque<Entry>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn schedule(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, happening }));
    }

    /// When the next event comes.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let first = self.heap.peek().map(|Reverse(entry)| entry.at);
        self.window.front().map(|entry| entry.at).into_iter().chain(first).min()
    }

    /// Begins a window that lasts until `end`, and gives the events in it that are
    /// scheduled by now. They stay to be taken.
    pub(crate) fn open_window(
        &mut self,
        end: Instant,
    ) -> impl ExactSizeIterator<Item = (Instant, Happening)> + '_ {
        while let Some(entry) = pop_until(&mut self.heap, end) {
            self.window.push_back(entry);
        }
        self.window.iter().map(|entry| (entry.at, entry.happening))
    }

    /// Removes the next event where it comes no later than `end`.
    pub(crate) fn next_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        let from_heap = match (self.window.front(), self.heap.peek()) {
            (Some(window), Some(Reverse(heap))) => heap < window,
            (None, _) => true,
            (Some(_), None) => false,
        };
        let entry = if from_heap {
            pop_until(&mut self.heap, end)
        } else {
            self.window.pop_front_if(|entry| entry.at <= end)
        };
        entry.map(|entry| (entry.at, entry.happening))
    }
}

/// Removes the first of `heap` where it comes no later than `end`.
fn pop_until(heap: &mut BinaryHeap<Reverse<Entry>>, end: Instant) -> Option<Entry> {
    let Reverse(first) = heap.peek()?;
    if first.at > end {
        return None;
    }
    heap.pop().map(|Reverse(entry)| entry)
}

//! What is to happen next: a heap of moments.
//!
//! Of two events at the same moment the one scheduled first comes first, so that
//! a run has one order and no other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    sequence: u64,
}

impl Queue {
    pub(crate) fn schedule(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, happening }));
    }

    /// Removes the next event where it comes no later than `end`.
    pub(crate) fn next_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        let Reverse(first) = self.heap.peek()?;
        if first.at > end {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.happening))
    }
}

//! What becomes of a message to another shard that finds no room on its way.
//!
//! The driver and the simulator carry messages differently, and both ask this policy.

use alloc::collections::VecDeque;

use crate::id::ID_BITS;

/// Whether a message may be dropped when there is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It may: a datagram, which a network loses as well, or something that will
    /// be seen again.
    Droppable,
    /// It must arrive. A later one of the same `slot` replaces an earlier one that
    /// still waits, so [`HANDOFF_SLOTS`] bounds the backlog.
    Binding {
        /// Below [`HANDOFF_SLOTS`].
        slot: u8,
    },
}

/// Binding messages of different slots: one for each bucket, and two more.
pub const HANDOFF_SLOTS: usize = ID_BITS + 2;

const _: () = assert!(HANDOFF_SLOTS <= u8::MAX as usize + 1);

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on its way.
    Sent,
    /// It waits in the backlog.
    Waits,
    /// It was dropped.
    Dropped,
}

/// Binding messages to one shard that found no room, in the order in which they were
/// made, at most one of a slot.
///
/// Nothing overtakes a message that waits: while the backlog holds any, a droppable
/// message is dropped and a binding one waits too.
#[derive(Debug)]
pub struct Backlog<M> {
    waiting: VecDeque<(u8, M)>,
}

impl<M> Default for Backlog<M> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<M> Backlog<M> {
    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends what waits, then `message`. `send` returns a message that finds no room.
    pub fn push(
        &mut self,
        weight: Weight,
        message: M,
        mut send: impl FnMut(M) -> Result<(), M>,
    ) -> Outcome {
        self.drain(&mut send);
        let refused = if self.is_empty() { send(message) } else { Err(message) };
        match (refused, weight) {
            (Ok(()), _) => Outcome::Sent,
            (Err(_), Weight::Droppable) => Outcome::Dropped,
            (Err(message), Weight::Binding { slot }) => {
                self.waiting.retain(|(earlier, _)| *earlier != slot);
                self.waiting.push_back((slot, message));
                debug_assert!(self.waiting.len() <= HANDOFF_SLOTS);
                Outcome::Waits
            }
        }
    }

    /// Sends what waits, as far as `send` finds room.
    pub fn drain(&mut self, mut send: impl FnMut(M) -> Result<(), M>) {
        while let Some((slot, message)) = self.waiting.pop_front() {
            if let Err(message) = send(message) {
                return self.waiting.push_front((slot, message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A way that holds so many messages.
    struct Way {
        room: usize,
        sent: Vec<u32>,
        backlog: Backlog<u32>,
    }

    impl Way {
        fn push(&mut self, weight: Weight, message: u32) -> Outcome {
            let Self { room, sent, backlog } = self;
            backlog.push(weight, message, |message| Self::send(room, sent, message))
        }

        fn send(room: &mut usize, sent: &mut Vec<u32>, message: u32) -> Result<(), u32> {
            *room = room.checked_sub(1).ok_or(message)?;
            sent.push(message);
            Ok(())
        }
    }

    #[test]
    fn the_latest_of_each_slot_waits_and_nothing_overtakes_it() {
        let mut way = Way { room: 1, sent: Vec::new(), backlog: Backlog::default() };
        let binding = |slot| Weight::Binding { slot };
        assert_eq!(way.push(Weight::Droppable, 1), Outcome::Sent);
        assert_eq!(way.push(Weight::Droppable, 2), Outcome::Dropped);
        for (slot, message) in [(7, 3), (8, 4), (7, 5)] {
            assert_eq!(way.push(binding(slot), message), Outcome::Waits);
        }
        way.room = 1;
        assert_eq!(way.push(Weight::Droppable, 6), Outcome::Dropped, "5 still waits");
        assert_eq!(way.sent, [1, 4]);
        way.room = 9;
        assert_eq!(way.push(binding(1), 7), Outcome::Sent);
        assert_eq!(way.sent, [1, 4, 5, 7]);
        assert!(way.backlog.is_empty());
    }
}

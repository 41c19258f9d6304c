//! Requests that wait for their answer, and when they have waited for too long.

use std::collections::VecDeque;

use slab::Slab;

use crate::corpus::KeyIndex;
use crate::mix::Kind;
use crate::transaction::{IN_FLIGHT_MAX, Transaction};

/// A socket and the target that it is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkIndex(pub u16);

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What it asks.
    pub kind: Kind,
    /// What it is about.
    pub key: KeyIndex,
    /// Where it went.
    pub link: LinkIndex,
    /// When it was due.
    pub due_ns: u64,
    /// When it was handed to the kernel for the first time.
    pub first_sent_ns: u64,
    /// The latest send.
    pub transaction: Transaction,
    /// Whether it was sent anew because its token was refused: that happens once.
    pub is_renewed: bool,
}

/// Requests in flight, found by their transaction, and in the order of their
/// deadlines. Each send waits equally long, so a queue keeps that order.
#[derive(Debug)]
pub struct InFlight {
    requests: Slab<Request>,
    deadlines: VecDeque<(u64, Transaction)>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self::new()
    }
}

impl InFlight {
    /// None yet.
    pub const fn new() -> Self {
        Self { requests: Slab::new(), deadlines: VecDeque::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Every one of them.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().map(|(_, request)| request)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.requests.clear();
        self.deadlines.clear();
    }

    /// Whether there is room for another.
    pub fn has_room(&self) -> bool {
        self.requests.len() < IN_FLIGHT_MAX
    }

    /// Adds the request that `make` makes of its transaction.
    ///
    /// # Panics
    /// When there [is no room](Self::has_room).
    pub fn insert(
        &mut self,
        sequence: u64,
        make: impl FnOnce(Transaction) -> Request,
    ) -> &mut Request {
        assert!(self.has_room());
        let entry = self.requests.vacant_entry();
        let transaction = Transaction::new(sequence, entry.key() as u32, 1);
        entry.insert(make(transaction))
    }

    /// The request that `transaction` is any send of.
    pub fn find(&mut self, transaction: Transaction) -> Option<&mut Request> {
        self.requests
            .get_mut(transaction.slot())
            .filter(|request| request.transaction.sequence() == transaction.sequence())
    }

    /// Takes out the request that `transaction` is any send of.
    pub fn remove(&mut self, transaction: Transaction) -> Option<Request> {
        self.find(transaction)?;
        Some(self.requests.remove(transaction.slot()))
    }

    /// Notes until when a send waits: not before any other.
    pub fn wait(&mut self, deadline_ns: u64, transaction: Transaction) {
        debug_assert!(self.deadlines.back().is_none_or(|&(last, _)| last <= deadline_ns));
        self.deadlines.push_back((deadline_ns, transaction));
    }

    /// The next request whose latest send has waited until `now_ns` in vain. Its
    /// deadline is forgotten.
    pub fn overdue(&mut self, now_ns: u64) -> Option<Request> {
        while let Some(&(deadline_ns, transaction)) = self.deadlines.front() {
            let waiting = self.find(transaction).copied();
            let waiting = waiting.filter(|request| request.transaction == transaction);
            if waiting.is_some() && deadline_ns > now_ns {
                return None;
            }
            self.deadlines.pop_front();
            if waiting.is_some() {
                return waiting;
            }
        }
        None
    }

    /// A moment before which nothing is overdue.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.deadlines.front().map(|&(deadline_ns, _)| deadline_ns)
    }
}

/// How the requests of a while back ended, by their number, to tell a late reply
/// (its request was given up) from a duplicate (it was answered before).
#[derive(Debug)]
pub struct Ended {
    answered: Box<[u64]>,
}

/// Requests whose end is remembered: at 400k a second on one thread they go ten
/// seconds back. A reply to an older one counts as late, which it is.
const ENDED_MAX: u64 = 1 << 22;

impl Default for Ended {
    fn default() -> Self {
        Self::new()
    }
}

impl Ended {
    /// No request was answered yet.
    pub fn new() -> Self {
        Self { answered: vec![0; ENDED_MAX as usize / 64].into_boxed_slice() }
    }

    /// Forgets the request that had this number's place before.
    pub fn begin(&mut self, sequence: u64) {
        let (word, bit) = Self::place(sequence);
        self.answered[word] &= !bit;
    }

    /// Notes an answer.
    pub fn answer(&mut self, sequence: u64) {
        let (word, bit) = Self::place(sequence);
        self.answered[word] |= bit;
    }

    /// Whether request number `sequence`, of `begun` so far, was answered.
    pub fn was_answered(&self, sequence: u64, begun: u64) -> bool {
        let (word, bit) = Self::place(sequence);
        sequence < begun && begun - sequence <= ENDED_MAX && self.answered[word] & bit != 0
    }

    const fn place(sequence: u64) -> (usize, u64) {
        let index = sequence % ENDED_MAX;
        (index as usize / 64, 1 << (index % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(transaction: Transaction) -> Request {
        Request {
            kind: Kind::Ping,
            key: KeyIndex(0),
            link: LinkIndex(0),
            due_ns: 0,
            first_sent_ns: 0,
            transaction,
            is_renewed: false,
        }
    }

    #[test]
    fn only_the_latest_send_of_a_waiting_request_becomes_overdue() {
        let mut in_flight = InFlight::new();
        let first = in_flight.insert(1, request).transaction;
        let second = in_flight.insert(2, request).transaction;
        let third = in_flight.insert(3, request).transaction;
        for (deadline_ns, transaction) in [(10, first), (20, second), (30, third)] {
            in_flight.wait(deadline_ns, transaction);
        }
        in_flight.remove(first);
        in_flight.find(second).expect("waits").transaction = second.resend();
        in_flight.wait(40, second.resend());
        let overdue = |in_flight: &mut InFlight, now_ns| {
            in_flight.overdue(now_ns).map(|request| request.transaction)
        };
        assert_eq!(overdue(&mut in_flight, 29), None);
        assert_eq!(overdue(&mut in_flight, 30), Some(third));
        assert_eq!(overdue(&mut in_flight, 39), None);
        assert_eq!(overdue(&mut in_flight, 40), Some(second.resend()));
        assert_eq!(overdue(&mut in_flight, u64::MAX), None);
    }

    #[test]
    fn a_slot_used_again_does_not_take_an_old_reply() {
        let mut in_flight = InFlight::new();
        let old = in_flight.insert(1, request).transaction;
        in_flight.remove(old);
        let new = in_flight.insert(2, request).transaction;
        assert_eq!(old.slot(), new.slot());
        assert!(in_flight.find(old).is_none());
        assert!(in_flight.find(new.resend()).is_some(), "any send names its request");
    }

    #[test]
    fn an_end_is_remembered_until_its_place_is_used_again() {
        let mut ended = Ended::new();
        ended.answer(5);
        assert!(ended.was_answered(5, 6));
        assert!(!ended.was_answered(4, 6));
        assert!(!ended.was_answered(5 + ENDED_MAX, 6), "no such request yet");
        ended.begin(5 + ENDED_MAX);
        assert!(!ended.was_answered(5 + ENDED_MAX, 6 + ENDED_MAX));
        assert!(!ended.was_answered(5, 6 + ENDED_MAX), "too long ago");
    }
}

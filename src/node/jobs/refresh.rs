//! The self lookup: how the node keeps its neighbourhood fresh.

use core::time::Duration;

use crate::limits::{OWN_ID_LOOK, SELF_LOOKUP, SELF_LOOKUP_SPARSE};
use crate::node::effect::{Effect, Finished, Turn};
use crate::time::Instant;

/// When the next self lookup is due.
pub(crate) struct Refresh {
    next: Instant,
    /// When what the last one has found is to be seen again.
    look_again: Option<Instant>,
    /// The next wait while the table is sparse: while it holds fewer than K contacts.
    sparse_wait: Duration,
}

impl Refresh {
    pub(super) fn new(turn: &mut Turn) -> Self {
        let next = turn.now + turn.rng.jitter(SELF_LOOKUP);
        Self { next, look_again: None, sparse_wait: SELF_LOOKUP_SPARSE }
    }

    pub(crate) fn next(&self) -> Instant {
        self.look_again.map_or(self.next, |look_again| look_again.min(self.next))
    }

    /// One begins: plans the next. `contacts` are in the table.
    pub(super) fn begin(&mut self, turn: &mut Turn, contacts: usize) {
        self.look_again = None;
        self.schedule(turn, contacts);
    }

    fn schedule(&mut self, turn: &mut Turn, contacts: usize) {
        let mut wait = SELF_LOOKUP;
        if contacts < turn.config.k {
            wait = self.sparse_wait;
            self.sparse_wait = (wait * 2).min(SELF_LOOKUP);
        }
        self.next = turn.now + turn.rng.jitter(wait);
    }

    /// Brings the next one forward.
    pub(super) fn look_again(&mut self, turn: &mut Turn) {
        self.look_again = Some(turn.now + turn.rng.jitter(OWN_ID_LOOK));
    }

    /// The node has joined.
    pub(crate) fn joined(&mut self, turn: &mut Turn, contacts: usize) {
        self.sparse_wait = SELF_LOOKUP_SPARSE;
        self.schedule(turn, contacts);
    }

    /// A refresh has ended. A self lookup by which the table ceases to be sparse is the
    /// node's true joining: every bucket is to be filled.
    pub(super) fn finished(&mut self, turn: &mut Turn, finished: &Finished, contacts: usize) {
        if finished.target != turn.config.id {
            return;
        }
        let found_beyond = found_beyond(turn, finished);
        if self.sparse_wait > SELF_LOOKUP_SPARSE && contacts >= turn.config.k {
            self.sparse_wait = SELF_LOOKUP_SPARSE;
            turn.push(Effect::Refill(found_beyond));
        } else {
            turn.push(Effect::FoundBeyond(found_beyond));
        }
    }
}

/// The bucket beyond which a lookup for the node's own id has found every node: that of
/// the farthest of the K closest, all of which have answered it. A refresh of a bucket
/// beyond it would find the same nodes again.
pub(super) fn found_beyond(turn: &Turn, finished: &Finished) -> Option<u8> {
    let (farthest, _) = finished.closest.get(turn.config.k - 1)?;
    Some((farthest.id ^ turn.config.id).shared_prefix_bits() as u8)
}

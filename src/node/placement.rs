//! Values on their way to the K closest nodes: the STOREs that follow a lookup.

use super::Node;
use super::answer::Answer;
use super::call::Begun;
use super::command::{Event, Stored};
use super::outbox::Outbox;
use super::query::lookup::Candidate;
use super::storage::published::Placement;
use super::storage::store::cache_life;
use super::task::{Ask, Errand, Owner, Phase, Reason, TaskId};
use crate::limits::CACHE_LIFE_MIN;
use crate::time::Instant;
use crate::wire::{Body, Purpose};

impl Node {
    /// Sends STOREs to the K closest, all at once.
    pub(super) fn place(&mut self, now: Instant, id: TaskId, outbox: &mut Outbox) {
        let task = &self.tasks[id.slot];
        let Errand::Place { value, life, .. } = task.errand.clone() else {
            unreachable!("only values are placed");
        };
        let key = task.lookup.target();
        let closest: smallvec::SmallVec<[Candidate; 32]> = task.lookup.closest().copied().collect();
        let mut asked = 0;
        for candidate in closest {
            let value = alloc::sync::Arc::clone(&value);
            let ask = Ask::Store { key, value, life, purpose: Purpose::Replica };
            let begun = self.call_candidate(now, candidate, ask, Owner::Placement(id), outbox);
            asked += usize::from(begun == Begun::InFlight);
        }
        self.tasks[id.slot].phase =
            Phase::Placing { outstanding: asked, asked, holders: 0, leaving: 0 };
        if asked == 0 {
            self.finish_placed(now, id, outbox);
        }
    }

    /// Every STORE has had its outcome.
    fn finish_placed(&mut self, now: Instant, id: TaskId, outbox: &mut Outbox) {
        let task = self.end_task(id);
        let (Phase::Placing { asked, holders, .. }, Errand::Place { reason, .. }) =
            (task.phase, &task.errand)
        else {
            unreachable!("only values are placed");
        };
        let key = task.lookup.target();
        let placement = if holders > 0 { Placement::Placed } else { Placement::Unplaced };
        match reason {
            Reason::Put(operation) => {
                self.published.placed(key, placement);
                let hops = task.lookup.closest().map(|known| known.depth).max().unwrap_or(0);
                outbox.event(Event::Put {
                    operation: *operation,
                    key,
                    outcome: Ok(Stored { holders, asked, hops }),
                    elapsed: now.since(task.started),
                });
            }
            Reason::Republish => {
                self.published.placed(key, placement);
                self.stats.values_republished += 1;
            }
            Reason::HandOver { .. } => self.hand_over_settled(now, task, outbox),
            Reason::Replicate => {
                self.stats.values_replicated += 1;
                let own = self.config.id ^ key;
                let closer = task.lookup.closest().filter(|known| known.contact.id ^ key < own);
                if closer.count() >= self.config.k && holders >= self.config.k {
                    // K nodes closer than we are hold it: ours is but a copy.
                    let life = cache_life(self.config.expire, self.config.k, CACHE_LIFE_MIN);
                    self.store.demote(key, now + life);
                }
            }
        }
    }

    /// Takes in what one of the STOREs has come to.
    pub(super) fn placement_settled(
        &mut self,
        now: Instant,
        id: TaskId,
        answer: Answer<'_>,
        outbox: &mut Outbox,
    ) {
        let Some(task) = self.task(id) else {
            return;
        };
        let Phase::Placing { outstanding, holders, leaving, .. } = &mut task.phase else {
            return;
        };
        *outstanding -= 1;
        *holders += usize::from(matches!(answer, Answer::Reply(Body::Stored)));
        *leaving += usize::from(matches!(answer, Answer::Farewell(_)));
        if *outstanding == 0 {
            self.finish_placed(now, id, outbox);
        }
    }
}

//! What time brings: requests to send again or to give up, values to let go, maintenance
//! to begin.

use super::Node;
use super::effect::{Effect, QueryKind};
use super::outbox::Outbox;
use crate::id::Id;
use crate::limits::EXPIRIES_MAX;
use crate::time::Instant;

impl Node {
    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let answers = self.turn.journal.is_answerable().then_some(self.turn.now);
        let deadlines =
            [answers, self.rpcs.deadline(), self.jobs.join.next_attempt(), self.next_maintenance()];
        let transfers = [self.fetches.deadline(), self.uploads.deadline()];
        deadlines.into_iter().chain(transfers).flatten().min()
    }

    /// Does what is due at `now`; what there is no room for in the outbox is due
    /// still.
    pub fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        self.turn.now = now;
        self.answer_kept(outbox);
        self.handle_overdue(outbox);
        self.fetches.handle_due(&mut self.turn, outbox);
        self.uploads.poll(&mut self.turn);
        self.jobs.attempt_bootstrap(&mut self.turn);
        self.drain(outbox);
        let expired = self.storage.store.expire(now, EXPIRIES_MAX);
        self.turn.stats.values_expired += expired as u64;
        if self.turn.is_departing() {
            self.hand_off(outbox);
        } else if self.next_query().is_some_and(|due| due <= now)
            && let Some((target, kind)) = self.due_query()
        {
            self.jobs.query_begun(now);
            self.turn.push(Effect::Query { target, kind });
        }
        self.drain(outbox);
    }

    fn next_maintenance(&self) -> Option<Instant> {
        let due = if self.turn.is_departing() {
            self.may_hand_off().then_some(Instant::ZERO)
        } else {
            self.next_query()
        };
        [due, self.storage.store.next_expiry()].into_iter().flatten().min()
    }

    /// When maintenance begins its next query. With the pace exhausted, the end of a query
    /// makes room for it.
    fn next_query(&self) -> Option<Instant> {
        let refresh = self.table.next_refresh().map(|(_, due)| due);
        let self_lookup = self.jobs.refresh.next();
        let due = [Some(self_lookup), self.storage.next_publish(), refresh];
        let due = due.into_iter().flatten().min()?;
        self.queries.has_room_for_maintenance().then(|| self.jobs.paced(due))
    }

    /// The query of maintenance that is due.
    fn due_query(&mut self) -> Option<(Id, QueryKind)> {
        let contacts = self.table.routing.entries().count();
        let turn = &mut self.turn;
        let due = self.jobs.due_self_lookup(turn, contacts);
        due.or_else(|| self.storage.due_publish(turn)).or_else(|| {
            let (index, due) = self.table.next_refresh()?;
            let is_due = due <= turn.now;
            is_due.then(|| (self.table.routing.random_id(&mut turn.rng, index), QueryKind::Refresh))
        })
    }
}

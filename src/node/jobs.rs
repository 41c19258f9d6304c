//! What the node does on its own account: what is due, and what to do with the result of a
//! query.

mod depart;
mod join;
mod newcomers;
mod own_id;
mod refresh;
mod replica_sets;
mod rounds;

use alloc::vec::Vec;

use super::command::{Event, Found, OperationId, Refusal, Stored};
use super::effect::{Effect, Finished, Outcome, PublishReason, QueryKind, Turn};
use super::log_event::LogEvent;
use super::renewable::RoundPeer;
use super::request::{Answer, Ask, Purpose, Reply, Request};
use crate::id::Id;
use crate::limits::{MAINTENANCE_PACE, RENEW_AGAIN};
use crate::time::Instant;
use crate::wire::{self, Role};
use depart::Depart;
use join::Join;
use newcomers::Newcomers;
use own_id::OwnId;
use refresh::Refresh;
use replica_sets::ReplicaSets;
use rounds::Rounds;

pub(crate) use replica_sets::{Choice, range_around};
pub(crate) use rounds::Work;

/// The jobs of one shard.
pub(crate) struct Jobs {
    pub(crate) join: Join,
    pub(crate) refresh: Refresh,
    pub(crate) depart: Depart,
    pub(crate) rounds: Rounds,
    pub(crate) replica_sets: ReplicaSets,
    pub(crate) newcomers: Newcomers,
    own_id: OwnId,
    /// When it may republish next.
    pub(crate) next_republish: Instant,
    /// When it may replicate next, and when those replicas that it is near to.
    pub(crate) next_replicate: Instant,
    /// When it may before that, since a node was silent.
    pub(crate) again: Option<Instant>,
    /// When maintenance may begin its next query.
    next_query: Instant,
}

impl Jobs {
    pub(crate) fn new(turn: &mut Turn) -> Self {
        let refresh = Refresh::new(turn);
        Self {
            join: Join::new(),
            refresh,
            depart: Depart::default(),
            rounds: Rounds::default(),
            replica_sets: ReplicaSets::default(),
            newcomers: Newcomers::new(turn.now),
            own_id: OwnId::default(),
            next_republish: Instant::ZERO,
            next_replicate: Instant::ZERO,
            again: None,
            next_query: Instant::ZERO,
        }
    }

    /// When maintenance that is due at `due` may begin its query.
    pub(crate) fn paced(&self, due: Instant) -> Instant {
        due.max(self.next_query)
    }

    /// Maintenance begins a query.
    pub(crate) fn query_begun(&mut self, now: Instant) {
        self.next_query = now + MAINTENANCE_PACE;
    }

    /// When a round may begin a query: it does so where that is `now`.
    pub(crate) fn begin_query(&mut self, now: Instant) -> Instant {
        let paced = self.paced(now);
        if paced == now {
            self.query_begun(now);
        }
        paced
    }

    /// Sends a PING to every bootstrap address, and checks the alpha closest contacts and
    /// the stale ones, when that is due. The first reply starts the join.
    pub(crate) fn attempt_bootstrap(&mut self, turn: &mut Turn) {
        if self.join.take_attempt(turn.now, &mut turn.rng) {
            let addresses = self.join.addresses().len();
            turn.log(|| LogEvent::BootstrapAttempt { addresses });
            self.ping_addresses(turn);
            turn.push(Effect::CheckStale);
            turn.push(Effect::CheckClosest);
        }
    }

    /// The self lookup, when it is due: of the first shard, for all. `contacts` are known.
    pub(crate) fn due_self_lookup(
        &mut self,
        turn: &mut Turn,
        contacts: usize,
    ) -> Option<(Id, QueryKind)> {
        if turn.now < self.refresh.next() {
            return None;
        }
        self.refresh.begin(turn, contacts);
        turn.push(Effect::CheckStale);
        turn.config.position.is_first().then(|| {
            self.ping_addresses(turn);
            (turn.config.id, QueryKind::Refresh)
        })
    }

    /// They bring the parts of a network that fell apart together again.
    fn ping_addresses(&self, turn: &mut Turn) {
        for &addr in self.join.addresses() {
            turn.push(Effect::PingAddress(addr));
        }
    }

    /// Does what a query was made for. `contacts` are in the table.
    pub(crate) fn finished(&mut self, turn: &mut Turn, finished: Finished, contacts: usize) {
        match &finished.kind {
            QueryKind::Join => {
                self.join_finished(turn, &finished);
                self.judge_id(turn, &finished);
            }
            QueryKind::Refresh => {
                self.refresh.finished(turn, &finished, contacts);
                self.judge_id(turn, &finished);
            }
            QueryKind::Renew(reason) => {
                let (target, reason) = (finished.target, *reason);
                let closest = finished.closest.iter().map(|&(contact, _)| contact).collect();
                turn.push(Effect::Explored { target, reason, closest });
            }
            QueryKind::Get { operation, .. } => get_finished(turn, *operation, finished),
            QueryKind::Publish { reason, .. } => {
                let holders = match finished.outcome {
                    Outcome::Stored { holders, .. } => holders,
                    _ => 0,
                };
                match *reason {
                    PublishReason::Put(operation) => {
                        put_finished(turn, operation, &finished);
                        self.learn_replica_set(turn, &finished, contacts);
                    }
                    PublishReason::Depart => {
                        self.depart.query_finished(turn, holders);
                    }
                }
            }
        }
    }

    /// A put has found the nodes closest to its key: the values around it are republished there.
    fn learn_replica_set(&mut self, turn: &Turn, finished: &Finished, contacts: usize) {
        let closest = finished.closest.iter().map(|&(contact, _)| contact);
        if finished.closest.len() == turn.config.k {
            let are_all = contacts <= turn.config.k;
            self.replica_sets.learn(turn, finished.target, closest, are_all);
        }
    }

    /// A node was silent in a round: some values are renewed once more soon.
    pub(crate) fn renew_again(&mut self, now: Instant) {
        let again = *self.again.get_or_insert(now + RENEW_AGAIN);
        self.next_replicate = self.next_replicate.min(again);
    }

    /// A request of a round has come to something.
    pub(crate) fn round_settled(&mut self, turn: &mut Turn, peer: RoundPeer, reply: &Reply<'_>) {
        if turn.is_departing() && matches!(reply.answer, Answer::Silence) {
            self.depart.peer_silent(turn, reply.request.addr);
        }
        let silent = self.rounds.settled(turn, peer, reply);
        if let (Some(key), Some(contact)) = (silent, reply.contact()) {
            self.replica_sets.silent(turn, key, contact);
        }
    }

    /// The lookup for the node's own id has found the neighbours, unless no node has
    /// answered.
    fn join_finished(&mut self, turn: &mut Turn, finished: &Finished) {
        if finished.closest.is_empty() {
            return self.join.retry(turn.now, &mut turn.rng);
        }
        self.join.joined();
        turn.push(Effect::Joined(refresh::found_beyond(turn, finished)));
    }

    /// Looks whether the node's id is its own. No node lists a client.
    fn judge_id(&mut self, turn: &mut Turn, finished: &Finished) {
        let is_of_own = finished.target == turn.config.id && turn.config.role == Role::Peer;
        if is_of_own && self.own_id.judge(turn, &finished.sightings) {
            self.refresh.look_again(turn);
        }
    }

    /// Begins to depart: sends the goodbyes, and hands off so many values at most.
    pub(crate) fn begin_departing(
        &mut self,
        turn: &mut Turn,
        values: usize,
        goodbyes: Vec<Request>,
    ) {
        self.join.stop();
        self.depart.begin(turn, values, goodbyes);
    }
}

fn put_finished(turn: &mut Turn, operation: OperationId, finished: &Finished) {
    let outcome = match finished.outcome {
        Outcome::Stored { asked, holders, too_large } => {
            turn.push(Effect::Published { key: finished.target, holders });
            let hops = finished.closest.iter().map(|&(_, hops)| hops).max().unwrap_or(0);
            let resent = finished.resent;
            Ok(Stored { holders, asked, too_large, hops, resent, kept: None })
        }
        _ => Err(Refusal::Abandoned),
    };
    let &Finished { target: key, elapsed, .. } = finished;
    turn.push(Effect::Event(Event::Put { operation, key, outcome, elapsed }));
}

/// A get has ended. A value that was found is cached here, and left on the closest node
/// that did not have it.
fn get_finished(turn: &mut Turn, operation: OperationId, finished: Finished) {
    let Finished { target: key, outcome, asked, elapsed, .. } = finished;
    let bytes_max = turn.config.value_bytes_max;
    let outcome = match outcome {
        Outcome::Found { from, hops, value, life, without } => {
            let life = life.min(turn.config.expire);
            let found = Found { value: value.clone(), from: Some(from), hops };
            if let Some((contact, known)) = without {
                let value = value.clone();
                let ask = Ask::Store { key, value, life, purpose: wire::Purpose::Cache };
                let request = Request::new(contact, known, ask, Purpose::PathCache);
                turn.push(Effect::Request(request));
            }
            turn.push(Effect::Cache { key, value, life });
            Ok(Some(found))
        }
        Outcome::Looked | Outcome::Stored { .. } => Ok(None),
        Outcome::TooLarge { bytes } => Err(Refusal::TooLarge { bytes, bytes_max }),
        Outcome::Unfinished { bytes } => Err(Refusal::Unfinished { bytes }),
        // A node that was not asked may have it.
        Outcome::Incomplete => Err(Refusal::Busy),
        Outcome::Abandoned => Err(Refusal::Abandoned),
    };
    turn.push(Effect::Event(Event::Get { operation, key, outcome, asked, elapsed }));
}

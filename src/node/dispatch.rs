//! The dispatcher: hands replies and effects on to the engines.
//!
//! Apart from `node.rs`, which begins things, since each is a page to read by itself: this
//! is the one place where what one engine does becomes known to another.

use core::net::{IpAddr, SocketAddr};

use super::effect::{Effect, FetchPurpose, QueryKind};
use super::handoff::{Handoff, Message};
use super::identity::Naming;
use super::log_event::LogEvent;
use super::outbox::Outbox;
use super::request::{Answer, Ask, Purpose, Reply, Request};
use super::rpc::{Late, RpcId};
use super::table::Entry;
use super::transfer::FetchesFull;
use super::{Config, Event, IdFault, IdPolicy, Node, fitted_id};
use crate::id::Id;
use crate::wire::{Body, Contact, Datagram, Role};

impl Node {
    /// Hands on effects, and those that follow, until none is left.
    ///
    /// Inlined where it is called: the request of a known peer leaves none.
    #[inline]
    pub(super) fn drain(&mut self, outbox: &mut Outbox) {
        if self.turn.has_effects() {
            self.drain_all(outbox);
        }
    }

    #[inline(never)]
    fn drain_all(&mut self, outbox: &mut Outbox) {
        while let Some(effect) = self.turn.pop() {
            self.apply(effect, outbox);
        }
    }

    /// Tells that a datagram was dropped.
    pub(super) fn dropped(
        &mut self,
        source: SocketAddr,
        reason: &'static str,
        outbox: &mut Outbox,
    ) {
        self.turn.log(|| LogEvent::DatagramDropped { source, reason });
        self.drain(outbox);
    }

    fn apply(&mut self, effect: Effect, outbox: &mut Outbox) {
        let Self { turn, table, storage, jobs, queries, fetches, .. } = self;
        match effect {
            Effect::Request(request) => self.send(request, outbox),
            Effect::PingAddress(addr) => {
                if !table.has_good_at(addr) {
                    self.send(Request::bootstrap(addr), outbox);
                }
            }
            Effect::Fetch(purpose, offered) => {
                let begun = fetches.offer(turn, purpose, &offered, outbox);
                if let (Err(FetchesFull), FetchPurpose::Query(query)) = (begun, purpose) {
                    queries.fetch_refused(turn, query);
                }
            }
            Effect::StopFetch(purpose) => fetches.stop(purpose),
            Effect::Fetched(fetched) => match fetched.purpose {
                FetchPurpose::Query(query) => queries.fetched(turn, query, &fetched),
                FetchPurpose::Pull(_) => self.pulled(fetched, outbox),
            },
            Effect::FetchIsSlow(query) => queries.fetch_is_slow(turn, query),
            Effect::Progress { query, bytes } => queries.progressed(turn, query, bytes),
            Effect::Range { query, range } => queries.range_pulled(turn, query, range),
            Effect::Query { target, kind } => {
                turn.log(|| LogEvent::LookupStarted { purpose: kind.name(), target });
                if queries.begin(turn, target, kind) {
                    table.routing.looked_up(turn.now, target);
                }
            }
            Effect::Seed { query, target, count } => {
                let seeds = table.seeds(turn, target, count);
                queries.seeded(turn, query, seeds);
            }
            Effect::Finished(finished) => {
                let contacts = table.routing.entries().count();
                turn.histograms.looked_up(finished.elapsed);
                turn.log(|| finished.log_event());
                jobs.finished(turn, finished, contacts);
            }
            Effect::CheckStale => table.check_stale(turn),
            Effect::CheckClosest => table.check_closest(turn),
            Effect::FoundBeyond(index) => table.routing.looked_up_beyond(turn.now, index),
            Effect::Refill(found_beyond) => table.routing.refill(turn.now, found_beyond),
            Effect::Joined(found_beyond) => self.tell_joined(found_beyond, outbox),
            Effect::BadId { fault, seen } => self.replace_id(fault, seen, outbox),
            Effect::ContactsLost => jobs.join.lost(turn.now),
            Effect::PeerDeparted(addr) => {
                if turn.is_departing() {
                    jobs.depart.peer_departs(turn, addr);
                    queries.forget_at(addr);
                }
            }
            Effect::Published { key, holders } => storage.stored(turn, key, holders),
            Effect::Explored { target, reason, closest } => self.explored(target, reason, &closest),
            Effect::Missed { key } => {
                storage.renew_soon(turn, key);
                jobs.renew_again(turn.now);
            }
            Effect::HandedOff { key, reason, holders } => {
                jobs.depart.round_ended(turn, key, reason, holders);
            }
            Effect::Demote { key } => storage.demote(turn, key),
            Effect::Cache { key, value, life } => {
                let closer = table.routing.closer_than_self(key);
                storage.cache(turn, key, value, life, closer);
            }
            Effect::Tell(shard, message) => outbox.handoff(shard, Handoff(message)),
            Effect::Event(event) => self.tell(event, outbox),
        }
    }

    /// Sends a request, or tells its engine that too much is in flight.
    fn send(&mut self, request: Request, outbox: &mut Outbox) {
        let Request { addr, id, purpose, .. } = request;
        let stored = request.ask.stored_key();
        let of_round = matches!(purpose, Purpose::Round(_)).then(|| request.ask.clone());
        if self.rpcs.begin(&mut self.turn, request, outbox) {
            return;
        }
        if let Some(key) = stored {
            self.uploads.forget(addr, key, purpose);
        }
        match purpose {
            Purpose::Bootstrap | Purpose::PathCache => {}
            Purpose::Check | Purpose::Verify => self.table.ping_ended(purpose, addr),
            Purpose::Goodbye => self.jobs.depart.goodbye_ended(&mut self.turn),
            Purpose::Round(peer) => {
                let ask = of_round.expect("it is of a round");
                self.jobs.rounds.refused(&mut self.turn, peer, &ask);
            }
            Purpose::Query(query) => {
                let id = id.expect("a query asks nodes that it knows");
                self.queries.refused(&mut self.turn, query, Contact { id, addr });
            }
        }
    }

    /// Takes in a reply: the table learns from it, then the engine that asked.
    pub(super) fn handle_reply(
        &mut self,
        source: SocketAddr,
        datagram: &Datagram<'_>,
        outbox: &mut Outbox,
    ) {
        let turn = &mut self.turn;
        if self.fetches.is_reply_to(datagram.transaction) {
            return self.fetches.take_reply(turn, source, datagram, outbox);
        }
        if let Some(reply) = self.uploads.take_reply(turn, source, datagram) {
            self.learn(&reply);
            return self.settle(&reply);
        }
        let Some(reply) = self.rpcs.take_reply(turn, source, datagram) else {
            return;
        };
        self.learn(&reply);
        if self.rpcs.renew(&mut self.turn, &reply, outbox) {
            return; // with the token
        }
        if datagram.asks_proof {
            self.prove(&reply, outbox);
        }
        if !self.uploads.take(&mut self.turn, &reply, Some(datagram.transaction)) {
            self.settle(&reply);
        }
    }

    /// Shows a peer, which would take this node for a contact, the token that it has given. Of
    /// those that a put asks, its STOREs show it to the K closest in a moment; the others, which
    /// are farther away, are shown it by the next request that is no put's.
    fn prove(&mut self, reply: &Reply<'_>, outbox: &mut Outbox) {
        let is_shown = match reply.request.purpose {
            Purpose::Query(query) => self.queries.shows_tokens(query),
            _ => false,
        };
        if self.turn.config.role == Role::Peer
            && !is_shown
            && matches!(reply.answer, Answer::Reply { .. })
        {
            self.rpcs.prove(&mut self.turn, reply.request.addr, reply.known.token, outbox);
        }
    }

    /// What the table learns from what came of a request.
    fn learn(&mut self, reply: &Reply<'_>) {
        let Some(contact) = reply.contact() else {
            return; // a bootstrap address: the clock has it tried again
        };
        let turn = &mut self.turn;
        match reply.answer {
            Answer::Reply { role: Role::Peer, .. } => {
                self.table.answered(turn, Entry::new(contact, turn.now, reply.known));
                self.join_if_met();
            }
            Answer::Reply { role: Role::Client, .. } => {}
            Answer::Reply { role: Role::Departing, .. } => self.peer_departs(contact),
            Answer::Misnamed { .. } => self.table.gone(turn, contact),
            Answer::Silence => self.table.failed(turn, contact),
        }
    }

    /// A contact has proved that it departs.
    pub(super) fn peer_departs(&mut self, contact: Contact) {
        self.table.gone(&mut self.turn, contact);
        self.turn.push(Effect::PeerDeparted(contact.addr));
    }

    /// Tells the engine that asked what came of its request.
    fn settle(&mut self, reply: &Reply<'_>) {
        let Self { turn, table, jobs, queries, .. } = self;
        let addr = reply.request.addr;
        match reply.request.purpose {
            Purpose::Bootstrap => {}
            purpose @ (Purpose::Check | Purpose::Verify) => table.ping_ended(purpose, addr),
            Purpose::Goodbye => jobs.depart.goodbye_settled(turn, reply),
            Purpose::Query(query) => {
                let known = |contact: Contact| {
                    let departs = jobs.depart.is_departing(contact.addr);
                    (!departs).then(|| table.known(contact))
                };
                queries.settled(turn, query, reply, known);
            }
            Purpose::Round(peer) => jobs.round_settled(turn, peer, reply),
            Purpose::PathCache => {
                let is_stored = matches!(reply.answer, Answer::Reply { body: Body::Stored, .. });
                turn.stats.values_path_cached += u64::from(is_stored);
            }
        }
    }

    /// Sends again, or gives up, what is overdue. What the outbox has no room for stays
    /// overdue until the next call: all that are in flight sent again at once are ten times
    /// what it holds.
    pub(super) fn handle_overdue(&mut self, outbox: &mut Outbox) {
        while !outbox.is_low()
            && let Some(late) = self.rpcs.overdue(self.turn.now)
        {
            match late {
                Late::Resend(id) => self.resend(id, outbox),
                Late::GivenUp(reply) => {
                    self.turn.stats.rpcs_failed += 1;
                    let Request { addr: peer, ref ask, .. } = reply.request;
                    self.turn.log(|| LogEvent::RequestFailed { request: ask.name(), peer });
                    self.uploads.take(&mut self.turn, &reply, None);
                    self.settle(&reply);
                    self.learn(&reply);
                }
            }
            self.drain(outbox);
        }
    }

    /// Sends a request again, unless its query looks for no node any more. A STORE is sent all
    /// the same: the value is to be kept.
    fn resend(&mut self, id: RpcId, outbox: &mut Outbox) {
        let Request { addr, id: peer, purpose, ref ask, .. } = *self.rpcs.request(id);
        if let Purpose::Query(query) = purpose
            && !matches!(ask, Ask::Store { .. })
            && !self.queries.is_looking(query)
        {
            return self.rpcs.forget(id);
        }
        if let Some(reply) = self.rpcs.resend(&mut self.turn, id, outbox) {
            // The table does not count it as a failure: the peer had no time to answer.
            self.uploads.take(&mut self.turn, &reply, None);
            self.settle(&reply);
        } else if let (Purpose::Query(query), Some(id)) = (purpose, peer) {
            self.queries.slow(&mut self.turn, query, Contact { id, addr });
        }
    }

    /// Joins when it is trying to and there is a good contact: the first shard does so for
    /// all.
    pub(super) fn join_if_met(&mut self) {
        if self.jobs.join.is_trying() && self.table.routing.has_good() {
            self.jobs.join.answered();
            if self.queries.has_room_for_user(&mut self.turn) {
                let target: Id = self.turn.config.id;
                self.turn.push(Effect::Query { target, kind: QueryKind::Join });
            } else {
                self.jobs.join.restart(self.turn.now);
            }
        }
    }

    /// The node has joined, by the first shard: tells the others and the user.
    fn tell_joined(&mut self, found_beyond: Option<u8>, outbox: &mut Outbox) {
        self.note_joined(found_beyond);
        for shard in self.turn.config.position.others() {
            outbox.handoff(shard, Handoff(Message::Joined { found_beyond }));
        }
        let contacts = self.table.routing.entries().count();
        outbox.event(Event::Joined { contacts });
    }

    /// The node has joined: every bucket that the join has not found full is to be filled
    /// (Kademlia 2.3), and what was put while it was alone is to be stored on others.
    pub(super) fn note_joined(&mut self, found_beyond: Option<u8>) {
        self.turn.push(Effect::Refill(found_beyond));
        self.storage.joined();
        let contacts = self.table.routing.entries().count();
        self.jobs.refresh.joined(&mut self.turn, contacts);
    }

    /// The node's id cannot be used: it takes another and joins anew, where it may.
    fn replace_id(&mut self, fault: IdFault, seen: Option<IpAddr>, outbox: &mut Outbox) {
        let Config { id, id_policy, .. } = self.turn.config;
        // A node that is listed nowhere would not be listed under another id either.
        let is_replaced =
            id_policy == IdPolicy::Replaceable && !matches!(fault, IdFault::Unlisted { .. });
        let random = self.turn.rng.id();
        let replaced_by = is_replaced.then(|| seen.map_or(random, |ip| fitted_id(random, ip)));
        if let Some(id) = replaced_by {
            self.turn.stats.ids_replaced += 1;
            let naming = self.table.own().next(id);
            for shard in self.turn.config.position.others() {
                outbox.handoff(shard, Handoff(Message::Renamed(naming)));
            }
            self.rename(naming);
            self.jobs.join.restart(self.turn.now);
        }
        outbox.event(Event::BadId { id, fault, replaced_by });
    }

    /// The node goes by this name from now on, unless it has a later one.
    pub(super) fn rename(&mut self, naming: Naming) {
        if naming.is_after(self.table.own()) {
            self.turn.config.id = naming.id;
            self.table.rename(&mut self.turn, naming);
        }
    }
}

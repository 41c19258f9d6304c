//! Requests of others: answered where they land, from this node's own state.

use core::net::SocketAddr;
use core::time::Duration;

use super::outbox::Outbox;
use super::routing_table::Health;
use super::store::{Life, Source, Storing, cache_life};
use super::token::Proof;
use super::{Node, whole_seconds};
use crate::id::Id;
use crate::limits::{AMPLIFICATION_MAX, CACHE_LIFE_MIN, DATAGRAM_BYTES_MAX, REPLICATE};
use crate::time::Instant;
use crate::wire::{
    self, Body, Contact, Contacts, Datagram, ErrorCode, Purpose, Role, Store, Value,
};

/// A request, with what its reply depends on.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) source: SocketAddr,
    pub(super) datagram: Datagram<'a>,
    /// Size of the datagram, padding included.
    pub(super) length: usize,
}

impl Node {
    /// Answers a request, and takes note of who sent it.
    pub(super) fn serve(&mut self, now: Instant, asked: Asked<'_>, outbox: &mut Outbox) {
        let proof = self.tokens.check(now, asked.source.ip(), asked.datagram.token);
        // An address that has shown no token gets no more than it paid for.
        let room = match proof {
            Proof::Valid => DATAGRAM_BYTES_MAX,
            Proof::Missing => (asked.length * AMPLIFICATION_MAX).min(DATAGRAM_BYTES_MAX),
        };
        match asked.datagram.body {
            Body::Ping => {
                self.stats.pings_answered += 1;
                self.reply(now, asked, Body::Pong, outbox);
            }
            Body::FindNode { target } => {
                self.stats.find_nodes_answered += 1;
                self.reply_contacts(now, asked, target, room, outbox);
            }
            Body::FindValue { key, offset } => {
                self.serve_find_value(now, asked, key, offset, room, outbox);
            }
            Body::Store(store) => self.serve_store(now, asked, store, proof, outbox),
            Body::Pong | Body::Nodes(_) | Body::Value(_) | Body::Stored | Body::Error(_) => {
                unreachable!("only requests are served")
            }
        }
        self.meet(now, asked, proof, outbox);
    }

    fn serve_find_value(
        &mut self,
        now: Instant,
        asked: Asked<'_>,
        key: Id,
        offset: u32,
        room: usize,
        outbox: &mut Outbox,
    ) {
        let held = self.published.value(key).map(|value| (value, self.config.expire));
        let held = held.or_else(|| {
            let held = self.store.held(key)?;
            Some((&held.value, held.expires.since(now)))
        });
        let Some((value, life)) = held else {
            self.stats.find_values_missed += 1;
            return self.reply_contacts(now, asked, key, room, outbox);
        };
        let start = (offset as usize).min(value.len());
        let body = Body::Value(Value {
            offset: start as u32,
            total: value.len() as u32,
            life_s: whole_seconds(life),
            value: &value[start..],
        });
        if body.encoded_bytes() > room {
            self.stats.replies_cut += 1;
            return self.reply(now, asked, Body::Error(ErrorCode::Token), outbox);
        }
        self.stats.find_values_hit += 1;
        let sent = self.encode_reply(now, asked, body, outbox);
        self.count_sent(sent);
    }

    fn reply_contacts(
        &mut self,
        now: Instant,
        asked: Asked<'_>,
        target: Id,
        room: usize,
        outbox: &mut Outbox,
    ) {
        let sender = asked.datagram.sender;
        let closest = self.table.closest(target, self.config.k, Health::Good, sender);
        let mut count = closest.len();
        while Body::Nodes(Contacts::new(&closest[..count])).encoded_bytes() > room && count > 0 {
            count -= 1;
        }
        if count < closest.len() {
            self.stats.replies_cut += 1;
        }
        self.reply(now, asked, Body::Nodes(Contacts::new(&closest[..count])), outbox);
    }

    fn serve_store(
        &mut self,
        now: Instant,
        asked: Asked<'_>,
        store: Store<'_>,
        proof: Proof,
        outbox: &mut Outbox,
    ) {
        let outcome = self.admit_store(now, asked.source, store, proof);
        let (counter, body) = match outcome {
            Ok(()) => (&mut self.stats.stores_accepted, Body::Stored),
            Err(code) => {
                let counter = match code {
                    ErrorCode::Token => &mut self.stats.stores_without_token,
                    ErrorCode::Mismatch => &mut self.stats.stores_mismatched,
                    ErrorCode::TooLarge => &mut self.stats.stores_too_large,
                    ErrorCode::Full => &mut self.stats.stores_full,
                };
                (counter, Body::Error(code))
            }
        };
        *counter += 1;
        self.reply(now, asked, body, outbox);
    }

    fn admit_store(
        &mut self,
        now: Instant,
        source: SocketAddr,
        store: Store<'_>,
        proof: Proof,
    ) -> Result<(), ErrorCode> {
        if proof == Proof::Missing {
            return Err(ErrorCode::Token);
        }
        if store.offset != 0 || store.total as usize != store.value.len() {
            return Err(ErrorCode::TooLarge);
        }
        if Id::of_value(store.value) != store.key {
            return Err(ErrorCode::Mismatch);
        }
        if self.published.value(store.key).is_some() {
            return Ok(());
        }
        let asked = Duration::from_secs(store.life_s.into()).min(self.config.expire);
        let life = match store.purpose {
            Purpose::Replica => asked,
            Purpose::Cache => {
                cache_life(asked, self.table.closer_than_self(store.key), CACHE_LIFE_MIN)
            }
        };
        let replicate = now + self.rng.jitter(REPLICATE);
        let life = Life { expires: now + life, replicate };
        let source = Source::of_ip(source.ip());
        match self.store.store(store.key, store.value, source, store.purpose, life) {
            Storing::Held { evicted } => {
                self.stats.values_evicted += evicted;
                Ok(())
            }
            Storing::Renewed => Ok(()),
            Storing::Refused => Err(ErrorCode::Full),
        }
    }

    /// Takes note of the sender of a request: a known contact is alive; a
    /// stranger is pinged, and enters the routing table when it answers.
    fn meet(&mut self, now: Instant, asked: Asked<'_>, proof: Proof, outbox: &mut Outbox) {
        if asked.datagram.role == Role::Client {
            return;
        }
        let addr = asked.datagram.announce.unwrap_or(asked.source);
        let contact = Contact { id: asked.datagram.sender, addr };
        if proof == Proof::Valid && addr == asked.source {
            self.contact_heard(now, contact, outbox);
        }
        if wire::is_reachable(addr) {
            self.stranger_asked(now, contact, outbox);
        }
    }

    fn reply(&mut self, now: Instant, asked: Asked<'_>, body: Body<'_>, outbox: &mut Outbox) {
        let sent = self.encode_reply(now, asked, body, outbox);
        self.count_sent(sent);
    }

    fn encode_reply(
        &self,
        now: Instant,
        asked: Asked<'_>,
        body: Body<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), super::outbox::OutboxFull> {
        let datagram = Datagram {
            network: self.config.network,
            transaction: asked.datagram.transaction,
            sender: self.config.id,
            role: self.config.role,
            announce: None,
            token: self.tokens.issue(now, asked.source.ip()),
            body,
        };
        outbox.datagram(asked.source, |buffer| wire::encode(&datagram, buffer))
    }
}

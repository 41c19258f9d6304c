//! Requests on their way out: begun, sent, sent again.

use core::net::SocketAddr;

use super::credential::Credential;
use super::outbox::Outbox;
use super::round_trip::RoundTrip;
use super::rpc::in_flight::RpcId;
use super::table::bucket::Entry;
use super::task::{Ask, Call, Owner, Renewal};
use super::{Node, whole_seconds};
use crate::limits::{
    INTRODUCTIONS_MAX, PROBES_MAX, REQUEST_PADDED_BYTES, SENDS_FAREWELL, SENDS_INTRODUCTION,
    SENDS_LOOKUP, SENDS_STORE,
};
use crate::time::Instant;
use crate::wire::{self, Body, Contact, Datagram, Store, Token, TransactionId};

/// Whether a request is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    InFlight,
    /// Too many are in flight.
    Refused,
}

impl Node {
    /// Sends a request for the first time.
    pub(super) fn begin_call(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        round_trip: RoundTrip,
        call: Call,
        outbox: &mut Outbox,
    ) -> Begun {
        let sends_max = match (call.owner, &call.ask) {
            (Owner::Introduction, _) => SENDS_INTRODUCTION,
            (Owner::Farewell, _) => SENDS_FAREWELL,
            (_, Ask::Store { .. }) => SENDS_STORE,
            (_, Ask::Ping | Ask::FindNode { .. } | Ask::FindValue { .. }) => SENDS_LOOKUP,
        };
        let begun = self.in_flight.begin(now, &mut self.rng, peer, round_trip, sends_max, call);
        let Some((rpc, transaction)) = begun else {
            self.stats.rpcs_refused += 1;
            return Begun::Refused;
        };
        self.send_request(rpc, transaction, outbox);
        Begun::InFlight
    }

    /// Sends a request that was not answered in time once more.
    pub(super) fn resend_call(&mut self, now: Instant, rpc: RpcId, outbox: &mut Outbox) {
        let transaction = self.in_flight.resend(now, &mut self.rng, rpc);
        self.stats.requests_retransmitted += 1;
        self.send_request(rpc, transaction, outbox);
    }

    /// Pings a contact whose life is in question: once at a time, and
    /// [`PROBES_MAX`] in all.
    pub(super) fn probe(&mut self, now: Instant, contact: Contact, outbox: &mut Outbox) {
        if self.probing.contains(&contact.addr) {
            return;
        }
        if self.probing.len() == PROBES_MAX {
            self.stats.probes_refused += 1;
        } else if self.ping(now, contact, Owner::Probe, outbox) == Begun::InFlight {
            self.probing.push(contact.addr);
        }
    }

    /// Pings a stranger, to see whether it is where it seems to be: once at a
    /// time, and [`INTRODUCTIONS_MAX`] in all.
    pub(super) fn introduce(&mut self, now: Instant, stranger: Contact, outbox: &mut Outbox) {
        if self.introducing.contains(&stranger.addr) {
            return;
        }
        if self.introducing.len() == INTRODUCTIONS_MAX {
            self.stats.introductions_refused += 1;
        } else if self.ping(now, stranger, Owner::Introduction, outbox) == Begun::InFlight {
            self.introducing.push(stranger.addr);
        }
    }

    pub(super) fn ping(
        &mut self,
        now: Instant,
        contact: Contact,
        owner: Owner,
        outbox: &mut Outbox,
    ) -> Begun {
        let (round_trip, credential) = self.knowledge(contact);
        let call = Call {
            expected: Some(contact.id),
            token: credential.token(now),
            ask: Ask::Ping,
            owner,
            renewal: Renewal::Unused,
        };
        self.begin_call(now, contact.addr, round_trip, call, outbox)
    }

    /// What the routing table knows of a contact that someone has named.
    pub(super) fn knowledge(&self, contact: Contact) -> (RoundTrip, Credential) {
        let entry: Option<&Entry> = self.table.entry(contact.id);
        entry
            .filter(|entry| entry.is(contact))
            .map_or((RoundTrip::default(), Credential::NONE), |entry| {
                (entry.round_trip, entry.credential)
            })
    }

    fn send_request(&mut self, rpc: RpcId, transaction: TransactionId, outbox: &mut Outbox) {
        let rpc = self.in_flight.rpc(rpc);
        let call = &rpc.request;
        let datagram = Datagram {
            network: self.config.network,
            transaction,
            sender: self.config.id,
            role: self.role(),
            announce: self.config.announce,
            token: call.token,
            body: match &call.ask {
                Ask::Ping => Body::Ping,
                Ask::FindNode { target } => Body::FindNode { target: *target },
                Ask::FindValue { key } => Body::FindValue { key: *key, offset: 0 },
                Ask::Store { key, value, life, purpose } => Body::Store(Store {
                    key: *key,
                    offset: 0,
                    total: value.len() as u32,
                    life_s: whole_seconds(*life),
                    purpose: *purpose,
                    value,
                }),
            },
        };
        // Without a token the reply may be only so many times the request's
        // size, so the request is made large enough for any reply.
        let is_find = matches!(call.ask, Ask::FindNode { .. } | Ask::FindValue { .. });
        let length_min =
            if is_find && call.token == Token::NONE { REQUEST_PADDED_BYTES } else { 0 };
        let sent = outbox.datagram(rpc.peer, |buffer| {
            let length = wire::encode(&datagram, buffer);
            if length < length_min {
                buffer[length..length_min].fill(0);
            }
            length.max(length_min)
        });
        self.stats.requests_sent += 1;
        self.count_sent(sent);
    }
}

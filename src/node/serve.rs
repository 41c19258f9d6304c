//! Requests of others: answered where they land, from this node's own state. Proofs, which ask
//! for no answer, come here too: the table is to know of their senders as of others'.

use core::net::SocketAddr;
use core::time::Duration;

use super::Node;
use super::journal::Waiting;
use super::log_event::LogEvent;
use super::outbox::Outbox;
use super::request::whole_seconds;
use super::storage::{Source, StoreFull, Terms, cache_life};
use super::subnet::Subnet;
use super::table::Health;
use super::token::Checked;
use crate::id::Id;
use crate::limits::{AMPLIFICATION_MAX, CACHE_LIFE_MIN, DATAGRAM_BYTES_MAX, PIECE_BYTES_MAX};
use crate::time::Instant;
use crate::wire::{
    self, Body, Contact, Contacts, Datagram, ErrorCode, Purpose, Renewal, Renewals, Renewed, Role,
    Store, Token, Value,
};

/// A request, with what its reply depends on.
pub(super) struct Asked<'a> {
    pub(super) source: SocketAddr,
    pub(super) datagram: &'a Datagram<'a>,
    /// Whether its sender has shown that it receives at its address.
    pub(super) is_proved: bool,
    /// The token that the reply carries.
    fresh: Token,
    /// Bytes that the reply may have.
    pub(super) room: usize,
    /// Whether the sender would enter the routing table if it showed the token.
    asks_proof: bool,
}

impl Asked<'_> {
    /// The sender, where it is to be reached.
    fn contact(&self) -> Contact {
        let addr = self.datagram.announce.unwrap_or(self.source);
        Contact { id: self.datagram.sender, addr }
    }
}

impl Node {
    /// Answers a request that came in `length` bytes, padding included, and takes
    /// note of its sender; of a proof nothing but that.
    pub(super) fn serve(
        &mut self,
        source: SocketAddr,
        datagram: &Datagram<'_>,
        length: usize,
        outbox: &mut Outbox,
    ) {
        let Checked { is_valid: is_proved, fresh } =
            self.tokens.check(self.turn.now, source.ip(), datagram.token);
        // An address that has shown no token gets no more than it paid for.
        let paid = (length * AMPLIFICATION_MAX).min(DATAGRAM_BYTES_MAX);
        let room = if is_proved { DATAGRAM_BYTES_MAX } else { paid };
        let asks_proof = !is_proved && datagram.role == Role::Peer && {
            let addr = datagram.announce.unwrap_or(source);
            self.table.routing.wants(Contact { id: datagram.sender, addr })
        };
        let asked = &Asked { source, datagram, is_proved, fresh, room, asks_proof };
        match datagram.body {
            Body::Ping => {
                self.turn.stats.pings_answered += 1;
                let sent = self.encode_reply(asked, Body::Pong, outbox);
                self.turn.stats.count_sent(sent);
            }
            Body::FindNode { target } => {
                self.turn.stats.find_nodes_answered += 1;
                self.reply_contacts(asked, target, outbox);
            }
            Body::FindValue { key, offset } => {
                self.serve_find_value(asked, key, offset, outbox);
            }
            Body::Store(store) => self.serve_store(asked, store, outbox),
            Body::FindRange(range) => self.serve_find_range(asked, range, outbox),
            Body::Renew(renewals) => self.serve_renew(asked, renewals, outbox),
            Body::Proof => self.turn.stats.proofs_received += 1,
            Body::Pong
            | Body::Nodes(_)
            | Body::Value(_)
            | Body::Stored
            | Body::Pending
            | Body::Renewed(_)
            | Body::Error(_) => unreachable!("replies are not served"),
        }
        self.meet(asked);
    }

    fn serve_find_value(&mut self, asked: &Asked<'_>, key: Id, offset: u32, outbox: &mut Outbox) {
        let held = self.storage.published.value(key).map(|value| (value, self.turn.config.expire));
        let held = held.or_else(|| {
            let held = self.storage.store.held(key)?;
            Some((&held.value, held.expires.since(self.turn.now)))
        });
        let Some((value, life)) = held else {
            self.turn.stats.find_values_missed += 1;
            return self.reply_contacts(asked, key, outbox);
        };
        if value.len() > PIECE_BYTES_MAX {
            return self.serve_first_piece(asked, key, outbox);
        }
        let start = (offset as usize).min(value.len());
        let body = Body::Value(Value {
            offset: start as u32,
            total: value.len() as u32,
            life_s: whole_seconds(life),
            value: &value[start..],
        });
        if body.encoded_bytes() > asked.room {
            self.turn.stats.replies_cut += 1;
            return self.reply(asked, Body::Error(ErrorCode::Token), outbox);
        }
        self.turn.stats.find_values_hit += 1;
        let sent = self.encode_reply(asked, body, outbox);
        self.turn.stats.count_sent(sent);
    }

    pub(super) fn reply_contacts(&mut self, asked: &Asked<'_>, target: Id, outbox: &mut Outbox) {
        let (sender, k) = (asked.datagram.sender, self.turn.config.k);
        let mut closest = self.table.routing.closest(target, k, Health::Good, sender);
        if target == sender {
            self.table.routing.say_of_asker(asked.contact(), &mut closest);
        }
        let mut count = closest.len();
        while Body::Nodes(Contacts::new(&closest[..count])).encoded_bytes() > asked.room
            && count > 0
        {
            count -= 1;
        }
        if count < closest.len() {
            self.turn.stats.replies_cut += 1;
        }
        self.reply(asked, Body::Nodes(Contacts::new(&closest[..count])), outbox);
    }

    fn serve_store(&mut self, asked: &Asked<'_>, store: Store<'_>, outbox: &mut Outbox) {
        if self.turn.is_departing() {
            // What it took now would have to be handed off in turn.
            self.turn.stats.stores_while_departing += 1;
            return self.reply(asked, Body::Error(ErrorCode::Full), outbox);
        }
        if store.is_first_piece() {
            return self.serve_large_store(asked, store, outbox);
        }
        let outcome = self.admit_store(asked, store);
        match outcome {
            Ok(()) => self.accept_store(asked, outbox),
            Err(code) => self.refuse_store(asked, store.key, code, outbox),
        }
    }

    /// Says that a value is kept, once it is.
    pub(super) fn accept_store(&mut self, asked: &Asked<'_>, outbox: &mut Outbox) {
        self.turn.stats.stores_accepted += 1;
        if !self.turn.journal.is_kept() {
            return self.reply_when_kept(asked, Body::Stored);
        }
        self.reply(asked, Body::Stored, outbox);
    }

    pub(super) fn refuse_store(
        &mut self,
        asked: &Asked<'_>,
        key: Id,
        code: ErrorCode,
        outbox: &mut Outbox,
    ) {
        let source = asked.source;
        self.turn.log(|| LogEvent::StoreRefused { source, key, code });
        let counter = match code {
            ErrorCode::Token => &mut self.turn.stats.stores_without_token,
            ErrorCode::Mismatch => &mut self.turn.stats.stores_mismatched,
            ErrorCode::TooLarge => &mut self.turn.stats.stores_too_large,
            ErrorCode::Full => &mut self.turn.stats.stores_full,
            ErrorCode::Busy => &mut self.turn.stats.stores_busy,
        };
        *counter += 1;
        self.reply(asked, Body::Error(code), outbox);
    }

    fn admit_store(&mut self, asked: &Asked<'_>, store: Store<'_>) -> Result<(), ErrorCode> {
        if !asked.is_proved {
            return Err(ErrorCode::Token);
        }
        let is_whole = store.offset == 0 && store.total as usize == store.value.len();
        let is_too_large = store.value.len() > self.turn.config.value_bytes_max;
        if !is_whole || store.value.is_empty() || is_too_large {
            return Err(ErrorCode::TooLarge);
        }
        if Id::of_value(store.value) != store.key {
            return Err(ErrorCode::Mismatch);
        }
        if self.storage.published.value(store.key).is_some() {
            return Ok(());
        }
        if !self.turn.has_room_on_disk(store.value.len()) {
            return Err(ErrorCode::Full);
        }
        let value = (store.key, store.value);
        let terms = self.terms(asked, store.key, store.life_s, store.purpose);
        let held = self.storage.hold(&mut self.turn, value, terms);
        held.map_err(|StoreFull| ErrorCode::Full)
    }

    /// Lengthens the lives of values, and says which are not held; of those that this shard
    /// owns. Without a token too: nothing new is kept, and a peer that has one can ask as much.
    /// What a forged RENEW costs is, byte for byte, what a forged `FIND_NODE` does.
    #[inline(never)]
    fn serve_renew(&mut self, asked: &Asked<'_>, renewals: Renewals<'_>, outbox: &mut Outbox) {
        if self.turn.is_departing() || !self.turn.journal.has_room(0) {
            self.turn.stats.renews_refused += 1;
            return self.reply(asked, Body::Error(ErrorCode::Full), outbox);
        }
        let position = self.turn.config.position;
        let mut renewed = Renewed::default();
        for (bit, renewal) in renewals.iter().enumerate() {
            if position.of_key(renewal.key) == position.index() {
                let is_held = self.renew_held(asked, renewal);
                renewed.answered |= 1 << bit;
                renewed.lacking |= u64::from(!is_held) << bit;
            }
        }
        let lacking = u64::from(renewed.lacking.count_ones());
        self.turn.stats.renews_answered += 1;
        self.turn.stats.renewals_missed += lacking;
        self.turn.stats.renewals_hit += u64::from(renewed.answered.count_ones()) - lacking;
        let body = Body::Renewed(renewed);
        if !self.turn.journal.is_kept() {
            return self.reply_when_kept(asked, body);
        }
        self.reply(asked, body, outbox);
    }

    /// Lengthens the life of a value as a STORE of it would, and says whether it is held.
    fn renew_held(&mut self, asked: &Asked<'_>, renewal: Renewal) -> bool {
        let Renewal { key, life_s } = renewal;
        let terms = self.terms(asked, key, life_s, Purpose::Replica);
        self.storage.renew(&mut self.turn, key, terms)
    }

    /// On which terms a value is held that is stored or renewed now.
    pub(super) fn terms(&self, asked: &Asked<'_>, key: Id, life_s: u32, purpose: Purpose) -> Terms {
        Terms {
            source: Source::of_ip(asked.source.ip()),
            purpose,
            is_near: !self.table.routing.is_far(key),
            is_for_all: self.is_for_all(asked.datagram.sender, life_s),
            expires: self.expiry(key, life_s, purpose),
        }
    }

    /// Whether `sender`, which lends so long a life, renews the value on all of the closest. That
    /// is what a neighbour does which holds it, and lends what is left of its own. An origin lends
    /// a whole life to few of them; a node that only asks, none to few; and from afar the last of
    /// them are missed now and then, and those are for this node to find.
    fn is_for_all(&self, sender: Id, life_s: u32) -> bool {
        let is_of_holder = (1..whole_seconds(self.turn.config.expire)).contains(&life_s);
        is_of_holder && self.table.routing.knows_closest(sender)
    }

    /// When the life of a value ends that is stored now.
    fn expiry(&self, key: Id, life_s: u32, purpose: Purpose) -> Instant {
        let wanted = Duration::from_secs(life_s.into()).min(self.turn.config.expire);
        let life = match purpose {
            Purpose::Replica => wanted,
            Purpose::Cache => {
                cache_life(wanted, self.table.routing.closer_than_self(key), CACHE_LIFE_MIN)
            }
        };
        self.turn.now + life
    }

    /// Takes note of the sender of a request. What has shown no token may be forged, and
    /// costs nothing: its reply asks for the token, where it would be of use. A sender that
    /// has shown one is alive, or departs, or enters the routing table; where it announces
    /// another address, that is verified by a PING.
    fn meet(&mut self, asked: &Asked<'_>) {
        if asked.datagram.role == Role::Client || !asked.is_proved {
            return;
        }
        let contact = asked.contact();
        let addr = contact.addr;
        let is_at_source = addr == asked.source;
        if asked.datagram.role == Role::Departing {
            if is_at_source {
                self.peer_departs(contact);
            }
        } else if is_at_source {
            self.table.heard(&mut self.turn, contact);
            if self.table.proved(&mut self.turn, contact) {
                self.join_if_met();
            }
        } else if addr.ip().is_loopback() && !asked.source.ip().to_canonical().is_loopback() {
            // Another host's loopback is not this one's: a PING would go to a service here.
            self.turn.stats.verifications_of_loopback += 1;
        } else if wire::is_reachable(addr) {
            self.table.asked(&mut self.turn, contact, Subnet::of(asked.source.ip()));
        }
    }

    pub(super) fn reply(&mut self, asked: &Asked<'_>, body: Body<'_>, outbox: &mut Outbox) {
        let sent = self.encode_reply(asked, body, outbox);
        self.turn.stats.count_sent(sent);
    }

    /// Replies once all that was written into the journal is kept.
    fn reply_when_kept(&mut self, asked: &Asked<'_>, body: Body<'_>) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&self.datagram(asked, body), &mut buffer);
        let reply = Waiting::Reply { destination: asked.source, bytes: buffer[..length].into() };
        self.turn.journal.wait(reply);
    }

    #[expect(clippy::inline_always, reason = "the caller knows the kind of body")]
    #[inline(always)]
    pub(super) fn encode_reply(
        &self,
        asked: &Asked<'_>,
        body: Body<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), super::outbox::OutboxFull> {
        let datagram = self.datagram(asked, body);
        outbox.datagram(asked.source, |buffer| wire::encode(&datagram, buffer))
    }

    #[expect(clippy::inline_always, reason = "the caller knows the kind of body")]
    #[inline(always)]
    fn datagram<'a>(&self, asked: &Asked<'_>, body: Body<'a>) -> Datagram<'a> {
        Datagram {
            network: self.turn.config.network,
            transaction: asked.datagram.transaction,
            sender: self.turn.config.id,
            role: self.turn.config.role,
            announce: None,
            asks_proof: asked.asks_proof,
            token: asked.fresh,
            body,
        }
    }
}

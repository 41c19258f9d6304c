//! Values larger than one datagram: pulled by those that want them.
//!
//! A get, and a node that was offered a value by a STORE, pull it piece by piece
//! ([`fetch`]); the node that has offered it answers requests for parts and waits until it
//! is kept ([`uploads`]). The receiver decides how fast: it has a [`window`] for each holder.
//!
//! This engine does not look at what a value is pulled for.

mod fetch;
mod pieces;
mod source;
mod transaction;
mod uploads;
mod window;

use core::net::SocketAddr;

use slab::Slab;

use super::effect::{Effect, FetchPurpose, Offered, Turn};
use super::outbox::Outbox;
use crate::id::Id;
use crate::limits::{
    FETCH_BYTES_MAX, FETCHES_MAX, HASHED_BYTES_MAX, PULL_BYTES_PER_HOST_MAX, PULLS_MAX,
    PULLS_PER_HOST_MAX, REQUEST_PADDED_BYTES,
};
use crate::time::Instant;
use crate::wire::{self, Body, Datagram, Range, Token, TransactionId};
use fetch::{Ask, Fetch};
use transaction::Transaction;

pub(crate) use uploads::Uploads;

type FetchResult = Result<(), ()>;

/// As many values are pulled as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FetchesFull;

/// The values that one shard pulls.
pub(crate) struct Fetches {
    reply_tag: u8,
    bytes_max: usize,
    slots: Slab<Fetch>,
    /// Whose bytes are hashed first.
    hashed_next: usize,
}

impl Fetches {
    /// `reply_tag` is the second of the shard's; the values that `shards` shards pull are of
    /// at most `value_bytes_max`.
    pub(crate) fn new(reply_tag: u8, shards: usize, value_bytes_max: usize) -> Self {
        let bytes_max = (FETCH_BYTES_MAX / shards).max(4 * value_bytes_max);
        Self { reply_tag, bytes_max, slots: Slab::new(), hashed_next: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of the values that are pulled.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes_of(|_| true)
    }

    fn bytes_of(&self, wanted: impl Fn(FetchPurpose) -> bool) -> usize {
        let of = self.slots.iter().filter(|(_, fetch)| wanted(fetch.purpose));
        of.map(|(_, fetch)| fetch.total()).sum()
    }

    /// Whether a reply is to a request of this engine.
    pub(crate) const fn is_reply_to(&self, transaction: TransactionId) -> bool {
        transaction.reply_tag() == self.reply_tag
    }

    /// Whether the value of `key` is pulled for this, and of how many bytes it is said to be.
    pub(crate) fn total(
        &self,
        key: Id,
        is_purpose: impl Fn(FetchPurpose) -> bool,
    ) -> Option<usize> {
        let of = |(_, fetch): &(usize, &Fetch)| fetch.key == key && is_purpose(fetch.purpose);
        self.slots.iter().find(of).map(|(_, fetch)| fetch.total())
    }

    /// Pulls a value from a holder, or from one more.
    pub(crate) fn offer(
        &mut self,
        turn: &mut Turn,
        purpose: FetchPurpose,
        offered: &Offered,
        outbox: &mut Outbox,
    ) -> Result<(), FetchesFull> {
        let &Offered { key, total, contact, known, ref first } = offered;
        let is_same = |fetch: &Fetch| {
            let is_pull = |purpose| matches!(purpose, FetchPurpose::Pull(_));
            fetch.key == key
                && fetch.total() == total
                && (fetch.purpose == purpose || is_pull(fetch.purpose) && is_pull(purpose))
        };
        let found = self.slots.iter().find(|(_, fetch)| is_same(fetch)).map(|(slot, _)| slot);
        let slot = match found {
            Some(slot) => slot,
            None if !self.has_room(purpose, total) => {
                turn.stats.transfers_refused += 1;
                return Err(FetchesFull);
            }
            None => {
                turn.stats.transfers_started += 1;
                self.slots.insert(Fetch::new(turn.now, key, total, purpose))
            }
        };
        self.slots[slot].add_source(turn, contact, known, first);
        self.go_on(turn, slot, outbox);
        Ok(())
    }

    fn has_room(&self, purpose: FetchPurpose, total: usize) -> bool {
        let is_pull = |purpose| matches!(purpose, FetchPurpose::Pull(_));
        let count = |wanted: &dyn Fn(FetchPurpose) -> bool| {
            self.slots.iter().filter(|(_, fetch)| wanted(fetch.purpose)).count()
        };
        let fits = |bytes: usize, bytes_max: usize| bytes == 0 || bytes + total <= bytes_max;
        self.len() < FETCHES_MAX
            && fits(self.bytes(), self.bytes_max)
            && (!is_pull(purpose)
                || count(&is_pull) < PULLS_MAX
                    && fits(self.bytes_of(is_pull), self.bytes_max / 2)
                    && count(&|of| of == purpose) < PULLS_PER_HOST_MAX
                    && fits(self.bytes_of(|of| of == purpose), PULL_BYTES_PER_HOST_MAX))
    }

    /// Pulls nothing more for this.
    pub(crate) fn stop(&mut self, purpose: FetchPurpose) {
        self.slots.retain(|_, fetch| fetch.purpose != purpose);
    }

    /// Takes in a reply to a request of this engine.
    pub(crate) fn take_reply(
        &mut self,
        turn: &mut Turn,
        source: SocketAddr,
        datagram: &Datagram<'_>,
        outbox: &mut Outbox,
    ) {
        let Transaction { fetch: slot, source: index, number, nonce } =
            Transaction::of(datagram.transaction);
        let (slot, index) = (usize::from(slot), usize::from(index));
        let is_asked =
            self.slots.get(slot).and_then(|fetch| fetch.source(index)).is_some_and(|asked| {
                asked.nonce == nonce
                    && asked.contact.addr == source
                    && asked.contact.id == datagram.sender
                    && !asked.is_given_up
            });
        if !is_asked {
            turn.stats.replies_unmatched += 1;
            return;
        }
        self.slots[slot].answered(turn, index, number, datagram);
        self.go_on(turn, slot, outbox);
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.slots.iter().map(|(_, fetch)| fetch.deadline()).min()
    }

    /// Does what is due.
    pub(crate) fn handle_due(&mut self, turn: &mut Turn, outbox: &mut Outbox) {
        if self.slots.is_empty() {
            return;
        }
        self.hash(turn, outbox);
        for slot in 0..FETCHES_MAX {
            if let Some(fetch) = self.slots.get_mut(slot)
                && fetch.deadline() <= turn.now
            {
                fetch.find_overdue(turn);
                self.go_on(turn, slot, outbox);
            }
        }
    }

    /// Hashes what is due, at most [`HASHED_BYTES_MAX`] in a turn, of one fetch after another.
    fn hash(&mut self, turn: &mut Turn, outbox: &mut Outbox) {
        let (mut bytes_left, first) = (HASHED_BYTES_MAX, self.hashed_next);
        for slot in (first..FETCHES_MAX).chain(0..first) {
            let Some(fetch) = self.slots.get_mut(slot) else { continue };
            let bytes = fetch.hash(turn.now, bytes_left);
            if bytes > 0 {
                self.go_on(turn, slot, outbox);
            }
            bytes_left -= bytes;
            if bytes_left == 0 {
                self.hashed_next = (slot + 1) % FETCHES_MAX;
                return;
            }
        }
    }

    /// Ends a fetch that is over; asks for what may be asked for where it is not.
    fn go_on(&mut self, turn: &mut Turn, slot: usize, outbox: &mut Outbox) {
        if let Some(result) = self.slots[slot].outcome(turn) {
            let counter = match result {
                Ok(()) => &mut turn.stats.transfers_finished,
                Err(()) => &mut turn.stats.transfers_failed,
            };
            *counter += 1;
            let fetched = self.slots.remove(slot).into_fetched(result);
            return turn.push(Effect::Fetched(fetched));
        }
        while let Some(ask) = self.slots[slot].next_ask(turn.now) {
            self.send(turn, slot, &ask, outbox);
        }
    }

    fn send(&self, turn: &mut Turn, slot: usize, ask: &Ask, outbox: &mut Outbox) {
        let fetch = &self.slots[slot];
        let source = fetch.source(ask.source).expect("it was chosen just now");
        let transaction = Transaction {
            fetch: slot as u8,
            source: ask.source as u8,
            number: ask.number,
            nonce: source.nonce,
        };
        let range = Range {
            key: fetch.key,
            offset: ask.bytes.start as u32,
            length: ask.bytes.len() as u32,
        };
        let datagram = Datagram {
            network: turn.config.network,
            transaction: transaction.id(self.reply_tag),
            sender: turn.config.id,
            role: turn.config.role,
            announce: turn.config.announce,
            asks_proof: false,
            token: source.known.token.valid_at(turn.now),
            body: Body::FindRange(range),
        };
        let length_min = if datagram.token == Token::NONE { REQUEST_PADDED_BYTES } else { 0 };
        let sent = outbox.datagram(source.contact.addr, |buffer| {
            let length = wire::encode(&datagram, buffer);
            if length < length_min {
                buffer[length..length_min].fill(0);
            }
            length.max(length_min)
        });
        turn.stats.ranges_asked += 1;
        turn.stats.count_sent(sent);
    }
}

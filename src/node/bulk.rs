//! Where values larger than one datagram meet the rest of the node: requests for their parts
//! are answered, STOREs that offer them are taken up, and what was pulled is kept.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Node;
use super::effect::{FetchPurpose, Fetched, Offered};
use super::journal::Waiting;
use super::outbox::Outbox;
use super::request::whole_seconds;
use super::serve::Asked;
use super::storage::{Source, StoreFull, Terms};
use super::transfer::FetchesFull;
use crate::id::Id;
use crate::limits::{DATAGRAM_BYTES_MAX, K_MAX, PIECE_BYTES_MAX, RANGE_PIECES_MAX, SENDS_STORE};
use crate::wire::{
    self, Body, Contact, Datagram, ErrorCode, Purpose, Range, Store, TransactionId, Value,
};

/// The values that are pulled because they were offered, by key.
#[derive(Debug, Default)]
pub(super) struct Pulls(BTreeMap<Id, Pull>);

/// What becomes of a value when it is here.
#[derive(Debug)]
struct Pull {
    terms: Terms,
    /// Those that have offered it, at most [`K_MAX`].
    offerers: Vec<Offerer>,
}

/// A peer that waits for STORED.
#[derive(Debug)]
struct Offerer {
    contact: Contact,
    /// Of its last STOREs. It waits for the answer to one of them, and which that is depends
    /// on what was lost: it is sent an answer to each, once.
    transactions: Vec<TransactionId>,
}

impl Pull {
    /// Notes one more STORE.
    fn note(&mut self, contact: Contact, transaction: TransactionId) {
        let found = self.offerers.iter_mut().find(|offerer| offerer.contact == contact);
        if let Some(Offerer { transactions, .. }) = found {
            transactions.retain(|&known| known != transaction);
            if transactions.len() == usize::from(SENDS_STORE) {
                transactions.remove(0);
            }
            transactions.push(transaction);
        } else if self.offerers.len() < K_MAX {
            self.offerers.push(Offerer { contact, transactions: [transaction].into() });
        }
    }
}

/// What is said to a STORE that offers a large value.
enum Answer {
    Stored,
    Pending,
}

impl Node {
    /// Answers a `FIND_VALUE` for a large value with its first piece.
    #[cold]
    pub(super) fn serve_first_piece(&mut self, asked: &Asked<'_>, key: Id, outbox: &mut Outbox) {
        self.turn.stats.find_values_hit += 1;
        self.reply_pieces(asked, Range { key, offset: 0, length: 1 }, outbox);
    }

    /// Answers with a part of a value: a VALUE for each piece, of which the sender has asked
    /// for the first byte at least.
    pub(super) fn serve_find_range(
        &mut self,
        asked: &Asked<'_>,
        range: Range,
        outbox: &mut Outbox,
    ) {
        if asked.is_proved {
            self.uploads.pulled(&mut self.turn, asked.source, range);
        }
        if self.storage.value(range.key).is_none() {
            self.turn.stats.find_ranges_missed += 1;
            return self.reply_contacts(asked, range.key, outbox);
        }
        self.turn.stats.find_ranges_hit += 1;
        let pieces = self.reply_pieces(asked, range, outbox);
        self.turn.stats.pieces_sent += pieces as u64;
    }

    /// Sends the pieces of a range, and says how many.
    fn reply_pieces(&mut self, asked: &Asked<'_>, range: Range, outbox: &mut Outbox) -> usize {
        let Some((value, life)) = self.storage.value_and_life(&self.turn, range.key) else {
            return 0;
        };
        let value = Arc::clone(value);
        let start = (range.offset as usize).min(value.len());
        let end = start.saturating_add(range.length.max(1) as usize).min(value.len());
        // To an address without a token as much as the request has paid for.
        let pieces_max = if asked.is_proved { RANGE_PIECES_MAX } else { 1 };
        let mut pieces = 0;
        for start in (start..end).step_by(PIECE_BYTES_MAX).take(pieces_max) {
            let body = Body::Value(Value {
                offset: start as u32,
                total: value.len() as u32,
                life_s: whole_seconds(life),
                value: &value[start..(start + PIECE_BYTES_MAX).min(value.len())],
            });
            if body.encoded_bytes() > asked.room {
                self.turn.stats.replies_cut += 1;
                self.reply(asked, Body::Error(ErrorCode::Token), outbox);
                break;
            }
            self.reply(asked, body, outbox);
            pieces += 1;
        }
        pieces
    }

    /// Takes up a STORE that offers a large value: the rest is pulled from its sender, unless
    /// it is here.
    #[cold]
    pub(super) fn serve_large_store(
        &mut self,
        asked: &Asked<'_>,
        store: Store<'_>,
        outbox: &mut Outbox,
    ) {
        match self.admit_large_store(asked, store, outbox) {
            Ok(Answer::Stored) => self.accept_store(asked, outbox),
            Ok(Answer::Pending) => {
                self.turn.stats.stores_pending += 1;
                self.reply(asked, Body::Pending, outbox);
            }
            Err(code) => self.refuse_store(asked, store.key, code, outbox),
        }
    }

    fn admit_large_store(
        &mut self,
        asked: &Asked<'_>,
        store: Store<'_>,
        outbox: &mut Outbox,
    ) -> Result<Answer, ErrorCode> {
        let (key, total) = (store.key, store.total as usize);
        if !asked.is_proved {
            return Err(ErrorCode::Token);
        }
        if total > self.turn.config.value_bytes_max {
            return Err(ErrorCode::TooLarge);
        }
        let terms = self.terms(asked, key, store.life_s, store.purpose);
        if let Some(value) = self.storage.value(key) {
            if value.len() != total || !value.starts_with(store.value) {
                return Err(ErrorCode::Mismatch);
            }
            if self.storage.published.value(key).is_none() {
                let value = (key, Arc::clone(value));
                let held = self.storage.hold(&mut self.turn, value, terms);
                held.map_err(|StoreFull| ErrorCode::Full)?;
            }
            return Ok(Answer::Stored);
        }
        if !self.turn.has_room_on_disk(total) {
            return Err(ErrorCode::Busy);
        }
        if !self.storage.store.may_hold(total, terms) {
            return Err(ErrorCode::Full);
        }
        let contact = Contact { id: asked.datagram.sender, addr: asked.source };
        self.pull(contact, terms.source, store, outbox).map_err(|FetchesFull| ErrorCode::Busy)?;
        let pull = self.pulls.0.entry(key).or_insert(Pull { terms, offerers: Vec::new() });
        pull.terms.expires = pull.terms.expires.max(terms.expires);
        if terms.purpose == Purpose::Replica {
            pull.terms.purpose = terms.purpose;
        }
        pull.note(contact, asked.datagram.transaction);
        Ok(Answer::Pending)
    }

    /// Pulls what a STORE offers from its sender.
    fn pull(
        &mut self,
        contact: Contact,
        source: Source,
        store: Store<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), FetchesFull> {
        let (key, total) = (store.key, store.total as usize);
        let is_pull = |purpose| matches!(purpose, FetchPurpose::Pull(_));
        if self.fetches.total(key, is_pull).is_some_and(|pulled| pulled != total) {
            // One of the two lies: that one's pull ends soon.
            return Err(FetchesFull);
        }
        let Source::Peer(host) = source else { return Err(FetchesFull) };
        let (known, first) = (self.table.known(contact), store.value.into());
        let offered = Offered { key, total, contact, known, first };
        self.fetches.offer(&mut self.turn, FetchPurpose::Pull(host), &offered, outbox)
    }

    /// A value that was offered is here, or no one has sent it.
    pub(super) fn pulled(&mut self, fetched: Fetched, outbox: &mut Outbox) {
        let key = fetched.key;
        let Some(Pull { terms, offerers }) = self.pulls.0.remove(&key) else {
            return;
        };
        let outcome = match fetched.value {
            None => Err(ErrorCode::Mismatch),
            Some(value) => {
                let value = (key, value);
                let held = self.storage.hold(&mut self.turn, value, terms);
                held.map_err(|StoreFull| ErrorCode::Full)
            }
        };
        for Offerer { contact, transactions } in offerers {
            let body = match outcome {
                Ok(()) if !fetched.liars.contains(&contact) => Body::Stored,
                Err(ErrorCode::Full) => Body::Error(ErrorCode::Full),
                _ if fetched.liars.contains(&contact) => Body::Error(ErrorCode::Mismatch),
                // It was silent: if it is there, it will ask.
                _ => continue,
            };
            let counter = match body {
                Body::Stored => &mut self.turn.stats.stores_accepted,
                Body::Error(ErrorCode::Full) => &mut self.turn.stats.stores_full,
                _ => &mut self.turn.stats.stores_mismatched,
            };
            *counter += 1;
            for transaction in transactions {
                self.answer_store(contact.addr, transaction, body, outbox);
            }
        }
    }

    /// Answers a STORE that was answered by PENDING: one that is kept, once it is.
    fn answer_store(
        &mut self,
        destination: SocketAddr,
        transaction: TransactionId,
        body: Body<'static>,
        outbox: &mut Outbox,
    ) {
        let datagram = Datagram {
            network: self.turn.config.network,
            transaction,
            sender: self.turn.config.id,
            role: self.turn.config.role,
            announce: None,
            asks_proof: false,
            token: self.tokens.given(self.turn.now, destination.ip()),
            body,
        };
        if body == Body::Stored && !self.turn.journal.is_kept() {
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            let length = wire::encode(&datagram, &mut buffer);
            let bytes = buffer[..length].into();
            return self.turn.journal.wait(Waiting::Reply { destination, bytes });
        }
        let sent = outbox.datagram(destination, |buffer| wire::encode(&datagram, buffer));
        self.turn.stats.count_sent(sent);
    }
}

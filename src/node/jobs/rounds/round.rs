//! One round: what is renewed, on which peers, and how far it has come.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::Id;
use crate::limits::{DEPART_REQUESTS_PER_PEER, RENEWALS_MAX, ROUND_STORES_AGAIN_MAX};
use crate::node::effect::Turn;
use crate::node::known::Known;
use crate::node::log_event::LogEvent;
use crate::node::renewable::{RenewReason, Renewable, RoundPeer, steer_order};
use crate::node::request::{Ask, Purpose, Reply, Request, whole_seconds};
use crate::wire::{self, Contact, ErrorCode, Renewal, Renewed};

/// A round in progress.
pub(super) struct Round {
    pub(super) generation: u32,
    pub(super) reason: RenewReason,
    /// In the order of [`steer_order`].
    pub(super) values: Vec<Value>,
    pub(super) peers: Vec<Peer>,
    /// Peers to ask in place of silent ones.
    pub(super) spares: Vec<(Contact, Known)>,
    /// Peers that are not done with.
    pub(super) open: usize,
    /// Values that a silent peer was to hold.
    pub(super) missed: BTreeSet<u16>,
}

/// A value that is renewed.
pub(super) struct Value {
    pub(super) renewable: Renewable,
    /// Whether this node may cease to replicate it when so many others hold it.
    pub(super) enough: Option<u8>,
    /// Peers that hold it.
    pub(super) holders: u8,
}

/// A peer on which values are renewed.
pub(super) struct Peer {
    pub(super) contact: Contact,
    pub(super) known: Known,
    /// What is to be renewed on it, the last one next.
    pub(super) renew: Vec<u16>,
    /// What is to be stored on it, the last one next.
    pub(super) store: Vec<u16>,
    pub(super) state: State,
    /// STOREs that it was sent once more.
    pub(super) stored_again: u8,
    /// Requests that it may have now: those in flight, and those that are ready to be sent.
    pub(super) turns: usize,
}

/// What is known of how a peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has not answered yet.
    Unknown,
    /// It has answered a RENEW.
    Answers,
    /// It has not, and is offered a value by a STORE.
    Probed,
    /// It takes STOREs alone.
    Renewless,
}

impl Round {
    /// The next request to a peer.
    pub(super) fn next_request(&mut self, turn: &Turn, id: RoundPeer) -> Option<Request> {
        let Self { peers, values, reason, .. } = self;
        let life = |renewable: &Renewable| match reason {
            RenewReason::Far => Duration::ZERO,
            // However long the round takes: by that holders know their origin.
            RenewReason::Republish => turn.config.expire,
            _ => renewable.life(turn.now),
        };
        let peer = &mut peers[usize::from(id.peer)];
        let ask = if let Some(index) = peer.store.pop() {
            let renewable = &values[usize::from(index)].renewable;
            let (value, life) = (Arc::clone(&renewable.value), life(renewable));
            Ask::Store { key: renewable.key, value, life, purpose: wire::Purpose::Replica }
        } else {
            let rest = peer.renew.len().saturating_sub(RENEWALS_MAX);
            let renewals: Arc<[Renewal]> = peer
                .renew
                .drain(rest..)
                .rev()
                .map(|index| {
                    let renewable = &values[usize::from(index)].renewable;
                    Renewal { key: renewable.key, life_s: whole_seconds(life(renewable)) }
                })
                .collect();
            if renewals.is_empty() {
                return None;
            }
            Ask::Renew { renewals }
        };
        let request = Request::new(peer.contact, peer.known, ask, Purpose::Round(id));
        Some(request.hurried_if(self.reason.is_hurried()))
    }

    /// One of a peer's turns has ended: takes as many more for it as it may have now, and
    /// returns how many. Without any it is done with.
    pub(super) fn end_turn(&mut self, peer: u16) -> usize {
        let peer = &mut self.peers[usize::from(peer)];
        peer.turns -= 1;
        let is_there = matches!(peer.state, State::Answers | State::Renewless);
        let most = if self.reason.is_hurried() && is_there { DEPART_REQUESTS_PER_PEER } else { 1 };
        let left = peer.store.len() + peer.renew.len().div_ceil(RENEWALS_MAX);
        let more = left.min(most.saturating_sub(peer.turns));
        peer.turns += more;
        self.open -= usize::from(peer.turns == 0);
        more
    }

    /// Which value has this key.
    fn index(&self, key: Id) -> Option<u16> {
        let found = self
            .values
            .binary_search_by_key(&steer_order(key), |value| steer_order(value.renewable.key));
        found.ok().map(|index| index as u16)
    }

    /// A peer has said which of these values it holds. False where it has answered for none.
    pub(super) fn renewed(
        &mut self,
        turn: &mut Turn,
        number: u16,
        reply: &Reply<'_>,
        renewals: &[Renewal],
        renewed: Renewed,
    ) -> bool {
        let mut is_any_answered = false;
        for (bit, renewal) in renewals.iter().enumerate().rev() {
            let Some(index) = self.index(renewal.key) else { continue };
            let peer = &mut self.peers[usize::from(number)];
            peer.state = State::Answers;
            let is = |bits: u64| bits >> bit & 1 == 1;
            if !is(renewed.answered) {
                peer.renew.push(index);
                continue;
            }
            is_any_answered = true;
            if is(renewed.lacking) {
                turn.stats.renewals_lacking += 1;
                if self.reason == RenewReason::Far {
                    self.values[usize::from(index)].enough = None;
                } else {
                    peer.store.push(index);
                }
            } else {
                turn.stats.values_renewed += 1;
                let value = &mut self.values[usize::from(index)];
                value.holders = value.holders.saturating_add(1);
                self.tell_renewed(turn, number, reply, renewal.key);
            }
        }
        is_any_answered
    }

    /// A peer was silent: it is dead, or of an older release, and offered one of the values
    /// then. False where it was heard from in this round.
    pub(super) fn probe(&mut self, peer: u16, renewals: &[Renewal]) -> bool {
        let Some(peer) = self.peers.get_mut(usize::from(peer)) else { return false };
        if peer.state != State::Unknown || self.reason == RenewReason::Far {
            return false;
        }
        peer.state = State::Probed;
        let index = |renewal: &Renewal| {
            let key = steer_order(renewal.key);
            self.values.binary_search_by_key(&key, |value| steer_order(value.renewable.key)).ok()
        };
        let indexes = renewals.iter().rev().filter_map(index).map(|index| index as u16);
        peer.renew.extend(indexes);
        peer.store.extend(peer.renew.pop());
        true
    }

    /// Tells the log that a peer holds a value that was put here or is handed off. What is
    /// replicated is not told: of a full store it would be a thousand times what the log takes.
    fn tell_renewed(&self, turn: &mut Turn, peer: u16, reply: &Reply<'_>, key: Id) {
        if self.reason == RenewReason::Republish || self.reason.is_hurried() {
            self.tell_store(turn, peer, reply, key, true);
        }
    }

    /// Tells the log whether a peer holds a value.
    pub(super) fn tell_store(
        &self,
        turn: &mut Turn,
        peer: u16,
        reply: &Reply<'_>,
        key: Id,
        is_stored: bool,
    ) {
        let (purpose, contact) = (self.reason.name(), self.peers[usize::from(peer)].contact);
        let elapsed = turn.now.since(reply.first_sent);
        let operation = None;
        turn.log(|| LogEvent::StoreEnded { purpose, operation, key, contact, is_stored, elapsed });
    }

    /// A peer has answered a STORE. Whether it was probed by that.
    pub(super) fn stored(&mut self, turn: &mut Turn, peer: u16, key: Id, is_stored: bool) -> bool {
        if let (true, Some(index)) = (is_stored, self.index(key)) {
            turn.stats.values_supplied += 1;
            let value = &mut self.values[usize::from(index)];
            value.holders = value.holders.saturating_add(1);
        }
        let peer = &mut self.peers[usize::from(peer)];
        let was_probed = peer.state == State::Probed;
        if was_probed {
            peer.state = State::Renewless;
            peer.store = core::mem::take(&mut peer.renew);
        }
        was_probed
    }

    /// A peer has refused a STORE: it is sent once more where that may help. What was damaged on
    /// the way is not what the key says, or not whole; and a reply brings a new token.
    pub(super) fn store_refused(&mut self, peer: u16, key: Id, code: ErrorCode) {
        let may_help = match code {
            ErrorCode::Token | ErrorCode::Mismatch | ErrorCode::TooLarge => true,
            ErrorCode::Full | ErrorCode::Busy => false,
        };
        let Some(index) = self.index(key).filter(|_| may_help) else { return };
        let peer = &mut self.peers[usize::from(peer)];
        if peer.stored_again < ROUND_STORES_AGAIN_MAX {
            peer.stored_again += 1;
            peer.store.push(index);
        }
    }

    /// Gives a peer up, and notes which values it was to hold still, beside that of a request.
    pub(super) fn give_up(&mut self, peer: u16, ask: &Ask) {
        let asked: Vec<u16> = match ask {
            Ask::Renew { renewals } => {
                renewals.iter().filter_map(|renewal| self.index(renewal.key)).collect()
            }
            Ask::Store { key, .. } => self.index(*key).into_iter().collect(),
            Ask::Ping | Ask::FindNode { .. } | Ask::FindValue { .. } => Vec::new(),
        };
        let peer = &mut self.peers[usize::from(peer)];
        self.missed.extend(peer.renew.drain(..).chain(peer.store.drain(..)).chain(asked));
    }
}

//! RPCs in flight: a slab of slots, each with its deadline, and the transaction
//! ids by which a reply finds its slot.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;
use core::net::SocketAddr;
use core::time::Duration;

use slab::Slab;

use crate::limits::IN_FLIGHT_MAX;
use crate::node::round_trip::RoundTrip;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::TransactionId;

/// Most sends of one RPC, by the bits that count them in a transaction id.
const SENDS_MAX: usize = 1 << SEND_BITS;
const SEND_BITS: u32 = 3;
const _: () = assert!(IN_FLIGHT_MAX << SEND_BITS <= 1 << 16, "slot and send fit in 16 bits");
/// Bytes of a send's nonce. Where an attacker has a second for its guesses, a million of
/// them, 40 bits leave one chance in a million for each RPC that it aims at.
const NONCE_BYTES: usize = 5;
/// Deadlines remembered, those of settled RPCs included, which stay until they
/// come up or there are too many: at four for each RPC in flight a clean-up of
/// them all leaves a quarter at most, so it costs each RPC little.
const DEADLINES_MAX: usize = 4 * IN_FLIGHT_MAX;

/// One RPC in flight, with what the node remembers of it.
#[derive(Debug)]
pub(crate) struct Rpc<R> {
    pub(super) peer: SocketAddr,
    pub(super) request: R,
    round_trip: RoundTrip,
    sends: u8,
    sends_max: u8,
    first_sent: Instant,
    last_sent: Instant,
    deadline: Instant,
    generation: u32,
    /// One of each send.
    nonces: [[u8; NONCE_BYTES]; SENDS_MAX],
}

impl<R> Rpc<R> {
    /// Whether it was sent as often as it may be.
    pub(super) const fn is_last_send(&self) -> bool {
        self.sends == self.sends_max
    }

    /// When it was first sent.
    pub(super) const fn first_sent(&self) -> Instant {
        self.first_sent
    }
}

/// Names an RPC in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RpcId {
    slot: u16,
    generation: u32,
}

/// What became of a deadline.
#[derive(Debug)]
pub(crate) enum Overdue<R> {
    /// The RPC may be sent again, by [`InFlight::resend`], or dropped, by
    /// [`InFlight::remove`].
    Late(RpcId),
    /// It was sent as often as it may be; it is no longer in flight.
    GivenUp(Rpc<R>),
}

/// How long a send waits before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Each twice as long as the one before.
    Doubling,
    /// The same, but from the third send on.
    Late,
}

/// The RPCs in flight, each with a request of type `R`.
///
/// A transaction id is the reply tag 8 bits, slot 13, number of the send 3, nonce 40.
/// A reply names the send that it answers, so that every round-trip sample is
/// unambiguous. The nonce is drawn for each send: a peer that reads its own requests
/// learns nothing of those to others, nor of the next send of its own; and a slot that
/// was used again does not take the reply meant for its predecessor.
#[derive(Debug)]
pub(super) struct InFlight<R> {
    reply_tag: u8,
    slots: Slab<Rpc<R>>,
    generation: u32,
    deadlines: BinaryHeap<Reverse<(Instant, RpcId)>>,
    /// Of all peers together.
    typical: RoundTrip,
}

impl<R> InFlight<R> {
    pub(super) fn new(reply_tag: u8) -> Self {
        Self {
            reply_tag,
            slots: Slab::new(),
            generation: 0,
            deadlines: BinaryHeap::new(),
            typical: RoundTrip::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Begins an RPC and returns the transaction id of its first send; `None`
    /// when [`IN_FLIGHT_MAX`] are in flight.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        peer: SocketAddr,
        round_trip: RoundTrip,
        sends_max: u8,
        request: R,
    ) -> Option<(RpcId, TransactionId)> {
        assert!((1..=SENDS_MAX).contains(&usize::from(sends_max)));
        if self.slots.len() == IN_FLIGHT_MAX {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        let slot = self.slots.insert(Rpc {
            peer,
            request,
            round_trip,
            sends: 0,
            sends_max,
            first_sent: now,
            last_sent: now,
            deadline: now,
            generation: self.generation,
            nonces: [[0; NONCE_BYTES]; SENDS_MAX],
        });
        let id = RpcId { slot: slot as u16, generation: self.generation };
        let transaction = self.resend(now, rng, id, Spacing::Doubling);
        Some((id, transaction))
    }

    /// Counts one more send of an RPC, starts its time-out, and returns the
    /// send's transaction id.
    pub(super) fn resend(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        id: RpcId,
        spacing: Spacing,
    ) -> TransactionId {
        let rpc = &mut self.slots[usize::from(id.slot)];
        debug_assert!(rpc.generation == id.generation && rpc.sends < rpc.sends_max);
        let send = rpc.sends;
        let nonce = rng.bytes();
        rpc.nonces[usize::from(send)] = nonce;
        rpc.sends += 1;
        rpc.last_sent = now;
        let timeout = if rpc.sends < rpc.sends_max {
            let doublings = match spacing {
                Spacing::Doubling => send,
                Spacing::Late => send.saturating_sub(1),
            };
            rpc.round_trip.timeout_to_resend(doublings, self.typical)
        } else {
            rpc.round_trip.timeout_to_give_up(send)
        };
        // Later sends wait up to an eighth longer, so that a burst that was lost
        // together is not sent together again.
        let spread_us = if send == 0 { 0 } else { rng.below(timeout.as_micros() as u64 / 8 + 1) };
        rpc.deadline = now + timeout + Duration::from_micros(spread_us);
        let deadline = Reverse((rpc.deadline, id));
        if self.deadlines.len() == DEADLINES_MAX {
            self.deadlines.retain(|Reverse((deadline, id))| waits(&self.slots, *deadline, *id));
        }
        self.deadlines.push(deadline);
        Parts { slot: id.slot, send, nonce }.with_tag(self.reply_tag)
    }

    /// A transaction id of no RPC, for what is not to be answered. The answer of a peer that
    /// answers all the same comes to this shard, and matches an RPC with a chance of 2^-40.
    pub(super) fn unmatched(&self, rng: &mut Rng) -> TransactionId {
        let mut bytes = rng.bytes();
        bytes[0] = self.reply_tag;
        TransactionId::new(bytes)
    }

    /// The RPC in flight that a reply from `source` answers, if it does.
    pub(super) fn find(&self, transaction: TransactionId, source: SocketAddr) -> Option<RpcId> {
        let Parts { slot, send, nonce } = Parts::of(transaction);
        let rpc = self.slots.get(usize::from(slot))?;
        let matches = transaction.reply_tag() == self.reply_tag
            && send < rpc.sends
            && rpc.nonces[usize::from(send)] == nonce
            && rpc.peer == source;
        matches.then_some(RpcId { slot, generation: rpc.generation })
    }

    /// An RPC in flight.
    pub(super) fn rpc(&self, id: RpcId) -> &Rpc<R> {
        &self.slots[usize::from(id.slot)]
    }

    /// Ends the RPC that `transaction` answers, and returns it with the round
    /// trip where the time of that send is remembered: of the first and the last.
    pub(super) fn complete(
        &mut self,
        now: Instant,
        id: RpcId,
        transaction: TransactionId,
    ) -> (Rpc<R>, Option<Duration>) {
        let rpc = self.remove(id);
        let send = Parts::of(transaction).send;
        let sent_at = if send + 1 == rpc.sends {
            Some(rpc.last_sent)
        } else {
            (send == 0).then_some(rpc.first_sent)
        };
        let round_trip = sent_at.map(|sent_at| now.since(sent_at));
        if let Some(round_trip) = round_trip {
            self.typical.sample(round_trip);
        }
        (rpc, round_trip)
    }

    /// When the next RPC is overdue.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// The next RPC that is overdue at `now`.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Overdue<R>> {
        let Reverse((deadline, id)) = *self.deadlines.peek()?;
        if deadline > now {
            return None;
        }
        self.deadlines.pop();
        let rpc = &self.slots[usize::from(id.slot)];
        let overdue = if rpc.sends == rpc.sends_max {
            Overdue::GivenUp(self.remove(id))
        } else {
            Overdue::Late(id)
        };
        self.drop_settled_deadlines();
        Some(overdue)
    }

    /// Forgets an RPC.
    pub(super) fn remove(&mut self, id: RpcId) -> Rpc<R> {
        let rpc = self.slots.remove(usize::from(id.slot));
        debug_assert!(rpc.generation == id.generation);
        self.drop_settled_deadlines();
        rpc
    }

    /// Keeps the earliest deadline one of an RPC that is still in flight and
    /// waits for it, so that no shard wakes up for nothing.
    fn drop_settled_deadlines(&mut self) {
        while let Some(Reverse((deadline, id))) = self.deadlines.peek()
            && !waits(&self.slots, *deadline, *id)
        {
            self.deadlines.pop();
        }
    }
}

/// What a transaction id says beside its reply tag.
struct Parts {
    slot: u16,
    send: u8,
    nonce: [u8; NONCE_BYTES],
}

impl Parts {
    fn of(transaction: TransactionId) -> Self {
        let [_, high, low, nonce @ ..] = *transaction.as_bytes();
        let place = u16::from_be_bytes([high, low]);
        Self { slot: place >> SEND_BITS, send: place as u8 & (SENDS_MAX as u8 - 1), nonce }
    }

    fn with_tag(self, tag: u8) -> TransactionId {
        let mut bytes = [tag; 8];
        bytes[1..3].copy_from_slice(&(self.slot << SEND_BITS | u16::from(self.send)).to_be_bytes());
        bytes[3..].copy_from_slice(&self.nonce);
        TransactionId::new(bytes)
    }
}

/// Whether `deadline` is that of an RPC in flight.
fn waits<R>(slots: &Slab<Rpc<R>>, deadline: Instant, id: RpcId) -> bool {
    let rpc = slots.get(usize::from(id.slot));
    rpc.is_some_and(|rpc| rpc.generation == id.generation && rpc.deadline == deadline)
}

#[cfg(test)]
mod tests;

//! Where the node writes what is to leave it in one turn.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::command::Event;
use super::handoff::Handoff;
use super::shard::ShardIndex;
use crate::limits::{
    DATAGRAM_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_HANDOFFS_MAX, OUTBOX_RESERVE_BYTES,
};

/// Datagrams, events and handoffs of one turn, in the order in which they were made.
///
/// The node encodes straight into the outbox's buffer; the driver sends from
/// there. Use: hand it to the node's `handle_*` calls; when it
/// [is low](Self::is_low) or the turn is over, send every
/// [datagram](Self::datagrams), take the [events](Self::take_events) and the
/// [handoffs](Self::take_handoffs), and [clear](Self::clear) it. A datagram for
/// which there is no room is dropped, as a network would do, and the node counts it.
pub struct Outbox {
    buffer: Box<[u8]>,
    used: usize,
    spans: Vec<Span>,
    events: Vec<Event>,
    handoffs: Vec<(ShardIndex, Handoff)>,
}

/// There is no room for another datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxFull;

struct Span {
    destination: SocketAddr,
    start: u32,
    length: u16,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    /// An empty outbox of [`OUTBOX_BYTES_MAX`]: the one allocation that it makes
    /// for datagrams, but for the list of their places.
    pub fn new() -> Self {
        Self {
            buffer: vec![0; OUTBOX_BYTES_MAX].into_boxed_slice(),
            used: 0,
            spans: Vec::with_capacity(1024),
            events: Vec::new(),
            handoffs: Vec::new(),
        }
    }

    /// Adds the datagram that `encode` writes, whose length it returns.
    #[expect(clippy::inline_always, reason = "so that `encode` becomes part of what calls it")]
    #[inline(always)]
    pub fn datagram(
        &mut self,
        destination: SocketAddr,
        encode: impl FnOnce(&mut [u8; DATAGRAM_BYTES_MAX]) -> usize,
    ) -> Result<(), OutboxFull> {
        let room = self.buffer[self.used..].first_chunk_mut().ok_or(OutboxFull)?;
        let length = encode(room);
        debug_assert!(length <= DATAGRAM_BYTES_MAX);
        self.spans.push(Span { destination, start: self.used as u32, length: length as u16 });
        self.used += length;
        Ok(())
    }

    /// Adds an event.
    pub fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The datagrams to send, each with its destination.
    pub fn datagrams(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &[u8])> + Clone {
        self.spans.iter().map(|span| {
            let bytes = &self.buffer[span.start as usize..][..usize::from(span.length)];
            (span.destination, bytes)
        })
    }

    /// Removes and returns the events.
    pub fn take_events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    /// Adds a message to another shard.
    pub(super) fn handoff(&mut self, shard: ShardIndex, handoff: Handoff) {
        self.handoffs.push((shard, handoff));
    }

    /// Removes and returns the messages to other shards, in their order.
    pub fn take_handoffs(&mut self) -> impl Iterator<Item = (ShardIndex, Handoff)> + '_ {
        self.handoffs.drain(..)
    }

    /// Whether another call into the node might not find room, or as many messages
    /// to other shards wait as may: then send and pass them on first.
    pub fn is_low(&self) -> bool {
        self.buffer.len() - self.used < OUTBOX_RESERVE_BYTES
            || self.handoffs.len() >= OUTBOX_HANDOFFS_MAX
    }

    /// Forgets the datagrams, which have been sent.
    pub fn clear(&mut self) {
        self.used = 0;
        self.spans.clear();
    }
}

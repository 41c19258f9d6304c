//! What an engine hands over to be sent.

use kad_node::node::OperationId;
use kad_node::wire::{self, Datagram};
use udp::Batch;

use crate::corpus::KeyIndex;
use crate::mix::Kind;
use crate::transaction::Transaction;

/// What is to leave in one turn.
#[derive(Debug)]
pub struct Outgoing {
    /// For each link.
    pub links: Vec<OutgoingLink>,
    /// Whole operations to begin.
    pub operations: Vec<WholeOperation>,
}

/// A put or a get that takes its RPCs by itself.
#[derive(Clone, Copy, Debug)]
pub struct WholeOperation {
    /// Its name.
    pub operation: OperationId,
    /// A put, or else a get.
    pub kind: Kind,
    /// What it is about.
    pub key: KeyIndex,
}

/// What is to leave through one link.
#[derive(Debug, Default)]
pub struct OutgoingLink {
    /// The datagrams.
    pub batch: Batch,
    /// What they are, in the same order.
    pub transactions: Vec<Transaction>,
}

impl Outgoing {
    /// Nothing yet, for so many links.
    pub fn new(links: usize) -> Self {
        let links = std::iter::repeat_with(OutgoingLink::default).take(links);
        Self { links: links.collect(), operations: Vec::new() }
    }
}

impl OutgoingLink {
    /// Adds a request.
    pub(super) fn push(&mut self, datagram: &Datagram<'_>, transaction: Transaction) {
        self.batch.push(|room| {
            let room = room.first_chunk_mut().expect("a seal has room beside a datagram");
            wire::encode(datagram, room)
        });
        self.transactions.push(transaction);
    }

    /// Forgets what has been sent.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.transactions.clear();
    }
}

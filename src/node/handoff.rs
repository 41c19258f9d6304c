//! What one shard of a node tells another.

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::shard::{HANDOFF_SLOTS, Weight};
use super::table::bucket::{Bucket, Entry};
use crate::wire::Contact;

/// A message from one shard of a node to another; opaque to the driver that
/// carries it. Between two shards they must arrive in the order in which they
/// were made.
#[derive(Clone, Debug)]
pub struct Handoff(pub(super) Message);

const JOINED_SLOT: u8 = crate::id::ID_BITS as u8;
const _: () = assert!((JOINED_SLOT as usize) < HANDOFF_SLOTS);

#[derive(Clone, Debug)]
pub(super) enum Message {
    /// A datagram that landed on the wrong shard.
    Datagram { source: SocketAddr, bytes: Box<[u8]> },
    /// To a bucket's owner: a contact has answered.
    Answered(Entry),
    /// To a bucket's owner: a contact was heard from.
    Heard(Contact),
    /// To a bucket's owner: an RPC to a contact has failed.
    Failed(Contact),
    /// To a bucket's owner: somebody else answers at a contact's address.
    Renamed(Contact),
    /// To a bucket's owner: a stranger has asked something.
    Stranger(Contact),
    /// From a bucket's owner: the bucket as it is now.
    Bucket { index: u8, bucket: Box<Bucket> },
    /// From the first shard: the node has joined, and has found everybody beyond
    /// this bucket.
    Joined { found_beyond: Option<u8> },
}

impl Handoff {
    /// Whether it may be dropped when there is no room for it.
    pub const fn weight(&self) -> Weight {
        match self.0 {
            Message::Datagram { .. }
            | Message::Answered(_)
            | Message::Heard(_)
            | Message::Failed(_)
            | Message::Renamed(_)
            | Message::Stranger(_) => Weight::Droppable,
            Message::Bucket { index, .. } => Weight::Binding { slot: index },
            Message::Joined { .. } => Weight::Binding { slot: JOINED_SLOT },
        }
    }
}

#[cfg(test)]
impl Handoff {
    /// Some message of this weight.
    pub(crate) fn sample(weight: Weight) -> Self {
        Self(match weight {
            Weight::Droppable => {
                let source = ([127, 0, 0, 1], 9).into();
                Message::Datagram { source, bytes: Box::new([]) }
            }
            Weight::Binding { slot: JOINED_SLOT } => Message::Joined { found_beyond: None },
            Weight::Binding { slot } => {
                Message::Bucket { index: slot, bucket: Box::new(Bucket::new()) }
            }
        })
    }
}

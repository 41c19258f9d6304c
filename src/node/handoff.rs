//! What one shard of a node tells another.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use super::identity::Naming;
use super::shard::{HANDOFF_SLOTS, Weight};
use super::table::TableMessage;

/// A message from one shard of a node to another; opaque to the driver that
/// carries it. Between two shards they must arrive in the order in which they
/// were made.
#[derive(Clone, Debug)]
pub struct Handoff(pub(super) Message);

const JOINED_SLOT: u8 = crate::id::ID_BITS as u8;
const RENAMED_SLOT: u8 = JOINED_SLOT + 1;
const _: () = assert!((RENAMED_SLOT as usize) < HANDOFF_SLOTS);

#[derive(Clone, Debug)]
pub(super) enum Message {
    /// A datagram that landed on the wrong shard.
    Datagram {
        source: SocketAddr,
        /// The address of this host that it came to, where the driver knows it.
        local: Option<IpAddr>,
        bytes: Box<[u8]>,
    },
    /// What it has seen of a contact, or how a bucket is now.
    Table(TableMessage),
    /// From the first shard: the node has joined, and has found every node beyond this
    /// bucket.
    Joined { found_beyond: Option<u8> },
    /// From the first shard: the node has taken another id.
    Renamed(Naming),
}

impl Message {
    /// The node's name, as far as its sender knows: another shard's bucket may come before the
    /// first shard's word of a new one.
    pub(super) const fn naming(&self) -> Option<Naming> {
        match self {
            Self::Renamed(naming) | Self::Table(TableMessage::Bucket { own: naming, .. }) => {
                Some(*naming)
            }
            _ => None,
        }
    }
}

impl Handoff {
    /// The source of the datagram that it carries, and the address of this host that the
    /// datagram came to, for the driver to reply from; none where it carries none or that
    /// was not set.
    pub const fn local(&self) -> Option<(SocketAddr, IpAddr)> {
        match self.0 {
            Message::Datagram { source, local: Some(local), .. } => Some((source, local)),
            _ => None,
        }
    }

    /// Sets the address of this host that a datagram came to, which `find` knows by the
    /// datagram's source. The node carries it and does not look at it.
    pub fn set_local(&mut self, find: impl FnOnce(SocketAddr) -> Option<IpAddr>) {
        if let Message::Datagram { source, local, .. } = &mut self.0 {
            *local = find(*source);
        }
    }

    /// Bytes that pass from one shard's core to the other's: of the message and of what it
    /// owns.
    pub const fn bytes(&self) -> usize {
        let owned = match &self.0 {
            Message::Datagram { bytes, .. } => bytes.len(),
            Message::Table(TableMessage::Bucket { bucket, .. }) => bucket.bytes(),
            _ => 0,
        };
        size_of::<Self>() + owned
    }

    /// Whether it may be dropped when there is no room for it.
    pub const fn weight(&self) -> Weight {
        match self.0 {
            Message::Table(TableMessage::Bucket { index, .. }) => Weight::Binding { slot: index },
            Message::Datagram { .. } | Message::Table(_) => Weight::Droppable,
            Message::Joined { .. } => Weight::Binding { slot: JOINED_SLOT },
            Message::Renamed(_) => Weight::Binding { slot: RENAMED_SLOT },
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
use super::table::Bucket;

#[cfg(test)]
use crate::id::Id;

#[cfg(test)]
impl Handoff {
    /// Some message of this weight.
    pub(crate) fn sample(weight: Weight) -> Self {
        Self(match weight {
            Weight::Droppable => {
                let source = ([127, 0, 0, 1], 9).into();
                Message::Datagram { source, local: None, bytes: Box::new([]) }
            }
            Weight::Binding { slot: JOINED_SLOT } => Message::Joined { found_beyond: None },
            Weight::Binding { slot: RENAMED_SLOT } => {
                Message::Renamed(Naming::first(Id::new([0; 20])))
            }
            Weight::Binding { slot } => {
                let (own, bucket) = (Naming::first(Id::new([0; 20])), Box::new(Bucket::new()));
                Message::Table(TableMessage::Bucket { own, index: slot, bucket })
            }
        })
    }
}

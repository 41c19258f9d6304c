//! What a datagram carries behind its header, and what the rest of the code asks of that:
//! which reply fits which request, and which shard acts on it.

use super::{Contacts, ErrorCode, Range, Renewals, Renewed, Store, TransactionId, Value};
use crate::id::Id;

/// What a datagram asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Are you there?
    Ping,
    /// Which contacts do you know closest to `target`?
    FindNode {
        /// The id looked for.
        target: Id,
    },
    /// The value of `key`, or the contacts closest to it.
    FindValue {
        /// The key looked for.
        key: Id,
        /// Where in the value to begin, in bytes.
        offset: u32,
    },
    /// Keep this value.
    Store(Store<'a>),
    /// A part of the value of `key`.
    FindRange(Range),
    /// Keep these values longer.
    Renew(Renewals<'a>),
    /// This is the token that your reply asked to be shown. It is not answered.
    Proof,
    /// I am here.
    Pong,
    /// The closest contacts.
    Nodes(Contacts<'a>),
    /// The value.
    Value(Value<'a>),
    /// The value is kept.
    Stored,
    /// The rest of the value is being pulled from the sender of the STORE.
    Pending,
    /// Which of the values to keep longer are held.
    Renewed(Renewed),
    /// The request is refused.
    Error(ErrorCode),
}

impl Body<'_> {
    /// Whether it asks for a reply.
    pub const fn is_request(&self) -> bool {
        matches!(
            self,
            Self::Ping
                | Self::FindNode { .. }
                | Self::FindValue { .. }
                | Self::Store(_)
                | Self::FindRange(_)
                | Self::Renew(_)
        )
    }

    /// Whether it is of a kind that answers `request`.
    pub const fn answers(&self, request: &Body<'_>) -> bool {
        match request {
            Body::Ping => matches!(self, Self::Pong),
            Body::FindNode { .. } => matches!(self, Self::Nodes(_) | Self::Error(_)),
            Body::FindValue { .. } | Body::FindRange(_) => {
                matches!(self, Self::Nodes(_) | Self::Value(_) | Self::Error(_))
            }
            Body::Store(_) => matches!(self, Self::Stored | Self::Pending | Self::Error(_)),
            Body::Renew(_) => matches!(self, Self::Renewed(_) | Self::Error(_)),
            Body::Proof
            | Body::Pong
            | Body::Nodes(_)
            | Body::Value(_)
            | Body::Stored
            | Body::Pending
            | Body::Renewed(_)
            | Body::Error(_) => false,
        }
    }

    /// The steer byte where only the shard that it names may act on the body.
    pub(crate) fn owner(&self, transaction: TransactionId) -> Option<u8> {
        match self {
            Self::Ping | Self::Proof | Self::FindNode { .. } => None,
            Self::FindValue { key, .. } => Some(key.last_byte()),
            Self::Store(store) => Some(store.key.last_byte()),
            Self::FindRange(range) => Some(range.key.last_byte()),
            Self::Renew(renewals) => Some(renewals.steer()),
            Self::Pong
            | Self::Nodes(_)
            | Self::Value(_)
            | Self::Stored
            | Self::Pending
            | Self::Renewed(_)
            | Self::Error(_) => Some(transaction.reply_tag()),
        }
    }

    /// The byte by which the receiver's kernel picks the shard: the owner's, or where
    /// any may act, one that spreads the load.
    pub(super) fn steer(&self, sender: Id, transaction: TransactionId) -> u8 {
        match (self.owner(transaction), self) {
            (Some(steer), _) => steer,
            (None, Self::FindNode { target }) => target.last_byte(),
            (None, _) => sender.last_byte(),
        }
    }

    pub(crate) const fn kind(&self) -> u8 {
        match self {
            Self::Ping | Self::Proof => kind::PING,
            Self::FindNode { .. } => kind::FIND_NODE,
            Self::FindValue { .. } => kind::FIND_VALUE,
            Self::Store(_) => kind::STORE,
            Self::FindRange(_) => kind::FIND_RANGE,
            Self::Renew(_) => kind::RENEW,
            Self::Pong => kind::PONG,
            Self::Nodes(_) => kind::NODES,
            Self::Value(_) => kind::VALUE,
            Self::Stored => kind::STORED,
            Self::Pending => kind::PENDING,
            Self::Renewed(_) => kind::RENEWED,
            Self::Error(_) => kind::ERROR,
        }
    }
}

pub(super) mod kind {
    /// The bit by which the kinds of replies differ from those of requests.
    pub(in crate::wire) const REPLY: u8 = 0x80;
    pub(in crate::wire) const PING: u8 = 0x01;
    pub(in crate::wire) const FIND_NODE: u8 = 0x02;
    pub(in crate::wire) const FIND_VALUE: u8 = 0x03;
    pub(in crate::wire) const STORE: u8 = 0x04;
    pub(in crate::wire) const FIND_RANGE: u8 = 0x05;
    pub(in crate::wire) const RENEW: u8 = 0x06;
    pub(in crate::wire) const PONG: u8 = 0x81;
    pub(in crate::wire) const NODES: u8 = 0x82;
    pub(in crate::wire) const VALUE: u8 = 0x83;
    pub(in crate::wire) const STORED: u8 = 0x84;
    pub(in crate::wire) const PENDING: u8 = 0x85;
    pub(in crate::wire) const RENEWED: u8 = 0x86;
    pub(in crate::wire) const ERROR: u8 = 0x8f;
}

//! What is kept, and how it changes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sha1::{Digest as _, Sha1};

/// A node's id or a value's key.
pub type Key = [u8; 20];

/// The key of a value: its SHA-1 digest.
pub fn key_of(value: &[u8]) -> Key {
    Sha1::digest(value).into()
}

/// What makes a node the same node after a restart.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The node's id.
    pub id: Key,
    /// Secrets of the node; their meaning is the caller's.
    pub key_material: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Another node, as it was last known: a candidate to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The node's id.
    pub id: Key,
    /// Where it was reached.
    pub address: SocketAddr,
}

/// A value that was put here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The value's key.
    pub key: Key,
    /// The value.
    pub value: Arc<[u8]>,
    /// When to publish it again, in the folder's time.
    pub republish_ms: u64,
}

/// Why a value is held for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The node is among the closest to the key.
    Replica,
    /// A get passed.
    Cache,
}

/// A value that is held for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The value's key.
    pub key: Key,
    /// The value.
    pub value: Arc<[u8]>,
    /// When its life ends, in the folder's time.
    pub expires_ms: u64,
    /// Why it is held.
    pub purpose: Purpose,
    /// The sender that had it stored; `None` is this node.
    pub source: Option<IpAddr>,
}

/// One change of what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A value is put here, or put again.
    Publish(Published),
    /// A value that was put here is to be published at another time.
    Republish {
        /// The value's key.
        key: Key,
        /// When to publish it again, in the folder's time.
        republish_ms: u64,
    },
    /// A value that was put here is no longer published.
    Forget {
        /// The value's key.
        key: Key,
    },
    /// A value is held for others.
    Hold(Held),
    /// A value that is held has another life or purpose: 42 bytes, whatever the value's size.
    Renew {
        /// The value's key.
        key: Key,
        /// When its life ends, in the folder's time.
        expires_ms: u64,
        /// Why it is held.
        purpose: Purpose,
    },
    /// A value is no longer held, before its life has ended. Expiry needs no change.
    Evict {
        /// The value's key.
        key: Key,
    },
    /// All contacts, instead of those before: at most
    /// [`CONTACTS_MAX`](crate::limits::CONTACTS_MAX).
    Contacts(Vec<Contact>),
}

impl Change {
    /// About how many bytes it takes in memory and on disk.
    pub(crate) fn bytes(&self) -> usize {
        const FIELDS: usize = 64;
        FIELDS
            + match self {
                Self::Publish(published) => published.value.len(),
                Self::Hold(held) => held.value.len(),
                Self::Contacts(contacts) => contacts.len() * size_of::<Contact>(),
                _ => 0,
            }
    }
}

/// When what was written is forced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before a batch is reported as kept: a power cut loses nothing that was reported.
    Always,
    /// Once a second: a power cut loses at most the last second.
    EverySecond,
    /// When the operating system pleases. kill -9 loses nothing even so.
    Off,
}

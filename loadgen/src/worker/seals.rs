//! What travels of a thread's datagrams where its network has a key.

use kad_node::seal::{Channel, SEALED_BYTES_MAX};
use udp::Batch;

use crate::membership::Membership;

/// Seals what is sent, and opens what is received; or neither.
pub(super) struct Seals {
    channel: Channel,
    is_private: bool,
    batch: Batch,
    opened: Box<[u8; SEALED_BYTES_MAX]>,
}

impl Seals {
    pub(super) fn of(membership: &Membership) -> Result<Self, String> {
        Ok(Self {
            channel: membership.channel()?,
            is_private: membership.keys.is_some(),
            batch: Batch::new(),
            opened: Box::new([0; SEALED_BYTES_MAX]),
        })
    }

    /// What travels of `datagrams`, in their order.
    pub(super) fn seal<'a>(&'a mut self, datagrams: &'a Batch) -> &'a Batch {
        if !self.is_private {
            return datagrams;
        }
        self.batch.clear();
        for datagram in datagrams.iter() {
            self.batch.push(|room| self.channel.seal(datagram, room));
        }
        &self.batch
    }

    /// The datagram that `bytes` carry; an empty one, which is no reply, where they carry
    /// none of the network.
    pub(super) fn open<'a>(&'a mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.channel.open(bytes, &mut self.opened).unwrap_or_default()
    }
}

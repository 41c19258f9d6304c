//! The datagram that carries a request.

use kad_node::id::Id;
use kad_node::wire::{Body, Datagram, Purpose, Role, Store};

use super::Engine;
use crate::corpus::KeyIndex;
use crate::in_flight::Request;
use crate::mix::Kind;

impl Engine {
    pub(super) fn datagram(&self, request: &Request) -> Datagram<'_> {
        let link = &self.links[usize::from(request.link.0)];
        let key = self.traffic.corpus.key(request.key);
        // A node finds the shard for a PING by its sender: as many senders as
        // keys load all shards alike.
        let sender = if request.kind == Kind::Ping { key } else { link.sender };
        Datagram {
            network: self.traffic.network,
            transaction: request.transaction.id(),
            sender,
            role: Role::Client,
            announce: None,
            asks_proof: false,
            token: link.token,
            body: self.body(request.kind, key, request.key),
        }
    }

    fn body(&self, kind: Kind, key: Id, index: KeyIndex) -> Body<'_> {
        match kind {
            Kind::Get => Body::FindValue { key, offset: 0 },
            Kind::Put => Body::Store(store(key, self.traffic.corpus.value(index))),
            Kind::FindNode => Body::FindNode { target: key },
            Kind::Ping => Body::Ping,
            Kind::Lookup => unreachable!("a whole operation composes its own datagrams"),
        }
    }
}

/// How long targets keep what is stored on them, in seconds: longer than a run.
const LIFE_S: u32 = 24 * 60 * 60;

/// The body that stores `value`.
pub fn store(key: Id, value: &[u8]) -> Store<'_> {
    Store {
        key,
        offset: 0,
        total: value.len() as u32,
        life_s: LIFE_S,
        purpose: Purpose::Replica,
        value,
    }
}

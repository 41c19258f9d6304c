//! The datagrams that tests send.
#![allow(dead_code)] // each of the tests that share it uses a part

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire::{self, Body, Datagram, NetworkId, Purpose, Role, Store, Token, TransactionId};

/// Datagram number `number` of a client without a token.
pub(crate) fn datagram(number: u64, body: Body<'_>) -> Datagram<'_> {
    Datagram {
        network: NetworkId::of_name("default"),
        transaction: TransactionId::new(number.to_be_bytes()),
        sender: Id::of_value(b"client"),
        role: Role::Client,
        announce: None,
        asks_proof: false,
        token: Token::NONE,
        body,
    }
}

/// What is stored of `value`, for an hour.
pub(crate) fn store(value: &[u8]) -> Store<'_> {
    Store {
        key: Id::of_value(value),
        offset: 0,
        total: value.len() as u32,
        life_s: 3600,
        purpose: Purpose::Replica,
        value,
    }
}

pub(crate) fn encoded(datagram: &Datagram<'_>) -> Vec<u8> {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(datagram, &mut buffer);
    buffer[..length].to_vec()
}

/// The number of a request, or of the request that a reply answers.
pub(crate) fn number_of(datagram: &Datagram<'_>) -> u64 {
    u64::from_be_bytes(*datagram.transaction.as_bytes())
}

/// Request number `number` of a client without a token.
pub(crate) fn request(number: u64, body: Body<'_>) -> Vec<u8> {
    encoded(&datagram(number, body))
}

/// PING number `number`.
pub(crate) fn ping(number: u64) -> Vec<u8> {
    request(number, Body::Ping)
}

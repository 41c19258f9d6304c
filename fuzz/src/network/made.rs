//! Datagrams that get past the first checks.

use std::net::SocketAddr;

use kad_node::id::Id;
use kad_node::limits::{DATAGRAM_BYTES_MAX, PIECE_BYTES_MAX};
use kad_node::wire::{
    self, Body, Contact, Contacts, Datagram, ErrorCode, NetworkId, Purpose, Range, Renewal,
    Renewals, Renewed, Role, Store, Token, TransactionId, Value,
};

use super::{SOURCES, World, source};
use crate::input::Input;

const CODES: [ErrorCode; 5] =
    [ErrorCode::Token, ErrorCode::Mismatch, ErrorCode::TooLarge, ErrorCode::Full, ErrorCode::Busy];

impl World {
    /// A request of a source, maybe with the token that it was given.
    pub(super) fn made_request(&mut self, input: &mut Input<'_>) -> (SocketAddr, Vec<u8>) {
        let number = input.below(SOURCES);
        let value = self.value(input);
        let mut renewals = Vec::new();
        let body = self.request(input, &value, &mut renewals);
        let token = [self.tokens[number], Token::NONE][input.below(4) / 3];
        let header = self.header(input, number, body);
        // The flag that asks for a proof makes one of a PING.
        let is_proof = header.asks_proof && body == Body::Ping;
        let body = if is_proof { Body::Proof } else { body };
        let datagram = Datagram { token, body, ..header };
        (source(number), encoded(&datagram, input.below(4) * 100))
    }

    /// A reply to a request that the node has sent, from where it was sent to or, at times,
    /// from elsewhere.
    pub(super) fn made_reply(&mut self, input: &mut Input<'_>) -> Option<(SocketAddr, Vec<u8>)> {
        let index = input.below(self.sent.len().max(1));
        let (destination, asked) = self.sent.get(self.sent.len().wrapping_sub(1 + index))?.clone();
        let asked = wire::decode(&asked).expect("the node's own");
        let number = super::number_of(destination).unwrap_or_else(|| input.below(SOURCES));
        let from = if input.below(16) == 15 { source(input.below(SOURCES)) } else { destination };
        let value = self.value(input);
        let contacts = self.contacts(input);
        let body = reply(input, &asked.body, &value, &contacts);
        let datagram = Datagram {
            transaction: asked.transaction,
            token: Token::new([number as u8 + 1; 8]),
            ..self.header(input, number, body)
        };
        Some((from, encoded(&datagram, 0)))
    }

    fn header<'a>(&self, input: &mut Input<'_>, number: usize, body: Body<'a>) -> Datagram<'a> {
        let role = [Role::Peer, Role::Peer, Role::Peer, Role::Client, Role::Departing];
        let mut transaction = [0; 8];
        transaction[4..].copy_from_slice(&input.number().to_be_bytes());
        Datagram {
            network: NetworkId::of_name("default"),
            transaction: TransactionId::new(transaction),
            sender: self.id(input, number),
            role: role[input.below(role.len())],
            announce: (input.below(8) == 7).then(|| source(input.below(SOURCES))),
            asks_proof: input.below(4) == 3,
            token: Token::NONE,
            body,
        }
    }

    /// The id of a source; at times that of another, or one near the node's.
    fn id(&self, input: &mut Input<'_>, number: usize) -> Id {
        match input.below(8) {
            0 => Id::of_value(&[input.byte()]),
            1 => {
                let mut near = self.config.id.to_bytes();
                near[input.below(20)] ^= input.byte();
                Id::new(near)
            }
            _ => Id::of_value(&[number as u8]),
        }
    }

    fn key(&self, input: &mut Input<'_>) -> Id {
        self.keys[input.below(self.keys.len())]
    }

    fn value(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let value = vec![input.byte(); input.number() as usize % 2400];
        if self.keys.len() < 200 {
            self.keys.push(Id::of_value(&value));
        }
        value
    }

    fn contacts(&self, input: &mut Input<'_>) -> Vec<Contact> {
        let contact = |input: &mut Input<'_>| {
            let number = input.below(SOURCES);
            Contact { id: self.id(input, number), addr: source(number) }
        };
        (0..input.below(21)).map(|_| contact(input)).collect()
    }

    /// A request, which borrows what it carries.
    fn request<'a>(
        &self,
        input: &mut Input<'_>,
        value: &'a [u8],
        renewals: &'a mut Vec<Renewal>,
    ) -> Body<'a> {
        let key = self.key(input);
        match input.below(8) {
            0 => Body::Ping,
            1 => {
                let others = (0..input.below(50)).map(|_| self.key(input));
                let keys = core::iter::once(key).chain(others);
                renewals.extend(keys.map(|key| Renewal { key, life_s: 90_000 }));
                Body::Renew(Renewals::new(renewals))
            }
            2 => Body::FindNode { target: key },
            3 => Body::FindValue { key, offset: input.number() % 5000 },
            4 => Body::FindRange(Range {
                key,
                offset: PIECE_BYTES_MAX as u32 * u32::from(input.byte()),
                length: input.number() % 70_000,
            }),
            _ => Body::Store(Store {
                key: [Id::of_value(value), key][input.below(8) / 7],
                offset: [0, input.number()][input.below(16) / 15],
                total: [value.len() as u32, input.number()][input.below(16) / 15],
                life_s: input.number() % 100_000,
                purpose: [Purpose::Replica, Purpose::Cache][input.below(2)],
                value: &value[..value.len().min(PIECE_BYTES_MAX)],
            }),
        }
    }
}

/// What answers a request, mostly.
fn reply<'a>(
    input: &mut Input<'_>,
    asked: &Body<'_>,
    value: &'a [u8],
    contacts: &'a [Contact],
) -> Body<'a> {
    let piece = &value[..value.len().min(PIECE_BYTES_MAX)];
    match (input.below(12), asked) {
        (0, _) => Body::Error(CODES[input.below(CODES.len())]),
        (1, _) => Body::Nodes(Contacts::new(contacts)),
        (2, _) => Body::Stored,
        (3, _) | (_, Body::Ping) => Body::Pong,
        (4, Body::Store(_)) => Body::Pending,
        (_, Body::Renew(_)) => Body::Renewed(Renewed {
            answered: [u64::MAX, input.number().into()][input.below(2)],
            lacking: input.number().into(),
        }),
        (_, Body::Store(_)) => Body::Stored,
        (5..=7, Body::FindValue { .. }) | (_, Body::FindRange(_)) => {
            let offset = match asked {
                Body::FindRange(range) => range.offset,
                _ => [0, input.number() % 5000][input.below(8) / 7],
            };
            let total = [value.len() as u32, input.number()][input.below(8) / 7];
            Body::Value(Value { offset, total, life_s: input.number(), value: piece })
        }
        _ => Body::Nodes(Contacts::new(contacts)),
    }
}

/// A datagram's bytes, with so much padding.
fn encoded(datagram: &Datagram<'_>, padding: usize) -> Vec<u8> {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(datagram, &mut buffer);
    let is_padded = !matches!(datagram.body, Body::Store(_) | Body::Value(_));
    let padded = length + if is_padded { padding } else { 0 };
    buffer[..padded.min(DATAGRAM_BYTES_MAX)].to_vec()
}

//! `FIND_VALUE`, as a client of a node asks it.

use std::net::UdpSocket;

use kad_node::id::Id;
use kad_node::wire::{self, Body, Datagram, NetworkId, Purpose, Role, Store, Token, TransactionId};

use crate::wire::{Answer, Room, Wire, ask, key_of, values};

/// How long the node keeps the values, in seconds: longer than a run.
const LIFE_S: u32 = 24 * 60 * 60;

pub(crate) struct KadNode {
    values: Vec<[u8; crate::wire::VALUE_BYTES]>,
    keys: Vec<Id>,
    token: Token,
}

impl KadNode {
    pub(crate) fn new() -> Self {
        let values = values();
        let keys = values.iter().map(|value| Id::of_value(value)).collect();
        Self { values, keys, token: Token::NONE }
    }

    fn encode(&self, number: u16, body: Body<'_>, room: &mut Room) -> usize {
        let mut transaction = [0; 8];
        transaction[6..].copy_from_slice(&number.to_be_bytes());
        let datagram = Datagram {
            network: NetworkId::of_name("default"),
            transaction: TransactionId::new(transaction),
            sender: Id::of_value(b"peers"),
            role: Role::Client,
            announce: None,
            asks_proof: false,
            token: self.token,
            body,
        };
        wire::encode(&datagram, room.first_chunk_mut().expect("room for a seal beside it"))
    }
}

fn number_of(datagram: &Datagram<'_>) -> u16 {
    let [.., high, low] = *datagram.transaction.as_bytes();
    u16::from_be_bytes([high, low])
}

impl Wire for KadNode {
    fn prepare(&mut self, socket: &UdpSocket) -> Result<(), String> {
        let mut room = [0; udp::DATAGRAM_BYTES_MAX];
        let length = self.encode(0, Body::Ping, &mut room);
        self.token = ask(socket, &room[..length], |reply| {
            wire::decode(reply).ok().map(|datagram| datagram.token)
        })?;
        for (index, value) in self.values.iter().enumerate() {
            let body = Body::Store(Store {
                key: self.keys[index],
                offset: 0,
                total: value.len() as u32,
                life_s: LIFE_S,
                purpose: Purpose::Replica,
                value,
            });
            let length = self.encode(index as u16, body, &mut room);
            ask(socket, &room[..length], |reply| {
                let datagram = wire::decode(reply).ok()?;
                let is_stored = matches!(datagram.body, Body::Stored);
                (is_stored && usize::from(number_of(&datagram)) == index).then_some(())
            })?;
        }
        Ok(())
    }

    fn write(&self, number: u16, room: &mut Room) -> usize {
        let key = self.keys[key_of(number)];
        self.encode(number, Body::FindValue { key, offset: 0 }, room)
    }

    fn read(&mut self, bytes: &[u8]) -> Answer {
        let Ok(datagram) = wire::decode(bytes) else {
            return Answer::Strange;
        };
        self.token = datagram.token;
        let number = number_of(&datagram);
        let expected = &self.values[key_of(number)];
        let is_right = matches!(datagram.body, Body::Value(value) if value.value == expected);
        Answer::to(number, is_right)
    }
}

//! memcached's `get` over UDP: a frame of eight bytes, then the protocol of text
//! (`doc/protocol.txt` of memcached).

use std::net::UdpSocket;

use crate::wire::{Answer, Room, VALUE_BYTES, Wire, ask, join, key_of, values};

const FRAME_BYTES: usize = 8;

pub(crate) struct Memcached {
    values: Vec<[u8; VALUE_BYTES]>,
    /// The whole answer to a get, without its frame.
    answers: Vec<Vec<u8>>,
}

/// As long as a key of a node: 40 digits.
fn key(index: usize) -> String {
    format!("{index:040x}")
}

/// Request number `number` in one datagram.
fn frame(number: u16) -> [u8; FRAME_BYTES] {
    let [high, low] = number.to_be_bytes();
    [high, low, 0, 0, 0, 1, 0, 0]
}

impl Memcached {
    pub(crate) fn new() -> Self {
        let values = values();
        let answer = |(index, value): (usize, &[u8; VALUE_BYTES])| {
            let head = format!("VALUE {} 0 {VALUE_BYTES}\r\n", key(index));
            [head.as_bytes(), value, b"\r\nEND\r\n"].concat()
        };
        let answers = values.iter().enumerate().map(answer).collect();
        Self { values, answers }
    }
}

impl Wire for Memcached {
    fn prepare(&mut self, socket: &UdpSocket) -> Result<(), String> {
        for (index, value) in self.values.iter().enumerate() {
            let head = format!("set {} 0 0 {VALUE_BYTES}\r\n", key(index));
            let request = [&frame(index as u16)[..], head.as_bytes(), value, b"\r\n"].concat();
            ask(socket, &request, |reply| reply.ends_with(b"STORED\r\n").then_some(()))?;
        }
        Ok(())
    }

    fn write(&self, number: u16, room: &mut Room) -> usize {
        join(room, &[&frame(number), b"get ", key(key_of(number)).as_bytes(), b"\r\n"])
    }

    fn read(&mut self, bytes: &[u8]) -> Answer {
        let Some((&[high, low, ..], answer)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
            return Answer::Strange;
        };
        let number = u16::from_be_bytes([high, low]);
        Answer::to(number, answer == self.answers[key_of(number)])
    }
}

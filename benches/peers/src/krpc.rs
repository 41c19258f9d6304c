//! The `get` of BitTorrent's DHT for a value without a key of its own (BEP 5, BEP 44): for
//! libtorrent and for the mainline crate.

use std::net::UdpSocket;

use sha1::{Digest as _, Sha1};

use crate::wire::{Answer, Room, VALUE_BYTES, Wire, ask, join, key_of, values};

const SENDER: &[u8; 20] = b"peers-bench-sender!!";

pub(crate) struct Krpc {
    /// The values, as bencode writes them.
    values: Vec<Vec<u8>>,
    targets: Vec<[u8; 20]>,
}

/// `parts` within a query of this kind, whose arguments begin with the sender.
fn query(number: u16, method: &str, arguments: &[&[u8]], room: &mut Room) -> usize {
    let mut length = join(room, &[b"d1:ad2:id20:", SENDER]);
    let mut add = |part: &[u8]| {
        room[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    };
    for part in arguments {
        add(part);
    }
    add(b"e1:q3:");
    add(method.as_bytes());
    // It is read-only (BEP 43): no node adds it to a routing table, nor asks it anything.
    add(b"2:roi1e1:t4:\0\0");
    add(&number.to_be_bytes());
    add(b"1:y1:qe");
    length
}

/// What follows `name` in a reply.
fn after<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(name.len()).position(|window| window == name)?;
    Some(&bytes[at + name.len()..])
}

/// The number of the request that a reply answers: of the keys of a reply, `t` is one of the
/// last, and what follows it is short, so that no value can be taken for it.
fn number_of(bytes: &[u8]) -> Option<u16> {
    let tail = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
    Some(u16::from_be_bytes(*after(tail, b"1:t4:\0\0")?.first_chunk()?))
}

/// `1:t4:` and the transaction, `1:v4:` and a version, `1:y1:re`. The mainline crate takes
/// transactions of four bytes alone.
const TAIL_BYTES: usize = 9 + 9 + 7;

impl Krpc {
    pub(crate) fn new() -> Self {
        let encode =
            |value: &[u8; VALUE_BYTES]| [format!("{VALUE_BYTES}:").as_bytes(), value].concat();
        let values: Vec<Vec<u8>> = values().iter().map(encode).collect();
        let targets = values.iter().map(|value| Sha1::digest(value).into()).collect();
        Self { values, targets }
    }
}

impl Wire for Krpc {
    fn prepare(&mut self, socket: &UdpSocket) -> Result<(), String> {
        let mut room = [0; udp::DATAGRAM_BYTES_MAX];
        for (index, value) in self.values.iter().enumerate() {
            let number = index as u16;
            let length = self.write(number, &mut room);
            let token = ask(socket, &room[..length], |reply| {
                (number_of(reply)? == number).then(|| token_of(reply)).flatten()
            })?;
            let token_head = format!("5:token{}:", token.len());
            let target = &self.targets[index];
            let arguments: [&[u8]; 6] =
                [b"6:target20:", target, token_head.as_bytes(), &token, b"1:v", value];
            let length = query(number, "put", &arguments, &mut room);
            ask(socket, &room[..length], |reply| {
                (number_of(reply)? == number && reply.ends_with(b"1:y1:re")).then_some(())
            })?;
        }
        Ok(())
    }

    fn write(&self, number: u16, room: &mut Room) -> usize {
        query(number, "get", &[b"6:target20:", &self.targets[key_of(number)]], room)
    }

    fn read(&mut self, bytes: &[u8]) -> Answer {
        let Some(number) = number_of(bytes) else {
            return Answer::Strange;
        };
        let value = &self.values[key_of(number)];
        Answer::to(
            number,
            after(bytes, b"1:v100:").is_some_and(|rest| rest.starts_with(&value[4..])),
        )
    }
}

/// The token of a reply.
fn token_of(reply: &[u8]) -> Option<Vec<u8>> {
    let rest = after(reply, b"5:token")?;
    let colon = rest.iter().position(|&byte| byte == b':')?;
    let length: usize = str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
    Some(rest.get(colon + 1..colon + 1 + length)?.to_vec())
}

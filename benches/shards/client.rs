//! The client: it asks for one value after another, and waits for each.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{DATAGRAM_BYTES_MAX, SHARDS_MAX};
use kad_node::wire::{self, Body, Datagram, Token};

use crate::datagram::{datagram, encoded, number_of, store};

/// Longest wait for an answer: a server under callgrind is slow.
const PATIENCE: Duration = Duration::from_mins(1);
const VALUE_BYTES: usize = 100;

struct Client {
    socket: UdpSocket,
    token: Token,
}

/// Asks so often for a value of `node`, each time of another shard than the time before.
pub(crate) fn ask(node: SocketAddr, requests: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
    socket.connect(node).expect("no packet is sent");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut client = Client { socket, token: Token::NONE };
    let mut token = Token::NONE;
    client.exchange(0, Body::Ping, |pong| token = pong.token);
    client.token = token;
    let values = values();
    for value in &values {
        client.exchange(0, Body::Store(store(value)), |answer| {
            assert_eq!(answer.body, Body::Stored);
        });
    }
    let turns = values.iter().map(|value| (Id::of_value(value), value)).cycle();
    for (number, (key, value)) in (1..=requests).zip(turns) {
        client.exchange(number, Body::FindValue { key, offset: 0 }, |answer| {
            let is_right = matches!(answer.body, Body::Value(found) if found.value == value);
            assert!(is_right, "{:?}", answer.body);
        });
    }
}

impl Client {
    fn exchange(&self, number: u64, body: Body<'_>, mut take: impl FnMut(&Datagram<'_>)) {
        let request = encoded(&Datagram { token: self.token, ..datagram(number, body) });
        self.socket.send(&request).expect("loopback takes it");
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = self.socket.recv(&mut buffer).expect("an answer within the patience");
        let answer = wire::decode(&buffer[..length]).expect("a datagram of ours");
        assert_eq!(number_of(&answer), number);
        take(&answer);
    }
}

/// A value of each shard of the largest node, in the order of the shards, so that each shard
/// of every other node has as many.
fn values() -> Vec<[u8; VALUE_BYTES]> {
    let of_shard = |shard| {
        let numbered = (0..=u64::MAX).map(|number| {
            let mut value = [5; VALUE_BYTES];
            value[..8].copy_from_slice(&number.to_be_bytes());
            value
        });
        let is_its = |value: &[u8; VALUE_BYTES]| {
            usize::from(Id::of_value(value).last_byte()) * SHARDS_MAX / 256 == shard
        };
        numbered.into_iter().find(is_its).expect("one in 64")
    };
    // Far from each other in turn: the shards of small nodes take turns as well.
    (0..SHARDS_MAX).map(|place| of_shard(place * 27 % SHARDS_MAX)).collect()
}

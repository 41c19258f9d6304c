//! A client that sends every kind of datagram and checks every answer.

use std::net::{SocketAddr, UdpSocket};

use kad_node::driver::Running;
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire::{Body, Datagram, Token};

use crate::harness::{connected, datagram, encoded, number_of, receive, store};

/// Most requests in flight: few enough that no buffer overflows.
pub(crate) const WINDOW: u64 = 64;

/// A client with a valid token. Its requests are numbered, and their kinds follow
/// from the numbers: PING, STORE, `FIND_VALUE` of what was stored before, `FIND_NODE`.
pub(crate) struct Client {
    socket: UdpSocket,
    token: Token,
}

impl Client {
    pub(crate) fn new(node: &Running) -> Self {
        Self::connect(node.address().ip().to_string().as_str(), node.address())
    }

    /// A client of the node at this port of `ip`.
    pub(crate) fn at(ip: &str, port: u16) -> Self {
        Self::connect(ip, SocketAddr::new(ip.parse().expect("an address"), port))
    }

    /// A client that ignores answers and has no token.
    pub(crate) fn deaf(node: SocketAddr) -> Self {
        Self { socket: connected(&node.ip().to_string(), node), token: Token::NONE }
    }

    fn connect(ip: &str, node: SocketAddr) -> Self {
        let mut client = Self { socket: connected(ip, node), token: Token::NONE };
        client.send(0);
        client.token = receive(&client.socket, &mut [0; DATAGRAM_BYTES_MAX]).token;
        client
    }

    /// Sends `count` requests and as many replies that match nothing; receives and checks
    /// an answer to each request.
    pub(crate) fn exchange(&self, count: u64) {
        for first in (0..count).step_by(WINDOW as usize) {
            let numbers = first..count.min(first + WINDOW);
            for number in numbers.clone() {
                self.send(number);
                self.socket.send(&self.reply(number)).expect("loopback takes it");
            }
            let mut missing: Vec<u64> = numbers.collect();
            while !missing.is_empty() {
                let number = self.check_answer();
                let place = missing.iter().position(|one| *one == number);
                missing.swap_remove(place.expect("each is answered once"));
            }
        }
    }

    /// Sends request number `number`.
    pub(crate) fn send(&self, number: u64) {
        self.socket.send(&self.request(number)).expect("loopback takes it");
    }

    /// Request number `number`.
    pub(crate) fn request(&self, number: u64) -> Vec<u8> {
        let (stored, earlier) = (number.to_be_bytes(), number.wrapping_sub(1).to_be_bytes());
        let body = match number % 4 {
            0 => Body::Ping,
            1 => Body::Store(store(&stored)),
            2 => Body::FindValue { key: Id::of_value(&earlier), offset: 0 },
            _ => Body::FindNode { target: Id::of_value(&stored) },
        };
        self.encode(number, body)
    }

    /// The reply sent after request number `number`. It matches nothing; its tag is that of
    /// any shard.
    pub(crate) fn reply(&self, number: u64) -> Vec<u8> {
        let body = if number.is_multiple_of(2) { Body::Pong } else { Body::Stored };
        self.encode(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), body)
    }

    fn encode(&self, number: u64, body: Body<'_>) -> Vec<u8> {
        encoded(&Datagram { token: self.token, ..datagram(number, body) })
    }

    /// Receives an answer, and returns the number of its request.
    fn check_answer(&self) -> u64 {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let answer = receive(&self.socket, &mut buffer);
        let number = number_of(&answer);
        let earlier = number.wrapping_sub(1).to_be_bytes();
        let is_right = match (number % 4, answer.body) {
            (0, Body::Pong) | (1, Body::Stored) | (3, Body::Nodes(_)) => true,
            (2, Body::Value(value)) => value.value == earlier,
            _ => false,
        };
        assert!(is_right, "{:?} to request {number}", answer.body);
        number
    }
}

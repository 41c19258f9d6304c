//! Tests of private networks over real sockets: who has the key is served as anywhere else,
//! and who lacks it gets no byte. All drivers behave alike.
#![cfg(feature = "std")]

#[macro_use]
mod harness;

use std::io;
use std::net::UdpSocket;

use kad_node::driver::{IoChoice, Running, Settings, Steering, start};
use kad_node::id::Id;
use kad_node::node::Command;
use kad_node::seal::{Channel, SEAL_BYTES, SEALED_BYTES_MAX};
use kad_node::wire::{self, Body};
use kad_node::{NetworkKey, NetworkKeys};

use harness::{
    connected, datagram, encoded, get, join, number_of, ping, put, request, send, sharded,
    split_into, stats, stats_when, store,
};

fn keys(firsts: &[u8]) -> NetworkKeys {
    let keys: Vec<_> = firsts.iter().map(|&first| NetworkKey::new([first; 32])).collect();
    NetworkKeys::new(&keys).expect("few").expect("one at least")
}

fn private(io: IoChoice, shards: usize, firsts: &[u8]) -> Settings {
    let keys = Some(keys(firsts));
    Settings { keys, ..sharded(io, "127.0.0.1:0", shards, Steering::Kernel) }
}

fn node(io: IoChoice, shards: usize) -> Running {
    start(private(io, shards, &[1])).expect("loopback is there")
}

/// A node of another id.
fn another(io: IoChoice, name: &str, firsts: &[u8]) -> Running {
    let mut settings = private(io, 1, firsts);
    settings.node.id = Id::of_value(name.as_bytes());
    start(settings).expect("loopback is there")
}

/// A peer that has the key.
struct Member {
    socket: UdpSocket,
    channel: Channel,
}

impl Member {
    fn new(node: &Running, first: u8) -> Self {
        Self::at("127.0.0.1", node, first)
    }

    fn at(ip: &str, node: &Running, first: u8) -> Self {
        let channel = Channel::new(Some(&keys(&[first]))).expect("randomness");
        Self { socket: connected(ip, node.address()), channel }
    }

    fn sealed(&mut self, datagram: &[u8]) -> Vec<u8> {
        let mut room = [0; SEALED_BYTES_MAX];
        let length = self.channel.seal(datagram, &mut room);
        room[..length].to_vec()
    }

    fn send(&mut self, datagram: &[u8]) {
        let bytes = self.sealed(datagram);
        self.socket.send(&bytes).expect("loopback takes it");
    }

    /// The next datagram, opened.
    fn receive(&mut self) -> Vec<u8> {
        let (mut buffer, mut room) = ([0; SEALED_BYTES_MAX], [0; SEALED_BYTES_MAX]);
        let length = self.socket.recv(&mut buffer).expect("an answer within the patience");
        self.channel.open(&buffer[..length], &mut room).expect("it is sealed").to_vec()
    }

    /// Asserts that the next datagram answers request `number`.
    fn assert_answered(&mut self, number: u64) {
        let reply = self.receive();
        assert_eq!(number_of(&wire::decode(&reply).expect("a reply")), number);
    }

    /// Asserts that nothing has come.
    fn assert_silence(&self) {
        self.socket.set_nonblocking(true).expect("a socket's own affair");
        let received = self.socket.recv(&mut [0; SEALED_BYTES_MAX]);
        self.socket.set_nonblocking(false).expect("a socket's own affair");
        assert_eq!(received.expect_err("silence").kind(), io::ErrorKind::WouldBlock);
    }
}

/// The key of number `number`, which any shard may own.
fn key(number: u64) -> Id {
    Id::of_value(&number.to_be_bytes())
}

for_each_driver! {
    fn a_sealed_request_is_steered_to_its_shard_and_answered_sealed(io: IoChoice) {
        const REQUESTS: u64 = 200;
        let node = node(io, 4);
        let mut member = Member::new(&node, 1);
        for number in 0..REQUESTS {
            let body = Body::FindValue { key: key(number), offset: 0 };
            member.send(&request(number, body));
            member.assert_answered(number);
        }
        let (node, driver) = stats(&node);
        assert_eq!((node.datagrams_received, driver.datagrams_sent), (REQUESTS, REQUESTS));
        assert_eq!(node.datagrams_missteered, 0, "the kernel has read the steer byte");
        assert_eq!(driver.bytes_received - REQUESTS * SEAL_BYTES as u64, REQUESTS * 72);
        assert_eq!((driver.unsealed_received, driver.seals_refused), (0, 0));
    }

    /// The node works through one socket's datagrams in their order, so that an answer shows
    /// that what was sent before it was passed over.
    fn who_lacks_the_key_gets_no_byte_and_is_counted(io: IoChoice) {
        let node = node(io, 1);
        let (mut member, mut outsider) = (Member::new(&node, 1), Member::new(&node, 2));
        let requests = [
            ping(1),
            request(2, Body::FindNode { target: key(1) }),
            request(3, Body::FindValue { key: key(1), offset: 0 }),
            request(4, Body::Store(store(b"lost"))),
        ];
        for request in &requests {
            outsider.socket.send(request).expect("loopback takes it");
            outsider.send(request);
            let whole = member.sealed(request);
            for bit in 0..8 * whole.len() {
                let mut changed = whole.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                outsider.socket.send(&changed).expect("loopback takes it");
            }
            member.send(&ping(7));
            member.assert_answered(7);
        }
        outsider.assert_silence();
        let sent: usize = requests.iter().map(|one| 8 * (one.len() + SEAL_BYTES) + 2).sum();
        let (node, driver) = stats(&node);
        assert_eq!((node.datagrams_received, driver.datagrams_sent), (4, 4));
        // In the clear, or with a bit changed of what says that it is sealed.
        assert_eq!(driver.unsealed_received, 4 * 25);
        assert_eq!(driver.unsealed_received + driver.seals_refused, sent as u64);
    }

    fn segments_are_sealed_each_and_the_answers_leave_as_one_message(io: IoChoice) {
        const SEGMENTS: u64 = 48;
        let node = node(io, 1);
        let mut member = Member::new(&node, 1);
        let body = Body::FindValue { key: key(1), offset: 0 };
        for message in 0..20 {
            let numbers = message * SEGMENTS..(message + 1) * SEGMENTS;
            let sealed: Vec<_> =
                numbers.clone().map(|number| member.sealed(&request(number, body))).collect();
            split_into(&member.socket, sealed[0].len());
            member.socket.send(&sealed.concat()).expect("loopback takes it");
            numbers.for_each(|number| member.assert_answered(number));
        }
        let (node, driver) = stats(&node);
        assert_eq!(node.datagrams_received, 20 * SEGMENTS);
        assert_eq!((driver.seals_refused, driver.segmented_refused), (0, 0));
        if io != IoChoice::TokioUring {
            assert_eq!((driver.segmented_received, driver.segmented_sent), (20, 20));
        }
    }

    fn members_find_each_other_and_large_values(io: IoChoice) {
        let seed = another(io, "seed", &[1]);
        let nodes: Vec<_> = ["a", "b", "c"].map(|name| another(io, name, &[1])).into();
        for node in &nodes {
            assert!(join(node, seed.address()) > 0);
        }
        let value: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        let holders = put(&nodes[0], &value).holders;
        assert!(holders > 0);
        let found = get(&nodes[2], Id::of_value(&value)).expect("it is held");
        assert_eq!(*found.value, *value);
        let (_, driver) = stats(&nodes[2]);
        assert_eq!((driver.unsealed_received, driver.seals_refused), (0, 0));
    }

    fn a_key_is_changed_node_by_node_without_a_gap(io: IoChoice) {
        let old = another(io, "old", &[1]);
        let accepting = another(io, "accepting", &[1, 2]);
        let changed = another(io, "changed", &[2, 1]);
        assert!(join(&accepting, old.address()) > 0);
        assert!(join(&changed, accepting.address()) > 0);
        let new = another(io, "new", &[2]);
        assert!(join(&new, changed.address()) > 0);
        // It knows the new key alone, and the old node the old one.
        assert!(stats(&new).1.seals_refused == 0 || stats(&old).1.seals_refused > 0);
    }

    /// Recorded and sent again by another host: no contact comes or goes, no value comes twice,
    /// and none that did not arrive the first time.
    fn what_was_recorded_and_is_sent_again_changes_nothing(io: IoChoice) {
        let node = another(io, "node", &[1]);
        let mut member = Member::new(&node, 1);
        member.send(&ping(1));
        let pong = member.receive();
        let token = wire::decode(&pong).expect("a PONG").token;
        let with_token =
            |number, body| encoded(&wire::Datagram { token, ..datagram(number, body) });
        let recorded = [
            member.sealed(&with_token(2, Body::Store(store(b"kept")))),
            member.sealed(&with_token(3, Body::FindValue { key: key(1), offset: 0 })),
            member.sealed(&pong),
            member.sealed(&with_token(4, Body::Store(store(b"lost on the way")))),
        ];
        member.socket.send(&recorded[0]).expect("loopback takes it");
        member.assert_answered(2);
        let before = stats(&node).0;

        let mut replayer = Member::at("127.0.0.2", &node, 1);
        for _ in 0..10 {
            for bytes in &recorded {
                replayer.socket.send(bytes).expect("loopback takes it");
            }
        }
        let after = stats_when(&node, |node, _| node.datagrams_received == 2 + 40).0;
        assert_eq!(after.values, before.values, "the token is of another address");
        assert_eq!(after.stores_without_token, 20);
        assert_eq!(after.contacts, before.contacts);
        // What comes back is sealed: of no use without the key.
        let answers = after.datagrams_received - before.datagrams_received;
        assert!(answers > 0 && replayer.receive().len() <= 3 * recorded[1].len());
    }
}

#[test]
fn a_node_without_the_key_does_not_join() {
    let seed = another(IoChoice::Mmsg, "seed", &[1]);
    for keys in [None, Some(keys(&[2]))] {
        let is_keyed = keys.is_some();
        let mut settings = Settings { keys, ..private(IoChoice::Mmsg, 1, &[1]) };
        settings.node.id = Id::of_value(b"outsider");
        let outsider = start(settings).expect("loopback is there");
        send(&outsider, Command::Bootstrap { addresses: vec![seed.address()] });
        let (node, _) = stats_when(&seed, |_, driver| {
            if is_keyed { driver.seals_refused > 0 } else { driver.unsealed_received > 0 }
        });
        assert_eq!((node.datagrams_received, node.contacts), (0, 0));
        assert_eq!(stats(&outsider).1.datagrams_received, 0);
    }
}

//! A node on a host with several addresses: it answers from the one that was asked.
//!
//! Loopback is such a host: all of 127.0.0.0/8 is its own, and the kernel's choice
//! of a source for what goes to 127.0.0.1 is 127.0.0.1.
#![cfg(feature = "std")]

#[macro_use]
#[path = "driver/harness.rs"]
mod harness;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use kad_node::driver::{DriverEvent, IoChoice, ShardCount, start};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::{Command, Event, OperationId};

use harness::{PATIENCE, event, is_there, ping, settings};

/// Addresses that are asked, none of them the one that asks.
const ASKED: [Ipv4Addr; 3] =
    [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3), Ipv4Addr::new(127, 1, 2, 3)];

/// Sends `count` PINGs to `node`, and sees each answer come from there.
fn assert_answered_from(client: &UdpSocket, node: SocketAddr, count: u64) {
    for number in 0..count {
        client.send_to(&ping(number), node).expect("loopback takes it");
    }
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    for _ in 0..count {
        let (_, source) = client.recv_from(&mut buffer).expect("an answer within the patience");
        assert_eq!(source, node);
    }
}

/// Not connected: the kernel would keep the answer of another address from it.
fn client(ip: &str) -> UdpSocket {
    let client = UdpSocket::bind((ip, 0)).expect("loopback is there");
    client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    client
}

for_each_driver! {
    fn a_node_at_an_address_answers_from_it(io: IoChoice) {
        let node = start(settings(io, "127.0.0.2:0")).expect("loopback is there");
        assert_answered_from(&client("127.0.0.1"), node.address(), 3);
    }

    fn a_node_at_a_wildcard_answers_from_the_address_that_was_asked(io: IoChoice) {
        for (listen, ip) in [("0.0.0.0:0", "0.0.0.0"), ("[::]:0", "::")] {
            if !is_there(ip) {
                continue;
            }
            let mut settings = settings(io, listen);
            settings.shards = ShardCount::new(2).expect("a few");
            let node = start(settings).expect("it starts");
            let port = node.address().port();
            let (one, other) = (client("127.0.0.1"), client("127.0.0.1"));
            // Bursts, so that answers go as one message; and two peers that ask different
            // addresses at the same time.
            for asked in ASKED {
                assert_answered_from(&one, (asked, port).into(), 20);
                assert_answered_from(&other, (Ipv4Addr::LOCALHOST, port).into(), 20);
                assert_answered_from(&one, (asked, port).into(), 1);
            }
            if listen.starts_with('[') && is_there("::1") {
                let asked = "::1".parse::<IpAddr>().expect("an address");
                assert_answered_from(&client("::1"), (asked, port).into(), 5);
            }
            let driver = node.stop().expect("it was told to").total().driver;
            assert_eq!(driver.sources_refused, 0);
        }
    }

    fn a_network_is_joined_by_any_address_of_a_wildcard_node(io: IoChoice) {
        let seed = start(settings(io, "0.0.0.0:0")).expect("it starts");
        let mut joining = settings(io, "127.0.0.1:0");
        joining.node.id = Id::of_value(b"joining");
        let joining = start(joining).expect("it starts");
        let addresses = vec![(ASKED[0], seed.address().port()).into()];
        joining.commander().send(Command::Bootstrap { addresses }).expect("it runs");
        assert_eq!(event(&joining, |event| match event {
            DriverEvent::Node(Event::Joined { contacts }) => Some(contacts),
            _ => None,
        }), 1);
        joining.commander().send(Command::put(OperationId(1), *b"stored")).expect("it runs");
        let stored = event(&joining, |event| match event {
            DriverEvent::Node(Event::Put { outcome, .. }) => Some(outcome.expect("there is room")),
            _ => None,
        });
        assert_eq!((stored.asked, stored.holders), (1, 1));
        let node = joining.stop().expect("it was told to").total().node;
        assert_eq!(node.replies_unmatched, 0);
    }
}

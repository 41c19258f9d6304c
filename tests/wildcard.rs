//! A node on a host with several addresses: it answers from the one that was asked.
//!
//! Loopback is such a host: all of 127.0.0.0/8 is its own, and the kernel's choice
//! of a source for what goes to 127.0.0.1 is 127.0.0.1.
#![cfg(feature = "std")]

#[macro_use]
mod harness;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process;
use std::thread;

use kad_node::driver::{IoChoice, Steering, start};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire::{self, Body};
use nix::sched::{CloneFlags, unshare};

use harness::{
    PATIENCE, is_there, join, number_of, ping, put, request, settings, sharded, split_into,
};

/// Addresses that are asked, none of them the one that asks.
const ASKED: [Ipv4Addr; 3] =
    [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3), Ipv4Addr::new(127, 1, 2, 3)];

/// Datagrams of a burst: as many as every kernel takes for one message.
const BURST: u64 = 64;

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

/// The wildcards of this machine.
fn wildcards() -> impl Iterator<Item = &'static str> {
    let all = [("0.0.0.0:0", "0.0.0.0"), ("[::]:0", "::")];
    all.into_iter().filter(|(_, ip)| is_there(ip)).map(|(listen, _)| listen)
}

/// Request number `number`, for the shard that owns its key: any.
fn find(number: u64) -> Vec<u8> {
    let key = Id::of_value(&number.to_be_bytes());
    request(number, Body::FindValue { key, offset: 0 })
}

/// The number of the next answer, and the address that it comes from.
fn answer(client: &UdpSocket) -> (u64, IpAddr) {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let answer = client.recv_from(&mut buffer);
    let (length, source) = answer.expect("an answer within the patience");
    let datagram = wire::decode(&buffer[..length]).expect("a datagram of ours");
    (number_of(&datagram), source.ip())
}

/// Runs `test` on a host with the addresses 1 and 2 of `192.0.2.0/24` and `2001:db8::/64`:
/// a network namespace, where the machine permits one.
fn within_a_network_of_its_own(test: impl FnOnce() + Send) {
    const COMMANDS: &str = "ip link set lo up
        ip link add one type veth peer name other
        ip link set other up
        ip link set one up
        for host in 1 2; do
            ip address add 192.0.2.$host/24 broadcast + dev one
            ip address add 2001:db8::$host/64 dev one nodad
            # The kernel makes the address its own after the command has ended.
            until ip route get 2001:db8::$host | grep -q ^local; do :; done
        done";
    let run = || {
        // It is the thread's own, and that of what the thread starts.
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            return eprintln!("SKIPPED: no network namespace: {error}");
        }
        let status = process::Command::new("sh").args(["-e", "-c", COMMANDS]).status();
        if !status.is_ok_and(|status| status.success()) {
            return eprintln!("SKIPPED: no addresses in a network namespace");
        }
        test();
    };
    thread::scope(|scope| scope.spawn(run).join().expect("the test passes"));
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
            let settings = sharded(io, listen, 2, Steering::Kernel);
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
        assert_eq!(join(&joining, (ASKED[0], seed.address().port()).into()), 1);
        let stored = put(&joining, b"stored");
        assert_eq!((stored.asked, stored.holders), (1, 1));
        let node = joining.stop().expect("it was told to").total().node;
        assert_eq!(node.replies_unmatched, 0);
    }

    fn a_peer_that_asks_two_addresses_at_once_is_answered_from_each(io: IoChoice) {
        for (shards, steering) in [(1, Steering::Off), (2, Steering::Kernel), (2, Steering::Off)] {
            for listen in wildcards() {
                let settings = sharded(io, listen, shards, steering);
                let node = start(settings).expect("it starts");
                let client = client("127.0.0.1");
                let mut missing = HashMap::new();
                for number in 0..BURST {
                    let asked = IpAddr::from(ASKED[number as usize / 3 % ASKED.len()]);
                    let sent = client.send_to(&find(number), (asked, node.address().port()));
                    sent.expect("loopback takes it");
                    missing.insert(number, asked);
                }
                while !missing.is_empty() {
                    let (number, source) = answer(&client);
                    let asked = missing.remove(&number);
                    assert_eq!(asked, Some(source), "{listen}, {shards} shards, {steering:?}");
                }
            }
        }
    }

    /// It lands whole on the shard of its first datagram, which passes the others on.
    fn a_burst_for_several_shards_is_answered_from_the_address_that_was_asked(io: IoChoice) {
        for listen in wildcards() {
            let settings = sharded(io, listen, 2, Steering::Kernel);
            let node = start(settings).expect("it starts");
            let client = client("127.0.0.1");
            split_into(&client, find(0).len());
            for asked in ASKED {
                let burst: Vec<_> = (0..BURST).flat_map(find).collect();
                let sent = client.send_to(&burst, (asked, node.address().port()));
                assert_eq!(sent.expect("loopback takes it"), burst.len());
                let mut missing: HashSet<_> = (0..BURST).collect();
                while !missing.is_empty() {
                    let (number, source) = answer(&client);
                    assert_eq!(source, IpAddr::from(asked), "{listen}");
                    assert!(missing.remove(&number), "each is answered once");
                }
            }
            let total = node.stop().expect("it was told to").total();
            assert!(total.node.datagrams_missteered > 0, "some were passed on");
            assert_eq!((total.driver.sources_refused, total.driver.sources_displaced), (0, 0));
        }
    }

    fn a_host_of_two_addresses_answers_from_the_one_that_was_asked(io: IoChoice) {
        within_a_network_of_its_own(|| {
            for (listen, shards) in [("0.0.0.0:0", 1), ("[::]:0", 1), ("[::]:0", 2)] {
                let settings = sharded(io, listen, shards, Steering::Kernel);
                let node = start(settings).expect("it starts");
                let port = node.address().port();
                let v4 = client("192.0.2.1");
                let second = SocketAddr::from(([192, 0, 2, 2], port));
                assert_answered_from(&v4, second, 3);
                // No answer can leave from a broadcast address.
                let broadcaster = client("192.0.2.1");
                broadcaster.set_broadcast(true).expect("an option of every socket");
                let sent = broadcaster.send_to(&ping(1), ("192.0.2.255", port));
                sent.expect("the network takes it");
                assert_eq!(answer(&broadcaster), (1, IpAddr::from([192, 0, 2, 1])));
                assert_answered_from(&v4, second, 3);
                if listen.starts_with('[') {
                    let second = format!("[2001:db8::2]:{port}").parse().expect("an address");
                    assert_answered_from(&client("2001:db8::1"), second, 3);
                }
            }
        });
    }
}

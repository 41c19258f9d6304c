//! A node on a host with several addresses: from which of them its answers come.
//!
//! Loopback is such a host: all of 127.0.0.0/8 is its own, and the kernel's choice
//! of a source for what goes to 127.0.0.1 is 127.0.0.1.
#![cfg(feature = "std")]

#[macro_use]
#[path = "driver/harness.rs"]
mod harness;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use kad_node::driver::{IoChoice, start};
use kad_node::limits::DATAGRAM_BYTES_MAX;

use harness::{PATIENCE, is_there, ping, settings};

/// The address that is asked, which is not the one that asks.
const ASKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The source of what goes to the asker, where the kernel chooses it.
const ROUTED: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Which address the answer of a node at `listen` to the one at [`ASKED`] comes from.
fn answered_from(io: IoChoice, listen: &str) -> IpAddr {
    let node = start(settings(io, listen)).expect("loopback is there");
    let port = node.address().port();
    // Not connected: the kernel would keep a stranger's answer from it.
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
    client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    client.send_to(&ping(1), (ASKED, port)).expect("loopback takes it");
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let (_, source) = client.recv_from(&mut buffer).expect("an answer within the patience");
    assert_eq!(source.port(), port);
    source.ip()
}

for_each_driver! {
    fn a_node_at_an_address_answers_from_it(io: IoChoice) {
        assert_eq!(answered_from(io, "127.0.0.2:0"), ASKED);
    }

    /// A limit, which `--help` tells of: whoever asked another address takes the
    /// answer for a stranger's.
    fn a_node_at_a_wildcard_answers_from_the_address_of_the_route(io: IoChoice) {
        for (listen, ip) in [("0.0.0.0:0", "0.0.0.0"), ("[::]:0", "::")] {
            if !is_there(ip) {
                continue;
            }
            assert_eq!(answered_from(io, listen), ROUTED, "{listen}");
        }
    }
}

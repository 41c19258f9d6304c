//! Tests of `kad-node ping`.

use std::net::UdpSocket;

use crate::Io;
use crate::child::{Node, run};
use crate::under_each_driver;

const ID: &str = "00112233445566778899aabbccddeeff00112233";

under_each_driver! {
    fn a_node_answers_a_ping_and_adds_no_contact(io: Io) {
        let mut node = Node::start(io, &["--id", ID]);
        let ping = run(&["ping", &node.addr.to_string()], b"");
        assert_eq!(ping.status, Some(0), "{ping:?}");
        assert!(ping.stdout.starts_with(&format!("{ID} at {} in ", node.addr)), "{ping:?}");
        assert_eq!(node.ask("peers"), "0 contacts in 0 buckets");
    }

    fn a_node_of_another_network_does_not_answer_a_ping(io: Io) {
        let node = Node::start(io, &["--network", "mine"]);
        let addr = node.addr.to_string();
        let ping = run(&["ping", "--network", "yours", "--timeout", "1s", &addr], b"");
        assert_eq!(ping.status, Some(1), "{ping:?}");
        assert!(ping.stderr.contains("'yours'") && ping.stderr.contains("no answer"), "{ping:?}");
    }
}

#[test]
fn a_name_is_pinged_at_each_of_its_addresses_until_one_answers() {
    // The name may resolve to ::1 too, where nothing listens.
    let node = Node::start(Io::Mmsg, &["--id", ID]);
    let ping = run(&["ping", &format!("localhost:{}", node.addr.port())], b"");
    assert_eq!(ping.status, Some(0), "{ping:?}");
    assert!(ping.stdout.starts_with(&format!("{ID} at {} in ", node.addr)), "{ping:?}");
}

#[test]
fn a_ping_to_a_closed_port_fails_with_the_address() {
    // The socket hears only itself, and keeps the port from other tests.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let addr = socket.local_addr().expect("it is bound");
    socket.connect(addr).expect("no packet is sent");
    let addr = addr.to_string();
    let ping = run(&["ping", &addr], b"");
    assert_eq!((ping.status, ping.stdout.as_str()), (Some(1), ""));
    assert!(ping.stderr.contains(&addr) && ping.stderr.contains("check"), "{ping:?}");
}

//! Tests of the id that a node takes when its own cannot be used.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::id_fits;
use kad_node::wire::{self, Body, Contact, Contacts, Datagram, Role, Token};

use crate::Io;
use crate::child::{Node, field};
use crate::datagram::encoded;

/// Where the peers of the tests say that they see a node: the id that it was given in a
/// private network does not fit.
const SEEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9001);

/// A peer, in a subnet of its own, that sees every node at [`SEEN`].
fn serve_as_peer(subnet: u8) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, subnet, 1), 0)).expect("a free port");
    let addr = socket.local_addr().expect("it is bound");
    // It ends with the test's process.
    thread::spawn(move || {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Ok((length, source)) = socket.recv_from(&mut buffer) {
            let Ok(request) = wire::decode(&buffer[..length]) else { continue };
            let listed = [Contact { id: request.sender, addr: SEEN }; 2];
            let body = match request.body {
                Body::Ping => Body::Pong,
                Body::FindNode { target } if target == request.sender => {
                    Body::Nodes(Contacts::new(&listed))
                }
                Body::FindNode { .. } => Body::Nodes(Contacts::new(&[])),
                _ => continue,
            };
            let reply = Datagram {
                sender: Id::of_value(&[subnet]),
                role: Role::Peer,
                announce: None,
                token: Token::new([subnet; 8]),
                body,
                ..request
            };
            // The node may have ended.
            let _ = socket.send_to(&encoded(&reply), source);
        }
    });
    addr
}

#[test]
fn an_id_that_was_replaced_stays_so_after_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = ["--data", folder.path().to_str().expect("a path"), "--cores", "2"];
    let peers: Vec<String> = (1..4).map(|subnet| serve_as_peer(subnet).to_string()).collect();
    let bootstrap: Vec<&str> =
        peers.iter().flat_map(|peer| ["--bootstrap", peer.as_str()]).collect();
    let mut node = Node::start(Io::Mmsg, &[&data[..], &bootstrap].concat());
    let first = field(node.logged(" ready "), "id").to_owned();
    let replaced = node.await_log(" cannot be used: ");
    let second = replaced.rsplit(' ').next().expect("a word").to_owned();
    assert!(replaced.contains(&first) && second != first, "{replaced}");
    let id: Id = second.parse().expect("an id");
    assert!(id_fits(id, SEEN.ip()));
    node.await_log("the new id is kept");
    let key = node.put("after");
    node.crash();
    let mut node = Node::start(Io::Mmsg, &data);
    assert_eq!(field(node.logged(" ready "), "id"), second);
    assert_eq!(node.found(&key, "after"), "local");
}

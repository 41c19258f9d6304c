//! Peers that become contacts of the node under test and answer its requests.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire::{self, Body, Contacts, Datagram, Role, Token};

use crate::harness::{datagram, encoded};

/// How often an idle peer checks whether it must end.
const LOOK: Duration = Duration::from_millis(200);

/// Peers without contacts, each with a socket and a thread. They end when dropped.
pub(crate) struct Crowd {
    node: SocketAddr,
    sockets: Vec<(Id, Arc<UdpSocket>)>,
    threads: Vec<JoinHandle<()>>,
    ends: Arc<AtomicBool>,
}

impl Crowd {
    /// Starts `count` peers, each of which sends `node` a PING.
    pub(crate) fn around(node: SocketAddr, count: usize) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (mut sockets, mut threads) = (Vec::new(), Vec::new());
        for number in 0..count {
            let socket = Arc::new(UdpSocket::bind((node.ip(), 0)).expect("loopback is there"));
            socket.set_read_timeout(Some(LOOK)).expect("a time-out");
            let id = Id::of_value(&number.to_be_bytes());
            sockets.push((id, Arc::clone(&socket)));
            let ends = Arc::clone(&ends);
            threads.push(thread::spawn(move || answer(&socket, id, &ends)));
        }
        let crowd = Self { node, sockets, threads, ends };
        crowd.ping();
        crowd
    }

    /// Sends the node a PING from each peer, so that it asks those that it does not know yet
    /// for a proof. A datagram may be lost when the machine is busy: then call this again.
    pub(crate) fn ping(&self) {
        assert!(!self.threads.iter().any(JoinHandle::is_finished), "a peer has failed");
        for (id, socket) in &self.sockets {
            let ping = Datagram { sender: *id, role: Role::Peer, ..datagram(0, Body::Ping) };
            socket.send_to(&encoded(&ping), self.node).expect("loopback takes it");
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if let Err(failure) = thread.join()
                && !thread::panicking()
            {
                panic::resume_unwind(failure);
            }
        }
    }
}

/// Answers requests until `ends` is set.
fn answer(socket: &UdpSocket, id: Id, ends: &AtomicBool) {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    while !ends.load(Ordering::Relaxed) {
        let (length, source) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => panic!("a peer's socket: {error}"),
        };
        let Ok(request) = wire::decode(&buffer[..length]) else { continue };
        let reply = |body, token| {
            let (role, transaction) = (Role::Peer, request.transaction);
            encoded(&Datagram { sender: id, role, transaction, token, ..datagram(0, body) })
        };
        if request.asks_proof {
            let proof = reply(Body::Ping, request.token);
            socket.send_to(&proof, source).expect("loopback takes it");
        }
        let body = match request.body {
            Body::Ping => Body::Pong,
            Body::Store(_) => Body::Stored,
            Body::FindNode { .. } | Body::FindValue { .. } => Body::Nodes(Contacts::new(&[])),
            _ => continue,
        };
        socket.send_to(&reply(body, Token::NONE), source).expect("loopback takes it");
    }
}

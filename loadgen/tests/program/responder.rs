//! A real node behind the simplest of loops: receive, hand to the node, send.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time;

use kad_node::node::{Config, Node, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body};

/// How long the loop may sleep before it looks whether it is to stop.
const PATIENCE: time::Duration = time::Duration::from_millis(20);

/// A node on a loopback port, stopped when it is dropped.
pub(crate) struct Responder {
    pub(crate) addr: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    pub(crate) fn start() -> Self {
        Self::start_corrupting_after(u64::MAX)
    }

    /// A node whose values arrive damaged, but for the first `sound`.
    pub(crate) fn start_corrupting_after(sound: u64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let addr = socket.local_addr().expect("bound");
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = thread::spawn(move || serve(&socket, &stop, sound));
        Self { addr, stopping, thread: Some(thread) }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, stopping: &AtomicBool, mut sound: u64) {
    let origin = time::Instant::now();
    let now = || Instant::ZERO + origin.elapsed();
    let mut rng = Rng::from_u64(7);
    let mut node = Node::new(Config::new(rng.id(), rng.seed()), now());
    let mut outbox = Outbox::new();
    let mut buffer = [0; 2048];
    while !stopping.load(Ordering::Relaxed) {
        if let Ok((length, source)) = socket.recv_from(&mut buffer) {
            node.handle_datagram(now(), source, &buffer[..length], &mut outbox);
        }
        node.handle_timeout(now(), &mut outbox);
        for (destination, bytes) in outbox.datagrams() {
            let mut bytes = bytes.to_vec();
            let is_value =
                wire::decode(&bytes).is_ok_and(|reply| matches!(reply.body, Body::Value(_)));
            if is_value && sound == 0 {
                *bytes.last_mut().expect("not empty") ^= 1;
            }
            sound -= u64::from(is_value && sound > 0);
            let _ = socket.send_to(&bytes, destination);
        }
        outbox.clear();
    }
}

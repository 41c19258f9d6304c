//! A real node behind the simplest of loops: receive, hand to the node, send.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time;

use kad_node::id::Id;
use kad_node::node::{Config, Node, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Datagram};

/// How long the loop may sleep before it looks whether it is to stop.
const PATIENCE: time::Duration = time::Duration::from_millis(20);

/// A node on a loopback port, stopped when it is dropped.
pub(crate) struct Responder {
    pub(crate) addr: SocketAddr,
    /// Datagrams received.
    received: Arc<AtomicUsize>,
    /// Of these, sent by a run, not before it.
    of_run: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How long a node is a good one.
#[derive(Clone, Copy)]
struct Good {
    /// Requests for values of which the answers arrive sound, however often each is sent.
    sound: usize,
    /// Datagrams that it takes notice of.
    heard: usize,
}

impl Responder {
    pub(crate) fn start() -> Self {
        Self::start_corrupting_after(usize::MAX)
    }

    /// A node whose values arrive damaged, but for those of the first `sound`
    /// requests for one, however often these are sent.
    pub(crate) fn start_corrupting_after(sound: usize) -> Self {
        Self::start_with(Good { sound, heard: usize::MAX })
    }

    /// A node that says nothing more once it has `heard` so many datagrams.
    pub(crate) fn start_silent_after(heard: usize) -> Self {
        Self::start_with(Good { sound: usize::MAX, heard })
    }

    /// A node on a socket that was there before it.
    pub(crate) fn start_on(socket: UdpSocket) -> Self {
        Self::serve_on(socket, Good { sound: usize::MAX, heard: usize::MAX })
    }

    fn start_with(good: Good) -> Self {
        Self::serve_on(UdpSocket::bind("127.0.0.1:0").expect("a port"), good)
    }

    fn serve_on(socket: UdpSocket, good: Good) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let addr = socket.local_addr().expect("bound");
        let stopping = Arc::new(AtomicBool::new(false));
        let (received, of_run) = Counts::default();
        let (stop, counts) = (Arc::clone(&stopping), (Arc::clone(&received), Arc::clone(&of_run)));
        let thread = thread::spawn(move || serve(&socket, &stop, &counts, good));
        Self { addr, received, of_run, stopping, thread: Some(thread) }
    }

    /// Datagrams received so far.
    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    /// Datagrams of a run received so far.
    pub(crate) fn received_of_run(&self) -> usize {
        self.of_run.load(Ordering::Relaxed)
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

/// Datagrams received, and those of a run.
type Counts = (Arc<AtomicUsize>, Arc<AtomicUsize>);

fn serve(socket: &UdpSocket, stopping: &AtomicBool, (received, of_run): &Counts, good: Good) {
    // What stores and fetches the values before a run has one id.
    let preloader = Id::of_value(b"loadgen");
    let origin = time::Instant::now();
    let now = || Instant::ZERO + origin.elapsed();
    let mut rng = Rng::from_u64(7);
    let mut node = Node::new(Config::new(rng.id(), rng.seed()), now());
    let mut outbox = Outbox::new();
    let mut answered = HashSet::new();
    let mut buffer = [0; 2048];
    while !stopping.load(Ordering::Relaxed) {
        if let Ok((length, source)) = socket.recv_from(&mut buffer) {
            if received.fetch_add(1, Ordering::Relaxed) >= good.heard {
                continue;
            }
            let sender = wire::decode(&buffer[..length]).map(|datagram| datagram.sender);
            of_run.fetch_add(usize::from(sender != Ok(preloader)), Ordering::Relaxed);
            node.handle_datagram(now(), source, &buffer[..length], &mut outbox);
        }
        node.handle_timeout(now(), &mut outbox);
        for (destination, bytes) in outbox.datagrams() {
            let mut bytes = bytes.to_vec();
            if let Ok(Datagram { transaction, body: Body::Value(_), .. }) = wire::decode(&bytes)
                && !answered.contains(transaction.as_bytes())
            {
                if answered.len() < good.sound {
                    answered.insert(*transaction.as_bytes());
                } else {
                    *bytes.last_mut().expect("not empty") ^= 1;
                }
            }
            let _ = socket.send_to(&bytes, destination);
        }
        outbox.clear();
    }
}

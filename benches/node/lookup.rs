//! A get of an absent key, in which every peer names the same closest nodes: the node's
//! part of a lookup, reply by reply.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kad_node::id::Id;
use kad_node::limits::K_DEFAULT;
use kad_node::node::{Command, Event, OperationId, Trace};
use kad_node::wire::{self, Body, Contact, Contacts, Datagram, Role, TransactionId};

use crate::datagram::encoded;
use crate::world::World;

/// Where a datagram has its transaction id.
const TRANSACTION: std::ops::Range<usize> = 8..16;

/// From one reply to the next.
const ROUND_TRIP: Duration = Duration::from_micros(20);

/// The result of a lookup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) replies: u64,
    /// Time that the node spent on them.
    pub(crate) time: Duration,
}

pub(crate) struct Lookup {
    world: World,
    key: Id,
    /// What each peer answers, but for the transaction id.
    replies: HashMap<SocketAddr, Reply>,
    asked: Vec<(SocketAddr, TransactionId, bool)>,
}

struct Reply {
    nodes: Vec<u8>,
    pong: Vec<u8>,
}

impl Lookup {
    pub(crate) fn new(world: World, key: Id) -> Self {
        let mut closest = world.peers.clone();
        closest.sort_by_key(|peer| peer.id ^ key);
        closest.truncate(K_DEFAULT);
        let reply = |peer: &Contact, body| {
            let from = Datagram { role: Role::Peer, sender: peer.id, ..world.datagram(body) };
            encoded(&from)
        };
        let replies = world.peers.iter().map(|peer| {
            let nodes = reply(peer, Body::Nodes(Contacts::new(&closest)));
            (peer.addr, Reply { nodes, pong: reply(peer, Body::Pong) })
        });
        Self { key, replies: replies.collect(), asked: Vec::new(), world }
    }

    /// Runs it to its end. Returns how many replies it took and how much time the node spent
    /// on them.
    pub(crate) fn run(&mut self) -> Run {
        let get = Command::Get { operation: OperationId(1), key: self.key, trace: Trace::Off };
        self.world.outbox.clear();
        self.world.node.handle_command(self.world.now, get, &mut self.world.outbox);
        let mut run = Run { replies: 0, time: Duration::ZERO };
        let mut is_over = false;
        self.take_requests();
        // Requests that the lookup no longer waits for are answered too.
        while let Some((addr, transaction, is_ping)) = self.asked.pop() {
            let reply = self.replies.get_mut(&addr).expect("only peers are asked");
            let bytes = if is_ping { &mut reply.pong } else { &mut reply.nodes };
            bytes[TRANSACTION].copy_from_slice(transaction.as_bytes());
            self.world.now = self.world.now + ROUND_TRIP;
            let World { node, now, outbox, .. } = &mut self.world;
            let begun = Instant::now();
            node.handle_datagram(*now, addr, bytes, outbox);
            run.time += begun.elapsed();
            run.replies += 1;
            is_over |= self.is_over();
            self.take_requests();
        }
        assert!(is_over, "a get has an end");
        assert_eq!(self.world.node.stats().rpcs, 0, "nothing is left unanswered");
        run
    }

    fn take_requests(&mut self) {
        for (addr, bytes) in self.world.outbox.datagrams() {
            let request = wire::decode(bytes).expect("a node sends no garbage");
            self.asked.push((addr, request.transaction, request.body == Body::Ping));
        }
        self.world.outbox.clear();
    }

    /// Whether the get has ended. It must not find a value.
    fn is_over(&mut self) -> bool {
        let mut is_over = false;
        for event in self.world.outbox.take_events() {
            if let Event::Get { outcome, .. } = event {
                assert_eq!(outcome, Ok(None), "no peer has the value");
                is_over = true;
            }
        }
        is_over
    }
}

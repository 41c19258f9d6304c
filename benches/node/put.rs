//! Puts of a node that knows many peers, each of which names the nodes that are closest and
//! stores what it is given: the node's part of a put, reply by reply.

use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::{K_DEFAULT, REGION_PUTS_MIN};
use kad_node::node::{Command, Event, KeyedValue, OperationId, Stored};
use kad_node::wire::{self, Body, Contact, Contacts, Datagram, Role, TransactionId};

use crate::datagram::encoded;
use crate::world::World;

/// Values that are put in turn.
const VALUES: u32 = 256;
/// From one reply to the next.
const ROUND_TRIP: Duration = Duration::from_micros(20);

pub(crate) struct Puts {
    world: World,
    /// Each with the closest peers to its key.
    values: Vec<(KeyedValue, Vec<Contact>)>,
    next: usize,
    /// How many are in progress at once.
    at_once: usize,
    asked: Vec<(Contact, TransactionId, Asked)>,
}

/// What a peer was asked.
enum Asked {
    Ping,
    Store,
    /// The nodes closest to this.
    FindNode(Id),
}

impl Puts {
    /// Puts one after another: each looks up.
    pub(crate) fn that_look_up(world: World) -> Self {
        Self::new(world, 1)
    }

    /// Several puts at once, in regions of which all nodes are known.
    pub(crate) fn of_known_regions(world: World) -> Self {
        let mut puts = Self::new(world, REGION_PUTS_MIN);
        puts.run_at_least(4 * VALUES as usize);
        puts
    }

    fn new(mut world: World, at_once: usize) -> Self {
        drop(world.outbox.take_events()); // the put of its own value
        let value = |number: u32| {
            let value = KeyedValue::new([&number.to_be_bytes()[..], &[1; 96]].concat());
            let mut closest = world.peers.clone();
            closest.sort_by_key(|peer| peer.id ^ value.key());
            closest.truncate(K_DEFAULT);
            (value, closest)
        };
        let values = (0..VALUES).map(value).collect();
        Self { world, values, next: 0, at_once, asked: Vec::new() }
    }

    /// Runs so many to their end, and what makes up a last round.
    pub(crate) fn run_at_least(&mut self, times: usize) {
        (0..times.div_ceil(self.at_once)).for_each(|_| self.round());
    }

    /// Runs as many as are in progress at once to their end.
    fn round(&mut self) {
        self.world.outbox.clear();
        for _ in 0..self.at_once {
            let value = self.values[self.next % self.values.len()].0.clone();
            self.next += 1;
            let put = Command::Put { operation: OperationId(self.next as u64), value };
            self.world.node.handle_command(self.world.now, put, &mut self.world.outbox);
        }
        let mut ended = 0;
        self.take_requests();
        while let Some((peer, transaction, asked)) = self.asked.pop() {
            let body = match asked {
                Asked::Ping => Body::Pong,
                Asked::Store => Body::Stored,
                Asked::FindNode(key) => {
                    let value = self.values.iter().find(|(value, _)| value.key() == key);
                    Body::Nodes(Contacts::new(&value.expect("it puts these alone").1))
                }
            };
            let from = Datagram { role: Role::Peer, sender: peer.id, ..self.world.datagram(body) };
            let bytes = encoded(&Datagram { transaction, ..from });
            self.world.now = self.world.now + ROUND_TRIP;
            let World { node, now, outbox, .. } = &mut self.world;
            node.handle_datagram(*now, peer.addr, &bytes, outbox);
            ended += self.ended();
            self.take_requests();
        }
        assert_eq!(ended, self.at_once, "each put has an end");
    }

    fn take_requests(&mut self) {
        for (addr, bytes) in self.world.outbox.datagrams() {
            let request = wire::decode(bytes).expect("a node sends no garbage");
            let asked = match request.body {
                Body::FindNode { target } => Asked::FindNode(target),
                Body::Store(_) => Asked::Store,
                _ => Asked::Ping,
            };
            self.asked.push((peer_at(&self.world.peers, addr), request.transaction, asked));
        }
        self.world.outbox.clear();
    }

    /// How many puts have ended, all of them well.
    fn ended(&mut self) -> usize {
        let mut ended = 0;
        for event in self.world.outbox.take_events() {
            if let Event::Put { outcome, .. } = event {
                assert!(matches!(outcome, Ok(Stored { holders: K_DEFAULT, .. })), "{outcome:?}");
                ended += 1;
            }
        }
        ended
    }
}

/// The peer at an address: their addresses count up.
fn peer_at(peers: &[Contact], addr: SocketAddr) -> Contact {
    let index = peers.binary_search_by_key(&addr, |peer| peer.addr);
    peers[index.expect("only peers are asked")]
}

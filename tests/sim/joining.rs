//! Nodes that come to be: each is made, and told by what addresses to join.

use std::net::SocketAddr;

use kad_node::id::Id;
use kad_node::node::{Command, fitted_id};
use kad_node::time::Instant;

use crate::allocator::held_bytes;
use crate::peers::{Being, PEERS_MAX, Peer, PeerIndex, WELL_KNOWN, address_of};
use crate::shards::Shards;
use crate::world::World;

/// Random peers by which a peer joins besides the well-known one.
const BOOTSTRAP_OTHERS: usize = 2;

impl World {
    /// Adds an honest peer under a fresh id and has it join.
    pub(crate) fn join(&mut self) {
        let peer = self.add_peer();
        self.start(peer);
    }

    /// The same, under this id.
    pub(crate) fn join_as(&mut self, id: Id) {
        let peer = self.add_peer();
        self.peers[peer.as_usize()].id = id;
        self.start(peer);
    }

    /// Has the next of those join that were told to: it may be there already.
    pub(crate) fn join_next(&mut self) {
        match self.made.pop_front() {
            Some((peer, addresses)) => self.begin(peer, addresses),
            None => self.join(),
        }
    }

    /// Makes the node that joins next, at `at`, before its time; says by what addresses.
    pub(crate) fn make_next(&mut self, at: Instant) -> (PeerIndex, Vec<SocketAddr>) {
        let peer = self.add_peer();
        let addresses = self.make(peer, at);
        self.made.push_back((peer, addresses.clone()));
        (peer, addresses)
    }

    /// Starts `peer` with nothing but its id, at its old address.
    pub(crate) fn start(&mut self, peer: PeerIndex) {
        let addresses = self.make(peer, self.now);
        self.begin(peer, addresses);
    }

    /// Makes a node of `peer`, with nothing but its id and what is on its disk; says by what
    /// addresses it is to join.
    fn make(&mut self, peer: PeerIndex, at: Instant) -> Vec<SocketAddr> {
        let seed = self.rng.seed();
        let config = self.config(self.peers[peer.as_usize()].id, seed);
        let addresses = self.bootstrap_addresses(peer);
        let shards = self.layout.next_count(&mut self.rng);
        let slot = &mut self.peers[peer.as_usize()];
        slot.begin_life(at, shards);
        let before = held_bytes();
        let node = Shards::new(&config, shards, self.layout.rings, slot.own_time(at));
        slot.being = Being::Honest(Box::new(node));
        slot.account(held_bytes() - before);
        self.honest.push(peer);
        self.restore(peer);
        addresses
    }

    /// Has a node that was made join.
    fn begin(&mut self, peer: PeerIndex, addresses: Vec<SocketAddr>) {
        let slot = &mut self.peers[peer.as_usize()];
        let (life, shards) = (slot.lives, slot.shards);
        slot.has_joined = addresses.is_empty();
        self.trace
            .note(self.now, peer, None, || format!("starts, life {life}, of {shards} shards"));
        if !addresses.is_empty() {
            self.command(peer, Command::Bootstrap { addresses });
        }
    }

    /// Starts `peer` under another id at its old address.
    pub(crate) fn start_renamed(&mut self, peer: PeerIndex) {
        self.peers[peer.as_usize()].id = self.id_of(peer);
        self.start(peer);
    }

    /// A random id that fits the peer's address.
    pub(crate) fn id_of(&mut self, peer: PeerIndex) -> Id {
        fitted_id(self.rng.id(), address_of(peer).ip())
    }

    pub(crate) fn add_peer(&mut self) -> PeerIndex {
        assert!(self.peers.len() < PEERS_MAX as usize, "a world has at most {PEERS_MAX} peers");
        let peer = PeerIndex(self.peers.len() as u32);
        let id = self.id_of(peer);
        self.peers.push(Peer::new(id));
        peer
    }

    fn bootstrap_addresses(&mut self, joining: PeerIndex) -> Vec<SocketAddr> {
        let others = BOOTSTRAP_OTHERS.min(self.honest.len());
        let mut peers: Vec<_> = (0..others).map(|_| self.any_honest()).collect();
        peers.push(WELL_KNOWN);
        peers.sort_unstable();
        peers.dedup();
        peers.into_iter().filter(|peer| *peer != joining).map(address_of).collect()
    }
}

//! A node with many contacts, without a kernel: the bench passes datagrams in and reads the
//! outbox.

use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::STORE_VALUES_MAX;
use kad_node::node::{Command, Config, Kept, Node, OperationId, Outbox, Persistence};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Contact, Datagram, Role, Token};

use crate::datagram::{datagram, encoded, store};

/// Peers that fill several buckets.
pub(crate) const PEERS: u16 = 400;
pub(crate) const VALUE: [u8; 100] = [7; 100];

/// A node with full buckets and one value, and a client with a token of it.
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) outbox: Outbox,
    pub(crate) now: Instant,
    /// All peers that it has met, whether it has kept them or not.
    pub(crate) peers: Vec<Contact>,
    client: SocketAddr,
    token: Token,
}

impl World {
    pub(crate) fn new(peers: u16) -> Self {
        Self::with_room(peers, STORE_VALUES_MAX)
    }

    /// The same with a journal, whose every change is kept: what `--data` costs the core.
    pub(crate) fn with_journal(peers: u16) -> Self {
        let mut world =
            Self::with_config(peers, |config| config.persistence = Persistence::Journal);
        let (node, outbox) = (&mut world.node, &mut world.outbox);
        while let Some(batch) = node.take_journal() {
            node.handle_kept(world.now, batch.number, Kept::OnDisk, outbox);
        }
        assert_eq!(node.stats().changes_waiting, 0, "the value is kept");
        world
    }

    /// A node that keeps so many values of others.
    pub(crate) fn with_room(peers: u16, store_values_max: usize) -> Self {
        Self::with_config(peers, |config| config.store_values_max = store_values_max)
    }

    fn with_config(peers: u16, set: impl FnOnce(&mut Config)) -> Self {
        let mut rng = Rng::from_u64(1);
        let now = Instant::ZERO + Duration::from_secs(1);
        let mut config = Config::new(rng.id(), rng.seed());
        set(&mut config);
        let node = Node::new(config, now);
        let client = SocketAddr::from(([10, 1, 0, 1], 9000));
        let mut world = Self {
            node,
            outbox: Outbox::new(),
            now,
            peers: Vec::new(),
            client,
            token: Token::NONE,
        };
        let put = Command::put(OperationId(0), VALUE);
        world.node.handle_command(now, put, &mut world.outbox);
        for peer in 0..peers {
            world.meet(peer, rng.id());
        }
        let ping = world.request(Body::Ping);
        world.token = wire::decode(world.answer(&ping)).expect("a PONG").token;
        assert!(world.contacts() >= u64::from(peers.min(20)), "it has met them");
        world
    }

    /// Contacts in its routing table.
    pub(crate) fn contacts(&self) -> u64 {
        self.node.stats().contacts
    }

    /// A peer sends a request, and another with the token that it is asked for.
    fn meet(&mut self, peer: u16, sender: Id) {
        let [high, low] = peer.to_be_bytes();
        let source = SocketAddr::from(([10, 0, high, low], 9000));
        self.peers.push(Contact { id: sender, addr: source });
        let ping = Datagram { role: Role::Peer, sender, ..self.datagram(Body::Ping) };
        let token = wire::decode(self.answer_to(source, &encoded(&ping))).expect("a PONG").token;
        self.answer_to(source, &encoded(&Datagram { token, ..ping }));
    }

    pub(crate) fn datagram<'a>(&self, body: Body<'a>) -> Datagram<'a> {
        Datagram { token: self.token, ..datagram(9, body) }
    }

    pub(crate) fn request(&self, body: Body<'_>) -> Vec<u8> {
        encoded(&self.datagram(body))
    }

    /// The same request of each of so many clients, with a token of its own.
    pub(crate) fn requests(&mut self, clients: u8, body: Body<'_>) -> Vec<(SocketAddr, Vec<u8>)> {
        let ping = self.request(Body::Ping);
        let mut request = |last| {
            let client = SocketAddr::from(([10, 1, 1, last], 9000));
            let token = wire::decode(self.answer_to(client, &ping)).expect("a PONG").token;
            (client, encoded(&Datagram { token, ..self.datagram(body) }))
        };
        (0..clients).map(&mut request).collect()
    }

    /// A STORE of `value`, with the token that it takes.
    pub(crate) fn store(&self, value: &[u8]) -> Vec<u8> {
        self.request(Body::Store(store(value)))
    }

    /// A `FIND_VALUE` for `value`.
    pub(crate) fn find(&self, value: &[u8]) -> Vec<u8> {
        self.request(Body::FindValue { key: Id::of_value(value), offset: 0 })
    }

    pub(crate) fn answer(&mut self, request: &[u8]) -> &[u8] {
        self.answer_to(self.client, request)
    }

    pub(crate) fn answer_to(&mut self, client: SocketAddr, request: &[u8]) -> &[u8] {
        self.outbox.clear();
        self.node.handle_datagram(self.now, client, request, &mut self.outbox);
        self.outbox.datagrams().next().expect("every request is answered").1
    }
}

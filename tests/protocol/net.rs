//! A few nodes on a perfect network under a virtual clock: just enough to watch
//! the protocol from outside. Loss, delay and scale are the simulator's.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{Command, Config, Event, OperationId, Outbox, Stats, Trace};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Datagram, Role, Token};

use crate::datagram::{datagram, encoded};
use crate::sharded::{Landing, Sharded};

/// What a puppet says to a request.
pub(crate) type Answers = Box<dyn FnMut(&Datagram<'_>) -> Option<Body<'static>>>;
/// The same, in any number of datagrams.
pub(crate) type ManyAnswers = Box<dyn FnMut(&Datagram<'_>) -> Vec<Body<'static>>>;

/// How long a datagram is under way.
pub(crate) type Delay = Box<dyn FnMut(Instant, &Flying) -> Duration>;

/// A peer whose answers a test makes up.
struct Puppet {
    id: Id,
    answers: ManyAnswers,
}

/// A datagram under way.
pub(crate) struct Flying {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// Nodes by address. What is sent to an address without a node is lost.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) nodes: BTreeMap<SocketAddr, Sharded>,
    shards: usize,
    landing: Landing,
    puppets: BTreeMap<SocketAddr, Puppet>,
    pub(crate) events: Vec<(SocketAddr, Event)>,
    /// Every datagram sent so far, in order.
    pub(crate) sent: Vec<Flying>,
    rng: Rng,
    outbox: Outbox,
    flying: VecDeque<Flying>,
    /// No time at all, where a test sets nothing else.
    delay: Option<Delay>,
    /// What is under way longer, by when it arrives and the order in which it was sent.
    delayed: BTreeMap<(Instant, u64), Flying>,
    launched: u64,
    operations: u64,
}

pub(crate) fn addr(number: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, (number >> 8) as u8, number as u8), 9000))
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            nodes: BTreeMap::new(),
            shards: 1,
            landing: Landing::Steered,
            puppets: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
            rng: Rng::from_u64(seed),
            outbox: Outbox::new(),
            flying: VecDeque::new(),
            delay: None,
            delayed: BTreeMap::new(),
            launched: 0,
            operations: 0,
        }
    }

    /// From now on nodes have `shards` shards.
    pub(crate) fn use_shards(&mut self, shards: usize, landing: Landing) {
        self.shards = shards;
        self.landing = landing;
    }

    /// From now on datagrams are under way for so long.
    pub(crate) fn use_delay(&mut self, delay: impl FnMut(Instant, &Flying) -> Duration + 'static) {
        self.delay = Some(Box::new(delay));
    }

    /// Adds node `number`, called by a random id, without joining it.
    pub(crate) fn add(&mut self, number: u16) -> SocketAddr {
        let id = self.rng.id();
        self.add_with(number, |config| config.id = id)
    }

    pub(crate) fn add_with(&mut self, number: u16, change: impl FnOnce(&mut Config)) -> SocketAddr {
        let mut config = Config::new(self.rng.id(), self.rng.seed());
        change(&mut config);
        let node = Sharded::new(&config, self.shards, self.landing, self.now);
        self.nodes.insert(addr(number), node);
        addr(number)
    }

    /// Adds a peer that answers what a test wants it to.
    pub(crate) fn add_puppet(&mut self, number: u16, id: Id, mut answers: Answers) {
        self.add_puppet_of_many(
            number,
            id,
            Box::new(move |request| answers(request).into_iter().collect()),
        );
    }

    /// The same, where it answers in any number of datagrams.
    pub(crate) fn add_puppet_of_many(&mut self, number: u16, id: Id, answers: ManyAnswers) {
        self.puppets.insert(addr(number), Puppet { id, answers });
    }

    /// Takes node `number` off the network.
    pub(crate) fn kill(&mut self, number: u16) {
        self.nodes.remove(&addr(number)).expect("a node");
    }

    /// Takes a puppet off the network.
    pub(crate) fn kill_puppet(&mut self, number: u16) {
        self.puppets.remove(&addr(number)).expect("a puppet");
    }

    /// `count` nodes, each joined by the first, settled.
    pub(crate) fn joined(seed: u64, count: u16) -> Self {
        let mut net = Self::new(seed);
        net.populate(count);
        net
    }

    /// Adds `count` nodes, each joined by the first, and settles them.
    pub(crate) fn populate(&mut self, count: u16) {
        for number in 0..count {
            self.add(number);
            if number > 0 {
                self.join(number, 0);
            }
        }
        self.run_for(Duration::from_secs(30));
    }

    pub(crate) fn join(&mut self, number: u16, by: u16) {
        self.command(number, Command::Bootstrap { addresses: vec![addr(by)] });
        self.settle();
    }

    pub(crate) fn id(&self, number: u16) -> Id {
        self.nodes[&addr(number)].id()
    }

    pub(crate) fn stats(&self, number: u16) -> Stats {
        self.nodes[&addr(number)].stats()
    }

    /// Whether `id` is in the routing table of node `number`.
    pub(crate) fn knows(&self, number: u16, id: Id) -> bool {
        self.nodes[&addr(number)].closest(id, 1).first().is_some_and(|contact| contact.id == id)
    }

    /// How many requests of a kind `wanted` picks node `number` has sent.
    pub(crate) fn sent_by(&self, number: u16, wanted: impl Fn(&Body<'_>) -> bool) -> Vec<&Flying> {
        let of = self.sent.iter().filter(|sent| sent.from == addr(number));
        of.filter(|sent| wanted(&wire::decode(&sent.bytes).expect("nodes send no garbage").body))
            .collect()
    }

    pub(crate) fn command(&mut self, number: u16, command: Command) {
        let node = self.nodes.get_mut(&addr(number)).expect("a node");
        node.handle_command(self.now, command, &mut self.outbox);
        node.handle_timeout(self.now, &mut self.outbox);
        self.collect(addr(number));
    }

    pub(crate) fn put(&mut self, number: u16, text: &str) -> Id {
        let operation = self.operation();
        self.command(number, Command::put(operation, text.as_bytes()));
        Id::of_value(text.as_bytes())
    }

    pub(crate) fn get(&mut self, number: u16, key: Id) -> OperationId {
        let operation = self.operation();
        self.command(number, Command::Get { operation, key, trace: Trace::Hops });
        operation
    }

    /// Hands `bytes` to node `number` as if `from` had sent them.
    pub(crate) fn inject(&mut self, from: SocketAddr, number: u16, bytes: &[u8]) {
        self.deliver(&Flying { from, to: addr(number), bytes: bytes.to_vec() });
    }

    /// Delivers what is under way, and what follows from it, in no time.
    pub(crate) fn settle(&mut self) {
        while let Some(datagram) = self.flying.pop_front() {
            self.deliver(&datagram);
        }
    }

    /// Delivers one datagram; false when none is under way.
    pub(crate) fn step(&mut self) -> bool {
        let Some(datagram) = self.flying.pop_front() else {
            return false;
        };
        self.deliver(&datagram);
        true
    }

    /// Lets time pass, each time-out at its moment.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.settle();
        loop {
            let timeouts = self.nodes.values().filter_map(Sharded::next_timeout);
            let arrival = self.delayed.keys().next().map(|&(at, _)| at);
            let Some(next) = timeouts.chain(arrival).min().filter(|&next| next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(first) = self.delayed.first_entry()
                && first.key().0 <= self.now
            {
                self.flying.push_back(first.remove());
            }
            self.settle();
            let due: Vec<SocketAddr> = self
                .nodes
                .iter()
                .filter(|(_, node)| node.next_timeout().is_some_and(|due| due <= self.now))
                .map(|(&addr, _)| addr)
                .collect();
            for addr in due {
                let node = self.nodes.get_mut(&addr).expect("a node");
                node.handle_timeout(self.now, &mut self.outbox);
                self.collect(addr);
            }
            self.settle();
        }
        self.now = end;
    }

    /// The events that `operation` has had at node `number`.
    pub(crate) fn answers(&self, operation: OperationId) -> impl Iterator<Item = &Event> {
        self.events.iter().map(|(_, event)| event).filter(move |event| match event {
            Event::Put { operation: of, .. }
            | Event::Get { operation: of, .. }
            | Event::Hop { operation: of, .. }
            | Event::Progress { operation: of, .. }
            | Event::Range { operation: of, .. } => *of == operation,
            _ => false,
        })
    }

    /// The value that `operation` found.
    pub(crate) fn found(&self, operation: OperationId) -> Option<String> {
        self.answers(operation).find_map(|event| match event {
            Event::Get { outcome: Ok(Some(found)), .. } => {
                Some(String::from_utf8_lossy(&found.value).into_owned())
            }
            _ => None,
        })
    }

    /// Sends `body` to node `number` from an address of no node, and returns the
    /// datagrams that come back.
    pub(crate) fn ask(
        &mut self,
        from: SocketAddr,
        number: u16,
        request: &Datagram<'_>,
    ) -> Vec<Vec<u8>> {
        let before = self.sent.len();
        self.inject(from, number, &encoded(request));
        let replies = self.sent[before..].iter().filter(|sent| sent.to == from);
        replies.map(|sent| sent.bytes.clone()).collect()
    }

    /// Has the peer `id` at the address of node `from` show node `number` the token that it
    /// gives.
    pub(crate) fn introduce(&mut self, from: u16, number: u16, id: Id) {
        let ping = Datagram { sender: id, role: Role::Peer, ..datagram(1, Body::Ping) };
        let reply = &self.ask(addr(from), number, &ping)[0];
        let token = wire::decode(reply).expect("a PONG").token;
        self.ask(addr(from), number, &Datagram { token, ..ping });
    }

    fn deliver(&mut self, datagram: &Flying) {
        if let Some(puppet) = self.puppets.get_mut(&datagram.to) {
            let request = wire::decode(&datagram.bytes).expect("nodes send no garbage");
            let is_request = request.body.is_request();
            let bodies = if is_request { (puppet.answers)(&request) } else { Vec::new() };
            let mut replies = Vec::new();
            for body in bodies {
                let reply = Datagram {
                    sender: puppet.id,
                    role: Role::Peer,
                    announce: None,
                    token: Token::new([1; 8]),
                    body,
                    ..request
                };
                let bytes = encoded(&reply);
                replies.push(Flying { from: datagram.to, to: datagram.from, bytes });
            }
            return replies.into_iter().for_each(|reply| self.launch(reply));
        }
        if let Some(node) = self.nodes.get_mut(&datagram.to) {
            node.handle_datagram(self.now, datagram.from, &datagram.bytes, &mut self.outbox);
            self.collect(datagram.to);
        }
    }

    fn collect(&mut self, from: SocketAddr) {
        let flying = |(to, bytes): (SocketAddr, &[u8])| Flying { from, to, bytes: bytes.to_vec() };
        let sent: Vec<Flying> = self.outbox.datagrams().map(flying).collect();
        self.sent.extend(self.outbox.datagrams().map(flying));
        for datagram in sent {
            self.launch(datagram);
        }
        self.events.extend(self.outbox.take_events().map(|event| (from, event)));
        self.outbox.clear();
    }

    fn launch(&mut self, datagram: Flying) {
        let now = self.now;
        let delay = self.delay.as_mut().map_or(Duration::ZERO, |delay| delay(now, &datagram));
        if delay.is_zero() {
            return self.flying.push_back(datagram);
        }
        self.launched += 1;
        self.delayed.insert((self.now + delay, self.launched), datagram);
    }

    fn operation(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }
}

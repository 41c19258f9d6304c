//! A node among peers that answer whatever it asks, without a kernel, under a virtual clock.

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::limits::{K_DEFAULT, REPUBLISH_DEFAULT};
use kad_node::node::{Command, Config, Node, OperationId, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Contact, Contacts, Datagram, Renewed, Role, Store, Token};
use nix::sys::time::TimeSpec;
use nix::time::ClockId;

use crate::VALUE_BYTES;
use crate::datagram::{datagram, encoded, store};

/// From a request to its answer.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Puts in flight at once, as `kad-node import` has them.
const PUTS: u64 = 256;

pub(crate) struct Network {
    pub(crate) node: Node,
    pub(crate) now: Instant,
    outbox: Outbox,
    peers: Vec<Contact>,
    rng: Rng,
    /// Answers on their way.
    answers: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    turns: Turns,
}

/// The calls into the node since they were last taken.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) count: u64,
    pub(crate) all: Duration,
    pub(crate) longest: Duration,
}

/// What this thread has taken of a core: what else the machine does is not in it.
fn processor_time() -> TimeSpec {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("Linux has it")
}

fn value(number: u64) -> [u8; VALUE_BYTES] {
    let mut value = [5; VALUE_BYTES];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value
}

impl Network {
    /// With so many peers, all of which the node knows or has met.
    pub(crate) fn new(peers: u16) -> Self {
        let mut rng = Rng::from_u64(1);
        let now = Instant::ZERO + Duration::from_secs(1);
        let mut config = Config::new(rng.id(), rng.seed());
        (config.store_bytes_max, config.store_values_max) = (usize::MAX, usize::MAX);
        let mut network = Self {
            node: Node::new(config, now),
            now,
            outbox: Outbox::new(),
            peers: Vec::new(),
            rng,
            answers: VecDeque::new(),
            turns: Turns::default(),
        };
        (0..peers).for_each(|_| network.meet());
        network
    }

    /// One more peer, which the node meets.
    pub(crate) fn meet(&mut self) {
        let [high, low] = (self.peers.len() as u16).to_be_bytes();
        let addr = SocketAddr::from(([10, high, low, 1], 9000));
        let peer = Contact { id: self.rng.id(), addr };
        self.peers.push(peer);
        let token = self.ask(peer, Body::Ping, Token::NONE);
        self.ask(peer, Body::Ping, token);
    }

    /// A peer asks something; the token in the node's answer, which is the first that it sends.
    fn ask(&mut self, peer: Contact, body: Body<'_>, token: Token) -> Token {
        let from = Datagram { role: Role::Peer, sender: peer.id, token, ..datagram(9, body) };
        let request = encoded(&from);
        self.turn(|node, now, outbox| node.handle_datagram(now, peer.addr, &request, outbox));
        let answer = self.outbox.datagrams().next().expect("every request is answered").1;
        let token = wire::decode(answer).expect("a node sends no garbage").token;
        self.take_requests();
        token
    }

    /// Calls the node, and times the call.
    fn turn(&mut self, act: impl FnOnce(&mut Node, Instant, &mut Outbox)) {
        self.outbox.clear();
        let begun = processor_time();
        act(&mut self.node, self.now, &mut self.outbox);
        let time = Duration::from(processor_time() - begun);
        self.turns.count += 1;
        self.turns.all += time;
        self.turns.longest = self.turns.longest.max(time);
    }

    /// What came of the calls since it was last asked.
    pub(crate) fn take_turns(&mut self) -> Turns {
        std::mem::take(&mut self.turns)
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.turn(|node, now, outbox| node.handle_command(now, command, outbox));
        self.take_requests();
    }

    /// Puts so many values here.
    pub(crate) fn put(&mut self, count: u64) {
        for number in 0..count {
            self.command(Command::put(OperationId(number), value(number)));
            if number % PUTS == PUTS - 1 {
                self.run_for(Duration::from_secs(1));
            }
        }
        self.run_for(Duration::from_secs(10));
        assert_eq!(self.node.stats().values_published, count, "all are put");
    }

    /// Its peers, one after another, store so many values here.
    pub(crate) fn store(&mut self, count: u64) {
        let tokens: Vec<Token> = (0..self.peers.len())
            .map(|index| self.ask(self.peers[index], Body::Ping, Token::NONE))
            .collect();
        for number in 0..count {
            let index = number as usize % self.peers.len();
            let value = value(number);
            let body = Body::Store(Store { life_s: 86_400, ..store(&value) });
            self.ask(self.peers[index], body, tokens[index]);
        }
        assert_eq!(self.node.stats().values, count, "all are held");
    }

    /// Answers what the node has asked, a round trip later.
    fn take_requests(&mut self) {
        for (addr, bytes) in self.outbox.datagrams() {
            let request = wire::decode(bytes).expect("a node sends no garbage");
            let index = self.peers.binary_search_by_key(&addr, |peer| peer.addr);
            let peer = self.peers[index.expect("only peers are asked")];
            let closest;
            let body = match request.body {
                Body::Ping => Body::Pong,
                Body::Store(_) => Body::Stored,
                Body::Renew(renewals) => {
                    let answered = u64::MAX >> (64 - renewals.iter().count());
                    Body::Renewed(Renewed { answered, lacking: 0 })
                }
                Body::FindNode { target } => {
                    let mut peers = self.peers.clone();
                    peers.sort_unstable_by_key(|peer| peer.id ^ target);
                    peers.truncate(K_DEFAULT);
                    closest = peers;
                    Body::Nodes(Contacts::new(&closest))
                }
                _ => continue, // an answer
            };
            let token = Token::new(peer.id.to_bytes()[..8].try_into().expect("8 bytes"));
            let from = Datagram { role: Role::Peer, sender: peer.id, token, ..datagram(9, body) };
            let answer = encoded(&Datagram { transaction: request.transaction, ..from });
            self.answers.push_back((self.now + ROUND_TRIP, addr, answer));
        }
        black_box(self.outbox.take_events().count());
    }

    pub(crate) fn run_for(&mut self, period: Duration) {
        let end = self.now + period;
        loop {
            let due = self.node.next_timeout().filter(|due| *due <= end);
            let answer = self.answers.front().map(|(at, ..)| *at).filter(|at| *at <= end);
            match (due, answer) {
                (None, None) => break,
                (Some(due), at) if at.is_none_or(|at| due < at) => {
                    self.now = self.now.max(due);
                    self.turn(Node::handle_timeout);
                }
                _ => {
                    let (at, from, bytes) = self.answers.pop_front().expect("one is due");
                    self.now = self.now.max(at);
                    self.turn(|node, now, outbox| {
                        node.handle_datagram(now, from, &bytes, outbox);
                    });
                }
            }
            self.take_requests();
        }
        self.now = end;
    }

    /// Runs for a period of republishing.
    pub(crate) fn run_for_a_period(&mut self) -> Turns {
        self.take_turns();
        self.run_for(REPUBLISH_DEFAULT);
        self.take_turns()
    }
}

//! Twins: a node of several shards and a node of one, fed the same history, must
//! answer `FIND_NODE` alike, whichever shard is asked.
//!
//! The history is of nodes that ask, one after another, of some that then die, and of
//! some of these that come back elsewhere under their old ids. It has phases:
//! at the end of each, the dead have been found out and have made way, so that what
//! is left depends on which node came when and not on which moment a refresh fell.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::REQUEST_PADDED_BYTES;
use kad_node::node::{Config, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Contact, Contacts, Datagram, Renewed, Role};

use crate::datagram::{datagram, encoded};
use crate::peers::{PeerIndex, address_of, empty_address, peer_at};
use crate::ratio::Ratio;
use crate::shards::{Binding, HandoffTally, Rings, Shards};

const PHASES: usize = 4;
/// Those that come in a phase: by the second phase the farthest buckets overflow.
const ARRIVALS: usize = 60;
/// Between two arrivals: a ping, its answer, and the handoffs of both.
const PAUSE: Duration = Duration::from_secs(2);
/// Of those alive, the share that dies at the end of a phase's arrivals.
const DEATHS: Ratio = Ratio::percent(20);
/// Of the dead, the share that comes back at another address.
const RETURNS: Ratio = Ratio::percent(40);
/// From death to return: by then every node knows, and none has forgotten. Each
/// bucket is refreshed every 15 minutes, and what it finds dead is pinged until
/// it is stale; as long as no other takes its place, it is then pinged every ten
/// minutes, and forgotten after more than two hours.
const ABSENCE: Duration = Duration::from_hours(1);
/// Until the dead of a phase have made way: a dozen refreshes of each bucket.
const SETTLING: Duration = Duration::from_hours(3);
/// Questions at the end of each phase.
const TARGETS: usize = 200;
/// To a peer, and as long back.
const LEG: Duration = Duration::from_millis(10);
/// Slow, but not so slow that a time-out passes; and with room for everything, so
/// that both twins hear all there is to hear.
const RINGS: Rings = Rings {
    missteered: Ratio::percent(50),
    delay_max: Duration::from_millis(10),
    stuck: Ratio::NEVER,
    capacity: 4096,
    binding: Binding::Kept,
};

/// Twins of which one has `shards` shards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Twins {
    pub(crate) shards: usize,
    pub(crate) binding: Binding,
}

/// How the twins compare.
pub(crate) struct Likeness {
    pub(crate) violations: Vec<String>,
    pub(crate) summary: String,
}

/// A node of the history, at one address: one that comes back is another of the same
/// id.
struct Visitor {
    id: Id,
    born: Instant,
    died: Option<Instant>,
}

impl Visitor {
    fn is_alive(&self, now: Instant) -> bool {
        self.born <= now && self.died.is_none_or(|died| now < died)
    }
}

/// What happens to both twins.
struct History {
    visitors: Vec<Visitor>,
    /// When each phase ends.
    ends: Vec<Instant>,
    targets: Vec<Id>,
}

impl History {
    fn draw(rng: &mut Rng) -> Self {
        let (mut visitors, mut ends) = (Vec::<Visitor>::new(), Vec::new());
        let mut now = Instant::ZERO;
        for _ in 0..PHASES {
            for _ in 0..ARRIVALS {
                now = now + PAUSE;
                visitors.push(Visitor { id: rng.id(), born: now, died: None });
            }
            now = now + PAUSE;
            let mut dead = Vec::new();
            for visitor in visitors.iter_mut().filter(|visitor| visitor.died.is_none()) {
                if DEATHS.draw(rng) {
                    visitor.died = Some(now);
                    dead.push(visitor.id);
                }
            }
            now = now + ABSENCE;
            for id in dead.into_iter().filter(|_| RETURNS.draw(rng)) {
                now = now + PAUSE;
                visitors.push(Visitor { id, born: now, died: None });
            }
            now = now + SETTLING;
            ends.push(now);
        }
        Self { visitors, ends, targets: (0..TARGETS).map(|_| rng.id()).collect() }
    }
}

/// What one shard answers to each question.
type ShardAnswers = Vec<Vec<Contact>>;
/// What each shard answers, at the end of each phase.
type Answers = Vec<Vec<ShardAnswers>>;

impl Twins {
    /// Lets both live through the history that `seed` draws.
    pub(crate) fn compare(&self, seed: u64) -> Likeness {
        let mut rng = Rng::from_u64(seed);
        let config = Config::new(rng.id(), rng.seed());
        let history = History::draw(&mut rng);
        let (one, _) = Life::new(&config, 1, RINGS, &history).live();
        let rings = Rings { binding: self.binding, ..RINGS };
        let (many, handoffs) = Life::new(&config, self.shards, rings, &history).live();
        let mut violations = Vec::new();
        for (phase, answers) in many.iter().enumerate() {
            for (shard, answers) in answers.iter().enumerate() {
                let differ = answers.iter().zip(&one[phase][0]).filter(|(a, b)| a != b).count();
                if differ > 0 {
                    violations.push(format!(
                        "phase {phase}: shard {shard} of {} answers {differ} of {TARGETS} \
                         questions otherwise than a node of one shard",
                        self.shards
                    ));
                }
            }
        }
        if handoffs.dropped > 0 {
            violations.push(format!("{} messages were dropped", handoffs.dropped));
        }
        let known = one.iter().map(|answers| distinct(&answers[0])).collect::<Vec<_>>();
        let summary = format!(
            "{PHASES} phases of {ARRIVALS} arrivals, {TARGETS} questions to each of {} shards at \
             the end of each: {known:?} contacts in the answers, {} handoffs",
            self.shards, handoffs.arrived
        );
        if known.iter().any(|&known| known < ARRIVALS / 2) {
            violations.push("the answers name too few contacts to compare".to_owned());
        }
        Likeness { violations, summary }
    }
}

fn distinct(answers: &[Vec<Contact>]) -> usize {
    let mut ids: Vec<Id> = answers.iter().flatten().map(|contact| contact.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

/// A reply under way: its moment, its place in the order, and from where it comes.
type Reply = (Instant, u64, SocketAddr, Vec<u8>);

/// One twin's life.
struct Life<'a> {
    node: Shards,
    history: &'a History,
    now: Instant,
    outbox: Outbox,
    /// Under way to it.
    replies: BinaryHeap<Reverse<Reply>>,
    sequence: u64,
    /// The answer to the question last asked.
    answer: Option<Vec<Contact>>,
}

impl<'a> Life<'a> {
    fn new(config: &Config, shards: usize, rings: Rings, history: &'a History) -> Self {
        let now = Instant::ZERO;
        let node = Shards::new(config, shards, rings, now);
        let (outbox, replies) = (Outbox::new(), BinaryHeap::new());
        Self { node, history, now, outbox, replies, sequence: 0, answer: None }
    }

    fn live(mut self) -> (Answers, HandoffTally) {
        let mut answers = Answers::new();
        let mut newcomers = self.history.visitors.iter().enumerate().peekable();
        for &end in &self.history.ends {
            while let Some((number, visitor)) = newcomers.next_if(|(_, visitor)| visitor.born < end)
            {
                self.run_until(visitor.born);
                let ping = request(visitor.id, Role::Peer, Body::Ping);
                let (now, source) = (self.now, address_of(PeerIndex(number as u32)));
                self.node.handle_datagram(now, source, &ping, &mut self.outbox);
                self.carry();
            }
            self.run_until(end);
            while !self.node.is_drained() {
                self.run_until(self.now + LEG);
            }
            answers.push(self.ask_each_shard());
        }
        (answers, self.node.handoffs())
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let reply = self.replies.peek().map(|Reverse((at, ..))| *at);
            let next = [reply, self.node.next_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            // Even a node that never stops asking cannot stop the clock.
            self.now = next.max(self.now + Duration::from_micros(1));
            if reply.is_some_and(|at| at <= self.now)
                && let Some(Reverse((_, _, source, bytes))) = self.replies.pop()
            {
                self.node.handle_datagram(self.now, source, &bytes, &mut self.outbox);
            }
            self.node.handle_due(self.now, &mut self.outbox);
            self.carry();
        }
        self.now = self.now.max(end);
    }

    /// Has those that the node asked answer, if they live.
    fn carry(&mut self) {
        for (destination, bytes) in self.outbox.datagrams() {
            let datagram = wire::decode(bytes).expect("the node writes what can be read");
            let number = peer_at(destination).map(PeerIndex::as_usize);
            let visitor = number.and_then(|number| self.history.visitors.get(number));
            let Some(visitor) = visitor else {
                if let Body::Nodes(contacts) = datagram.body {
                    self.answer = Some(contacts.iter().collect());
                }
                continue;
            };
            let arrival = self.now + LEG;
            let answer = if datagram.body.is_request() {
                Some(reply(visitor.id, &datagram))
            } else {
                datagram.asks_proof.then(|| proof(visitor.id, &datagram))
            };
            if let Some(answer) = answer.filter(|_| visitor.is_alive(arrival)) {
                self.sequence += 1;
                self.replies.push(Reverse((arrival + LEG, self.sequence, destination, answer)));
            }
        }
        self.outbox.clear();
        // No user listens: that it has joined is all that there is to hear.
        drop(self.outbox.take_events());
    }

    fn ask_each_shard(&mut self) -> Vec<ShardAnswers> {
        let (asker, targets) = (empty_address(0), &self.history.targets);
        (0..self.node.nodes().len())
            .map(|shard| {
                let ask = |&target| {
                    let mut bytes =
                        request(Id::of_value(b"asker"), Role::Client, Body::FindNode { target });
                    bytes.resize(REQUEST_PADDED_BYTES, 0);
                    self.node.land(shard, self.now, asker, &bytes, &mut self.outbox);
                    self.carry();
                    self.answer.take().expect("a shard that is asked answers")
                };
                targets.iter().map(ask).collect()
            })
            .collect()
    }
}

fn request(sender: Id, role: Role, body: Body<'_>) -> Vec<u8> {
    encoded(&Datagram { sender, role, ..datagram(0, body) })
}

/// The PING that shows the token which came with `asking`.
fn proof(sender: Id, asking: &Datagram<'_>) -> Vec<u8> {
    let (role, token) = (Role::Peer, asking.token);
    encoded(&Datagram { sender, role, token, ..datagram(0, Body::Ping) })
}

/// What a node without contacts answers.
fn reply(sender: Id, request: &Datagram<'_>) -> Vec<u8> {
    let body = match request.body {
        Body::Ping => Body::Pong,
        Body::Store(_) => Body::Stored,
        Body::Renew(_) => Body::Renewed(Renewed { answered: u64::MAX, lacking: 0 }),
        _ => Body::Nodes(Contacts::new(&[])),
    };
    let (role, transaction) = (Role::Peer, request.transaction);
    encoded(&Datagram { sender, role, transaction, ..datagram(0, body) })
}

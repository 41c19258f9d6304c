//! A peer's node: one shard or several of the production code, and the rings by
//! which they pass on.
//!
//! A ring is what the driver makes of it: what is handed from one shard to
//! another stays in its order, and between different pairs anything may overtake.
//! It holds so many messages and no more. What finds no room goes to the production
//! [`Backlog`].

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{
    Backlog, BatchNumber, Command, Config, Handoff, Kept, Load, Node, Outbox, Outcome, Route,
    ShardPosition, Stats, Weight,
};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::STEER_OFFSET;
use smallvec::{SmallVec, smallvec};

use crate::ratio::Ratio;

/// Shards that a node of a drawn number of shards has at most.
const DRAWN_MAX: usize = 8;

/// How many shards the nodes of a network have, and what lies between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) shards: Count,
    pub(crate) rings: Rings,
}

/// Shards of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Fixed(usize),
    /// From 1 to [`DRAWN_MAX`], drawn for each life of each node.
    Drawn,
}

/// What happens between the shards of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rings {
    /// Datagrams that land on any shard rather than the one of their steer byte.
    pub(crate) missteered: Ratio,
    /// A message is under way for at most this.
    pub(crate) delay_max: Duration,
    /// Messages that find their receiver stuck: they are under way for
    /// [`STUCK`](Self::STUCK) times as long.
    pub(crate) stuck: Ratio,
    /// Messages that a ring holds.
    pub(crate) capacity: usize,
    pub(crate) binding: Binding,
}

/// What becomes of a binding message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    Kept,
    /// It is lost, which must not happen: it shows that the checks see it.
    Lost,
}

impl Layout {
    /// What the figures are taken of.
    pub(crate) const ONE: Self = Self::fixed(1);

    pub(crate) const fn fixed(shards: usize) -> Self {
        Self { shards: Count::Fixed(shards), rings: Rings::QUICK }
    }

    /// Nodes of all numbers of shards, and rings of any temper.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let percent = |rng: &mut Rng, most: u64| Ratio::percent(rng.below(most + 1));
        let rings = Rings {
            missteered: percent(rng, 100),
            delay_max: Duration::from_micros(rng.below(20_000)),
            stuck: percent(rng, 2),
            capacity: 1 << rng.below(8),
            binding: Binding::Kept,
        };
        Self { shards: Count::Drawn, rings }
    }

    /// The number of shards of the next node.
    pub(crate) fn next_count(&self, rng: &mut Rng) -> usize {
        match self.shards {
            Count::Fixed(count) => count,
            Count::Drawn => 1 + rng.below(DRAWN_MAX as u64) as usize,
        }
    }
}

impl Rings {
    const STUCK: u32 = 50;

    /// Shards that are never late, and a kernel that steers.
    pub(crate) const QUICK: Self = Self {
        missteered: Ratio::NEVER,
        delay_max: Duration::from_micros(50),
        stuck: Ratio::NEVER,
        capacity: 512,
        binding: Binding::Kept,
    };

    fn draw_delay(&self, rng: &mut Rng) -> Duration {
        let delay = Duration::from_micros(rng.below(self.delay_max.as_micros() as u64 + 1));
        if self.stuck.draw(rng) { delay * Self::STUCK } else { delay }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rings { missteered, delay_max, stuck, capacity, .. } = self.rings;
        match self.shards {
            Count::Fixed(1) => return f.write_str("one shard"),
            Count::Fixed(count) => write!(f, "{count} shards")?,
            Count::Drawn => write!(f, "1 to {DRAWN_MAX} shards")?,
        }
        write!(
            f,
            ", {missteered} missteered, handoffs within {delay_max:?}, {stuck} of them stuck, \
             rings of {capacity}"
        )
    }
}

/// Messages from shard to shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandoffTally {
    pub(crate) arrived: u64,
    /// Droppable ones for which there was no room.
    pub(crate) dropped: u64,
    /// Binding ones for which there was no room.
    pub(crate) waited: u64,
}

impl std::ops::AddAssign for HandoffTally {
    fn add_assign(&mut self, other: Self) {
        self.arrived += other.arrived;
        self.dropped += other.dropped;
        self.waited += other.waited;
    }
}

/// The way from one shard to another.
struct Ring {
    /// In their order, each with the moment of its arrival, which never decreases.
    under_way: VecDeque<(Instant, Handoff)>,
    backlog: Backlog<Handoff>,
    last: Instant,
}

impl Ring {
    fn new(now: Instant) -> Self {
        Self { under_way: VecDeque::new(), backlog: Backlog::default(), last: now }
    }
}

/// What a node of several shards has besides them.
struct Between {
    /// From shard to shard: by the number of the one times their count and that
    /// of the other.
    rings: Vec<Ring>,
    temper: Rings,
    rng: Rng,
    tally: HandoffTally,
}

/// A node of one or more shards.
pub(crate) struct Shards {
    /// One lies here, not behind a pointer: there are a hundred thousand, and no cache holds them.
    nodes: SmallVec<[Node; 1]>,
    between: Option<Box<Between>>,
}

impl Shards {
    /// A node of `count` shards whose rings are of this temper.
    pub(crate) fn new(config: &Config, count: usize, temper: Rings, now: Instant) -> Self {
        if count == 1 {
            return Self { nodes: smallvec![Node::new(config.clone(), now)], between: None };
        }
        let mut rng = Rng::from_seed(config.seed);
        let rng = Rng::from_seed(rng.seed());
        let rings = (0..count * count).map(|_| Ring::new(now)).collect();
        let nodes = config.shards(count).map(|config| Node::new(config, now)).collect();
        let tally = HandoffTally::default();
        Self { nodes, between: Some(Box::new(Between { rings, temper, rng, tally })) }
    }

    /// The shards, in their order.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    pub(crate) fn id(&self) -> Id {
        self.nodes[0].id()
    }

    /// What is in progress at all shards.
    pub(crate) fn load(&self) -> Load {
        self.nodes.iter().map(Node::load).fold(Load::default(), |sum, load| Load {
            rpcs: sum.rpcs + load.rpcs,
            lookups: sum.lookups + load.lookups,
        })
    }

    /// The sums of all shards' counters.
    pub(crate) fn stats(&self) -> Stats {
        self.nodes.iter().fold(Stats::default(), |mut sum, node| {
            sum += &node.stats();
            sum
        })
    }

    pub(crate) fn handoffs(&self) -> HandoffTally {
        self.between.as_ref().map_or_else(HandoffTally::default, |between| between.tally)
    }

    pub(crate) fn holds(&self, key: Id) -> bool {
        self.nodes.iter().any(|node| node.holds(key))
    }

    pub(crate) fn keeps_alive(&self, key: Id) -> bool {
        self.nodes.iter().any(|node| node.keeps_alive(key))
    }

    /// Whether no message is under way or waits.
    pub(crate) fn is_drained(&self) -> bool {
        let drained = |ring: &Ring| ring.under_way.is_empty() && ring.backlog.is_empty();
        self.between.as_ref().is_none_or(|between| between.rings.iter().all(drained))
    }

    /// When something is due next: at a shard, or between two.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let handoffs = self.between.iter().flat_map(|between| &between.rings);
        let arrivals = handoffs.filter_map(|ring| ring.under_way.front().map(|(at, _)| *at));
        self.nodes.iter().filter_map(Node::next_timeout).chain(arrivals).min()
    }

    /// A datagram arrives, at whichever shard the kernel gives it to.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        let count = self.nodes.len();
        let shard = self.between.as_mut().map_or(0, |between| {
            let steered =
                bytes.get(STEER_OFFSET).map(|&steer| ShardPosition::new(0, count).of_steer(steer));
            match steered {
                Some(shard) if !between.temper.missteered.draw(&mut between.rng) => {
                    shard.as_usize()
                }
                _ => between.rng.below(count as u64) as usize,
            }
        });
        self.land(shard, now, source, bytes, outbox);
    }

    /// A datagram arrives at shard number `shard`.
    pub(crate) fn land(
        &mut self,
        shard: usize,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        self.nodes[shard].handle_datagram(now, source, bytes, outbox);
        self.pass_handoffs(shard, now, outbox);
    }

    pub(crate) fn handle_command(&mut self, now: Instant, command: Command, outbox: &mut Outbox) {
        match ShardPosition::new(0, self.nodes.len()).route(&command) {
            Route::One(shard) => self.command(shard.as_usize(), now, command, outbox),
            Route::Every => {
                for shard in 0..self.nodes.len() {
                    self.command(shard, now, command.clone(), outbox);
                }
            }
        }
    }

    fn command(&mut self, shard: usize, now: Instant, command: Command, outbox: &mut Outbox) {
        self.nodes[shard].handle_command(now, command, outbox);
        self.pass_handoffs(shard, now, outbox);
    }

    /// Shard number `shard` is told that its disk has kept something.
    pub(crate) fn handle_kept(
        &mut self,
        shard: usize,
        now: Instant,
        number: BatchNumber,
        kept: Kept,
        outbox: &mut Outbox,
    ) {
        self.nodes[shard].handle_kept(now, number, kept, outbox);
        self.pass_handoffs(shard, now, outbox);
    }

    /// Does what is due at `now`; what might find no room in the outbox stays due.
    pub(crate) fn handle_due(&mut self, now: Instant, outbox: &mut Outbox) {
        let count = self.nodes.len();
        for ring in 0..self.between.as_ref().map_or(0, |between| between.rings.len()) {
            while !outbox.is_low()
                && let Some(handoff) = self.between.as_mut().and_then(|all| all.take(ring, now))
            {
                self.nodes[ring % count].handle_handoff(now, handoff, outbox);
                self.pass_handoffs(ring % count, now, outbox);
            }
        }
        for shard in 0..count {
            if self.nodes[shard].next_timeout().is_some_and(|due| due <= now) && !outbox.is_low() {
                self.nodes[shard].handle_timeout(now, outbox);
                self.pass_handoffs(shard, now, outbox);
            }
        }
    }

    /// Takes what `shard` has just written for others out of the outbox.
    fn pass_handoffs(&mut self, shard: usize, now: Instant, outbox: &mut Outbox) {
        let Some(between) = &mut self.between else { return };
        for (to, handoff) in outbox.take_handoffs() {
            between.push(shard * self.nodes.len() + to.as_usize(), now, handoff);
        }
    }
}

impl Between {
    fn push(&mut self, ring: usize, now: Instant, handoff: Handoff) {
        let weight = handoff.weight();
        if matches!(weight, Weight::Binding { .. }) && self.temper.binding == Binding::Lost {
            return;
        }
        let Self { rings, temper, rng, tally } = self;
        let Ring { under_way, backlog, last } = &mut rings[ring];
        let launch = |handoff| launch(under_way, last, temper, rng, now, handoff);
        match backlog.push(weight, handoff, launch) {
            Outcome::Sent => {}
            Outcome::Waits => tally.waited += 1,
            Outcome::Dropped => tally.dropped += 1,
        }
    }

    /// The next message of a ring that has arrived; what waits moves up.
    fn take(&mut self, ring: usize, now: Instant) -> Option<Handoff> {
        let Self { rings, temper, rng, tally } = self;
        let Ring { under_way, backlog, last } = &mut rings[ring];
        under_way.front().filter(|(at, _)| *at <= now)?;
        let (_, handoff) = under_way.pop_front()?;
        tally.arrived += 1;
        backlog.drain(|handoff| launch(under_way, last, temper, rng, now, handoff));
        Some(handoff)
    }
}

/// Puts a message under way; returns it when the ring is full.
fn launch(
    under_way: &mut VecDeque<(Instant, Handoff)>,
    last: &mut Instant,
    temper: &Rings,
    rng: &mut Rng,
    now: Instant,
    handoff: Handoff,
) -> Result<(), Handoff> {
    if under_way.len() >= temper.capacity {
        return Err(handoff);
    }
    *last = (*last).max(now + temper.draw_delay(rng));
    under_way.push_back((*last, handoff));
    Ok(())
}

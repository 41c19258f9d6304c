//! One node of several shards: what a driver does with them, without threads.

use std::net::SocketAddr;

use kad_node::id::Id;
use kad_node::node::{
    Command, Config, Handoff, Node, Outbox, Route, ShardIndex, ShardPosition, Stats,
};
use kad_node::time::Instant;
use kad_node::wire::{Contact, STEER_OFFSET};

/// Where datagrams land.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landing {
    /// On the shard that the steer byte names.
    Steered,
    /// On each shard in turn, as if the kernel knew nothing of shards.
    InTurn,
}

/// A node of one or more shards; handoffs arrive at once, in their order.
pub(crate) struct Sharded {
    shards: Vec<Node>,
    landing: Landing,
    landed: usize,
}

impl Sharded {
    pub(crate) fn new(config: &Config, count: usize, landing: Landing, now: Instant) -> Self {
        let shards = config.shards(count).map(|config| Node::new(config, now)).collect();
        Self { shards, landing, landed: 0 }
    }

    pub(crate) fn shards(&self) -> &[Node] {
        &self.shards
    }

    pub(crate) fn id(&self) -> Id {
        self.shards[0].id()
    }

    pub(crate) fn closest(&self, target: Id, count: usize) -> Vec<Contact> {
        self.shards[0].closest(target, count)
    }

    pub(crate) fn holds(&self, key: Id) -> bool {
        self.shards.iter().any(|shard| shard.holds(key))
    }

    pub(crate) fn keeps_alive(&self, key: Id) -> bool {
        self.shards.iter().any(|shard| shard.keeps_alive(key))
    }

    /// The sum of all shards' counters.
    pub(crate) fn stats(&self) -> Stats {
        self.shards.iter().fold(Stats::default(), |mut sum, shard| {
            sum += &shard.stats();
            sum
        })
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.shards.iter().filter_map(Node::next_timeout).min()
    }

    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        self.landed += 1;
        let place = ShardPosition::new(0, self.shards.len());
        let shard = match self.landing {
            Landing::Steered => {
                bytes.get(STEER_OFFSET).map_or(0, |&steer| place.of_steer(steer).as_usize())
            }
            Landing::InTurn => self.landed % self.shards.len(),
        };
        self.shards[shard].handle_datagram(now, source, bytes, outbox);
        self.pass_handoffs(now, outbox);
    }

    pub(crate) fn handle_command(&mut self, now: Instant, command: Command, outbox: &mut Outbox) {
        match ShardPosition::new(0, self.shards.len()).route(&command) {
            Route::One(shard) => self.shards[shard.as_usize()].handle_command(now, command, outbox),
            Route::Every => {
                for shard in &mut self.shards {
                    shard.handle_command(now, command.clone(), outbox);
                }
            }
        }
        self.pass_handoffs(now, outbox);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        for shard in &mut self.shards {
            shard.handle_timeout(now, outbox);
        }
        self.pass_handoffs(now, outbox);
    }

    fn pass_handoffs(&mut self, now: Instant, outbox: &mut Outbox) {
        loop {
            let handoffs: Vec<(ShardIndex, Handoff)> = outbox.take_handoffs().collect();
            if handoffs.is_empty() {
                return;
            }
            for (shard, handoff) in handoffs {
                self.shards[shard.as_usize()].handle_handoff(now, handoff, outbox);
            }
        }
    }
}

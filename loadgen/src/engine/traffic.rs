//! What a run sends: the same for each of its threads.

use std::sync::Arc;

use kad_node::quantity::Percent;
use kad_node::wire::NetworkId;

use crate::corpus::{Corpus, Popularity};
use crate::mix::{Mix, Scope};
use crate::schedule::Arrivals;

/// What is sent, how often, and what is lost: the same for every thread.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The targets' network.
    pub network: NetworkId,
    /// Which requests.
    pub mix: Mix,
    /// What gets and puts are asked of.
    pub scope: Scope,
    /// About which keys.
    pub corpus: Arc<Corpus>,
    /// How often each of them.
    pub popularity: Popularity,
    /// What decides when a request is sent.
    pub pace: Pace,
    /// Requests sent together, at most [`udp::BATCH_DATAGRAMS_MAX`].
    pub burst: u64,
    /// How long each send waits for its answer.
    pub timeout_ns: u64,
    /// Sends after the first.
    pub retries: u8,
    /// What is dropped on purpose, each way.
    pub drop: Percent,
    /// Fixes kinds, keys, arrivals and drops.
    pub seed: u64,
    /// Time before the measured time.
    pub warmup_ns: u64,
    /// The measured time.
    pub duration_ns: u64,
    /// Threads that share the traffic.
    pub threads: u64,
}

/// What decides when a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The clock: an open loop, which does not wait for answers.
    Open {
        /// Requests a second of all threads.
        rate: u64,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// The answers: a closed loop, with so many requests of each thread in flight.
    Closed {
        /// Requests in flight.
        window: u64,
    },
}

impl Traffic {
    /// Has the measured time end at `now_ns` at the latest.
    pub fn cut_short(&mut self, now_ns: u64) {
        self.duration_ns = self.duration_ns.min(now_ns.saturating_sub(self.warmup_ns));
    }

    /// When the last request is due.
    pub const fn end_ns(&self) -> u64 {
        self.warmup_ns + self.duration_ns
    }
}

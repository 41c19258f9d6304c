//! What was asked for, as numbers: what programs compare and plot. `setup` says the same to
//! people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::corpus::Popularity;
use crate::options::{Options, Rate};
use crate::schedule::Arrivals;

/// Every parameter that makes a difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Requests a second; none of a closed loop, and where a search or a sweep sets them.
    pub rate_per_s: Option<u64>,
    /// Requests in flight of a closed loop.
    pub window: Option<u64>,
    /// `uniform` or `poisson`.
    pub arrivals: String,
    /// The measured time of each run, in seconds.
    pub duration_s: f64,
    /// The time before it, in seconds.
    pub warmup_s: f64,
    /// Drops on purpose, each way, in percent.
    pub drop_percent: Vec<f64>,
    /// The weight of each kind.
    pub mix: BTreeMap<String, u32>,
    /// Keys that requests are about.
    pub keys: u64,
    /// The exponent of their popularity; none where all are alike.
    pub key_exponent: Option<f64>,
    /// The sizes of values.
    pub value_sizes: Vec<ValueSize>,
    /// How long each send waits, in seconds.
    pub timeout_s: f64,
    /// Sends after the first.
    pub retries: u64,
    /// Requests sent at once.
    pub burst: u64,
    /// Sockets for each target and thread.
    pub peers: u64,
    /// Threads of the generator.
    pub threads: u64,
    /// Nodes of the network of its own; none with other targets.
    pub network_nodes: Option<u64>,
    /// How long a datagram is under way in it, in seconds.
    pub delay_s: f64,
    /// What fixes kinds, keys, values, arrivals and drops.
    pub seed: u64,
}

/// A size of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueSize {
    /// Bytes of a value.
    pub bytes: u32,
    /// How many of the values have it, in proportion to the weights of the others.
    pub weight: u32,
}

impl ValueSize {
    const fn of((bytes, weight): (u32, u32)) -> Self {
        Self { bytes, weight }
    }
}

impl Parameters {
    /// Those of a call of the program.
    pub fn of(options: &Options) -> Self {
        let rate = options.rate();
        let is_fixed = !options.seeks_rate();
        Self {
            rate_per_s: match rate {
                Rate::PerSecond(rate) if is_fixed => Some(rate),
                _ => None,
            },
            window: (rate == Rate::Max).then(|| options.window()),
            arrivals: match options.arrivals {
                Arrivals::Uniform => "uniform".into(),
                Arrivals::Poisson => "poisson".into(),
            },
            duration_s: options.duration.as_secs_f64(),
            warmup_s: options.warmup.as_secs_f64(),
            drop_percent: options.drop.iter().map(|drop| drop.value()).collect(),
            mix: options.mix.weights().map(|(kind, weight)| (kind.name().into(), weight)).collect(),
            keys: options.keys,
            key_exponent: match options.key_dist {
                Popularity::Uniform => None,
                Popularity::Zipf { exponent } => Some(exponent),
            },
            value_sizes: options.value_size.weights().map(ValueSize::of).collect(),
            timeout_s: options.timeout().as_secs_f64(),
            retries: options.retries.into(),
            burst: options.burst,
            peers: options.peers as u64,
            threads: options.threads,
            network_nodes: options.network,
            delay_s: options.delay.unwrap_or_default().as_secs_f64(),
            seed: options.seed,
        }
    }
}

//! The figures of a run: a network of any size that stores values and finds
//! every one of them, and what that cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use kad_node::limits::{K_DEFAULT, SENDS_LOOKUP, SENDS_STORE};

use crate::checks::Peaks;
use crate::faults::Faults;
use crate::operations::Expect;
use crate::options::Options;
use crate::oracle::State;
use crate::ratio::Ratio;
use crate::scenario::{ALL, Check, Scenario, Step, Verdict};
use crate::shards::{HandoffTally, Layout};
use crate::world::World;

/// Of the K closest, how many are asked to have a value at once where nothing is lost:
/// just joined, a node may not know every node near it yet.
const PLACED_MAX: usize = K_DEFAULT * 3 / 4;

/// Largest network that is watched for a republish period besides: each node sends two
/// thousand datagrams in it, as many again as in all the rest.
const SETTLED_NODES_MAX: u32 = 1000;
/// A republish period of an hour, its jitter, and time for the lookups.
const SETTLING: Duration = Duration::from_mins(75);

/// What the figures are taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) nodes: u32,
    pub(crate) drop_percent: u32,
    pub(crate) values: u32,
    pub(crate) gets: u32,
    pub(crate) crash_percent: u32,
}

impl Size {
    pub(crate) const DEFAULT: Self =
        Self { nodes: 1000, drop_percent: 10, values: 1000, gets: 10_000, crash_percent: 0 };
    /// A third of all datagrams is lost each way.
    pub(crate) const HARD: Self = Self { nodes: 2000, drop_percent: 35, ..Self::DEFAULT };
    /// And a fifth of the nodes crashes.
    pub(crate) const HARD_CRASH: Self = Self { crash_percent: 20, ..Self::HARD };

    pub(crate) fn of_options(options: &Options) -> Self {
        Self {
            nodes: options.nodes.unwrap_or(Self::DEFAULT.nodes),
            drop_percent: options.drop.unwrap_or(Self::DEFAULT.drop_percent),
            values: options.values.unwrap_or(Self::DEFAULT.values),
            gets: options.gets.unwrap_or(Self::DEFAULT.gets),
            crash_percent: options.crash.unwrap_or(Self::DEFAULT.crash_percent),
        }
    }

    /// The command that runs these figures again.
    pub(crate) fn command(&self, seed: u64) -> String {
        format!(
            "cargo test --release --test sim -- --nodes {} --drop {} --values {} --gets {} --crash \
             {} --seed {seed}",
            self.nodes, self.drop_percent, self.values, self.gets, self.crash_percent
        )
    }

    /// 50 joins a second; of more than 10 000 nodes so many that they refresh their
    /// buckets at most once before all are there.
    fn joining(&self) -> Duration {
        (Duration::from_millis(20) * self.nodes).min(Duration::from_secs(200))
    }

    /// On how many of its K closest nodes a value is, right after its put and once
    /// `crash_percent` of all have crashed, but for one value in 10^9: a lookup meets
    /// the node that one of its sends and the answer reach, and one of the STOREs must arrive.
    fn placed_at_once(&self, crash_percent: u32) -> usize {
        let loss = f64::from(self.drop_percent) / 100.0;
        let met = 1.0 - (1.0 - (1.0 - loss).powi(2)).powi(SENDS_LOOKUP.into());
        let reached = 1.0 - loss.powi(SENDS_STORE.into());
        let has_it = met * reached * (1.0 - f64::from(crash_percent) / 100.0);
        // How likely each number of holders is, one node after another.
        let mut chances = [0.0; K_DEFAULT + 1];
        chances[0] = 1.0;
        for _ in 0..K_DEFAULT {
            for count in (0..=K_DEFAULT).rev() {
                let fewer = count.checked_sub(1).map_or(0.0, |fewer| chances[fewer]);
                chances[count] = chances[count] * (1.0 - has_it) + fewer * has_it;
            }
        }
        let mut fewer = 0.0;
        let is_seldom = |chance: &&f64| {
            fewer += **chance;
            fewer < 1e-9
        };
        chances.iter().take_while(is_seldom).count().min(PLACED_MAX)
    }

    pub(crate) fn scenario(&self) -> Scenario {
        let mut script = vec![
            Step::Join { count: self.nodes as usize, over: self.joining() },
            Step::Run(Duration::from_mins(1)),
            Step::Check(Check::Acquainted {
                least: u64::from(self.nodes).min(K_DEFAULT as u64) - 1,
            }),
            Step::Check(Check::ClosestIsExact { targets: 1000 }),
            Step::Put { count: self.values as usize, bytes: 100, over: Duration::from_mins(1) },
            Step::Check(Check::Placed { least: self.placed_at_once(0) }),
        ];
        if self.crash_percent > 0 {
            script.extend([
                Step::Crash { share: Ratio::percent(u64::from(self.crash_percent)) },
                Step::Check(Check::Lost { most: 0 }),
                Step::Check(Check::Placed { least: self.placed_at_once(self.crash_percent) }),
            ]);
        }
        script.extend([
            Step::Get {
                count: self.gets as usize,
                over: Duration::from_mins(2),
                expect: Expect::Found,
            },
            Step::Check(Check::Hops { k: K_DEFAULT }),
            Step::Check(Check::ClosestIsExact { targets: 1000 }),
        ]);
        if self.nodes <= SETTLED_NODES_MAX {
            script.extend([
                Step::Faults(Faults::NONE),
                Step::Run(SETTLING),
                Step::Check(Check::Placed { least: ALL }),
            ]);
        }
        Scenario {
            name: format!(
                "figures-{}-nodes-{}-drop-{}-crash",
                self.nodes, self.drop_percent, self.crash_percent
            ),
            proves: "every get finds its value",
            drawn: String::new(),
            configure: |_| {},
            layout: Layout::ONE,
            faults: Faults::loss(u64::from(self.drop_percent)),
            script,
            datagrams_max: u64::from(self.nodes) * 20_000
                + u64::from(self.values + self.gets) * 2000,
            verdict: Verdict::Holds,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, drop_percent, values, gets, crash_percent } = self;
        write!(
            f,
            "{nodes} nodes, drop {drop_percent} %, {values} values, {gets} gets, crash \
             {crash_percent} %"
        )
    }
}

/// What a world has come to, for people to read, one figure a line.
pub(crate) fn of_world(world: &World, wall: Duration) -> Vec<String> {
    let network = world.network.tally();
    let operations = &world.operations.tally;
    let mut lines = vec![format!(
        "{} datagrams sent, {} arrived, {} lost; at most {} under way; {:?} of virtual time; {:.2} \
         s, {:.0} k datagrams/s",
        network.sent,
        network.arrived,
        network.lost,
        network.in_flight_peak,
        crate::peers::clock(world.now),
        wall.as_secs_f64(),
        network.sent as f64 / wall.as_secs_f64() / 1000.0,
    )];
    let others = [
        ("cut off", network.cut),
        ("doubled", network.duplicated),
        ("damaged", network.corrupted),
        ("to no peer", network.unreachable),
        ("dropped, too much under way", network.overflowed),
    ];
    let others: Vec<_> = others
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if !others.is_empty() {
        lines.push(format!("datagrams: {}", others.join(", ")));
    }
    if operations.puts > 0 {
        lines.push(format!(
            "{} puts, {} values lost; {} gets, {} found; {} operations abandoned in crashes",
            operations.puts,
            world.oracle.count(State::Lost) + world.oracle.count(State::Dropped),
            operations.gets,
            operations.gets_found,
            operations.abandoned
        ));
    }
    for (name, samples) in [
        ("holders of a put", &operations.put_holders),
        ("hops of a put", &operations.put_hops),
        ("virtual time of a put, us", &operations.put_elapsed_us),
        ("hops of a get", &operations.get_hops),
        ("nodes asked by a get", &operations.get_asked),
        ("virtual time of a get, us", &operations.get_elapsed_us),
        ("values that a node handed off", &operations.handed_off),
        ("datagrams of a departure", &operations.departure_datagrams),
        ("virtual time of a departure, us", &operations.departure_us),
    ] {
        if let Some(summary) = samples.summary() {
            lines.push(format!("{name}: min {}, {summary}", summary.min));
        }
    }
    lines.extend(world.upkeep_lines());
    lines.extend(of_nodes(world));
    lines.extend(of_shards(world));
    lines.extend(turned_away(world));
    lines
}

/// What nodes did not do for want of room, over all that are up.
fn turned_away(world: &World) -> Option<String> {
    let mut totals = BTreeMap::new();
    let nodes = world.honest.iter().filter_map(|peer| world.peers[peer.as_usize()].node());
    for node in nodes {
        let stats = node.stats();
        for (name, count) in [
            ("full outbox", stats.outbox_full),
            ("RPCs", stats.rpcs_refused),
            ("probes", stats.checks_refused),
            ("lookups", stats.lookups_refused),
            ("candidates", stats.candidates_dropped),
            ("stores", stats.stores_full),
            ("evictions", stats.values_evicted),
            ("wrong values", stats.values_mismatched),
        ] {
            *totals.entry(name).or_insert(0) += count;
        }
    }
    totals.retain(|_, count| *count > 0);
    let parts: Vec<_> = totals.iter().map(|(name, count)| format!("{count} {name}")).collect();
    (!parts.is_empty()).then(|| format!("turned away by nodes: {}", parts.join(", ")))
}

/// What the shards of nodes that have several pass to each other.
fn of_shards(world: &World) -> Option<String> {
    let live = world.honest.iter().filter_map(|peer| world.peers[peer.as_usize()].node());
    let many: Vec<_> = live.filter(|node| node.nodes().len() > 1).collect();
    let shards: usize = many.iter().map(|node| node.nodes().len()).sum();
    let missteered: u64 = many.iter().map(|node| node.stats().datagrams_missteered).sum();
    let mut handoffs = HandoffTally::default();
    for node in &many {
        handoffs += node.handoffs();
    }
    let HandoffTally { arrived, dropped, waited } = handoffs;
    (!many.is_empty()).then(|| {
        format!(
            "{} nodes of {shards} shards: {arrived} handoffs, {missteered} of them missteered \
             datagrams; {dropped} dropped, {waited} binding ones waited for room",
            many.len()
        )
    })
}

fn of_nodes(world: &World) -> Option<String> {
    let live = world.honest.iter().map(|peer| &world.peers[peer.as_usize()]);
    let count = world.honest.len();
    if count == 0 {
        return None;
    }
    let heap: isize = live.clone().map(|peer| peer.heap_bytes).sum();
    let Peaks { requests_per_second, rpcs, lookups, heap_bytes } = world.peaks;
    let contacts: u64 = live.filter_map(|peer| peer.node()).map(|node| node.stats().contacts).sum();
    Some(format!(
        "{count} nodes: {} heap bytes and {} contacts each; of one node at most: {heap_bytes} heap \
         bytes, {requests_per_second} requests in a second, {rpcs} RPCs and {lookups} lookups in \
         progress",
        heap / count as isize,
        contacts / count as u64,
    ))
}

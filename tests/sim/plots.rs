//! Attacks of every kind, of hosts and ids in all proportions, and what is left of gets and
//! puts under each: a table, and the goals that some of its rows must reach.

use std::fmt;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::KeyedValue;

use crate::catalogue;
use crate::crowd::Crowd;
use crate::faults::Faults;
use crate::malice::Malice;
use crate::operations::Expect;
use crate::options::Options;
use crate::peers::{Being, PeerIndex};
use crate::report::line;
use crate::samples::Samples;
use crate::scenario::Step;
use crate::violation::Wrong;
use crate::world::World;

/// Honest nodes, those that join while the attack goes on among them.
const NODES: usize = 120;
const NEWCOMERS: usize = 10;
/// Values that are put before the attack, and as many during it.
const VALUES: usize = 60;
/// Gets of each.
const GETS: usize = 3;
/// Time in which the network is to be whole again.
const RECOVERY: Duration = Duration::from_mins(10);

/// One attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plot {
    pub(crate) name: &'static str,
    malice: Malice,
    crowd: Crowd,
    placing: Placing,
    goals: Goals,
}

/// Which ids the attackers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placing {
    Random,
    /// Close to the keys of half of the values that are there, and of all that will be.
    AroundKeys,
    /// Those of the nodes that will join.
    OfNewcomers,
}

/// What must hold.
#[derive(Clone, Copy, Debug)]
struct Goals {
    /// Gets that find their value, in percent.
    found_percent: f64,
    /// By how many times a get of an absent key may take longer.
    absent_times: f64,
    /// Attackers among a newcomer's contacts.
    contacts: usize,
    /// Bytes that reach a victim for each byte by which it was named.
    reflected: f64,
}

const NONE: Goals = Goals {
    found_percent: 0.0,
    absent_times: f64::INFINITY,
    contacts: usize::MAX,
    reflected: f64::INFINITY,
};
const ALL_FOUND: Goals = Goals { found_percent: 100.0, ..NONE };
/// Of a fifth of all nodes.
const NEARLY_ALL_FOUND: Goals = Goals { found_percent: 99.0, ..NONE };

const fn crowd(hosts: u32, ids: u32, subnets: u32) -> Crowd {
    Crowd { first: 0, hosts, ids, subnets }
}

/// Every attack; those with goals are run with the other scenarios.
pub(crate) fn all() -> Vec<Plot> {
    use Malice::{
        Drop, Erasure, Everything, Flood, ForgedSenders, MadeUpContacts, Reflect, Squat, Surround,
        WrongValues,
    };
    let fifth = NODES as u32 / 4;
    let flood = Flood { values_max: 20_000 };
    let random = Placing::Random;
    let plot = |name, malice, crowd, placing, goals| Plot { name, malice, crowd, placing, goals };
    let one = crowd(1, 200, 1);
    let spread = crowd(fifth, 1, fifth);
    vec![
        plot(
            "one-liar",
            MadeUpContacts,
            crowd(1, 1, 1),
            random,
            Goals { absent_times: 2.0, ..ALL_FOUND },
        ),
        plot(
            "one-reflector",
            Reflect,
            crowd(1, 1, 1),
            random,
            Goals { reflected: 1.5, ..ALL_FOUND },
        ),
        plot("host-lies", MadeUpContacts, one, random, ALL_FOUND),
        plot("host-wrong-values", WrongValues, one, random, ALL_FOUND),
        plot("host-drops", Drop, one, random, Goals { absent_times: 2.0, ..ALL_FOUND }),
        plot("host-keeps-nothing", Erasure, one, random, ALL_FOUND),
        plot("host-surrounds", Surround, crowd(1, 600, 1), Placing::AroundKeys, ALL_FOUND),
        plot(
            "host-reflects",
            Reflect,
            crowd(1, 60, 1),
            random,
            Goals { reflected: 1.5, ..ALL_FOUND },
        ),
        plot(
            "host-fills-tables",
            Drop,
            crowd(1, 600, 1),
            random,
            Goals { contacts: 10, absent_times: 2.0, ..ALL_FOUND },
        ),
        plot("host-squats", Squat, crowd(1, NEWCOMERS as u32, 1), Placing::OfNewcomers, ALL_FOUND),
        plot("host-floods", flood, crowd(1, 4, 1), random, ALL_FOUND),
        plot("host-forges", ForgedSenders, crowd(1, 10, 1), random, ALL_FOUND),
        plot("subnet-surrounds", Surround, crowd(200, 3, 1), Placing::AroundKeys, ALL_FOUND),
        plot("fifth-lies", MadeUpContacts, spread, random, NEARLY_ALL_FOUND),
        plot("fifth-wrong-values", WrongValues, spread, random, NEARLY_ALL_FOUND),
        plot("fifth-drops", Drop, spread, random, NEARLY_ALL_FOUND),
        plot("fifth-keeps-nothing", Erasure, spread, random, NEARLY_ALL_FOUND),
        plot("fifth-everything", Everything, spread, random, NEARLY_ALL_FOUND),
        plot("fifth-reflects", Reflect, spread, random, NEARLY_ALL_FOUND),
        plot("fifth-floods", flood, spread, random, NEARLY_ALL_FOUND),
        plot("ten-subnets-surround", Surround, crowd(10, 60, 10), Placing::AroundKeys, NONE),
        plot("fifth-surrounds", Surround, crowd(fifth, 20, fifth), Placing::AroundKeys, NONE),
    ]
}

/// What one attack came to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    plot: Plot,
    found_percent: f64,
    /// Honest nodes beside the origin that hold a value put during the attack, on average.
    holders: f64,
    absent_ms: f64,
    absent_times: f64,
    contacts: usize,
    reflected: Option<f64>,
    whole_percent: f64,
}

pub(crate) const HEAD: &str = "attack                hosts   ids subnets  gets %  honest holders  \
                    absent get ms  times  in a newcomer's table  reflected  gets % 10 min after";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Crowd { hosts, ids, subnets, .. } = self.plot.crowd;
        let reflected = self.reflected.map_or("-".to_owned(), |times| format!("{times:.2}"));
        write!(
            f,
            "{:<21} {hosts:>5} {:>5} {subnets:>7} {:>7.1} {:>15.1} {:>14.0} {:>6.2} {:>22} \
             {reflected:>10} {:>19.1}",
            self.plot.name,
            hosts * ids,
            self.found_percent,
            self.holders,
            self.absent_ms,
            self.absent_times,
            self.contacts,
            self.whole_percent,
        )
    }
}

impl Plot {
    /// By which it is chosen among the scenarios.
    pub(crate) fn job_name(&self) -> String {
        format!("attack-{}", self.name)
    }

    /// A network without faults that comes under this attack, and is rid of it.
    pub(crate) fn world(&self, seed: u64) -> World {
        let proves = "what is promised under attack";
        let scenario = catalogue::scenario(self.name, proves, Faults::NONE, Vec::new());
        World::new(&scenario, seed, None)
    }

    /// Plays it, and says in `world` what missed its goal.
    pub(crate) fn play(&self, world: &mut World) -> Row {
        let minute = Duration::from_mins(1);
        world.step(&Step::Join { count: NODES, over: Duration::from_secs(20) });
        world.run_for(minute);
        let before: Vec<_> = world.draw_values(VALUES);
        world.put_each(&before);
        let quiet_us = world.absent_get_us();
        let later: Vec<_> = world.draw_values(VALUES);
        let first = world.peers.len() as u32 + self.crowd.count();
        let newcomers = first..first + NEWCOMERS as u32;
        let newcomers: Vec<Id> = newcomers.map(|peer| world.id_of(PeerIndex(peer))).collect();
        let names = self.names(world, &before, &later, &newcomers);
        world.add_crowd(self.crowd, self.malice, &names);
        world.run_for(minute);
        let first = world.peers.len();
        for &id in &newcomers {
            world.join_as(id);
            world.run_for(Duration::from_secs(1));
        }
        world.run_for(minute);
        let contacts = world.attackers_known(first..first + NEWCOMERS);
        world.put_each(&later);
        let holders = world.honest_holders(&later);
        let all = [before, later].concat();
        let found_percent = world.found_percent(&all);
        let attacked_us = world.absent_get_us();
        let reflected = world.reflected();
        world.step(&Step::Relieve);
        world.run_for(RECOVERY);
        let whole_percent = world.found_percent(&all);
        let (absent_ms, absent_times) = (attacked_us / 1000.0, attacked_us / quiet_us);
        let row = Row {
            plot: *self,
            found_percent,
            holders,
            absent_ms,
            absent_times,
            contacts,
            reflected,
            whole_percent,
        };
        self.judge(&row, world);
        row
    }

    fn names(
        &self,
        world: &mut World,
        before: &[KeyedValue],
        later: &[KeyedValue],
        newcomers: &[Id],
    ) -> Vec<Id> {
        let count = self.crowd.count() as usize;
        match self.placing {
            Placing::Random => (0..count).map(|_| world.rng.id()).collect(),
            Placing::AroundKeys => {
                let keys = [&before[..VALUES / 2], later].concat();
                world.around(&keys, count)
            }
            Placing::OfNewcomers => newcomers.iter().copied().cycle().take(count).collect(),
        }
    }

    fn judge(&self, row: &Row, world: &mut World) {
        let Goals { found_percent, absent_times, contacts, reflected } = self.goals;
        // Where a put may land on attackers alone, its value is gone with them.
        let whole_percent = if found_percent > 0.0 { 100.0 } else { 0.0 };
        let of_table = [
            (row.found_percent >= found_percent, "gets fail"),
            (row.absent_times <= absent_times, "a get of an absent key takes too long"),
            (row.contacts <= contacts, "attackers fill the table of a newcomer"),
            (row.reflected.is_none_or(|times| times <= reflected), "too much reaches a victim"),
            (row.whole_percent >= whole_percent, "the network is not whole after the attack"),
        ];
        for (_, what) in of_table.into_iter().filter(|(holds, _)| !holds) {
            world.violate(Wrong::Attacked, format!("{what}: {row}"));
        }
    }
}

impl World {
    fn put_each(&mut self, values: &[KeyedValue]) {
        for value in values {
            let peer = self.any_honest();
            self.put_value(peer, value.clone());
            self.run_for(Duration::from_millis(100));
        }
        self.await_operations();
    }

    /// Gets each value a few times, at random nodes. Returns how many gets found it.
    fn found_percent(&mut self, values: &[KeyedValue]) -> f64 {
        let (gets, found) = (self.operations.tally.gets, self.operations.tally.gets_found);
        for value in values.iter().cycle().take(GETS * values.len()) {
            let peer = self.any_honest();
            self.get(peer, value.key(), Expect::Anything);
            self.run_for(Duration::from_millis(50));
        }
        self.await_operations();
        let gets = self.operations.tally.gets - gets;
        (self.operations.tally.gets_found - found) as f64 * 100.0 / gets as f64
    }

    /// How long gets of keys that no node has take, on average.
    fn absent_get_us(&mut self) -> f64 {
        self.operations.tally.get_missing_us = Samples::default();
        for _ in 0..VALUES {
            let (peer, key) = (self.any_honest(), self.rng.id());
            self.get(peer, key, Expect::Missing);
            self.run_for(Duration::from_millis(500));
        }
        self.await_operations();
        self.operations.tally.get_missing_us.summary().map_or(0.0, |summary| summary.mean)
    }

    /// On how many honest nodes beside its origin a value is kept, on average.
    fn honest_holders(&self, values: &[KeyedValue]) -> f64 {
        let all: usize = values.iter().map(|value| self.keepers(value.key()) - 1).sum();
        all as f64 / values.len() as f64
    }

    /// The most attackers that one of these nodes has among its contacts.
    fn attackers_known(&mut self, peers: std::ops::Range<usize>) -> usize {
        let crowd = self.network.crowd;
        let known = |world: &mut Self, peer| {
            let contacts = world.show_peers(peer).into_iter().flat_map(|bucket| bucket.contacts);
            let peers = contacts.filter_map(|one| crowd.peer_at(one.contact.addr));
            peers.filter(|&peer| crowd.contains(peer)).count()
        };
        peers.map(|peer| known(self, PeerIndex(peer as u32))).max().unwrap_or(0)
    }

    /// Bytes that were sent to a victim for each byte that has named it.
    fn reflected(&self) -> Option<f64> {
        let attackers = self.peers.iter().filter_map(|peer| match &peer.being {
            Being::Attacker(attacker) => Some(attacker.named_bytes),
            Being::Absent | Being::Honest(_) | Being::Ahead => None,
        });
        let named: u64 = attackers.sum();
        (named > 0).then(|| self.network.tally().victim_bytes as f64 / named as f64)
    }
}

/// Runs every attack that the options name and prints the table. Whether all goals were
/// reached.
pub(crate) fn table(options: &Options) -> bool {
    let is_wanted = |plot: &Plot| {
        let filters = &options.filters;
        filters.is_empty() || filters.iter().any(|filter| plot.name.contains(filter))
    };
    let plots: Vec<Plot> = all().into_iter().filter(is_wanted).collect();
    let threads = options.test_threads.map_or_else(
        || available_parallelism().map_or(1, NonZero::get),
        |threads| threads as usize,
    );
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(plot) = plots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut world = plot.world(options.seed);
                    let row = plot.play(&mut world);
                    let missed: Vec<_> =
                        world.violations.iter().map(|one| one.what.clone()).collect();
                    rows.lock().expect("no attack panics while it holds them").push((row, missed));
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("no attack panics while it holds them");
    let place = |row: &Row| plots.iter().position(|plot| plot.name == row.plot.name);
    rows.sort_by_key(|(row, _)| place(row));
    let mut lines = vec![HEAD.to_owned()];
    lines.extend(rows.iter().map(|(row, _)| row.to_string()));
    lines.extend(
        rows.iter().flat_map(|(_, missed)| missed).map(|what| format!("VIOLATION: {what}")),
    );
    line(&lines);
    rows.iter().all(|(_, missed)| missed.is_empty())
}

//! Runs a scenario's script in a world, step by step.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{Command, OperationId};

use crate::operations::Expect;
use crate::oracle::State;
use crate::peers::{Being, PeerIndex, WELL_KNOWN};
use crate::queue::Happening;
use crate::ratio::Ratio;
use crate::scenario::{Check, Identity, Scenario, Step};
use crate::violation::Wrong;
use crate::world::World;

/// Virtual time within which a node that is up must have joined, and an
/// operation must have ended: far beyond any chain of time-outs, and the join's
/// back-off of a minute a few times over.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often, in virtual time, it is looked whether a step has ended.
const GLANCE: Duration = Duration::from_millis(250);

/// Plays `scenario` in `world`, until it has ended or has sent more than it may.
pub(crate) fn play(scenario: &Scenario, world: &mut World) {
    for step in &scenario.script {
        world.step(step);
        world.check_after_step();
        if world.is_spent() {
            return;
        }
    }
}

impl World {
    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Join { count, over } => self.join_all(*count, *over),
            Step::Attack { count, malice } => {
                for _ in 0..*count {
                    self.add_attacker(*malice);
                }
            }
            Step::Relieve => self.relieve(),
            Step::Run(period) => self.run_for(*period),
            Step::Put { count, bytes, over } => self.put_all(*count, *bytes, *over),
            Step::PutAtOne { count, bytes, over } => {
                self.put_at(WELL_KNOWN, *count, *bytes, *over);
            }
            Step::Measure { measure, period, churn } => {
                self.measure_upkeep(*measure, *period, *churn);
            }
            Step::PutSurrounded { values, hosts, ids } => {
                self.put_surrounded(*values, (*hosts, *ids));
            }
            Step::Get { count, over, expect } => self.get_random(*count, *over, *expect),
            Step::GetEach { over, expect } => self.get_each(*over, *expect),
            Step::GetEachAndCrash { share, later } => self.get_each_and_crash(*share, *later),
            Step::Crash { share } => self.crash_share(*share),
            Step::Shrink { share, over, going } => self.shrink(*share, *over, *going),
            Step::CrashOrigins => self.crash_origins(),
            Step::CrashHolders => self.crash_holders(),
            Step::Restart { share, identity } => self.restart_share(*share, *identity),
            Step::BackUp => self.back_up(),
            Step::PutAndCutPower { rounds, bytes } => {
                for _ in 0..*rounds {
                    self.put_and_cut_power(*bytes);
                    self.await_joins();
                    self.run_for(Duration::from_secs(10));
                }
            }
            Step::PowerCut { disks } => {
                self.cut_power(*disks);
                self.await_joins();
            }
            Step::ForgetEach => self.forget_each(),
            Step::Churn { count, over } => self.churn(*count, *over),
            Step::Faults(faults) => self.network.set_faults(*faults),
            Step::Divide { parts } => {
                self.network.divide(*parts);
                self.await_joins();
            }
            Step::Check(check) => self.check(*check),
        }
    }

    fn relieve(&mut self) {
        for peer in &mut self.peers {
            if matches!(peer.being, Being::Attacker(_)) {
                peer.stop();
            }
        }
    }

    /// Does `act` `count` times, evenly spread over `over`.
    pub(crate) fn spread(
        &mut self,
        count: usize,
        over: Duration,
        mut act: impl FnMut(&mut Self, usize),
    ) {
        let start = self.now;
        for index in 0..count {
            let micros = over.as_micros() as u64 * index as u64 / count as u64;
            self.run_until(start + Duration::from_micros(micros));
            act(self, index);
        }
        self.run_until(start + over);
    }

    /// Runs on while `unfinished` names anything; says so where it still does
    /// after [`PATIENCE`].
    fn run_while(&mut self, wrong: Wrong, what: &str, unfinished: impl Fn(&Self) -> Vec<String>) {
        let end = self.now + PATIENCE;
        loop {
            let left = unfinished(self);
            if left.is_empty() || self.is_spent() {
                return;
            }
            if self.now >= end {
                let what = format!("{what} after {PATIENCE:?}: {}", left.join(", "));
                return self.violate(wrong, what);
            }
            self.run_for(GLANCE);
        }
    }

    fn join_all(&mut self, count: usize, over: Duration) {
        let start = self.now;
        for index in 0..count {
            let micros = over.as_micros() as u64 * index as u64 / count as u64;
            self.queue.schedule_last(start + Duration::from_micros(micros), Happening::Join);
        }
        self.run_until(start + over);
        self.await_joins();
    }

    /// Waits until every node has joined. In a divided network the addresses to
    /// join by may all be in another part, so there it waits for nothing.
    fn await_joins(&mut self) {
        if self.network.is_divided() {
            return;
        }
        self.run_while(Wrong::NotJoined, "nodes that have not joined", |world| {
            let outside = |peer: &&PeerIndex| !world.peers[peer.as_usize()].has_joined;
            world.honest.iter().filter(outside).map(ToString::to_string).collect()
        });
    }

    pub(crate) fn await_operations(&mut self) {
        self.run_while(Wrong::Operation, "operations that have not ended", |world| {
            world.operations.in_progress()
        });
    }

    fn put_all(&mut self, count: usize, bytes: usize, over: Duration) {
        self.spread(count, over, |world, _| {
            let peer = world.any_honest();
            world.put(peer, bytes);
        });
        self.await_operations();
    }

    fn get_random(&mut self, count: usize, over: Duration, expect: Expect) {
        let keys: Vec<Id> = self.oracle.stored_values().iter().map(|value| value.key).collect();
        if keys.is_empty() {
            return self.violate(Wrong::Operation, "there is nothing to get".to_owned());
        }
        self.spread(count, over, |world, _| {
            let key = keys[world.rng.below(keys.len() as u64) as usize];
            let peer = world.any_honest();
            world.get(peer, key, expect);
        });
        self.await_operations();
    }

    fn get_each(&mut self, over: Duration, expect: Expect) {
        let values = self.oracle.stored_values();
        self.spread(values.len(), over, |world, index| {
            let peer = world.any_honest();
            world.get(peer, values[index].key, expect);
        });
        self.await_operations();
    }

    fn get_each_and_crash(&mut self, share: Ratio, later: Duration) {
        for value in self.oracle.stored_values() {
            let peer = self.any_honest();
            self.get(peer, value.key, Expect::Found);
        }
        self.run_for(later);
        self.crash_share(share);
        self.await_operations();
    }

    pub(crate) fn draw_share(&mut self, share: Ratio) -> Vec<PeerIndex> {
        let mut honest = self.honest.clone();
        honest.retain(|peer| *peer != WELL_KNOWN);
        let count = share.of(honest.len());
        for index in 0..count {
            let other = index as u64 + self.rng.below((honest.len() - index) as u64);
            honest.swap(index, other as usize);
        }
        honest.truncate(count);
        honest
    }

    fn crash_share(&mut self, share: Ratio) {
        self.check_kept();
        for peer in self.draw_share(share) {
            self.crash(peer);
        }
        self.write_off_lost_values();
    }

    fn crash_origins(&mut self) {
        self.check_kept();
        for value in self.oracle.stored_values() {
            let (peer, life) = value.origin;
            let slot = &self.peers[peer.as_usize()];
            if slot.node().is_some() && slot.lives == life {
                self.crash(peer);
            }
        }
        self.write_off_lost_values();
    }

    /// The oracle is not told: it goes on to owe their values.
    fn crash_holders(&mut self) {
        for peer in self.honest.clone() {
            let node = self.peers[peer.as_usize()].node();
            if node.is_some_and(|node| node.stats().values + node.stats().values_published > 0) {
                self.crash(peer);
            }
        }
    }

    fn restart_share(&mut self, share: Ratio, identity: Identity) {
        self.check_kept();
        let chosen = self.draw_share(share);
        for peer in &chosen {
            self.crash(*peer);
        }
        self.write_off_lost_values();
        for peer in chosen {
            match identity {
                Identity::Kept => self.start(peer),
                Identity::Fresh => self.start_renamed(peer),
            }
        }
        self.await_joins();
    }

    fn forget_each(&mut self) {
        for value in self.oracle.stored_values() {
            let (peer, life) = value.origin;
            if self.peers[peer.as_usize()].lives == life {
                let operation = OperationId(u64::MAX);
                self.command(peer, Command::Forget { operation, key: value.key });
            }
        }
    }

    pub(crate) fn churn(&mut self, count: usize, over: Duration) {
        self.spread(count, over, |world, _| {
            world.check_kept();
            if let Some(peer) = world.any_mortal() {
                world.crash(peer);
            }
            world.write_off_lost_values();
            world.join();
        });
        self.await_joins();
    }

    fn check(&mut self, check: Check) {
        let k = self.config(Id::new([0; 20]), [0; 32]).k;
        match check {
            Check::Placed { least } => self.check_placement(k, least),
            Check::PlacedButFarthest => self.check_placement_but_farthest(k),
            Check::Acquainted { least } => self.check_acquainted(least),
            Check::ClosestIsExact { targets } => self.check_closest(k, targets),
            Check::Neighbours { least } => {
                let (known, all) = self.neighbours_known(k);
                if known < least.of(all) {
                    let what = format!("nodes know {known} of {all} nearest neighbours");
                    self.violate(Wrong::NoNeighbours, what);
                }
            }
            Check::Lost { most } => {
                let lost = self.oracle.count(State::Lost);
                if lost > most {
                    let what = format!("{lost} values lost every holder; at most {most} may");
                    self.violate(Wrong::Lost, what);
                }
            }
            Check::StoresFull => self.check_stores_full(),
            Check::NothingHeld => self.check_nothing_held(),
            Check::NothingPulled => self.check_nothing_pulled(),
            Check::Hops { k } => self.check_hops(k),
            Check::GetsTake { most } => self.check_gets_take(most),
            Check::PutsTake { most } => self.check_puts_take(most),
            Check::Quiet { period, datagrams_max } => self.check_quiet(period, datagrams_max),
            Check::Noticed(malice) => self.check_noticed(malice),
            Check::Overflowed => self.check_overflowed(),
        }
    }
}

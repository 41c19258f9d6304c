//! The scenarios, each with what it proves.

mod attacked;
mod churning;
mod healthy;
mod large;
mod lasting;
mod leaving;
mod lossy;
mod restarting;
mod seeing;
mod sharded;
mod upkeep;

use std::time::Duration;

use crate::faults::Faults;
use crate::operations::Expect;
use crate::scenario::{ALL, Check, Scenario, Step, Verdict};
use crate::shards::Layout;

pub(crate) use upkeep::on_demand;

/// Datagrams that a scenario may send in all: twice what the largest of hundreds that
/// swarms drew takes, 2.5 million.
pub(crate) const DATAGRAMS_MAX: u64 = 5_000_000;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

pub(crate) fn scenario(
    name: &str,
    proves: &'static str,
    faults: Faults,
    script: Vec<Step>,
) -> Scenario {
    Scenario {
        name: name.to_owned(),
        proves,
        drawn: String::new(),
        configure: |_| {},
        layout: Layout::ONE,
        faults,
        script,
        datagrams_max: DATAGRAMS_MAX,
        verdict: Verdict::Holds,
    }
}

/// `count` nodes that have joined and come to rest.
fn network(count: usize) -> [Step; 2] {
    [Step::Join { count, over: seconds(count as u64 / 10 + 1) }, Step::Run(minutes(2))]
}

fn values(count: usize) -> Step {
    Step::Put { count, bytes: 100, over: seconds(30) }
}

fn each_is_found() -> Step {
    Step::GetEach { over: seconds(60), expect: Expect::Found }
}

fn placed_on_all() -> Step {
    Step::Check(Check::Placed { least: ALL })
}

fn told(parts: impl IntoIterator<Item = Vec<Step>>) -> Vec<Step> {
    parts.into_iter().flatten().collect()
}

/// Every scenario but the figures and the swarm.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = healthy::healthy();
    all.extend(lossy::lossy());
    all.extend(churning::churning());
    all.extend(leaving::leaving());
    all.extend(lasting::lasting());
    all.extend(attacked::attacked());
    all.push(attacked::flooded());
    all.push(attacked::forged());
    all.push(attacked::erased());
    all.push(attacked::surrounded());
    all.push(attacked::surrounded_by_subnet());
    all.extend(restarting::restarting());
    all.extend(sharded::sharded());
    all.extend(large::large());
    all.extend(seeing::seeing());
    all.push(upkeep::upkeep());
    all
}

//! Scenarios that measure what the upkeep of values costs.

use super::{each_is_found, minutes, network, placed_on_all, scenario, told};
use crate::faults::Faults;
use crate::ratio::Ratio;
use crate::scenario::{Check, Going, Scenario, Step};
use crate::upkeep::Measure;

/// The one of every run.
pub(super) fn upkeep() -> Scenario {
    steady("upkeep", 100, 20, 8)
}

/// Those that are run by their names alone: they take minutes.
pub(crate) fn on_demand() -> Vec<Scenario> {
    vec![
        steady("upkeep-of-1000-nodes", 1000, 100, 9),
        steady("upkeep-of-200-nodes", 200, 50, 7),
        of_one_origin("upkeep-of-one-origin", 300, 100_000),
        of_one_origin("upkeep-of-one-small-origin", 100, 5000),
        churned("upkeep-in-churn", 300, 10),
        churned("upkeep-in-small-churn", 100, 40),
        departed("hand-off", 200, 50),
    ]
}

fn measure(measure: Measure, hours: u32) -> Step {
    Step::Measure { measure, period: minutes(60) * hours, churn: 0 }
}

/// Each node has put `values`, and all stay.
fn steady(name: &str, nodes: usize, values: usize, datagrams_max: u64) -> Scenario {
    let count = nodes * values;
    let over = minutes(1 + count as u64 / 2000);
    Scenario {
        datagrams_max: 1_000_000_000,
        ..scenario(
            name,
            "values are renewed where they are held: few datagrams, and none of them lookups",
            Faults::NONE,
            told([
                network(nodes).into(),
                vec![
                    // Until buckets are refreshed as often as they will be.
                    Step::Run(minutes(30)),
                    measure(Measure::Idle, 1),
                    Step::Put { count, bytes: 100, over },
                    Step::Run(minutes(65)),
                    measure(Measure::Values { datagrams_max }, 2),
                    placed_on_all(),
                ],
            ]),
        )
    }
}

/// One node has put them all.
fn of_one_origin(name: &str, nodes: usize, count: usize) -> Scenario {
    Scenario {
        datagrams_max: 1_000_000_000,
        ..scenario(
            name,
            "the values of one node are all renewed within their period",
            Faults::NONE,
            told([
                network(nodes).into(),
                vec![
                    // Until buckets are refreshed as often as they will be.
                    Step::Run(minutes(30)),
                    measure(Measure::Idle, 1),
                    Step::PutAtOne { count, bytes: 100, over: minutes(1 + count as u64 / 2000) },
                    Step::Run(minutes(65)),
                    measure(Measure::Values { datagrams_max: 12 }, 2),
                ],
            ]),
        )
    }
}

/// A twentieth of the nodes departs, one after another.
fn departed(name: &str, nodes: usize, values: usize) -> Scenario {
    let count = nodes * values;
    Scenario {
        datagrams_max: 1_000_000_000,
        ..scenario(
            name,
            "what a node holds is handed off by few datagrams, and left on the K closest",
            Faults::NONE,
            told([
                network(nodes).into(),
                vec![
                    Step::Put { count, bytes: 100, over: minutes(1 + count as u64 / 2000) },
                    Step::Run(minutes(6)),
                    Step::Shrink {
                        share: Ratio::percent(5),
                        over: minutes(5),
                        going: Going::Politely,
                    },
                    // The last of the K closest are missed now and then, until their neighbours
                    // renew.
                    Step::Check(Check::Placed { least: 18 }),
                    Step::Run(minutes(65)),
                    placed_on_all(),
                ],
            ]),
        )
    }
}

/// A fifth of the nodes is replaced each hour, for a day.
fn churned(name: &str, nodes: usize, values: usize) -> Scenario {
    let (hours, count) = (24, nodes * values);
    Scenario {
        datagrams_max: 1_000_000_000,
        // Longer than the run: an origin that has crashed renews nothing.
        configure: |config| config.expire = minutes(60) * 30,
        ..scenario(
            name,
            "a fifth of the nodes crashes each hour of a day, and no value is lost",
            Faults::NONE,
            told([
                network(nodes).into(),
                vec![
                    // Until the tables have as many dead contacts as they will have.
                    Step::Churn { count: nodes / 5 * 3, over: minutes(180) },
                    Step::Measure { measure: Measure::Idle, period: minutes(60), churn: nodes / 5 },
                    Step::Put { count, bytes: 100, over: minutes(1 + count as u64 / 2000) },
                    Step::Measure {
                        measure: Measure::Values { datagrams_max: u64::MAX },
                        period: minutes(60) * hours,
                        churn: nodes / 5 * hours as usize,
                    },
                    Step::Check(Check::Lost { most: 0 }),
                    each_is_found(),
                ],
            ]),
        )
    }
}

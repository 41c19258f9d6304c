//! Scenarios that must fail.

use kad_node::limits::K_DEFAULT;

use super::{each_is_found, minutes, network, placed_on_all, scenario, seconds, told, values};
use crate::faults::Faults;
use crate::malice::Malice;
use crate::operations::Expect;
use crate::ratio::Ratio;
use crate::scenario::{Check, Scenario, Step, Verdict};
use crate::shards::{Binding, Count, Layout, Rings};
use crate::violation::Wrong;
use crate::world::Configure;

/// Scenarios that must fail: they show that the checks see what they look for, and
/// take nothing else for it.
pub(super) fn seeing() -> Vec<Scenario> {
    [of_values(), vec![of_transfers()], of_networks(), of_costs()].into_iter().flatten().collect()
}

fn blind(name: &str, wrong: Wrong, script: Vec<Step>) -> Scenario {
    Scenario {
        verdict: Verdict::Violated(wrong),
        ..scenario(name, "the checks see it when this goes wrong", Faults::NONE, script)
    }
}

fn of_values() -> Vec<Scenario> {
    vec![
        blind(
            "seen-missing-values",
            Wrong::NotFound,
            told([network(200).into(), vec![values(3), Step::CrashHolders, each_is_found()]]),
        ),
        blind(
            "seen-lost-values",
            Wrong::Lost,
            told([
                network(100).into(),
                vec![
                    values(30),
                    Step::Crash { share: Ratio::percent(95) },
                    Step::Check(Check::Lost { most: 0 }),
                ],
            ]),
        ),
        configured(
            // Nothing renews a value whose life is shorter than the republish period.
            |config| config.expire = minutes(10),
            blind(
                "seen-dropped-values",
                Wrong::Dropped,
                told([
                    network(30).into(),
                    vec![
                        values(30),
                        Step::ForgetEach,
                        Step::Run(minutes(20)),
                        Step::Crash { share: Ratio::percent(10) },
                    ],
                ]),
            ),
        ),
        misplaced("seen-misplaced-values", placed_on_all()),
        misplaced("seen-misplaced-values-but-farthest", Step::Check(Check::PlacedButFarthest)),
        blind(
            "seen-undue-value",
            Wrong::Undue,
            told([
                network(30).into(),
                vec![values(30), Step::GetEach { over: seconds(1), expect: Expect::Missing }],
            ]),
        ),
        blind(
            "seen-held-values",
            Wrong::StillHeld,
            told([network(30).into(), vec![values(30), Step::Check(Check::NothingHeld)]]),
        ),
        blind(
            "seen-room-in-stores",
            Wrong::StoreNotFull,
            told([network(30).into(), vec![values(30), Step::Check(Check::StoresFull)]]),
        ),
    ]
}

fn of_transfers() -> Scenario {
    let malice = Malice::HalfOpen { offers_max: 15_000 };
    blind(
        "seen-half-open-pulls",
        Wrong::StillPulled,
        told([
            network(30).into(),
            vec![
                Step::Attack { count: 4, malice },
                Step::Run(seconds(30)),
                Step::Check(Check::NothingPulled),
            ],
        ]),
    )
}

fn of_networks() -> Vec<Scenario> {
    let apart = |check| {
        told([
            network(30).into(),
            vec![
                Step::Divide { parts: 2 },
                Step::Join { count: 60, over: seconds(10) },
                Step::Run(minutes(2)),
                Step::Check(check),
            ],
        ])
    };
    vec![
        blind(
            "seen-failed-join",
            Wrong::NotJoined,
            told([vec![
                Step::Faults(Faults::loss(100)),
                Step::Join { count: 2, over: seconds(1) },
            ]]),
        ),
        blind(
            "seen-unknown-neighbours",
            Wrong::NoNeighbours,
            apart(Check::Neighbours { least: Ratio::percent(99) }),
        ),
        blind(
            "seen-unacquainted",
            Wrong::Unacquainted,
            // Those whose every address to join by is beyond the divide know no node.
            apart(Check::Acquainted { least: K_DEFAULT as u64 - 1 }),
        ),
        Scenario {
            layout: Layout {
                shards: Count::Fixed(4),
                rings: Rings { binding: Binding::Lost, ..Rings::QUICK },
            },
            ..blind(
                "seen-lost-routing-changes",
                Wrong::NotClosest,
                told([
                    network(30).into(),
                    vec![Step::Check(Check::ClosestIsExact { targets: 10 })],
                ]),
            )
        },
        blind(
            "seen-untold-lies",
            Wrong::Lies,
            told([network(30).into(), vec![Step::Check(Check::Noticed(Malice::WrongValues))]]),
        ),
        blind(
            "seen-wide-links",
            Wrong::Overflow,
            told([network(30).into(), vec![Step::Check(Check::Overflowed)]]),
        ),
    ]
}

fn of_costs() -> Vec<Scenario> {
    vec![
        configured(
            // With two contacts in a bucket a hop halves the distance and no more.
            |config| (config.k, config.alpha) = (2, 1),
            blind(
                "seen-long-ways",
                Wrong::Hops,
                told([
                    network(300).into(),
                    vec![values(100), Step::Check(Check::Hops { k: K_DEFAULT })],
                ]),
            ),
        ),
        blind(
            "seen-uncounted-hops",
            Wrong::Hops,
            told([network(30).into(), vec![Step::Check(Check::Hops { k: K_DEFAULT })]]),
        ),
        configured(
            |config| config.republish = minutes(1),
            blind(
                "seen-noise",
                Wrong::NotQuiet,
                told([
                    network(20).into(),
                    vec![
                        values(100),
                        Step::Check(Check::Quiet { period: minutes(10), datagrams_max: 1000 }),
                    ],
                ]),
            ),
        ),
        blind(
            "seen-slowness",
            Wrong::Slow,
            told([
                network(60).into(),
                vec![
                    values(10),
                    each_is_found(),
                    Step::Check(Check::GetsTake { most: seconds(0) }),
                ],
            ]),
        ),
        blind(
            "seen-haste",
            Wrong::Limit,
            // At each of three nodes 900 a second, each with a lookup and two STOREs.
            told([
                network(3).into(),
                vec![Step::Put { count: 2700, bytes: 100, over: seconds(1) }],
            ]),
        ),
        Scenario {
            datagrams_max: 1000,
            ..blind("seen-overspending", Wrong::Budget, network(30).into())
        },
    ]
}

/// Nodes join, and have had no time to be handed what they are to hold.
fn misplaced(name: &str, check: Step) -> Scenario {
    let join = Step::Join { count: 30, over: seconds(10) };
    blind(name, Wrong::Misplaced, told([network(30).into(), vec![values(30), join, check]]))
}

fn configured(configure: Configure, scenario: Scenario) -> Scenario {
    Scenario { configure, ..scenario }
}

//! Scenarios that must fail.

use super::{each_is_found, network, scenario, seconds, told, values};
use crate::faults::Faults;
use crate::operations::Expect;
use crate::scenario::{Check, Scenario, Step, Verdict};
use crate::shards::{Binding, Count, Layout, Rings};

/// Scenarios that must fail: they show that the checks see what they look for.
pub(super) fn seeing() -> Vec<Scenario> {
    let blind = |name, script| Scenario {
        verdict: Verdict::Violated,
        ..scenario(name, "the checks see it when this goes wrong", Faults::NONE, script)
    };
    vec![
        blind(
            "seen-lost-values",
            told([network(200).into(), vec![values(3), Step::CrashHolders, each_is_found()]]),
        ),
        blind(
            "seen-misplaced-values",
            told([
                network(30).into(),
                vec![
                    values(30),
                    Step::Join { count: 30, over: seconds(10) },
                    Step::Check(Check::PlacedOnAll),
                ],
            ]),
        ),
        blind(
            "seen-undue-value",
            told([
                network(30).into(),
                vec![values(30), Step::GetEach { over: seconds(1), expect: Expect::Missing }],
            ]),
        ),
        blind(
            "seen-failed-join",
            told([vec![
                Step::Faults(Faults::loss(100)),
                Step::Join { count: 2, over: seconds(1) },
            ]]),
        ),
        Scenario {
            layout: Layout {
                shards: Count::Fixed(4),
                rings: Rings { binding: Binding::Lost, ..Rings::QUICK },
            },
            ..blind(
                "seen-lost-routing-changes",
                told([
                    network(30).into(),
                    vec![Step::Check(Check::ClosestIsExact { targets: 10 })],
                ]),
            )
        },
    ]
}

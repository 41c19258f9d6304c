//! Scenarios of nodes of several shards.

use std::time::Duration;

use kad_node::limits::K_DEFAULT;

use super::{each_is_found, minutes, network, placed_on_all, scenario, told, values};
use crate::faults::Faults;
use crate::ratio::Ratio;
use crate::scenario::{Check, Identity, Scenario, Step};
use crate::shards::{Binding, Count, Layout, Rings};

/// A kernel that knows nothing of shards, slow handoffs, and rings that are full
/// as soon as a few messages wait.
const HARSH: Rings = Rings {
    missteered: Ratio::percent(100),
    delay_max: Duration::from_millis(10),
    stuck: Ratio::percent(2),
    capacity: 4,
    binding: Binding::Kept,
};

pub(super) fn sharded() -> Vec<Scenario> {
    let with = |layout, scenario: Scenario| Scenario { layout, ..scenario };
    vec![
        with(
            Layout::fixed(4),
            scenario(
                "shards-place-exactly",
                "nodes of four shards store and find as nodes of one do",
                Faults::NONE,
                told([
                    network(150).into(),
                    vec![
                        values(150),
                        placed_on_all(),
                        Step::Check(Check::ClosestIsExact { targets: 500 }),
                        Step::Check(Check::Neighbours { least: Ratio::percent(99) }),
                        each_is_found(),
                        Step::Check(Check::Hops { k: K_DEFAULT }),
                    ],
                ]),
            ),
        ),
        with(
            Layout { shards: Count::Drawn, rings: HARSH },
            scenario(
                "shards-that-stick",
                "with rings that overflow, what is dropped costs time but no value and no contact",
                Faults::loss(10),
                told([
                    network(60).into(),
                    vec![
                        values(60),
                        each_is_found(),
                        Step::Restart { share: Ratio::percent(40), identity: Identity::Fresh },
                        Step::Faults(Faults::NONE),
                        Step::Run(minutes(75)),
                        Step::Check(Check::Lost { most: 0 }),
                        placed_on_all(),
                        Step::Check(Check::ClosestIsExact { targets: 500 }),
                        each_is_found(),
                    ],
                ]),
            ),
        ),
    ]
}

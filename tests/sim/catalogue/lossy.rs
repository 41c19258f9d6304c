//! Scenarios of bad networks: loss, duplicates, damage, slow and one-way links,
//! partitions.

use super::{each_is_found, minutes, network, placed_on_all, scenario, seconds, told, values};
use crate::faults::{Delay, Faults};
use crate::operations::Expect;
use crate::ratio::Ratio;
use crate::scenario::{Check, Scenario, Step};

pub(super) fn lossy() -> Vec<Scenario> {
    vec![
        half_of_all_is_lost(),
        everything_arrives_twice(),
        congested(),
        links_grow_slow(),
        one_way_links(),
        narrow_links(),
        partition_heals(),
    ]
}

fn half_of_all_is_lost() -> Scenario {
    scenario(
        "half-of-all-is-lost",
        "at 50 % loss on each leg every value is found",
        Faults::loss(50),
        told([
            network(100).into(),
            // Four sends reach a node in 68 % of the cases.
            vec![values(100), Step::Check(Check::Placed { least: 5 }), each_is_found()],
        ]),
    )
}

fn everything_arrives_twice() -> Scenario {
    scenario(
        "everything-arrives-twice",
        "duplicates and damage do no harm",
        Faults { duplicate: Ratio::percent(50), corrupt: Ratio::percent(5), ..Faults::loss(5) },
        told([network(100).into(), vec![values(100), each_is_found()]]),
    )
}

fn congested() -> Scenario {
    scenario(
        "congested",
        "round trips beyond the first time-out, and reordering, do no harm",
        Faults { delay: Delay::CONGESTED, ..Faults::loss(5) },
        told([network(100).into(), vec![values(100), each_is_found()]]),
    )
}

fn links_grow_slow() -> Scenario {
    scenario(
        "links-grow-slow",
        "round trips that grow a thousandfold are learned anew",
        Faults { delay: Delay::LOCAL, ..Faults::NONE },
        told([
            network(60).into(),
            vec![
                values(60),
                Step::Faults(Faults { delay: Delay::CONGESTED, ..Faults::NONE }),
                // Long enough for every bucket's refresh.
                Step::Run(minutes(20)),
                values(60),
                placed_on_all(),
                each_is_found(),
            ],
        ]),
    )
}

fn narrow_links() -> Scenario {
    scenario(
        "narrow-links",
        "bursts that find no room for a third of the datagrams do no harm",
        Faults { in_flight_max: 50, ..Faults::NONE },
        told([
            network(100).into(),
            vec![values(100), Step::Check(Check::Overflowed), each_is_found()],
        ]),
    )
}

fn one_way_links() -> Scenario {
    scenario(
        "one-way-links",
        "pairs that hear each other in one direction only do no harm",
        Faults {
            one_way: Ratio::percent(5),
            weak_uplinks: Ratio::percent(10),
            weak_loss: Ratio::percent(50),
            ..Faults::loss(5)
        },
        told([network(100).into(), vec![values(100), each_is_found()]]),
    )
}

fn partition_heals() -> Scenario {
    scenario(
        "partition-heals",
        "two halves that were apart for half an hour find each other's values",
        Faults::loss(5),
        told([
            network(100).into(),
            vec![
                values(50),
                Step::Divide { parts: 2 },
                Step::Run(minutes(15)),
                values(50),
                Step::GetEach { over: seconds(60), expect: Expect::Anything },
                Step::Run(minutes(15)),
                Step::Divide { parts: 1 },
                Step::Run(minutes(75)),
                each_is_found(),
                Step::Faults(Faults::NONE),
                Step::Run(minutes(75)),
                placed_on_all(),
                each_is_found(),
            ],
        ]),
    )
}

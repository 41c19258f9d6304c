//! Scenarios of bad networks: loss, duplicates, damage, slow and one-way links,
//! partitions.

use super::{each_is_found, minutes, network, scenario, seconds, told, values};
use crate::faults::{Delay, Faults};
use crate::operations::Expect;
use crate::ratio::Ratio;
use crate::scenario::{Check, Scenario, Step};

pub(super) fn lossy() -> Vec<Scenario> {
    vec![
        scenario(
            "half-of-all-is-lost",
            "at 50 % loss on each leg every value is found",
            Faults::loss(50),
            told([
                network(100).into(),
                // Four sends reach a node in 68 % of the cases.
                vec![values(100), Step::Check(Check::Placed { least: 5 }), each_is_found()],
            ]),
        ),
        scenario(
            "everything-arrives-twice",
            "duplicates and damage do no harm",
            Faults { duplicate: Ratio::percent(50), corrupt: Ratio::percent(5), ..Faults::loss(5) },
            told([network(100).into(), vec![values(100), each_is_found()]]),
        ),
        scenario(
            "congested",
            "round trips beyond the first time-out, and reordering, do no harm",
            Faults { delay: Delay::CONGESTED, ..Faults::loss(5) },
            told([network(100).into(), vec![values(100), each_is_found()]]),
        ),
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
                    each_is_found(),
                    // The first request to a contact that nobody asked meanwhile is
                    // given up too soon, so some of these puts went to a node beyond
                    // the K closest. Republishing mends it.
                    Step::Run(minutes(75)),
                    Step::Check(Check::PlacedOnAll),
                    each_is_found(),
                ],
            ]),
        ),
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
        ),
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
                    Step::Check(Check::PlacedOnAll),
                    each_is_found(),
                ],
            ]),
        ),
    ]
}

//! Scenarios without faults: what the protocol promises, to the letter.

use kad_node::limits::K_DEFAULT;

use super::{each_is_found, network, placed_on_all, scenario, seconds, told, values};
use crate::faults::Faults;
use crate::ratio::Ratio;
use crate::scenario::{Check, Scenario, Step};

pub(super) fn healthy() -> Vec<Scenario> {
    vec![
        scenario(
            "two-nodes",
            "a network of two stores and finds",
            Faults::NONE,
            told([network(2).into(), vec![values(10), each_is_found()]]),
        ),
        scenario(
            "lone-node",
            "a network of one stores and finds",
            Faults::NONE,
            told([network(1).into(), vec![values(10), each_is_found()]]),
        ),
        scenario(
            "placement-is-exact",
            "without faults a put reaches exactly the K closest nodes of a brute-force sort",
            Faults::NONE,
            told([
                network(300).into(),
                vec![
                    values(300),
                    placed_on_all(),
                    Step::Check(Check::ClosestIsExact { targets: 1000 }),
                    Step::Check(Check::Neighbours { least: Ratio::percent(99) }),
                    each_is_found(),
                    Step::Check(Check::Hops { k: K_DEFAULT }),
                ],
            ]),
        ),
        scenario(
            "late-joiners-find",
            "nodes that join after the puts find every value",
            Faults::NONE,
            told([
                network(20).into(),
                vec![values(50), Step::Join { count: 80, over: seconds(20) }, each_is_found()],
            ]),
        ),
    ]
}

//! Scenarios of networks that shrink.

use super::{each_is_found, minutes, network, scenario, seconds, told, values};
use crate::faults::Faults;
use crate::ratio::Ratio;
use crate::scenario::{Check, Going, Scenario, Step, Verdict};
use crate::shards::{Count, Layout, Rings};
use crate::violation::Wrong;

/// A network of which a fifth stays.
fn shrunk(over: std::time::Duration, going: Going) -> Vec<Step> {
    told([
        network(100).into(),
        vec![
            values(100),
            Step::Shrink { share: Ratio::percent(80), over, going },
            Step::Check(Check::Lost { most: 0 }),
        ],
    ])
}

/// The same, after which every value is found.
fn shrunk_and_whole(over: std::time::Duration) -> Vec<Step> {
    told([shrunk(over, Going::Politely), vec![each_is_found()]])
}

/// So few holders that four in five of the nodes are all that many a value has.
fn with_few_holders(scenario: Scenario) -> Scenario {
    Scenario { configure: |config| config.k = 8, ..scenario }
}

pub(super) fn leaving() -> Vec<Scenario> {
    vec![
        with_few_holders(scenario(
            "shrinks-politely",
            "four nodes in five leave within half an hour, before anything is replicated",
            Faults::loss(5),
            shrunk_and_whole(minutes(30)),
        )),
        with_few_holders(Scenario {
            verdict: Verdict::Violated(Wrong::Lost),
            ..scenario(
                "seen-shrunk-by-crashes",
                "the checks see it where they crash instead",
                Faults::loss(5),
                shrunk(minutes(30), Going::Crashing),
            )
        }),
        scenario(
            "most-leave-at-once",
            "four nodes in five leave within a second, and hand off to those that stay",
            Faults::loss(5),
            shrunk_and_whole(seconds(1)),
        ),
        Scenario {
            layout: Layout { shards: Count::Drawn, rings: Rings::QUICK },
            ..scenario(
                "shards-leave",
                "nodes of several shards leave at once as nodes of one do",
                Faults::loss(10),
                shrunk_and_whole(seconds(1)),
            )
        },
    ]
}

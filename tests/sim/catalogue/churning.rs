//! Scenarios of nodes that come and go.

use super::{each_is_found, minutes, network, placed_on_all, scenario, told, values};
use crate::faults::Faults;
use crate::ratio::Ratio;
use crate::scenario::{Check, Identity, Scenario, Step};

pub(super) fn churning() -> Vec<Scenario> {
    vec![
        a_fifth_crashes(),
        replication_alone(),
        restarted_empty(),
        restarted_under_other_names(),
        churn_for_hours(),
    ]
}

fn a_fifth_crashes() -> Scenario {
    scenario(
        "a-fifth-crashes",
        "20 % of the nodes crash at once, and every value is found at once",
        Faults::loss(10),
        told([
            network(200).into(),
            vec![
                values(200),
                Step::Crash { share: Ratio::percent(20) },
                Step::Check(Check::Lost { most: 0 }),
                each_is_found(),
            ],
        ]),
    )
}

fn replication_alone() -> Scenario {
    scenario(
        "replication-alone",
        "with the origins gone, the holders keep the values alive and in their places",
        Faults::loss(5),
        told([
            network(100).into(),
            vec![
                values(30),
                Step::CrashOrigins,
                Step::Run(minutes(75)),
                Step::Crash { share: Ratio::percent(30) },
                Step::Run(minutes(75)),
                Step::Crash { share: Ratio::percent(30) },
                Step::Faults(Faults::NONE),
                Step::Run(minutes(75)),
                Step::Check(Check::Lost { most: 0 }),
                placed_on_all(),
                each_is_found(),
            ],
        ]),
    )
}

fn restarted_empty() -> Scenario {
    scenario(
        "restarted-empty",
        "half of the nodes restart with empty stores, and values come back to their places",
        Faults::loss(5),
        told([
            network(100).into(),
            vec![
                values(100),
                Step::Restart { share: Ratio::percent(50), identity: Identity::Kept },
                each_is_found(),
                Step::Faults(Faults::NONE),
                Step::Run(minutes(75)),
                Step::Check(Check::Lost { most: 0 }),
                placed_on_all(),
            ],
        ]),
    )
}

fn restarted_under_other_names() -> Scenario {
    scenario(
        "restarted-under-other-names",
        "half of the nodes restart under other ids at their old addresses",
        Faults::loss(5),
        told([
            network(100).into(),
            vec![
                values(100),
                Step::Restart { share: Ratio::percent(50), identity: Identity::Fresh },
                each_is_found(),
                Step::Faults(Faults::NONE),
                Step::Run(minutes(75)),
                Step::Check(Check::Lost { most: 0 }),
                Step::Check(Check::PlacedButFarthest),
                Step::Check(Check::Neighbours { least: Ratio::percent(99) }),
            ],
        ]),
    )
}

fn churn_for_hours() -> Scenario {
    scenario(
        "churn-for-hours",
        "the network replaces itself three times over in six hours and keeps every value",
        Faults::loss(5),
        told([
            network(80).into(),
            vec![
                values(50),
                Step::Churn { count: 240, over: minutes(360) },
                Step::Check(Check::Lost { most: 0 }),
                each_is_found(),
                Step::Faults(Faults::NONE),
                Step::Run(minutes(75)),
                placed_on_all(),
                each_is_found(),
            ],
        ]),
    )
}

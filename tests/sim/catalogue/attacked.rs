//! Scenarios with peers that lie and flood.

use kad_node::limits::K_DEFAULT;

use super::{each_is_found, minutes, network, scenario, seconds, told, values};
use crate::attacker::Malice;
use crate::faults::Faults;
use crate::scenario::{Check, Scenario, Step};

pub(super) fn attacked() -> Vec<Scenario> {
    [
        ("attackers-garbage", Malice::Garbage),
        ("attackers-wrong-values", Malice::WrongValues),
        ("attackers-made-up-contacts", Malice::MadeUpContacts),
        ("attackers-misnamed-contacts", Malice::MisnamedContacts),
        ("attackers-false-names", Malice::FalseNames),
        ("attackers-many-names", Malice::ManyNames),
        ("attackers-everything", Malice::Everything),
    ]
    .into_iter()
    .map(|(name, malice)| {
        // Who is closest changes with the names of those who change theirs: some
        // of the K were further away when the value was put.
        let least = if malice == Malice::ManyNames { K_DEFAULT / 2 } else { K_DEFAULT };
        let placed = Step::Check(Check::Placed { least });
        scenario(
            name,
            "one peer in five lies, which costs time but no result",
            Faults::NONE,
            told([
                vec![Step::Join { count: 120, over: seconds(20) }],
                vec![Step::Attack { count: 60, malice }],
                vec![Step::Join { count: 120, over: seconds(20) }, Step::Run(minutes(5))],
                vec![values(100), placed.clone(), each_is_found()],
                vec![Step::Join { count: 60, over: seconds(20) }, Step::Run(minutes(75))],
                vec![placed, each_is_found()],
            ]),
        )
    })
    .collect()
}

/// Stores so small that a flood fills them.
pub(super) fn flooded() -> Scenario {
    Scenario {
        configure: |config| config.store_values_max = 200,
        ..scenario(
            "stores-flooded",
            "flooders fill every store, and push out nobody's values but their own",
            Faults::NONE,
            told([
                network(60).into(),
                vec![
                    values(60),
                    Step::Attack { count: 6, malice: Malice::Flood },
                    Step::Run(minutes(20)),
                    Step::Check(Check::StoresFull),
                    each_is_found(),
                    Step::CrashOrigins,
                    Step::Check(Check::Lost { most: 0 }),
                    each_is_found(),
                ],
            ]),
        )
    }
}

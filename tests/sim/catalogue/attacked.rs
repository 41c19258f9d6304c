//! Scenarios with peers that lie and flood.

use kad_node::limits::K_DEFAULT;

use super::{each_is_found, minutes, network, placed_on_all, scenario, seconds, told, values};
use crate::faults::Faults;
use crate::malice::Malice;
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
        // Of those that change their names no oracle can say which was closest when a
        // value was stored anew, so it is asked again an hour after they are gone.
        let relief = match malice {
            Malice::ManyNames => vec![Step::Relieve, Step::Run(minutes(75))],
            _ => Vec::new(),
        };
        scenario(
            name,
            "one peer in five lies, which costs time but no result",
            Faults::NONE,
            told([
                vec![Step::Join { count: 120, over: seconds(20) }],
                vec![Step::Attack { count: 60, malice }],
                vec![Step::Join { count: 120, over: seconds(20) }, Step::Run(minutes(5))],
                vec![values(100), placed_on_all(), each_is_found()],
                vec![Step::Join { count: 60, over: seconds(20) }, Step::Run(minutes(75))],
                // Enough of them that each lie is told.
                vec![each_is_found(), each_is_found(), each_is_found()],
                vec![Step::Check(Check::Noticed(malice))],
                relief,
                vec![placed_on_all(), each_is_found()],
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
            "flooders fill every store, and push out no values but their own",
            Faults::NONE,
            told([
                network(60).into(),
                vec![
                    values(60),
                    Step::Attack { count: 6, malice: Malice::Flood { values_max: u32::MAX } },
                    Step::Run(minutes(30)),
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

/// Around each key three times as many ids as hold a value, all of one host, before the value
/// is put; then the nodes that put them go.
pub(super) fn surrounded() -> Scenario {
    scenario(
        "keys-surrounded",
        "a host that takes any number of ids around a key does not own it",
        Faults::NONE,
        told([
            network(60).into(),
            vec![
                Step::PutSurrounded { values: 4, hosts: 1, ids: 4 * 3 * K_DEFAULT as u32 },
                each_is_found(),
            ],
            vec![Step::Join { count: 10, over: seconds(5) }, each_is_found()],
            vec![Step::CrashOrigins, Step::Check(Check::Lost { most: 0 }), each_is_found()],
        ]),
    )
}

/// So many hosts of one subnet that the ids that fit their addresses, eight of each, are far
/// more than those of all honest nodes: near each key too.
pub(super) fn surrounded_by_subnet() -> Scenario {
    scenario(
        "keys-surrounded-by-a-subnet",
        "a subnet does not own a key, however many of its ids fit their addresses",
        Faults::NONE,
        told([
            network(40).into(),
            vec![Step::PutSurrounded { values: 6, hosts: 254, ids: 3 }, each_is_found()],
            vec![Step::CrashOrigins, Step::Check(Check::Lost { most: 0 }), each_is_found()],
        ]),
    )
}

/// A network so small that every table has room for every node, and five hundred forged
/// requests a second for each node.
pub(super) fn forged() -> Scenario {
    scenario(
        "newcomers-among-forged-senders",
        "a flood of forged senders keeps no newcomer out of any table for 5 s",
        Faults::NONE,
        told([
            network(20).into(),
            vec![
                Step::Attack { count: 25, malice: Malice::ForgedSenders },
                Step::Run(seconds(2)),
                Step::Join { count: 10, over: seconds(1) },
                Step::Run(seconds(5)),
                Step::Check(Check::Acquainted { least: 29 }),
            ],
        ]),
    )
}

/// More attackers than holders at each key, and time enough for every holder's turn to
/// replicate.
pub(super) fn erased() -> Scenario {
    scenario(
        "values-erased",
        "attackers that only say that they store a value do not end what honest nodes hold",
        Faults::NONE,
        told([
            network(60).into(),
            vec![
                values(4),
                Step::Attack { count: 100, malice: Malice::Erasure },
                Step::Run(minutes(10)),
                Step::CrashOrigins,
                Step::Run(minutes(72)),
                Step::Relieve,
                each_is_found(),
            ],
        ]),
    )
}

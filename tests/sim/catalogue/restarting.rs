//! Nodes that come back with their disks.

use kad_node::node::Persistence;

use super::{each_is_found, minutes, network, placed_on_all, scenario, told, values};
use crate::disks::Disks;
use crate::faults::Faults;
use crate::ratio::Ratio;
use crate::scenario::{Check, Scenario, Step};
use crate::shards::{Count, Layout};

pub(super) fn restarting() -> Vec<Scenario> {
    vec![
        durable(scenario(
            "all-restart-with-their-disks",
            "a power cut of the whole network costs no acknowledged value, and little traffic",
            Faults::loss(5),
            told([
                network(60).into(),
                vec![
                    values(300),
                    Step::PowerCut { disks: Disks::ALL_KEPT },
                    Step::Run(minutes(2)),
                    each_is_found(),
                    // In the hour after, each node republishes its five values and replicates
                    // its part of the others, some 2000 datagrams; all at once is a storm.
                    Step::Check(Check::Quiet { period: minutes(60), datagrams_max: 5000 }),
                    each_is_found(),
                    placed_on_all(),
                ],
            ]),
        )),
        durable(Scenario {
            layout: Layout { shards: Count::Drawn, ..Layout::ONE },
            ..scenario(
                "power-fails-while-values-are-put",
                "what was acknowledged before a power cut is on the disk of each node that said so",
                Faults::loss(10),
                told([
                    network(40).into(),
                    vec![
                        Step::PutAndCutPower { rounds: 20, bytes: 100 },
                        Step::Run(minutes(2)),
                        each_is_found(),
                    ],
                ]),
            )
        }),
        durable(scenario(
            "some-disks-are-old-or-empty",
            "the other holders make up for disks that were lost or put back",
            Faults::loss(5),
            told([
                network(60).into(),
                vec![
                    values(50),
                    Step::BackUp,
                    values(50),
                    Step::PowerCut {
                        disks: Disks { empty: Ratio::percent(20), old: Ratio::percent(30) },
                    },
                    Step::Run(minutes(5)),
                    each_is_found(),
                    Step::Run(minutes(90)),
                    placed_on_all(),
                    each_is_found(),
                ],
            ]),
        )),
    ]
}

/// The same with nodes that keep their values on a disk.
fn durable(scenario: Scenario) -> Scenario {
    Scenario { configure: |config| config.persistence = Persistence::Journal, ..scenario }
}

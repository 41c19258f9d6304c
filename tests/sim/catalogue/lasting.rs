//! Scenarios of days: republishing, expiry, forgetting, and quiet.

use super::{each_is_found, minutes, network, placed_on_all, scenario, seconds, told, values};
use crate::faults::Faults;
use crate::operations::Expect;
use crate::scenario::{Check, Scenario, Step};

pub(super) fn lasting() -> Vec<Scenario> {
    let hour = minutes(60);
    vec![
        scenario(
            "two-days",
            "values outlive their expiry while their origins republish them, and end a day after",
            Faults::loss(5),
            told([
                network(40).into(),
                vec![
                    values(20),
                    Step::Run(24 * hour),
                    each_is_found(),
                    Step::Run(6 * hour),
                    placed_on_all(),
                    each_is_found(),
                    Step::CrashOrigins,
                    Step::Join { count: 10, over: seconds(10) },
                    Step::Run(12 * hour),
                    Step::GetEach { over: seconds(60), expect: Expect::Found },
                    Step::Run(14 * hour),
                    Step::GetEach { over: seconds(60), expect: Expect::Missing },
                    Step::Check(Check::NothingHeld),
                ],
            ]),
        ),
        Scenario {
            configure: |config| {
                config.expire = minutes(90);
                config.republish = minutes(20);
            },
            ..scenario(
                "forgotten-values-end",
                "values end when they are forgotten, and not before",
                Faults::loss(5),
                told([
                    network(60).into(),
                    vec![values(30), Step::Run(5 * hour), each_is_found()],
                    vec![Step::ForgetEach, Step::Run(hour), each_is_found()],
                    vec![
                        Step::Run(minutes(35)),
                        Step::GetEach { over: seconds(30), expect: Expect::Missing },
                        Step::Check(Check::NothingHeld),
                    ],
                ]),
            )
        },
        scenario(
            "quiet-network",
            "a network of which nothing is asked sends little",
            Faults::NONE,
            told([
                network(100).into(),
                vec![
                    Step::Run(minutes(30)),
                    // A refresh of each of some ten buckets four times an hour, a
                    // self lookup six times, each of some 30 requests, and as
                    // many answers: 3000; twice that is a storm.
                    Step::Check(Check::Quiet { period: hour, datagrams_max: 6000 }),
                ],
            ]),
        ),
    ]
}

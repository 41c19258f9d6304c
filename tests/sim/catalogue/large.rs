//! Scenarios of values larger than one datagram.

use std::time::Duration;

use kad_node::limits::{PIECE_BYTES_MAX, RANGE_PIECES_MAX, VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX};

use super::{each_is_found, minutes, network, scenario, seconds, told};
use crate::faults::{Delay, Faults};
use crate::malice::Malice;
use crate::ratio::Ratio;
use crate::scenario::{ALL, Check, Scenario, Step};
use crate::shards::Layout;
use crate::spoilers::{Spoilers, Spoiling};

const RANGE_BYTES: usize = RANGE_PIECES_MAX * PIECE_BYTES_MAX;
/// What is asked for at first: the window of RFC 6928 is of so many pieces.
const WINDOW_BYTES: usize = 12 * PIECE_BYTES_MAX;

/// Around one piece, the first window and one range.
const SIZES: [usize; 9] = [
    1,
    PIECE_BYTES_MAX,
    PIECE_BYTES_MAX + 1,
    WINDOW_BYTES - 1,
    WINDOW_BYTES,
    WINDOW_BYTES + 1,
    RANGE_BYTES - 1,
    RANGE_BYTES,
    RANGE_BYTES + 1,
];

pub(super) fn large() -> Vec<Scenario> {
    vec![
        lost_in_part(),
        the_largest(),
        of_several_shards(),
        spoilt("large-values-spoilt-at-the-end", Spoiling::LastPiece),
        spoilt("large-values-that-drip", Spoiling::Drip),
        over_jitter(),
        half_open(),
    ]
}

fn put(bytes: usize) -> Step {
    Step::Put { count: 3, bytes, over: seconds(1) }
}

fn lost_in_part() -> Scenario {
    let mut scenario = scenario(
        "large-values-are-lost-in-part",
        "at 35 % loss on each leg values of every size are put and found, though holders die",
        Faults { duplicate: Ratio::percent(5), ..Faults::loss(35) },
        told([
            network(40).into(),
            SIZES.into_iter().map(put).collect(),
            vec![
                put(VALUE_BYTES_DEFAULT),
                Step::Check(Check::Placed { least: 1 }),
                each_is_found(),
                Step::GetEachAndCrash {
                    share: Ratio::percent(10),
                    later: Duration::from_millis(300),
                },
                Step::Run(minutes(1)),
                each_is_found(),
            ],
        ]),
    );
    // With K = 5 a value may be left on one node, and that be late twice for some get.
    scenario.configure = |config| config.k = 8;
    scenario
}

fn the_largest() -> Scenario {
    let mut scenario = scenario(
        "the-largest-value",
        "a value of 16 MiB is put and found through loss and reordering",
        Faults { duplicate: Ratio::percent(5), ..Faults::loss(5) },
        told([
            network(10).into(),
            vec![
                Step::Put { count: 1, bytes: VALUE_BYTES_MAX, over: seconds(1) },
                Step::Check(Check::Placed { least: 1 }),
                each_is_found(),
                each_is_found(),
            ],
        ]),
    );
    scenario.configure = |config| {
        config.k = 3;
        config.value_bytes_max = VALUE_BYTES_MAX;
    };
    scenario
}

fn of_several_shards() -> Scenario {
    let mut scenario = scenario(
        "large-values-of-several-shards",
        "each shard pulls what it owns, though handoffs take time and rings fill up",
        Faults::loss(5),
        told([
            network(30).into(),
            SIZES.into_iter().map(put).collect(),
            vec![put(VALUE_BYTES_DEFAULT / 4), each_is_found()],
        ]),
    );
    scenario.configure = |config| config.k = 5;
    scenario.layout = Layout::fixed(4);
    scenario
}

/// Half of the holders spoil what they send, once the values are put.
fn spoilt(name: &str, how: Spoiling) -> Scenario {
    let spoilers = Spoilers { share: Ratio::percent(50), how };
    let mut scenario = scenario(
        name,
        "holders that lie in the last piece, or send one a second, cost a get no more than time",
        Faults::NONE,
        told([
            network(40).into(),
            SIZES.into_iter().map(put).collect(),
            vec![
                Step::Put { count: 10, bytes: VALUE_BYTES_DEFAULT, over: seconds(10) },
                Step::Faults(Faults { spoilers, ..Faults::NONE }),
                each_is_found(),
                // 12 s where they drip; 21 s without asking others for a slow part, 24 s without
                // looking for more holders.
                Step::Check(Check::GetsTake { most: seconds(16) }),
            ],
        ]),
    );
    scenario.configure = |config| config.k = 16;
    scenario
}

/// Half of the datagrams are up to 40 ms later than the others, a few much more.
fn over_jitter() -> Scenario {
    let delay = Delay {
        floor: Duration::from_millis(20),
        distance_max: Duration::from_millis(20),
        jitter: Duration::from_millis(40),
    };
    let mut scenario = scenario(
        "large-values-over-jitter",
        "jitter is not taken for a queue, nor what is late for lost",
        Faults { delay, ..Faults::NONE },
        told([
            network(20).into(),
            vec![
                Step::Put { count: 10, bytes: VALUE_BYTES_DEFAULT, over: seconds(60) },
                each_is_found(),
                Step::Check(Check::GetsTake { most: seconds(8) }),
            ],
        ]),
    );
    scenario.configure = |config| config.k = 4;
    scenario
}

/// Each node has some sixty pulls of the offerers' values, the most that a host may have, and
/// would have more than there may be of all.
fn half_open() -> Scenario {
    let malice = Malice::HalfOpen { offers_max: 15_000 };
    let mut scenario = scenario(
        "a-thousand-half-open-transfers",
        "peers that offer large values and never send them take no more than their part",
        Faults::NONE,
        told([
            network(40).into(),
            vec![
                Step::Attack { count: 4, malice },
                Step::Run(seconds(30)),
                put(VALUE_BYTES_DEFAULT),
                Step::Check(Check::Placed { least: ALL }),
                // 1.9 s; of most seeds 5 s and more where a host may have any number.
                Step::Check(Check::PutsTake { most: seconds(3) }),
                each_is_found(),
                Step::Run(minutes(2)),
                Step::Check(Check::NothingPulled),
            ],
        ]),
    );
    scenario.configure = |config| config.k = 8;
    scenario
}

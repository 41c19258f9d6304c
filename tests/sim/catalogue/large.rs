//! Scenarios of values larger than one datagram.

use std::time::Duration;

use kad_node::limits::{PIECE_BYTES_MAX, RANGE_PIECES_MAX, VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX};

use super::{each_is_found, minutes, network, scenario, seconds, told};
use crate::faults::Faults;
use crate::ratio::Ratio;
use crate::scenario::{Check, Scenario, Step};
use crate::shards::Layout;

/// One piece, one more byte, one range, one more byte.
const SIZES: [usize; 5] = [
    1,
    PIECE_BYTES_MAX,
    PIECE_BYTES_MAX + 1,
    RANGE_PIECES_MAX * PIECE_BYTES_MAX,
    RANGE_PIECES_MAX * PIECE_BYTES_MAX + 1,
];

pub(super) fn large() -> Vec<Scenario> {
    vec![lost_in_part(), the_largest(), of_several_shards()]
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
    scenario.configure = |config| config.k = 5;
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

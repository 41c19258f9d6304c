//! How the hops of lookups grow with the network: two networks, of which one is ten
//! times as large.

use std::time::Duration;

use kad_node::limits::K_DEFAULT;

use crate::catalogue;
use crate::faults::{Delay, Faults};
use crate::scenario::{Check, Scenario, Step};

/// The name by which it is chosen.
pub(crate) const NAME: &str = "hops-grow-as-log2-n";

/// Nodes of the two networks.
pub(crate) const SIZES: [usize; 2] = [100, 1000];

/// By how many hops the mean may grow. Of buckets of K contacts each hop brings
/// log2 K bits, so that ten times the nodes, log2 10 bits more, take log2 10 / log2 K
/// hops more: 0.77. Measured are 0.8; half as many again is too much.
pub(crate) fn growth_max() -> f64 {
    1.5 * 10_f64.log2() / (K_DEFAULT as f64).log2()
}

/// Puts among `nodes` nodes.
pub(crate) fn scenario(nodes: usize) -> Scenario {
    catalogue::scenario(
        NAME,
        "ten times the nodes cost as many hops as log2 10 bits are",
        Faults { delay: Delay::LOCAL, ..Faults::NONE },
        vec![
            Step::Join { count: nodes, over: Duration::from_millis(20) * nodes as u32 },
            Step::Run(Duration::from_mins(2)),
            Step::Put { count: 500, bytes: 100, over: Duration::from_mins(1) },
            Step::Check(Check::Hops { k: K_DEFAULT }),
        ],
    )
}

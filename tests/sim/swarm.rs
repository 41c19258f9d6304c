//! The swarm: each seed draws a network, the faults that are on and how hard,
//! and what happens to it; then the faults stop, and everything must be in its
//! place again within one republish period.

use std::time::Duration;

use kad_node::node::Config;
use kad_node::rng::Rng;

use crate::attacker;
use crate::faults::{Delay, Faults};
use crate::operations::Expect;
use crate::ratio::{Ratio, mix};
use crate::scenario::{Check, Going, Identity, Scenario, Step, Verdict};
use crate::shards::Layout;

/// The name by which the swarm is chosen.
pub(crate) const NAME: &str = "swarm";

/// Turns that one seed's story takes before the faults stop.
const TURNS: u64 = 6;
/// A republish period of an hour, its pacing, and time for the lookups.
const SETTLING: Duration = Duration::from_mins(80);

/// The scenario that `seed` draws.
pub(crate) fn draw(seed: u64) -> Scenario {
    // The world draws from the seed itself; the story from another stream.
    let mut rng = Rng::from_u64(mix(seed));
    let nodes_max = if rng.ratio(1, 4) { 150 } else { 50 };
    let nodes = 2 + rng.below(nodes_max) as usize;
    let faults = draw_faults(&mut rng);
    let attackers = if rng.ratio(1, 4) { nodes / 10 } else { 0 };
    let malice = attacker::SWARM[rng.below(attacker::SWARM.len() as u64) as usize];
    let mut script = vec![
        Step::Join { count: nodes, over: Duration::from_secs(1 + rng.below(60)) },
        Step::Attack { count: attackers, malice },
        Step::Run(Duration::from_secs(rng.below(300))),
        Step::Put {
            count: 1 + rng.below(60) as usize,
            bytes: rng.below(1 + kad_node::limits::VALUE_BYTES_MAX as u64) as usize,
            over: Duration::from_secs(1 + rng.below(60)),
        },
    ];
    for _ in 0..TURNS {
        script.extend(draw_turn(&mut rng));
    }
    script.extend([
        Step::Divide { parts: 1 },
        Step::Faults(Faults { delay: faults.delay, ..Faults::NONE }),
        Step::Run(SETTLING),
        Step::Check(Check::PlacedOnAll),
        Step::Check(Check::ClosestIsExact { targets: 100 }),
        Step::GetEach { over: Duration::from_mins(1), expect: Expect::Found },
    ]);
    leave_instead(seed, &mut script);
    Scenario {
        name: NAME.to_owned(),
        proves: "whatever happened, an hour after the faults stop all is in its place",
        configure: draw_configuration(&mut rng),
        layout: draw_layout(seed),
        faults,
        script,
        verdict: Verdict::Holds,
    }
}

fn draw_faults(rng: &mut Rng) -> Faults {
    let mut sometimes = |percent_max: u64| {
        let on = rng.ratio(1, 2);
        Ratio::percent(if on { rng.below(percent_max + 1) } else { 0 })
    };
    let (loss, duplicate, corrupt) = (sometimes(50), sometimes(30), sometimes(10));
    let (weak_uplinks, weak_loss, one_way) = (sometimes(30), sometimes(50), sometimes(10));
    let delay = [Delay::LOCAL, Delay::WIDE_AREA, Delay::CONGESTED][rng.below(3) as usize];
    Faults { loss, duplicate, corrupt, weak_uplinks, weak_loss, one_way, delay }
}

/// One network in three is of nodes of several shards. Drawn from a stream of its
/// own: the same seed tells the same story, whatever runs its nodes.
fn draw_layout(seed: u64) -> Layout {
    let mut rng = Rng::from_u64(mix(!seed));
    if rng.ratio(1, 3) { Layout::draw(&mut rng) } else { Layout::ONE }
}

/// Of the crashes of the story every other one is a leave. From a stream of its own,
/// as the layout.
fn leave_instead(seed: u64, script: &mut [Step]) {
    let mut rng = Rng::from_u64(mix(mix(!seed)));
    for step in script {
        if let Step::Crash { share } = *step
            && rng.ratio(1, 2)
        {
            let over = Duration::from_secs(rng.below(1800));
            *step = Step::Shrink { share, over, going: Going::Politely };
        }
    }
}

fn draw_configuration(rng: &mut Rng) -> fn(&mut Config) {
    const CHOICES: [fn(&mut Config); 4] = [
        |_| {},
        |config| config.k = 8,
        |config| (config.k, config.alpha) = (kad_node::limits::K_MAX, 8),
        |config| config.republish = Duration::from_mins(20),
    ];
    CHOICES[rng.below(CHOICES.len() as u64) as usize]
}

fn draw_turn(rng: &mut Rng) -> Vec<Step> {
    let pause = Step::Run(Duration::from_secs(rng.below(1200)));
    let step = match rng.below(9) {
        0 => Step::Crash { share: Ratio::percent(rng.below(40)) },
        1 => Step::Restart {
            share: Ratio::percent(rng.below(60)),
            identity: if rng.ratio(1, 2) { Identity::Kept } else { Identity::Fresh },
        },
        2 => Step::Churn {
            count: rng.below(30) as usize,
            over: Duration::from_secs(60 + rng.below(3600)),
        },
        3 => Step::Divide { parts: 2 + rng.below(2) },
        4 => Step::Divide { parts: 1 },
        5 => Step::Faults(draw_faults(rng)),
        6 => Step::Put { count: 20, bytes: 50, over: Duration::from_secs(10) },
        7 => Step::GetEach { over: Duration::from_secs(30), expect: Expect::Anything },
        _ => Step::Join { count: 1 + rng.below(20) as usize, over: Duration::from_secs(30) },
    };
    vec![step, pause]
}

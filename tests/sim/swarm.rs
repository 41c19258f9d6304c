//! The swarm: each seed draws a network, the faults that are on and how hard,
//! and what happens to it; then the faults stop, and everything must be in its
//! place again within one republish period.

use std::time::Duration;

use kad_node::rng::Rng;

use crate::catalogue::DATAGRAMS_MAX;
use crate::faults::{Delay, Faults, ROOMY};
use crate::malice;
use crate::operations::Expect;
use crate::ratio::{Ratio, mix};
use crate::scenario::{Check, Going, Identity, Scenario, Step, Verdict};
use crate::shards::Layout;
use crate::spoilers::Spoilers;
use crate::world::Configure;

/// The name by which the swarm is chosen.
pub(crate) const NAME: &str = "swarm";

/// Turns that one seed's story takes before the faults stop.
const TURNS: u64 = 6;
/// A holder renews within an hour and `RENEW_LATE`, a quarter of one, on all of the closest; and
/// time for the lookups.
const SETTLING: Duration = Duration::from_mins(80);

/// The scenario that `seed` draws.
pub(crate) fn draw(seed: u64) -> Scenario {
    // The world draws from the seed itself; the story from another stream.
    let mut rng = Rng::from_u64(mix(seed));
    let nodes_max = if rng.ratio(1, 4) { 150 } else { 50 };
    let nodes = 2 + rng.below(nodes_max) as usize;
    let room = draw_room(seed, nodes);
    let faults = draw_faults(&mut rng, room);
    let attackers = if rng.ratio(1, 4) { nodes / 10 } else { 0 };
    let malice = malice::SWARM[rng.below(malice::SWARM.len() as u64) as usize];
    let mut script = vec![
        Step::Join { count: nodes, over: Duration::from_secs(1 + rng.below(60)) },
        Step::Attack { count: attackers, malice },
        Step::Run(Duration::from_secs(rng.below(300))),
        Step::Put {
            count: 1 + rng.below(60) as usize,
            // An empty value is none.
            bytes: (rng.below(1 + kad_node::limits::PIECE_BYTES_MAX as u64) as usize).max(1),
            over: Duration::from_secs(1 + rng.below(60)),
        },
    ];
    for _ in 0..TURNS {
        script.extend(draw_turn(&mut rng, room));
    }
    let (told, configure) = draw_configuration(&mut rng);
    let drawn = format!("{nodes} {told}, {attackers} attackers of {malice:?}; {script:?}");
    script.extend([
        Step::Divide { parts: 1 },
        Step::Faults(Faults { delay: faults.delay, ..Faults::NONE }),
        Step::Run(SETTLING),
        Step::Check(Check::PlacedButFarthest),
        Step::Check(Check::ClosestIsExact { targets: 100 }),
        Step::GetEach { over: Duration::from_mins(1), expect: Expect::Found },
    ]);
    leave_instead(seed, &mut script);
    Scenario {
        name: NAME.to_owned(),
        proves: "whatever happened, an hour after the faults stop all is in its place",
        drawn,
        configure,
        layout: draw_layout(seed),
        faults,
        script,
        datagrams_max: DATAGRAMS_MAX,
        verdict: Verdict::Holds,
    }
}

fn draw_faults(rng: &mut Rng, in_flight_max: usize) -> Faults {
    let mut sometimes = |percent_max: u64| {
        let on = rng.ratio(1, 2);
        Ratio::percent(if on { rng.below(percent_max + 1) } else { 0 })
    };
    let (loss, duplicate, corrupt) = (sometimes(50), sometimes(30), sometimes(10));
    let (weak_uplinks, weak_loss, one_way) = (sometimes(30), sometimes(50), sometimes(10));
    let delay = [Delay::LOCAL, Delay::WIDE_AREA, Delay::CONGESTED][rng.below(3) as usize];
    let spoilers = Spoilers::NONE;
    Faults {
        loss,
        duplicate,
        corrupt,
        weak_uplinks,
        weak_loss,
        one_way,
        spoilers,
        delay,
        in_flight_max,
    }
}

/// One network in eight has links so narrow that bursts find no room. There is room for one
/// datagram of each node: with less, most of what a large network sends is repeated for ever.
/// From a stream of its own, as the layout is.
fn draw_room(seed: u64, nodes: usize) -> usize {
    let mut rng = Rng::from_u64(mix(seed.rotate_left(32)));
    if rng.ratio(1, 8) { nodes.max(30) + rng.below(200) as usize } else { ROOMY }
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

/// What nodes are told, in words and in deed.
fn draw_configuration(rng: &mut Rng) -> (&'static str, Configure) {
    const CHOICES: [(&str, Configure); 4] = [
        ("nodes of k 20 and alpha 3", |_| {}),
        ("nodes of k 8 and alpha 3", |config| config.k = 8),
        ("nodes of k 28 and alpha 8", |config| {
            (config.k, config.alpha) = (kad_node::limits::K_MAX, 8);
        }),
        ("nodes of k 20 and alpha 3 that republish every 20 min", |config| {
            config.republish = Duration::from_mins(20);
        }),
    ];
    CHOICES[rng.below(CHOICES.len() as u64) as usize]
}

fn draw_turn(rng: &mut Rng, room: usize) -> Vec<Step> {
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
        5 => Step::Faults(draw_faults(rng, room)),
        6 => Step::Put { count: 20, bytes: 50, over: Duration::from_secs(10) },
        7 => Step::GetEach { over: Duration::from_secs(30), expect: Expect::Anything },
        _ => Step::Join { count: 1 + rng.below(20) as usize, over: Duration::from_secs(30) },
    };
    vec![step, pause]
}

//! The same seed gives the same run: on one thread and on several, and in another process.

use std::process::Command;
use std::time::Duration;

use crate::catalogue;
use crate::faults::{Delay, Faults};
use crate::malice::Malice;
use crate::operations::Expect;
use crate::ratio::Ratio;
use crate::scenario::{Going, Scenario, Step};
use crate::suite::Outcome;
use crate::world::World;
use crate::{script, swarm};

/// Windows in which nodes of the busy network must have run ahead: of 13 s of joins and
/// operations there are 5000.
const AHEAD_MIN: u64 = 1000;

/// Compares runs of the network that `seed` draws, and of a busy one.
pub(crate) fn compare(seed: u64, shards: u8) -> Outcome {
    let drawn = |seed, threads| run(&swarm::draw(seed).with_shards(Some(shards)), seed, threads).0;
    let drawn_hashes = [1, 2, 3].map(|threads| drawn(seed, threads));
    let (elsewhere, other) = (hash_in_another_process(seed, shards), drawn(seed + 1, 1));
    let busy = [1, 2, 3].map(|threads| run(&busy().with_shards(Some(shards)), seed, threads));
    let (busy_hashes, ahead) = (busy.map(|(hash, _)| hash), busy.map(|(_, windows)| windows));
    let are_same = |hashes: &[u64]| hashes.iter().all(|hash| *hash == hashes[0]);
    let passed = are_same(&drawn_hashes)
        && are_same(&busy_hashes)
        && ahead[1..].iter().all(|windows| *windows >= AHEAD_MIN)
        && elsewhere == Ok(drawn_hashes[0])
        && other != drawn_hashes[0];
    let lines = vec![
        format!(
            "seed {seed}, {shards} shards: {drawn_hashes:016x?} on 1, 2 and 3 threads, \
             {elsewhere:016x?} in another process; seed {}: {other:016x}",
            seed + 1
        ),
        format!("a busy network: {busy_hashes:016x?}, with {ahead:?} windows computed ahead"),
    ];
    Outcome { passed, hash: drawn_hashes[0], lines }
}

/// The trace hash of a run, and in how many windows its nodes have run ahead.
fn run(scenario: &Scenario, seed: u64, threads: usize) -> (u64, u64) {
    let mut world = World::new(scenario, seed, None);
    world.set_threads(threads);
    script::play(scenario, &mut world);
    (world.trace.hash(), world.ahead.map_or(0, |ahead| ahead.windows))
}

/// A network with much to do at each moment, which is what threads share: small ones leave them
/// without work.
fn busy() -> Scenario {
    let faults = Faults {
        delay: Delay::WIDE_AREA,
        duplicate: Ratio::percent(2),
        corrupt: Ratio::percent(1),
        ..Faults::loss(5)
    };
    catalogue::scenario(
        "busy",
        "threads share what a busy network does, and change nothing of it",
        faults,
        vec![
            Step::Join { count: 200, over: Duration::from_secs(2) },
            Step::Attack { count: 5, malice: Malice::Everything },
            Step::Run(Duration::from_secs(5)),
            Step::Put { count: 30, bytes: 100, over: Duration::from_secs(1) },
            Step::Shrink {
                share: Ratio::percent(20),
                over: Duration::from_secs(2),
                going: Going::Politely,
            },
            Step::Join { count: 100, over: Duration::from_secs(1) },
            Step::Get { count: 50, over: Duration::from_secs(2), expect: Expect::Anything },
        ],
    )
}

fn hash_in_another_process(seed: u64, shards: u8) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["--scenario", swarm::NAME, "--seed", &seed.to_string(), "--hash-only"])
        .args(["--shards", &shards.to_string()])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    u64::from_str_radix(text.trim(), 16).map_err(|error| format!("{text:?}: {error}"))
}

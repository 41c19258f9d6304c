//! Runs scenarios side by side and tells how each went.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::figures::{self, Size};
use crate::options::Options;
use crate::report::line;
use crate::scenario::{Scenario, Verdict};
use crate::shards::Binding;
use crate::twins::{Likeness, Twins};
use crate::world::Violation;
use crate::{catalogue, script, swarm};

/// Violations that are printed of one run; the rest are counted.
const VIOLATIONS_SHOWN: usize = 10;

/// One thing to run.
#[derive(Clone)]
pub(crate) enum Job {
    Scenario {
        scenario: Box<Scenario>,
        seed: u64,
    },
    Figures {
        size: Size,
        seed: u64,
    },
    /// A node of several shards answers as one of one shard does.
    Twins {
        twins: Twins,
        verdict: Verdict,
        seed: u64,
    },
    /// The same seed gives the same trace hash, here and in another process.
    SameTrace {
        seed: u64,
    },
}

impl Job {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Scenario { scenario, seed } if scenario.name == swarm::NAME => {
                format!("{}-{seed}", scenario.name)
            }
            Self::Scenario { scenario, .. } => scenario.name.clone(),
            Self::Figures { size, .. } => size.scenario().name,
            Self::Twins { twins, verdict: Verdict::Holds, .. } => {
                format!("{}-shards-answer-as-one", twins.shards)
            }
            Self::Twins { .. } => "seen-unlike-twins".to_owned(),
            Self::SameTrace { .. } => "same-seed-same-trace".to_owned(),
        }
    }

    /// The command that runs it again.
    fn command(&self) -> String {
        match self {
            Self::Scenario { scenario, seed } => format!(
                "cargo test --release --test sim -- --scenario {} --seed {seed}",
                scenario.name
            ),
            Self::Figures { size, seed } => size.command(*seed),
            Self::Twins { seed, .. } | Self::SameTrace { seed } => {
                format!("cargo test --release --test sim -- {} --seed {seed}", self.name())
            }
        }
    }

    fn run(&self, options: &Options) -> Outcome {
        match self {
            Self::Scenario { scenario, seed } => run_scenario(scenario, *seed, options),
            Self::Figures { size, seed } => run_scenario(&size.scenario(), *seed, options),
            Self::Twins { twins, verdict, seed } => compare_twins(twins, *verdict, *seed),
            Self::SameTrace { seed } => same_trace(*seed, options),
        }
    }
}

/// How a run went.
pub(crate) struct Outcome {
    pub(crate) passed: bool,
    pub(crate) hash: u64,
    lines: Vec<String>,
}

fn run_scenario(scenario: &Scenario, seed: u64, options: &Options) -> Outcome {
    let start = Instant::now();
    let scenario = &scenario.with_shards(options.shards);
    let mut world = script::run(scenario, seed, options.trace.clone());
    let mut lines = world.trace.take_lines();
    lines.push(format!("{}; {}; {}", scenario.proves, scenario.faults, scenario.layout));
    lines.extend(figures::of_world(&world, start.elapsed()));
    let hash = world.trace.hash();
    lines.push(format!("seed {seed}, trace hash {hash:016x}"));
    let passed = world.violations.is_empty() == (scenario.verdict == Verdict::Holds);
    if scenario.verdict == Verdict::Holds {
        lines.extend(of_violations(&world.violations));
    } else if !passed {
        lines.push("VIOLATION: the checks saw nothing wrong".to_owned());
    }
    Outcome { passed, hash, lines }
}

fn of_violations(violations: &[Violation]) -> Vec<String> {
    let mut lines: Vec<_> = violations
        .iter()
        .take(VIOLATIONS_SHOWN)
        .map(|violation| format!("VIOLATION at {:?}: {}", violation.at, violation.what))
        .collect();
    if violations.len() > VIOLATIONS_SHOWN {
        lines.push(format!("and {} more", violations.len() - VIOLATIONS_SHOWN));
    }
    lines
}

fn compare_twins(twins: &Twins, verdict: Verdict, seed: u64) -> Outcome {
    let Likeness { violations, summary } = twins.compare(seed);
    let passed = violations.is_empty() == (verdict == Verdict::Holds);
    let mut lines = vec![summary];
    if verdict == Verdict::Holds {
        lines.extend(violations.iter().map(|what| format!("VIOLATION: {what}")));
    } else if !passed {
        lines.push("VIOLATION: the comparison saw nothing wrong".to_owned());
    }
    Outcome { passed, hash: 0, lines }
}

fn same_trace(seed: u64, options: &Options) -> Outcome {
    let hash_of = |seed| run_scenario(&swarm::draw(seed), seed, options).hash;
    let hashes = [hash_of(seed), hash_of(seed)];
    let elsewhere = hash_in_another_process(seed, options);
    let other = hash_of(seed + 1);
    let passed = hashes[0] == hashes[1] && elsewhere == Ok(hashes[0]) && other != hashes[0];
    let lines = vec![format!(
        "seed {seed}: {:016x} and {:016x} here, {elsewhere:016x?} in another process; seed {}: {other:016x}",
        hashes[0],
        hashes[1],
        seed + 1
    )];
    Outcome { passed, hash: hashes[0], lines }
}

fn hash_in_another_process(seed: u64, options: &Options) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["--scenario", swarm::NAME, "--seed", &seed.to_string(), "--hash-only"])
        .args(options.shards.map(|shards| format!("--shards={shards}")))
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    u64::from_str_radix(text.trim(), 16).map_err(|error| format!("{text:?}: {error}"))
}

/// Every job of a plain run.
pub(crate) fn all(options: &Options) -> Vec<Job> {
    let seed = options.seed;
    let figures = |size| Job::Figures { size, seed };
    let mut jobs = vec![figures(Size::DEFAULT)];
    if cfg!(debug_assertions) {
        // Without optimisation a datagram costs thirty times as much.
        jobs = vec![figures(Size { nodes: 100, values: 100, gets: 1000, ..Size::DEFAULT })];
    } else {
        jobs.insert(0, figures(Size::HARD));
        jobs.insert(1, figures(Size::HARD_CRASH));
    }
    jobs.push(Job::SameTrace { seed });
    jobs.extend(twins(seed));
    jobs.extend(
        catalogue::all()
            .into_iter()
            .map(|scenario| Job::Scenario { scenario: Box::new(scenario), seed }),
    );
    let swarm_seeds = if cfg!(debug_assertions) { 2 } else { 20 };
    jobs.extend((seed..seed + swarm_seeds).map(swarm_job));
    if !cfg!(debug_assertions) {
        jobs.extend(regressions());
    }
    jobs
}

/// Twins that are alike, and a pair that must not be: one loses routing changes.
fn twins(seed: u64) -> impl Iterator<Item = Job> {
    let alike = [2, 3, 8].map(|shards| (shards, Binding::Kept, Verdict::Holds));
    let all = alike.into_iter().chain([(4, Binding::Lost, Verdict::Violated)]);
    all.map(move |(shards, binding, verdict)| Job::Twins {
        twins: Twins { shards, binding },
        verdict,
        seed,
    })
}

pub(crate) fn swarm_job(seed: u64) -> Job {
    Job::Scenario { scenario: Box::new(swarm::draw(seed)), seed }
}

/// Seeds that once failed: a scenario, a seed, and what went wrong, on a line.
const REGRESSIONS: &str = include_str!("regressions.txt");

fn regressions() -> impl Iterator<Item = Job> {
    REGRESSIONS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next().expect("a line of regressions.txt names a scenario");
        let seed = words.next().and_then(|seed| seed.parse().ok());
        let seed = seed.expect("a line of regressions.txt names a seed");
        let scenario =
            find(name, seed).expect("a line of regressions.txt names a scenario of ours");
        Job::Scenario { scenario: Box::new(scenario), seed }
    })
}

/// The scenario called `name`.
pub(crate) fn find(name: &str, seed: u64) -> Option<Scenario> {
    if name == swarm::NAME {
        return Some(swarm::draw(seed));
    }
    let figures = [Size::DEFAULT, Size::HARD, Size::HARD_CRASH].map(|size| size.scenario());
    catalogue::all().into_iter().chain(figures).find(|scenario| scenario.name == name)
}

/// How many jobs passed and failed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

/// Runs the jobs that `next` gives, `threads` at a time, until it gives none.
pub(crate) fn run(
    next: impl Fn(usize) -> Option<Job> + Sync,
    threads: usize,
    options: &Options,
) -> Score {
    let (started, score) = (AtomicUsize::new(0), Mutex::new(Score::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = next(started.fetch_add(1, Ordering::Relaxed)) {
                    let passed = run_and_tell(&job, options);
                    let mut score = score.lock().expect("no job panics while it holds the score");
                    if passed { score.passed += 1 } else { score.failed += 1 }
                }
            });
        }
    });
    score.into_inner().expect("no job panics while it holds the score")
}

fn run_and_tell(job: &Job, options: &Options) -> bool {
    let start = Instant::now();
    // A panic in the node is a finding like any other: it must name its seed.
    let outcome = catch_unwind(AssertUnwindSafe(|| job.run(options))).unwrap_or_else(|_| Outcome {
        passed: false,
        hash: 0,
        lines: vec!["VIOLATION: it panicked; the message stands above".to_owned()],
    });
    if options.hash_only {
        line(&[format!("{:016x}", outcome.hash)]);
        return true;
    }
    line(&tell(job, &outcome, start.elapsed(), options));
    outcome.passed
}

fn tell(job: &Job, outcome: &Outcome, wall: Duration, options: &Options) -> Vec<String> {
    let verdict = if outcome.passed { "ok" } else { "FAILED" };
    let mut lines =
        vec![format!("test {} ... {verdict} ({:.1} s)", job.name(), wall.as_secs_f64())];
    lines.extend(outcome.lines.iter().map(|line| format!("    {line}")));
    if !outcome.passed {
        let shards = options.shards.map(|shards| format!(" --shards {shards}"));
        lines.push(format!("    reproduce: {}{}", job.command(), shards.unwrap_or_default()));
        lines.push("    and add --trace node:NUMBER or --trace key:HEX for a log".to_owned());
    }
    lines
}

//! Runs scenarios side by side and tells how each went.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::figures::{self, Size};
use crate::options::Options;
use crate::plots::{self, HEAD, Plot};
use crate::regressions::{self, Regression};
use crate::report::line;
use crate::scenario::{Scenario, Verdict};
use crate::shards::Binding;
use crate::twins::{Likeness, Twins};
use crate::violation::{Violation, Wrong};
use crate::world::World;
use crate::{catalogue, growth, same_trace, script, swarm};

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
    /// Hops grow with the network as they should.
    Growth {
        seed: u64,
    },
    /// The same seed gives the same trace hash, on one thread, on several and in another
    /// process, of nodes of one shard and of several.
    SameTrace {
        seed: u64,
        shards: u8,
    },
    /// An attack does no more harm than it may.
    Attack {
        plot: Plot,
        seed: u64,
    },
    /// Each seed that once failed has a test of what was wrong.
    Pinned,
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
            Self::Growth { .. } => growth::NAME.to_owned(),
            Self::SameTrace { shards, .. } => format!("same-seed-same-trace-of-{shards}-shards"),
            Self::Attack { plot, .. } => plot.job_name(),
            Self::Pinned => "regressions-are-pinned".to_owned(),
        }
    }

    /// The command that runs it again.
    fn command(&self, options: &Options) -> String {
        // A swarm's seed is part of its name.
        let name = match self {
            Self::Figures { size, seed } => return size.command(*seed),
            Self::Scenario { scenario, .. } => scenario.name.clone(),
            _ => self.name(),
        };
        let seed = self.seed().unwrap_or(options.seed);
        format!("cargo test --release --test sim -- --scenario {name} --seed {seed}")
    }

    fn seed(&self) -> Option<u64> {
        match self {
            Self::Scenario { seed, .. }
            | Self::Figures { seed, .. }
            | Self::Twins { seed, .. }
            | Self::Growth { seed }
            | Self::Attack { seed, .. }
            | Self::SameTrace { seed, .. } => Some(*seed),
            Self::Pinned => None,
        }
    }

    fn run(&self, options: &Options) -> Outcome {
        match self {
            Self::Scenario { scenario, seed } => run_scenario(scenario, *seed, options),
            Self::Figures { size, seed } => run_scenario(&size.scenario(), *seed, options),
            Self::Twins { twins, verdict, seed } => compare_twins(twins, *verdict, *seed),
            Self::Growth { seed } => compare_sizes(*seed, options),
            Self::SameTrace { seed, shards } => same_trace::compare(*seed, *shards),
            Self::Attack { plot, seed } => attack(plot, *seed),
            Self::Pinned => check_pinned(),
        }
    }
}

/// How a run went.
pub(crate) struct Outcome {
    pub(crate) passed: bool,
    pub(crate) hash: u64,
    pub(crate) lines: Vec<String>,
}

fn run_scenario(scenario: &Scenario, seed: u64, options: &Options) -> Outcome {
    let scenario = &scenario.with_shards(options.shards);
    let start = Instant::now();
    let mut world = World::new(scenario, seed, options.trace.clone());
    world.set_threads(options.threads.map_or(1, usize::from));
    // A panic in the node is a finding like any other: what led to it is told.
    let played = catch_unwind(AssertUnwindSafe(|| script::play(scenario, &mut world)));
    if let Err(panic) = played {
        world.violate(Wrong::Panic, format!("it panicked: {}", message(panic.as_ref())));
    }
    let mut lines = world.trace.take_lines();
    lines.push(format!("{}; {}; {}", scenario.proves, scenario.faults, scenario.layout));
    if !scenario.drawn.is_empty() {
        lines.push(format!("drew {}", scenario.drawn));
    }
    lines.extend(figures::of_world(&world, start.elapsed()));
    let hash = world.trace.hash();
    lines.push(format!("seed {seed}, trace hash {hash:016x}"));
    let (passed, verdict) = judge(scenario.verdict, &world.violations);
    lines.extend(verdict);
    Outcome { passed, hash, lines }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

/// Whether a run came to what it must, and what is to be told of its violations.
fn judge(verdict: Verdict, violations: &[Violation]) -> (bool, Vec<String>) {
    match verdict {
        Verdict::Holds => (violations.is_empty(), of_violations(violations)),
        Verdict::Violated(wrong) => {
            let is_other = |violation: &Violation| violation.wrong != wrong;
            if violations.is_empty() {
                (false, vec![format!("VIOLATION: the checks saw nothing wrong, not {wrong:?}")])
            } else if violations.iter().any(is_other) {
                let mut lines = vec![format!("it had to violate {wrong:?}, and nothing else")];
                lines.extend(of_violations(violations));
                (false, lines)
            } else {
                (true, vec![format!("violated as it had to be: {}", violations[0].what)])
            }
        }
    }
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
    let of = |what| Violation { at: Duration::ZERO, wrong: Wrong::Unlike, what };
    let violations: Vec<_> = violations.into_iter().map(of).collect();
    let (passed, told) = judge(verdict, &violations);
    let lines = [vec![summary], told].concat();
    Outcome { passed, hash: 0, lines }
}

/// Runs both sizes of network and compares the hops of their puts.
fn compare_sizes(seed: u64, options: &Options) -> Outcome {
    let (mut means, mut lines, mut passed) = (Vec::new(), Vec::new(), true);
    for nodes in growth::SIZES {
        let scenario = growth::scenario(nodes).with_shards(options.shards);
        let mut world = World::new(&scenario, seed, options.trace.clone());
        script::play(&scenario, &mut world);
        let hops = world.operations.tally.put_hops.summary();
        lines.extend(world.trace.take_lines());
        lines.extend(hops.map(|hops| format!("{nodes} nodes: hops of a put: {hops}")));
        lines.extend(of_violations(&world.violations));
        passed &= world.violations.is_empty();
        means.extend(hops.map(|hops| hops.mean));
    }
    let (growth, most) = (means.last().zip(means.first()), growth::growth_max());
    let growth = growth.map_or(f64::INFINITY, |(large, small)| large - small);
    lines.push(format!("the mean grows by {growth:.2}; at most {most:.2} is allowed"));
    Outcome { passed: passed && growth <= most, hash: 0, lines }
}

fn attack(plot: &Plot, seed: u64) -> Outcome {
    let mut world = plot.world(seed);
    let row = plot.play(&mut world);
    let lines = [vec![HEAD.to_owned(), row.to_string()], of_violations(&world.violations)].concat();
    Outcome { passed: world.violations.is_empty(), hash: world.trace.hash(), lines }
}

fn check_pinned() -> Outcome {
    let missing: Vec<_> =
        regressions::all().filter_map(|regression| regression.unpinned()).collect();
    let passed = missing.is_empty();
    let lines = missing.into_iter().map(|what| format!("VIOLATION: {what}")).collect();
    Outcome { passed, hash: 0, lines }
}

/// Every job of a plain run, each once.
pub(crate) fn all(options: &Options) -> Vec<Job> {
    let mut jobs = named(options.seed, options.shards);
    let swarm_seeds = if cfg!(debug_assertions) { 2 } else { 20 };
    jobs.extend((options.seed..options.seed + swarm_seeds).map(swarm_job));
    if !cfg!(debug_assertions) {
        for Regression { scenario, seed, .. } in regressions::all() {
            let job = find(scenario, seed, options.shards);
            let job = job.expect("a line of regressions.txt names a scenario of ours");
            let is_job = |other: &Job| other.name() == job.name() && other.seed() == job.seed();
            if !jobs.iter().any(is_job) {
                jobs.push(job);
            }
        }
    }
    jobs
}

/// Every job that has a name of its own.
fn named(seed: u64, shards: Option<u8>) -> Vec<Job> {
    let mut jobs: Vec<_> = sizes().into_iter().map(|size| Job::Figures { size, seed }).collect();
    // Nodes of one shard and of several, or of as many as are asked for.
    let counts = shards.map_or(vec![1, 3], |shards| vec![shards]);
    jobs.extend(counts.into_iter().map(|shards| Job::SameTrace { seed, shards }));
    jobs.push(Job::Growth { seed });
    jobs.extend(twins(seed, shards));
    jobs.extend(catalogue::all().into_iter().map(|scenario| scenario_job(scenario, seed)));
    if !cfg!(debug_assertions) {
        jobs.extend(plots::all().into_iter().map(|plot| Job::Attack { plot, seed }));
    }
    jobs.push(Job::Pinned);
    jobs
}

/// The figures of a plain run.
fn sizes() -> Vec<Size> {
    if cfg!(debug_assertions) {
        // Without optimisation a datagram costs thirty times as much.
        return vec![Size { nodes: 100, values: 100, gets: 1000, ..Size::DEFAULT }];
    }
    vec![Size::HARD_CRASH, Size::HARD, Size::DEFAULT]
}

/// Twins that are alike, and a pair that must not be: one loses routing changes. Of
/// so many shards each, where that is asked for.
fn twins(seed: u64, shards: Option<u8>) -> impl Iterator<Item = Job> {
    let counts = shards.map_or(vec![2, 3, 8], |shards| vec![usize::from(shards)]);
    let alike = counts.into_iter().map(|shards| (shards, Binding::Kept, Verdict::Holds));
    let unlike = (shards.map_or(4, usize::from), Binding::Lost, Verdict::Violated(Wrong::Unlike));
    let all = alike.chain([unlike]).filter(|(shards, ..)| *shards > 1);
    all.map(move |(shards, binding, verdict)| Job::Twins {
        twins: Twins { shards, binding },
        verdict,
        seed,
    })
}

fn scenario_job(scenario: Scenario, seed: u64) -> Job {
    Job::Scenario { scenario: Box::new(scenario), seed }
}

pub(crate) fn swarm_job(seed: u64) -> Job {
    scenario_job(swarm::draw(seed), seed)
}

/// The job called `name`, under `seed`; that of a swarm may be part of its name.
pub(crate) fn find(name: &str, seed: u64, shards: Option<u8>) -> Option<Job> {
    if name == swarm::NAME {
        return Some(swarm_job(seed));
    }
    let of_swarm = name.strip_prefix(swarm::NAME).and_then(|rest| rest.strip_prefix('-'));
    if let Some(seed) = of_swarm.and_then(|seed| seed.parse().ok()) {
        return Some(swarm_job(seed));
    }
    let on_demand = catalogue::on_demand().into_iter();
    let on_demand = on_demand.map(|scenario| scenario_job(scenario, seed));
    named(seed, shards).into_iter().chain(on_demand).find(|job| job.name() == name)
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
    // Whatever panics beside a node must name its seed as well.
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
        lines.push(format!(
            "    reproduce: {}{}",
            job.command(options),
            shards.unwrap_or_default()
        ));
        lines.push("    and add --trace node:NUMBER or --trace key:HEX for a log".to_owned());
    }
    lines
}

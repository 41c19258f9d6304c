//! From options to results: finds or starts the target, fills it, and runs once
//! for each drop rate.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use kad_node::driver::raise_descriptor_limit;
use kad_node::rng::Rng;
use udp::Coalescing;

use crate::clock::Clock;
use crate::corpus::Corpus;
use crate::cpu;
use crate::engine::Traffic;
use crate::interruption::Interruption;
use crate::lookups::LookupClient;
use crate::membership::Membership;
use crate::mix::Kind;
use crate::options::Options;
use crate::own_target::OwnTarget;
use crate::plan::Step;
use crate::preload::{Preloader, SENDS_MAX};
use crate::progress::Display;
use crate::publish;
use crate::quantity::nanos;
use crate::result::{RunResult, Watched};
use crate::target_drops;
use crate::targets;
use crate::worker::{Cut, Measured, Plan, Progress, Target, Waiting, Worker};

/// From the moment when all threads are ready to the run's start.
const START_AHEAD: Duration = Duration::from_millis(20);
/// Files that a thread has open at a time: it reads the scheduler's account.
const FILES_OF_A_THREAD: u64 = 1;
/// Files that the program has open at a time beside them: those of the target's accounts,
/// and the one result that is written.
const FILES: u64 = 4;
/// How often it is seen whether a signal has come while the last answers are awaited.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Everything that the runs of one call share.
pub struct Runner {
    options: Options,
    membership: Membership,
    corpus: Arc<Corpus>,
    targets: Vec<SocketAddr>,
    own: Option<OwnTarget>,
    waiting: Waiting,
    interruption: Arc<Interruption>,
}

impl Runner {
    /// Finds or starts the target, and stores the values on it.
    pub fn open(
        options: &Options,
        interruption: &Arc<Interruption>,
        display: &mut Display,
    ) -> Result<Self, String> {
        let membership = Membership::of(options)?;
        let (targets, own) = if options.targets.is_empty() {
            let own = OwnTarget::start(options, &membership)?;
            let mut targets = own.addresses();
            if options.mix.is_only_whole(options.scope()) {
                // It is enough to join by.
                targets.truncate(1);
            }
            (targets, Some(own))
        } else {
            let wait = options.join_timeout;
            (targets::find_all(&options.targets, &membership, wait, display)?, None)
        };
        let keys = options.keys as usize;
        let corpus = Arc::new(Corpus::new(keys, &options.value_size, options.seed)?);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let waiting = options.waiting(cores);
        let (options, interruption) = (options.clone(), Arc::clone(interruption));
        let runner = Self { options, membership, corpus, targets, own, waiting, interruption };
        runner.fill(display)?;
        Ok(runner)
    }

    /// What the target is, for people.
    pub fn describe_target(&self) -> String {
        let addresses: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        self.own.as_ref().map_or_else(|| addresses.join(", "), OwnTarget::describe)
    }

    /// How the threads wait.
    pub const fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Stops a node of its own, and fails if it had failed.
    pub fn close(self) -> Result<(), String> {
        self.own.map_or(Ok(()), OwnTarget::stop)
    }

    /// Stores the values where the run asks for them: on each target, which is asked for
    /// single RPCs, and in the network, which is asked for lookups.
    fn fill(&self, display: &mut Display) -> Result<(), String> {
        let mix = &self.options.mix;
        for &target in &self.targets {
            let greeted = Preloader::greet(target, &self.membership, SENDS_MAX);
            let mut preloader = greeted.map_err(|error| error.to_string())?;
            if mix.contains(Kind::Get) && !Kind::Get.is_whole(self.options.scope()) {
                let what = format!("on {target}");
                preloader
                    .fill(&self.corpus, &mut |share| display.filling(&what, share))
                    .map_err(|error| error.to_string())?;
            }
        }
        if mix.has_whole(self.options.scope()) {
            let (join_timeout, seed) = (self.options.join_timeout, self.options.seed);
            // None of the threads' clients has this id.
            let seed = Rng::from_u64(!seed).seed();
            let mut client =
                LookupClient::join(&self.membership, &self.targets, seed, join_timeout)?;
            let mut progress = |share| display.filling("in the network", share);
            publish::publish(&mut client, &self.corpus, &mut progress)?;
        }
        display.clear();
        Ok(())
    }

    /// How a node of its own receives and sends; none with other targets.
    pub fn driver(&self) -> Option<String> {
        self.own.as_ref().and_then(OwnTarget::driver)
    }

    /// Runs once. None when a signal came before anything was measured.
    pub fn run(&self, step: Step, display: &mut Display) -> Result<Option<RunResult>, String> {
        display.begin_run();
        if let Some(own) = &self.own {
            own.set_loss(step.drop);
        }
        let traffic = self.traffic(step);
        let targets = self.greet()?;
        let plans = (0..self.options.threads).map(|thread| Plan {
            traffic: traffic.clone(),
            thread,
            targets: targets.clone(),
            membership: self.membership.clone(),
            peers: self.options.peers,
            coalescing: if self.options.burst > 1 { Coalescing::On } else { Coalescing::Off },
            waiting: self.waiting,
            join_timeout: self.options.join_timeout,
        });
        self.check_descriptors()?;
        let cut = Cut::new();
        let (measured, target) = self.run_threads(plans.collect(), &traffic, &cut, display)?;
        self.result(traffic, &cut, measured, target)
    }

    /// Sees that all sockets can be open at once, before any of them is made.
    fn check_descriptors(&self) -> Result<(), String> {
        let Options { threads, peers, mix, .. } = &self.options;
        let scope = self.options.scope();
        let lookups = u64::from(mix.has_whole(scope) && !mix.is_only(Kind::Put))
            + u64::from(mix.contains(Kind::Put) && Kind::Put.is_whole(scope));
        let sockets = (self.targets.len() * peers) as u64 + lookups;
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
        let needed = open + threads * (sockets + FILES_OF_A_THREAD) + FILES;
        raise_descriptor_limit().allows(needed).map_err(|error| {
            format!("'--peers {peers}' with '--threads {threads}': {error}, or use fewer of them")
        })
    }

    fn result(
        &self,
        mut traffic: Traffic,
        cut: &Cut,
        measured: Vec<Measured>,
        target: Watched,
    ) -> Result<Option<RunResult>, String> {
        let mut measured = measured.into_iter();
        let mut all = measured.next().ok_or("there is at least one thread")?;
        for other in measured {
            all.merge(&other);
        }
        all.record.books.check().map_err(|sum| format!("the books do not close: {sum}"))?;
        if let Some(at_ns) = cut.at_ns() {
            traffic.cut_short(at_ns);
            all.record.timeline.cut_short(traffic.duration_ns);
        }
        if traffic.duration_ns == 0 || all.record.books.scheduled == 0 && cut.at_ns().is_some() {
            return Ok(None);
        }
        Ok(Some(RunResult {
            drop: traffic.drop,
            duration_ns: traffic.duration_ns,
            is_cut_short: cut.at_ns().is_some(),
            pace: traffic.pace,
            waiting: self.waiting,
            threads: traffic.threads,
            corrected: all.record.corrected(),
            with_lost: all.record.with_lost(),
            record: all.record,
            strange: all.strange,
            receive_drops: all.receive_drops,
            coalescing: (self.options.burst > 1).then_some(all.coalescing),
            generator: all.time,
            busy_ns: all.busy_ns,
            target,
        }))
    }

    fn traffic(&self, step: Step) -> Traffic {
        let options = &self.options;
        Traffic {
            network: self.membership.network,
            mix: options.mix.clone(),
            scope: options.scope(),
            corpus: Arc::clone(&self.corpus),
            popularity: options.key_dist,
            pace: options.pace(step.rate),
            burst: options.burst,
            timeout_ns: nanos(options.timeout()),
            retries: options.retries,
            drop: step.drop,
            seed: options.seed,
            warmup_ns: nanos(options.warmup),
            duration_ns: nanos(options.duration),
            threads: options.threads,
        }
    }

    /// A fresh token from each target, for the runs of a sweep may be far apart.
    fn greet(&self) -> Result<Vec<Target>, String> {
        let greet = |&address: &SocketAddr| {
            let preloader = Preloader::greet(address, &self.membership, SENDS_MAX);
            preloader
                .map(|preloader| Target { address, token: preloader.token() })
                .map_err(|error| error.to_string())
        };
        self.targets.iter().map(greet).collect()
    }

    /// Runs the threads, all from the same moment, and watches the target meanwhile.
    fn run_threads(
        &self,
        plans: Vec<Plan>,
        traffic: &Traffic,
        cut: &Cut,
        display: &mut Display,
    ) -> Result<(Vec<Measured>, Watched), String> {
        let progress: Vec<Progress> = plans.iter().map(|_| Progress::default()).collect();
        let (ready_sender, ready) = mpsc::channel();
        let (ending, ended) = mpsc::channel();
        thread::scope(|scope| {
            let mut starts = Vec::new();
            let mut threads = Vec::new();
            for (plan, progress) in plans.into_iter().zip(&progress) {
                let (start_sender, start) = mpsc::channel::<Clock>();
                let (ready, ending) = (ready_sender.clone(), ending.clone());
                starts.push(start_sender);
                let work = move || {
                    let _ending: Sender<()> = ending;
                    let worker = Worker::new(plan);
                    let made = worker.as_ref().map(|_| cpu::this_thread()).map_err(String::clone);
                    // Where another thread has failed, the receiver is gone.
                    let _ = ready.send(made);
                    // A thread that panics from here on is not waited for any more.
                    drop(ready);
                    let worker = worker?;
                    let clock = start.recv().map_err(|_| "never started".to_owned())?;
                    worker.run(clock, cut, progress)
                };
                match thread::Builder::new().spawn_scoped(scope, work) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => return Err(format!("no thread: {error}: use fewer --threads")),
                }
            }
            drop((ready_sender, ending));
            let mut generator = match all_ready(&ready, threads.len()) {
                Ok(generator) => generator,
                Err(error) => {
                    // The others wait for their start.
                    drop(starts);
                    for thread in threads {
                        drop(thread.join());
                    }
                    return Err(error);
                }
            };
            generator.extend(cpu::this_thread());
            self.interruption.begin_measuring();
            let clock = Clock::starting_in(START_AHEAD);
            for start in starts {
                // A thread that has panicked since tells so below.
                let _ = start.send(clock);
            }
            let target = self.watch(clock, traffic, cut, &generator, &progress, display);
            self.await_threads(clock, cut, &ended);
            let measured: Result<Vec<Measured>, String> = threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
                .collect();
            Ok((measured?, target))
        })
    }

    /// Waits until every thread has ended. They are cut short when a signal comes.
    fn await_threads(&self, clock: Clock, cut: &Cut, ended: &Receiver<()>) {
        // Nothing is ever sent: the threads' ends of the channel go with the threads.
        while ended.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            if cut.at_ns().is_none() && self.interruption.signal().is_some() {
                cut.short(clock.now_ns());
            }
        }
    }

    /// Shows progress until the measured time is over or a signal comes, and watches the
    /// target meanwhile.
    fn watch(
        &self,
        clock: Clock,
        traffic: &Traffic,
        cut: &Cut,
        generator: &[u32],
        progress: &[Progress],
        display: &mut Display,
    ) -> Watched {
        let (process, excluded) = match (&self.own, self.options.server_pid) {
            (Some(_), _) => (Some(std::process::id()), generator),
            (None, Some(process)) => (Some(process.get()), &[][..]),
            (None, None) => (None, &[][..]),
        };
        let look = || Watched {
            cpu_ns: process.and_then(|process| cpu::of_process_ns(process, excluded)),
            receive_drops: target_drops::receive_drops(&self.targets),
        };
        let less = |after: Option<u64>, before: Option<u64>| after?.checked_sub(before?);
        let mut until =
            |time_ns| display.until(time_ns, clock, traffic, progress, &self.interruption);
        until(traffic.warmup_ns);
        let before = look();
        if until(traffic.end_ns()).is_some() {
            cut.short(clock.now_ns());
        }
        let after = look();
        display.clear();
        Watched {
            cpu_ns: less(after.cpu_ns, before.cpu_ns),
            receive_drops: less(after.receive_drops, before.receive_drops),
        }
    }
}

/// Waits for all of `count` threads to be ready: their numbers, where the system has
/// them.
///
/// # Errors
/// Why the first that is not could not be made.
fn all_ready(
    ready: &Receiver<Result<Option<u32>, String>>,
    count: usize,
) -> Result<Vec<u32>, String> {
    let mut threads = Vec::new();
    for _ in 0..count {
        // Each tells, unless it panics.
        let thread = ready.recv().map_err(|_| "a thread panicked before the start".to_owned())?;
        threads.extend(thread?);
    }
    Ok(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_before_the_start_is_told() {
        let (sender, ready) = mpsc::channel();
        sender.send(Ok(Some(1))).expect("it is heard");
        drop(sender);
        assert_eq!(all_ready(&ready, 1), Ok(vec![1]));
        let (sender, ready) = mpsc::channel();
        sender.send(Ok(Some(1))).expect("it is heard");
        drop(sender);
        let error = all_ready(&ready, 2).expect_err("one is missing");
        assert!(error.contains("panicked"), "{error}");
    }

    #[test]
    fn a_thread_that_fails_is_told_though_others_are_not_ready() {
        let (sender, ready) = mpsc::channel();
        sender.send(Err("no socket".into())).expect("it is heard");
        assert_eq!(all_ready(&ready, 2), Err("no socket".to_owned()));
        drop(sender);
    }
}

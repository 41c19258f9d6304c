//! Tests that idle shards sleep. The test has a process of its own, without other shards.
#![cfg(feature = "std")]

mod harness;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use kad_node::driver::{IoChoice, Pin, Settings, Steering, start};

use harness::{sharded, threads};

const SHARDS: usize = 4;
const IDLE: Duration = Duration::from_secs(10);
/// Most context switches of all shards together. It is generous: a shard that polled
/// every millisecond would switch 10 000 times.
const SWITCHES_MAX: u64 = 100;
const CPU_MAX: Duration = Duration::from_millis(100);

/// What the shards' threads have used.
#[derive(Debug)]
struct Usage {
    /// Voluntary context switches.
    switches: u64,
    cpu: Duration,
}

/// The sums over the node's shards.
fn usage() -> Usage {
    let mut usage = Usage { switches: 0, cpu: Duration::ZERO };
    for task in shards() {
        let read = |file| fs::read_to_string(task.join(file)).expect("a thread that lives");
        let status = read("status");
        let switches =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        usage.switches +=
            switches.expect("the kernel lists it").trim().parse::<u64>().expect("a number");
        // The first field is the time on a core, in nanoseconds.
        let schedstat = read("schedstat");
        let nanos = schedstat.split_whitespace().next().expect("it has three fields");
        usage.cpu += Duration::from_nanos(nanos.parse().expect("a number"));
    }
    usage
}

/// The shards' threads, as folders under `/proc`. Threads of the previous node have been
/// joined, but the kernel may show them until it has cleaned up.
fn shards() -> Vec<PathBuf> {
    let begun = Instant::now();
    loop {
        let shards = threads("self", "shard-");
        if shards.len() == SHARDS {
            return shards;
        }
        assert!(begun.elapsed() < IDLE, "{} shards", shards.len());
        thread::yield_now();
    }
}

#[test]
fn idle_shards_use_next_to_no_cpu() {
    for io in [IoChoice::Uring, IoChoice::TokioUring, IoChoice::Mmsg] {
        let settings = sharded(io, "127.0.0.1:0", SHARDS, Steering::Kernel);
        let settings = Settings { pin: Pin::Pinned, ..settings };
        let node = start(settings).expect("loopback is there");
        let before = usage();
        thread::sleep(IDLE);
        let after = usage();
        let switches = after.switches - before.switches;
        let cpu = after.cpu.saturating_sub(before.cpu);
        eprintln!("{SHARDS} idle shards, {io}, {IDLE:?}: {switches} switches, {cpu:?} of CPU");
        assert!(switches <= SWITCHES_MAX, "{io}: {switches} voluntary switches");
        assert!(cpu <= CPU_MAX, "{io}: {cpu:?} of CPU");
        node.stop().expect("it was told to");
    }
}

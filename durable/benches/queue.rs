//! What the queue and the thread of the writer cost: changes kept through them, beside the
//! same changes kept by the same log on the calling thread.
//!
//! ```sh
//! cargo bench -p kad-durable --bench queue               # ratios, one interleaved run: a minute
//! cargo bench -p kad-durable --bench queue -- bare       # only the log, to be profiled
//! ```

#![allow(clippy::print_stdout, reason = "the results")]
#![allow(clippy::cast_precision_loss, reason = "the results have three digits")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use kad_durable::{
    Batch, Change, Event, Folder, Held, Options, Purpose, Refused, SyncPolicy, Writer,
};

const ROUNDS: usize = 7;
const VALUE_BYTES: usize = 100;
/// Batches that a shard of a node has under way at most.
const UNDER_WAY_MAX: usize = 64;
/// Changes of a group, and groups of a sample.
const GROUPS: [(usize, usize); 3] = [(1, 2000), (64, 1500), (1024, 300)];

/// How the groups are kept.
#[derive(Clone, Copy)]
enum Way {
    /// On the calling thread.
    Bare,
    /// Through the queue; each is waited for.
    Waited,
    /// Through the queue; others are handed over meanwhile, as a shard does.
    Ahead,
}

fn main() {
    let only_bare = std::env::args().any(|arg| arg == "bare");
    println!("{:>6} {:>6} {:>12} {:>24} {:>24}", "sync", "group", "bare", "waited", "ahead");
    for (sync, name) in [(SyncPolicy::EverySecond, "1s"), (SyncPolicy::Always, "always")] {
        for (group, groups) in GROUPS {
            let take = |way| sample(way, sync, group, groups);
            if only_bare {
                println!("{name:>6} {group:>6} {:>8.0} k/s", take(Way::Bare) / 1e3);
                continue;
            }
            let (mut bare, mut waited, mut ahead) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let alone = take(Way::Bare);
                bare.push(alone / 1e3);
                waited.push(take(Way::Waited) / alone);
                ahead.push(take(Way::Ahead) / alone);
            }
            bare.sort_by(f64::total_cmp);
            println!(
                "{name:>6} {group:>6} {:>8.0} k/s {:>24} {:>24}",
                bare[ROUNDS / 2],
                spread(waited),
                spread(ahead)
            );
        }
    }
}

/// The median, the least and the greatest.
fn spread(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2}..{:.2})", ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1])
}

/// Changes kept in a second.
fn sample(way: Way, sync: SyncPolicy, group: usize, groups: usize) -> f64 {
    let dir = dir();
    let options = Options { sync, ..Options::default() };
    let (folder, _) = Folder::open(&dir.path, &options).expect("a folder");
    let all = (0..groups).map(|number| changes(number * group, group)).collect();
    let took = match way {
        Way::Bare => keep(folder, all),
        Way::Waited => hand_over(folder, all, 1),
        Way::Ahead => hand_over(folder, all, UNDER_WAY_MAX),
    };
    (group * groups) as f64 / took.as_secs_f64()
}

/// Keeps the groups on this thread.
fn keep(mut folder: Folder, groups: Vec<Vec<Change>>) -> Duration {
    let began = Instant::now();
    for changes in groups {
        folder.keep(changes).expect("a disk that works");
    }
    began.elapsed()
}

/// Hands the groups to the writer, at most `under_way` of them before the first is kept.
fn hand_over(folder: Folder, groups: Vec<Vec<Change>>, under_way: usize) -> Duration {
    let (sender, events) = channel();
    let writer = Writer::start(folder, move |event| drop(sender.send(event)));
    let writer = writer.expect("a thread");
    let queue = writer.queue();
    let began = Instant::now();
    let mut unkept = 0;
    for (tag, changes) in (0..).zip(groups) {
        let mut batch = Batch { tag, changes };
        while let Err(Refused::Busy(refused)) = queue.try_push(batch) {
            batch = refused;
            unkept -= wait(&events);
        }
        unkept += 1;
        while unkept >= under_way {
            unkept -= wait(&events);
        }
    }
    while unkept > 0 {
        unkept -= wait(&events);
    }
    began.elapsed()
}

/// Waits for a batch to be kept.
fn wait(events: &Receiver<Event>) -> usize {
    match events.recv() {
        Ok(Event::Kept { .. }) => 1,
        other => panic!("{other:?}"),
    }
}

/// Values that others have stored, from number `first` on. Their keys are uniform.
fn changes(first: usize, count: usize) -> Vec<Change> {
    let hold = |number: usize| {
        let mut state = number as u64;
        let mut word = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ mixed >> 27).to_le_bytes()
        };
        let mut key = [0; 20];
        key[..8].copy_from_slice(&word());
        key[8..16].copy_from_slice(&word());
        Change::Hold(Held {
            key,
            value: vec![number as u8; VALUE_BYTES].into(),
            expires_ms: u64::MAX,
            purpose: Purpose::Replica,
            source: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        })
    };
    (first..first + count).map(hold).collect()
}

/// A folder that is removed in the end.
struct Dir {
    path: PathBuf,
}

fn dir() -> Dir {
    let base = std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = base.join(format!("queue-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    Dir { path }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.path));
    }
}

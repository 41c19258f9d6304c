//! A process that writes is killed at random moments, again and again, in the same folder:
//! what it had acknowledged is found.
//!
//! The test runs itself as that process. It writes values of 2 KiB, each numbered, and evicts
//! old ones in the same batch, so that the folder is compacted meanwhile. It prints the number
//! of each batch that is reported as kept.

#![allow(clippy::print_stdout, reason = "the child prints what is kept; the test, its result")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use kad_durable::{
    Batch, Change, Event, Folder, Held, OpenError, Options, Purpose, Refused, SyncPolicy, Writer,
    check, key_of,
};

const ROUNDS: u64 = 40;
/// Values that are not evicted yet.
const WINDOW: u64 = 500;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match &args[1..] {
        [child, dir, first, sync] if child == "child" => {
            write(Path::new(dir), first.parse().expect("a number"), sync == "always");
        }
        _ => kill_again_and_again(),
    }
}

fn value(number: u64) -> Arc<[u8]> {
    let mut value = vec![number as u8; 2048];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value.into()
}

/// The child: writes for ever.
fn write(dir: &Path, first: u64, always: bool) {
    let sync = if always { SyncPolicy::Always } else { SyncPolicy::EverySecond };
    let options = Options { sync, ..Options::default() };
    let (folder, contents) = Folder::open(dir, &options).expect("the folder");
    let expires_ms = contents.now_ms + 3_600_000;
    let writer = Writer::start(folder, |event| match event {
        Event::Kept { tag, .. } => {
            // The pipe closes when the test ends early.
            let _ = writeln!(std::io::stdout(), "{tag}");
        }
        event => panic!("{event}"),
    });
    let queue = writer.as_ref().expect("a thread").queue();
    for number in first.. {
        let value = value(number);
        let (key, purpose, source) = (key_of(&value), Purpose::Replica, None);
        let mut changes = vec![Change::Hold(Held { key, value, expires_ms, purpose, source })];
        if let Some(old) = number.checked_sub(WINDOW) {
            changes.push(Change::Evict { key: key_of(&self::value(old)) });
        }
        let mut batch = Batch { tag: number, changes };
        while let Err(Refused::Busy(refused)) = queue.try_push(batch) {
            batch = refused;
            std::thread::yield_now();
        }
    }
}

fn kill_again_and_again() {
    let began = Instant::now();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("data");
    let mut next = 0;
    for round in 0..ROUNDS {
        // How many it acknowledges before it is killed: few and many.
        let lines = 1 + round * 7919 % if round % 3 == 0 { 40 } else { 1500 };
        let acknowledged = run_and_kill(&path, next, lines, round % 5 == 4);
        next = verify(&path, acknowledged) + 1;
    }
    let checked = check(&path).expect("the folder");
    assert!(checked.is_good(), "{checked}");
    assert!(checked.segments < 40, "{checked}");
    println!("killed {ROUNDS} times in {:?}, {next} batches kept\n{checked}", began.elapsed());
}

/// Runs the child until it has printed `lines`, kills it, and returns the last number that it
/// had printed.
fn run_and_kill(path: &Path, first: u64, lines: u64, always: bool) -> u64 {
    let this = std::env::current_exe().expect("this program");
    let sync = if always { "always" } else { "1s" };
    let mut command = Command::new(this);
    command.arg("child").arg(path).arg(first.to_string()).arg(sync);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a child");
    let mut printed = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let number = |line: std::io::Result<String>| line.ok()?.parse::<u64>().ok();
    let mut last = 0;
    for _ in 0..lines {
        last = printed.next().and_then(number).expect("the child prints");
    }
    let pid = child.id();
    match Folder::open(path, &Options::default()) {
        Err(OpenError::Locked { pid: Some(holder), .. }) => assert_eq!(holder, pid),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the folder of process {pid} was opened"),
    }
    child.kill().expect("a child");
    child.wait().expect("a child");
    printed.filter_map(number).fold(last, u64::max)
}

/// Looks for what was acknowledged, and returns the last number that is found.
fn verify(path: &Path, acknowledged: u64) -> u64 {
    let (_, contents) = Folder::open(path, &Options::default()).expect("the folder");
    assert_eq!((contents.damage.damaged, contents.damage.mismatched), (0, 0));
    let number = |held: &Held| {
        let number = u64::from_be_bytes(held.value[..8].try_into().expect("8 bytes"));
        assert_eq!(held.value, value(number));
        number
    };
    let found: BTreeSet<u64> = contents.held.iter().map(number).collect();
    let last = found.last().copied().expect("a value");
    assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is the last found");
    let first = (last + 1).saturating_sub(WINDOW);
    // The last batch may be cut off between its two changes.
    let missing: Vec<u64> = (first..=last).filter(|number| !found.contains(number)).collect();
    assert!(missing.is_empty(), "of {first} to {last}: {missing:?}");
    let extra: Vec<&u64> = found.range(..first).collect();
    assert!(extra.iter().all(|number| **number + 1 == first), "evicted and back: {extra:?}");
    last
}

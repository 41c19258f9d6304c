//! Storage engines on the workload of a node: small values under uniform keys, each with the
//! fields of a held replica, in groups; everything is read once, at the start.
//!
//! Each measurement runs in a process of its own, so that memory and bytes written are its
//! own. See the crate's README for the command and the results.

#![allow(clippy::print_stdout, reason = "the results")]
#![allow(clippy::cast_precision_loss, reason = "the results have three digits")]

mod engine;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use engine::{FIELDS_BYTES, Group, open};
use sha1::{Digest as _, Sha1};

/// `log` is the bare file. `kad-durable` waits for each group, as the others do;
/// `kad-durable-queued` hands the next ones over meanwhile, as the shards of a node do.
const ENGINES: [&str; 7] =
    ["log", "kad-durable", "kad-durable-queued", "fjall", "redb", "redb-unsynced", "canopydb"];
/// A measurement of puts ends after so long.
const MEASURED_FOR: Duration = Duration::from_secs(4);
/// Between two fsyncs where they are not part of each group.
const SYNC_PERIOD: Duration = Duration::from_secs(1);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => all(&ENGINES),
        ["put", engine, bytes, group, sync, values, dir] => {
            put(engine, number(bytes), number(group), sync == "always", number(values), dir);
        }
        ["churn", engine, values, rounds, dir] => {
            churn(engine, number(values), number(rounds), dir);
        }
        ["found", engine, dir] => found(engine, dir),
        ["damage", engine] => damaged(engine),
        ["kill", engine] => killed(engine),
        ["start", engine, dir] => start(engine, dir),
        ["writes", engine, dir] => writes(engine, dir),
        ref engines => all(engines),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

/// Every measurement of `engines`.
fn all(engines: &[&str]) {
    for engine in engines {
        println!("\n{engine}");
        for sync in ["1s", "always"] {
            for group in ["1", "64", "1024"] {
                let dir = folder();
                println!("{}", child(&["put", engine, "100", group, sync, "2000000", &name(&dir)]));
                fs::remove_dir_all(dir).expect("a folder of this bench");
            }
        }
        for (bytes, group, values) in [("10240", "64", "20000"), ("1048576", "1", "1000")] {
            let dir = folder();
            println!("{}", child(&["put", engine, bytes, group, "1s", values, &name(&dir)]));
            fs::remove_dir_all(dir).expect("a folder of this bench");
        }
        let dir = folder();
        println!(
            "million: {}",
            child(&["put", engine, "100", "1024", "1s", "million", &name(&dir)])
        );
        println!("start:   {}", child(&["start", engine, &name(&dir)]));
        fs::remove_dir_all(dir).expect("a folder of this bench");
        let dir = folder();
        println!("churn:   {}", child(&["churn", engine, "1000000", "4", &name(&dir)]));
        fs::remove_dir_all(dir).expect("a folder of this bench");
        killed(engine);
        damaged(engine);
    }
}

fn folder() -> PathBuf {
    let base = std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = base.join(format!("engines-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a folder");
    dir
}

fn name(dir: &Path) -> String {
    dir.to_string_lossy().into_owned()
}

/// Runs a measurement in a process of its own and returns what it prints.
fn child(args: &[&str]) -> String {
    let this = std::env::current_exe().expect("this program");
    let args: Vec<&str> =
        args.iter().map(|arg| if *arg == "million" { "1000000" } else { *arg }).collect();
    let mut command = Command::new(this);
    if args[0] == "put" && args[5] == "1000000" {
        command.env("UNLIMITED", "1");
    }
    let output = command.args(&args).stderr(Stdio::inherit()).output().expect("a child");
    assert!(output.status.success(), "{args:?}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Values that do not compress, each with the fields that a held replica has.
fn group_of(first: usize, count: usize, value_bytes: usize) -> Group {
    let entry = |index: usize| {
        let mut state = index as u64;
        let mut payload = vec![7; FIELDS_BYTES];
        while payload.len() < FIELDS_BYTES + value_bytes {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            payload.extend_from_slice(&(mixed ^ mixed >> 31).to_le_bytes());
        }
        payload.truncate(FIELDS_BYTES + value_bytes);
        (key_of(&payload), payload)
    };
    (first..first + count).map(entry).collect()
}

fn key_of(payload: &[u8]) -> [u8; 20] {
    Sha1::digest(&payload[FIELDS_BYTES..]).into()
}

/// Puts values and says how fast that was.
fn put(name: &str, bytes: usize, group: usize, always: bool, values: usize, dir: &str) {
    let mut engine = open(name, Path::new(dir), always);
    let limit = std::env::var_os("UNLIMITED").map_or(MEASURED_FOR, |_| Duration::MAX);
    let before = written();
    let mut busy = Duration::ZERO;
    let mut stall = Duration::ZERO;
    let (mut kept, mut syncs) = (0, Instant::now());
    while kept < values && busy < limit {
        let entries = group_of(kept, group.min(values - kept), bytes);
        engine.prepare(&entries);
        let began = Instant::now();
        engine.put(&entries);
        if !always && syncs.elapsed() >= SYNC_PERIOD {
            engine.sync();
            syncs = Instant::now();
        }
        let took = began.elapsed();
        busy += took;
        stall = stall.max(took);
        kept += entries.len();
    }
    let began = Instant::now();
    engine.finish();
    busy += began.elapsed();
    engine.sync();
    let memory = resident();
    let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    engine.close();
    println!(
        "{bytes} B, groups of {group}, sync {}: {:.0} puts/s, {:.0} B written, {:.0} B on disk a \
         value, stall {:.1} ms, {memory} MiB, {threads} threads",
        if always { "always" } else { "1s" },
        kept as f64 / busy.as_secs_f64(),
        (written() - before) as f64 / kept as f64,
        on_disk(Path::new(dir)) as f64 / kept as f64,
        stall.as_secs_f64() * 1e3,
    );
}

/// Stores values again and again, as republishing does, and then removes half of them.
fn churn(name: &str, values: usize, rounds: usize, dir: &str) {
    let mut engine = open(name, Path::new(dir), false);
    let before = written();
    let (mut stall, mut most) = (Duration::ZERO, 0);
    for _ in 0..rounds {
        for first in (0..values).step_by(1000) {
            let entries = group_of(first, 1000, 100);
            engine.prepare(&entries);
            let began = Instant::now();
            engine.put(&entries);
            stall = stall.max(began.elapsed());
        }
        engine.sync();
        most = most.max(on_disk(Path::new(dir)));
    }
    for first in (0..values / 2).step_by(1000) {
        let began = Instant::now();
        engine.remove(&group_of(first, 1000, 100));
        stall = stall.max(began.elapsed());
    }
    engine.sync();
    thread::sleep(Duration::from_secs(3));
    let total = written() - before;
    let open_bytes = on_disk(Path::new(dir));
    engine.close();
    println!(
        "each of {values} values stored {rounds} times: {:.0} B written, at most {:.0} B on \
         disk a value; after half was removed {:.0} B, closed {:.0} B a value that is \
         left; stall {:.1} ms",
        total as f64 / values as f64,
        most as f64 / values as f64,
        open_bytes as f64 / (values / 2) as f64,
        on_disk(Path::new(dir)) as f64 / (values / 2) as f64,
        stall.as_secs_f64() * 1e3,
    );
}

/// Reads all values into memory, as a start does, and verifies each.
fn start(name: &str, dir: &str) {
    let began = Instant::now();
    let engine = open(name, Path::new(dir), false);
    let opened = began.elapsed();
    let mut values = Vec::new();
    engine.scan(&mut |key, payload| {
        assert!(key_of(payload) == key, "a value that does not match its key");
        values.push((<[u8; 20]>::try_from(key).expect("20 bytes"), Box::<[u8]>::from(payload)));
    });
    let took = began.elapsed();
    println!(
        "{} values in {:.2} s, {:.2} s of them to open; {} MiB",
        values.len(),
        took.as_secs_f64(),
        opened.as_secs_f64(),
        resident()
    );
}

/// Writes for ever and says how many values have been acknowledged.
fn writes(name: &str, dir: &str) {
    let mut engine = open(name, Path::new(dir), false);
    let mut out = std::io::stdout().lock();
    for first in (0..).step_by(16) {
        engine.put(&group_of(first, 16, 100));
        engine.finish();
        writeln!(out, "{}", first + 16).expect("a pipe");
    }
}

/// Kills a process that writes, and looks for what it had acknowledged, without an fsync.
fn killed(engine: &str) {
    const ROUNDS: u32 = 5;
    let (mut acknowledged, mut found) = (0, 0);
    for round in 0..ROUNDS {
        let dir = folder();
        let this = std::env::current_exe().expect("this program");
        let mut child = Command::new(this)
            .args(["writes", engine, &name(&dir)])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut last = 0;
        for _ in 0..40 + 111 * round {
            last = lines.next().expect("a line").expect("text").parse().expect("a number");
        }
        child.kill().expect("a child that runs");
        child.wait().expect("a child");
        for line in lines.map_while(Result::ok) {
            last = line.parse().unwrap_or(last).max(last);
        }
        acknowledged += last;
        let mut here = 0;
        open(engine, &dir, false).scan(&mut |_, _| here += 1);
        found += last.min(here);
        fs::remove_dir_all(dir).expect("a folder of this bench");
    }
    println!("killed {ROUNDS} times: {acknowledged} acknowledged, {found} of them found");
}

/// Says how many values are found.
fn found(name: &str, dir: &str) {
    let mut found = 0;
    open(name, Path::new(dir), false).scan(&mut |key, payload| {
        found += u32::from(key_of(payload) == key);
    });
    println!("{found}");
}

/// Changes one byte of the largest file, in several places, and says how many values of
/// 100 000 are lost each time.
fn damaged(engine: &str) {
    const VALUES: usize = 100_000;
    print!("one byte changed, values lost:");
    for place in 1..8 {
        let dir = folder();
        child(&["put", engine, "100", "1024", "1s", "100000", &name(&dir)]);
        let file = largest(&dir).expect("a file").1;
        let mut bytes = fs::read(&file).expect("the largest file");
        // Some engines allocate more than they use.
        let used = bytes.iter().rposition(|&byte| byte != 0).expect("a byte");
        bytes[used / 8 * place] ^= 0x10;
        fs::write(&file, bytes).expect("the largest file");
        let this = std::env::current_exe().expect("this program");
        let mut child = Command::new(this);
        child.args(["found", engine, &name(&dir)]).stderr(Stdio::null());
        let output = child.output().expect("a child");
        let found: Option<usize> = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
        match found {
            Some(found) => print!(" {}", VALUES - found),
            None => print!(" all (it refuses)"),
        }
        fs::remove_dir_all(dir).expect("a folder of this bench");
    }
    println!();
}

fn largest(dir: &Path) -> Option<(u64, PathBuf)> {
    let entries = fs::read_dir(dir).expect("a folder").flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => largest(&entry.path()),
        Ok(data) => Some((std::os::unix::fs::MetadataExt::blocks(&data), entry.path())),
        Err(_) => None,
    };
    entries.filter_map(size).max()
}

/// Bytes that this process has handed to `write`.
fn written() -> u64 {
    field("/proc/self/io", "wchar:")
}

/// Memory of this process that belongs to no file, in MiB.
fn resident() -> u64 {
    field("/proc/self/status", "RssAnon:") >> 10
}

fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).expect("a file of /proc");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Bytes of blocks under `dir`.
fn on_disk(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => on_disk(&entry.path()),
        Ok(data) => data.blocks() * 512,
        Err(_) => 0,
    };
    fs::read_dir(dir).map_or(0, |entries| entries.flatten().map(size).sum())
}

//! Whole puts and gets in a network: a process starts it, and carries out what it is told by
//! lines. It measures each by itself, so that the pipe is in no number.
//!
//! `put HEX` is answered by `KEY NANOSECONDS`, `get KEY` by `HEX NANOSECONDS`, anything that
//! fails by `failed WHY`. Its first line is `ready`. Gets are made by another node than puts.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

use crate::process::{Core, Process};
use crate::wire::VALUE_BYTES;

/// What a network in this program offers.
pub(crate) trait Network {
    /// Stores `value`; says by which key it is found.
    fn put(&mut self, value: &[u8]) -> Result<String, String>;

    /// Fetches it.
    fn get(&mut self, key: &str) -> Result<Vec<u8>, String>;
}

/// Carries out what standard input says.
pub(crate) fn serve(network: &mut impl Network) -> Result<(), String> {
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let began = Instant::now();
        let answer = match line.split_once(' ') {
            Some(("put", value)) => {
                let value = hex::decode(value).map_err(|error| error.to_string())?;
                let began = Instant::now();
                let key = network.put(&value);
                key.map(|key| (key, began.elapsed()))
            }
            Some(("get", key)) => {
                let value = network.get(key);
                value.map(|value| (hex::encode(value), began.elapsed()))
            }
            _ => return Err(format!("'{line}' is no command")),
        };
        match answer {
            Ok((answer, took)) => say(&format!("{answer} {}", took.as_nanos()))?,
            Err(error) => say(&format!("failed {error}"))?,
        }
    }
    Ok(())
}

fn say(line: &str) -> Result<(), String> {
    let mut output = std::io::stdout().lock();
    let said = writeln!(output, "{line}").and_then(|()| output.flush());
    said.map_err(|error| error.to_string())
}

/// How long puts and gets took.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) puts: Vec<Duration>,
    pub(crate) gets: Vec<Duration>,
    pub(crate) failed: usize,
}

/// Puts and gets `count` values in a fresh network.
pub(crate) fn measure(
    program: &str,
    arguments: &[&str],
    round: usize,
    count: usize,
    times: &mut Times,
) -> Result<(), String> {
    let mut network = Process::start(program, arguments, Core::Any)?;
    let first = network.line()?;
    if first != "ready" {
        return Err(first);
    }
    for index in 0..count {
        let mut value = [b'n'; VALUE_BYTES];
        let text = format!("{round:04}{index:04}");
        value[..text.len()].copy_from_slice(text.as_bytes());
        let put = network.ask(&format!("put {}", hex::encode(value)))?;
        let Some((key, took)) = answer(&put) else {
            times.failed += 1;
            continue;
        };
        times.puts.push(took);
        let got = network.ask(&format!("get {key}"))?;
        match answer(&got) {
            Some((found, took)) if hex::decode(found).is_ok_and(|found| found == value) => {
                times.gets.push(took);
            }
            _ => times.failed += 1,
        }
    }
    Ok(())
}

fn answer(line: &str) -> Option<(&str, Duration)> {
    let (answer, took) = line.split_once(' ')?;
    (answer != "failed").then_some(())?;
    Some((answer, Duration::from_nanos(took.parse().ok()?)))
}

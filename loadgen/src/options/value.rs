//! What the flags take.

use std::time::Duration;

use kad_node::NetworkKey;
use kad_node::quantity::{parse_count, parse_duration};
use udp::BATCH_DATAGRAMS_MAX;

use super::{LINKS_MAX, Rate, WaitChoice};
use crate::corpus::{KEYS_MAX, Popularity};
use crate::network::NODES_MAX;
use crate::schedule::Arrivals;
use crate::worker::Waiting;

/// Most requests a second that can be asked for.
const RATE_MAX: u64 = 100_000_000;
/// Longest warm-up and longest measured time: at a million requests a second so long their
/// numbers last.
const RUN_MAX: Duration = Duration::from_hours(19);
/// Most threads of the generator.
const THREADS_MAX: u64 = 64;
/// Most sends after the first.
const RETRIES_MAX: u64 = 100;
/// What YCSB uses.
const ZIPF_EXPONENT_DEFAULT: f64 = 0.99;

fn bounded(text: &str, parsed: Result<u64, String>, min: u64, max: u64) -> Result<u64, String> {
    let number = parsed?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(format!("expected {min} to {max}, not {text}"))
    }
}

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let rate = parse_count(text).map_err(|error| format!("{error}, or max"));
    bounded(text, rate, 1, RATE_MAX).map(Rate::PerSecond)
}

pub(super) fn window(text: &str) -> Result<u64, String> {
    bounded(text, parse_count(text), 1, 1 << 20)
}

pub(super) fn keys(text: &str) -> Result<u64, String> {
    bounded(text, parse_count(text), 1, KEYS_MAX)
}

pub(super) fn retries(text: &str) -> Result<u8, String> {
    bounded(text, parse_count(text), 0, RETRIES_MAX).map(|retries| retries as u8)
}

pub(super) fn burst(text: &str) -> Result<u64, String> {
    bounded(text, parse_count(text), 1, BATCH_DATAGRAMS_MAX as u64)
}

pub(super) fn peers(text: &str) -> Result<usize, String> {
    bounded(text, parse_count(text), 1, LINKS_MAX as u64).map(|peers| peers as usize)
}

pub(super) fn threads(text: &str) -> Result<u64, String> {
    bounded(text, parse_count(text), 1, THREADS_MAX)
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    within(parse_duration(text)?, Duration::from_millis(10), RUN_MAX)
}

pub(super) fn warmup(text: &str) -> Result<Duration, String> {
    within(parse_duration(text)?, Duration::ZERO, RUN_MAX)
}

pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    within(parse_duration(text)?, Duration::from_millis(1), Duration::from_mins(1))
}

pub(super) fn nodes(text: &str) -> Result<u64, String> {
    let nodes = parse_count(text).map_err(|error| {
        format!("{error}: how many nodes; the name of a network goes with --network-name")
    });
    bounded(text, nodes, 2, NODES_MAX)
}

pub(super) fn key(path: &str) -> Result<NetworkKey, String> {
    NetworkKey::read(path.as_ref()).map_err(|error| error.to_string())
}

pub(super) fn delay(text: &str) -> Result<Duration, String> {
    within(parse_duration(text)?, Duration::ZERO, Duration::from_secs(10))
}

fn within(duration: Duration, min: Duration, max: Duration) -> Result<Duration, String> {
    if (min..=max).contains(&duration) {
        return Ok(duration);
    }
    let show = humantime::format_duration;
    Err(format!("expected {} to {}", show(min), show(max)))
}

pub(super) fn arrivals(text: &str) -> Result<Arrivals, String> {
    match text {
        "uniform" => Ok(Arrivals::Uniform),
        "poisson" => Ok(Arrivals::Poisson),
        _ => Err("expected uniform or poisson".into()),
    }
}

pub(super) fn waiting(text: &str) -> Result<WaitChoice, String> {
    match text {
        "auto" => Ok(WaitChoice::Auto),
        "spin" => Ok(WaitChoice::Always(Waiting::Spin)),
        "sleep" => Ok(WaitChoice::Always(Waiting::Sleep)),
        _ => Err("expected auto, spin or sleep".into()),
    }
}

pub(super) fn popularity(text: &str) -> Result<Popularity, String> {
    let exponent = match text {
        "uniform" => return Ok(Popularity::Uniform),
        "zipf" => Some(ZIPF_EXPONENT_DEFAULT),
        _ => text.strip_prefix("zipf:").and_then(|exponent| exponent.parse().ok()),
    };
    match exponent {
        Some(exponent) if exponent > 0.0 && exponent <= 10.0 => Ok(Popularity::Zipf { exponent }),
        Some(_) => Err("an exponent is above 0 and at most 10".into()),
        None => Err("expected uniform, zipf or zipf:EXPONENT, such as zipf:1.2".into()),
    }
}

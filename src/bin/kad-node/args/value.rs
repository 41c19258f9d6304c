//! Parses numbers, durations and choices on the command line.

use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use kad_node::NetworkKey;
use kad_node::driver::{Coalescing, IoChoice, ShardCount, Steering, SyncPolicy};
use kad_node::limits::{SHARDS_MAX, STORE_BYTES_MIN, VALUE_BYTES_MAX};
use kad_node::quantity::{parse_bytes, parse_duration};
use tracing::level_filters::LevelFilter;

use super::{Format, Layout};

/// Shortest period: datagrams carry a value's life in whole seconds.
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// Longest `--leave`: the user or supervisor that stops a node waits this long.
const LEAVE_MAX: Duration = Duration::from_hours(1);

/// Longest `--timeout` of a command.
const TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// Parses a number from `MIN` to `MAX`.
pub(super) fn number<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| (MIN..=MAX).contains(number))
        .ok_or_else(|| format!("expected a number from {MIN} to {MAX}"))
}

/// Parses a number of shards.
pub(super) fn cores(text: &str) -> Result<ShardCount, String> {
    text.parse()
        .ok()
        .and_then(ShardCount::new)
        .ok_or_else(|| format!("expected a number of cores from 1 to {SHARDS_MAX}"))
}

/// One shard for each core that the process may use.
pub(super) fn cores_available() -> ShardCount {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    ShardCount::new(cores).unwrap_or(ShardCount::MAX)
}

/// Parses how values stand in a file.
pub(super) fn layout(text: &str) -> Result<Layout, String> {
    match text {
        "lines" => Ok(Layout::Lines),
        "records" => Ok(Layout::Records),
        _ => Err("expected lines or records".into()),
    }
}

/// Parses whether the kernel steers.
pub(super) fn steering(text: &str) -> Result<Steering, String> {
    match text {
        "on" => Ok(Steering::Kernel),
        "off" => Ok(Steering::Off),
        _ => Err("expected on or off".into()),
    }
}

/// Parses when the disk is told to keep what was written.
pub(super) fn sync(text: &str) -> Result<SyncPolicy, String> {
    match text {
        "1s" => Ok(SyncPolicy::EverySecond),
        "always" => Ok(SyncPolicy::Always),
        "off" => Ok(SyncPolicy::Off),
        _ => Err("expected 1s, always or off".into()),
    }
}

/// Reads the key of a network from the file that is named.
pub(super) fn network_key(path: &str) -> Result<NetworkKey, String> {
    NetworkKey::read(Path::new(path)).map_err(|error| error.to_string())
}

/// Parses whether datagrams are coalesced.
pub(super) fn coalescing(text: &str) -> Result<Coalescing, String> {
    match text {
        "on" => Ok(Coalescing::On),
        "off" => Ok(Coalescing::Off),
        _ => Err("expected on or off".into()),
    }
}

/// Parses the size of the store, in bytes.
pub(super) fn store_bytes(text: &str) -> Result<usize, String> {
    let bytes = usize::try_from(parse_bytes(text)?).map_err(|_| "expected less".to_owned())?;
    if bytes < STORE_BYTES_MIN {
        return Err(format!("expected {}KiB or more, such as 16MiB", STORE_BYTES_MIN >> 10));
    }
    Ok(bytes)
}

/// Parses the size of the largest value, in bytes.
pub(super) fn value_max(text: &str) -> Result<usize, String> {
    let bytes = usize::try_from(parse_bytes(text)?).ok();
    let bytes = bytes.filter(|bytes| (1..=VALUE_BYTES_MAX).contains(bytes));
    bytes.ok_or_else(|| format!("expected a size from 1 to {}MiB", VALUE_BYTES_MAX >> 20))
}

/// Parses a period of at least [`PERIOD_MIN`].
pub(super) fn period(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)?;
    if period < PERIOD_MIN { Err("expected a period of 1s or longer".into()) } else { Ok(period) }
}

/// Parses how long a command may take.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)?;
    if period.is_zero() || period > TIMEOUT_MAX {
        return Err("expected a period of up to 1h, such as 10s".into());
    }
    Ok(period)
}

/// Parses how long a stopping node may take to hand its values off; zero: no time at all.
pub(super) fn leave(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)?;
    if period > LEAVE_MAX { Err("expected a period of 1h or shorter".into()) } else { Ok(period) }
}

/// Parses the name of a driver.
pub(super) fn io_choice(text: &str) -> Result<IoChoice, String> {
    text.parse().map_err(|_| "expected auto, uring, tokio-uring or mmsg".into())
}

/// Parses a log level.
pub(super) fn log_level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "expected error, warn, info, debug, trace or off".into())
}

/// Parses the form of the log, or of a result.
pub(super) fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("expected text or json".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_a_least_size() {
        assert_eq!(store_bytes("128KiB"), Ok(STORE_BYTES_MIN));
        for text in ["131071", "99999999999GiB", "16 MiB"] {
            assert!(store_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_largest_value_has_a_largest_size() {
        assert_eq!(value_max("16MiB"), Ok(VALUE_BYTES_MAX));
        for text in ["0", "16777217", "99999999999GiB"] {
            assert!(value_max(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_period_needs_a_unit() {
        assert_eq!(period("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(period("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(period("1500ms"), Ok(Duration::from_millis(1500)));
        assert!(period("15").is_err());
        assert!(period("250ms").is_err(), "a life of no seconds");
        assert_eq!(leave("0s"), Ok(Duration::ZERO));
        assert_eq!(leave("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(leave("1h"), Ok(LEAVE_MAX));
        assert_eq!(timeout("250ms"), Ok(Duration::from_millis(250)));
        assert!(timeout("0s").is_err() && timeout("9999999999y").is_err());
        assert!(leave("1h 1s").is_err() && leave("9999999999y").is_err() && leave("5").is_err());
    }
}

//! Parses numbers, durations and choices on the command line.

use std::num::NonZero;
use std::str::FromStr;
use std::time::Duration;

use kad_node::driver::{Coalescing, IoChoice, ShardCount, Steering};
use kad_node::limits::{SHARDS_MAX, STORE_BYTES_MIN};
use tracing::level_filters::LevelFilter;

/// Most digits after the point of a percentage: more would not change a run.
const PERCENT_DECIMALS_MAX: usize = 9;

/// Shortest period: datagrams carry a value's life in whole seconds.
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// Longest `--leave`: the user or supervisor that stops a node waits this long.
const LEAVE_MAX: Duration = Duration::from_hours(1);

/// Longest `--timeout` of a command.
const TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// A probability, as the exact ratio of the decimals given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percent {
    /// At most [`Self::denominator`].
    pub(crate) numerator: u64,
    /// 100 times a power of ten.
    pub(crate) denominator: u64,
}

impl Percent {
    /// Whether the probability is zero.
    pub(crate) const fn is_zero(self) -> bool {
        self.numerator == 0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a number from 0 to 100, such as 30 or 12.5".to_owned();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > PERCENT_DECIMALS_MAX || !decimals.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let scale = 10u64.pow(decimals.len() as u32);
        let whole: u8 = whole.parse().map_err(|_| wrong())?;
        let decimals =
            if decimals.is_empty() { 0 } else { decimals.parse().map_err(|_| wrong())? };
        let percent =
            Self { numerator: u64::from(whole) * scale + decimals, denominator: 100 * scale };
        if percent.numerator <= percent.denominator { Ok(percent) } else { Err(wrong()) }
    }
}

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

/// Parses whether the kernel steers.
pub(super) fn steering(text: &str) -> Result<Steering, String> {
    match text {
        "on" => Ok(Steering::Kernel),
        "off" => Ok(Steering::Off),
        _ => Err("expected on or off".into()),
    }
}

/// Parses whether datagrams are coalesced.
pub(super) fn coalescing(text: &str) -> Result<Coalescing, String> {
    match text {
        "on" => Ok(Coalescing::On),
        "off" => Ok(Coalescing::Off),
        _ => Err("expected on or off".into()),
    }
}

/// The units of sizes, in bytes.
const SIZE_UNITS: [(&str, usize); 8] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Parses the size of the store, in bytes.
pub(super) fn store_bytes(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let bytes = SIZE_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, bytes)| number.parse::<usize>().ok()?.checked_mul(*bytes))
        .ok_or_else(|| "expected a size in bytes, such as 16MiB or 500kB".to_owned())?;
    if bytes < STORE_BYTES_MIN {
        return Err(format!("expected {}KiB or more, such as 16MiB", STORE_BYTES_MIN >> 10));
    }
    Ok(bytes)
}

/// Parses a period of at least [`PERIOD_MIN`].
pub(super) fn period(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    if period < PERIOD_MIN { Err("expected a period of 1s or longer".into()) } else { Ok(period) }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a number with a unit, such as 15m, 24h or 250ms".to_owned())
}

/// Parses how long a command may take.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    if period.is_zero() || period > TIMEOUT_MAX {
        return Err("expected a period of up to 1h, such as 10s".into());
    }
    Ok(period)
}

/// Parses how long a stopping node may take to hand its values off; zero: no time at all.
pub(super) fn leave(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_parsed_as_an_exact_ratio() {
        let ratio = |text: &str| {
            let percent: Percent = text.parse().expect(text);
            (percent.numerator, percent.denominator)
        };
        assert_eq!(ratio("0"), (0, 100));
        assert_eq!(ratio("30"), (30, 100));
        assert_eq!(ratio("12.5"), (125, 1000));
        assert_eq!(ratio("0.001"), (1, 100_000));
        assert_eq!(ratio("100.0"), (1000, 1000));
        for text in ["", ".", "-1", "+1.-1", "100.1", "256", "1e1", "0.1234567890", "1.x"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_multiplied_by_its_unit() {
        assert_eq!(store_bytes("131072"), Ok(128 << 10));
        assert_eq!(store_bytes("128KiB"), Ok(128 << 10));
        assert_eq!(store_bytes("200kB"), Ok(200_000));
        assert_eq!(store_bytes("16MiB"), Ok(16 << 20));
        assert_eq!(store_bytes("2GB"), Ok(2_000_000_000));
        for text in ["", "MiB", "16mib", "16 MiB", "-1MiB", "1.5MiB", "99999999999GiB", "131071"] {
            assert!(store_bytes(text).is_err(), "{text}");
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

//! Numbers, sizes, durations, percentages and names, as people write them on a command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A count such as `100k`, `1.5M` or `250`.
///
/// # Errors
/// What was expected.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number such as 250, 100k or 1.5M".to_owned();
    let (number, suffix) = split_suffix(text);
    let factor = match suffix {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    scaled(number, factor).ok_or_else(wrong)
}

/// A size in bytes such as `100`, `64KiB` or `1.5MB`.
///
/// # Errors
/// What was expected.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size in bytes, such as 512, 16MiB or 500kB".to_owned();
    let (number, unit) = split_suffix(text);
    let factor = match unit {
        "" | "B" => 1,
        "k" | "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    scaled(number, factor).ok_or_else(wrong)
}

/// A duration such as `15m`, `10s` or `250ms`.
///
/// # Errors
/// What was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a number with a unit, such as 250ms, 10s or 15m".to_owned())
}

/// The name of a network. An empty one is a variable that nothing was written into.
///
/// # Errors
/// What was expected.
pub fn parse_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("expected a name, such as default".into());
    }
    Ok(text.into())
}

fn split_suffix(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

/// `number` times `factor`, when that is a whole number.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let scale = 10u64.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    let decimals: u64 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let part = decimals.checked_mul(factor)?;
    (part % scale == 0).then_some(())?;
    whole.checked_mul(factor)?.checked_add(part / scale)
}

/// A chance, written in percent with up to nine decimals: `30`, `12.5`, `0.0001`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent {
    parts: u64,
}

impl Percent {
    /// Never.
    pub const ZERO: Self = Self { parts: 0 };
    /// Always.
    pub const ALL: Self = Self { parts: Self::WHOLE };
    /// The parts that make a certainty.
    pub const WHOLE: u64 = 100 * Self::ONE;
    const ONE: u64 = 1_000_000_000;

    /// `percent` in 100.
    ///
    /// # Panics
    /// When that is more than 100.
    pub const fn new(percent: u8) -> Self {
        assert!(percent <= 100, "a chance is at most 100 %");
        Self { parts: percent as u64 * Self::ONE }
    }

    /// How many of [`WHOLE`](Self::WHOLE) parts it is.
    pub const fn parts(self) -> u64 {
        self.parts
    }

    /// The number before the percent sign.
    #[allow(clippy::cast_precision_loss, reason = "a certainty is below 2^53 parts")]
    pub fn value(self) -> f64 {
        self.parts as f64 / Self::ONE as f64
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        scaled(text.strip_suffix('%').unwrap_or(text), Self::ONE)
            .filter(|parts| *parts <= Self::WHOLE)
            .map(|parts| Self { parts })
            .ok_or_else(|| "expected a percentage from 0 to 100, such as 30 or 12.5".into())
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_take_suffixes() {
        for (text, count) in [("0", 0), ("250", 250), ("100k", 100_000), ("1.5M", 1_500_000)] {
            assert_eq!(parse_count(text), Ok(count), "{text}");
        }
        for text in ["", "k", "-1", "1.5", "1e3", "100kk", "99999999999999999999", "1.2345k", "."] {
            assert!(parse_count(text).is_err(), "{text}");
        }
        for (text, bytes) in [
            ("100", 100),
            ("100B", 100),
            ("1kB", 1000),
            ("1KiB", 1024),
            ("1.5KiB", 1536),
            ("16MiB", 16 << 20),
            ("2GB", 2_000_000_000),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "16mib", "16 MiB", "-1MiB", "1.7KiB", "99999999999GiB", "1GiB/s"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_percentage_is_exact() {
        let one_millionth = Percent::WHOLE / 1_000_000;
        for (text, millionths) in [
            ("0", 0),
            ("0.0001", 1),
            ("12.5%", 125_000),
            ("30", 300_000),
            ("30.", 300_000),
            ("100.0", 1_000_000),
        ] {
            let percent: Percent = text.parse().expect(text);
            assert_eq!(percent.parts(), millionths * one_millionth, "{text}");
        }
        assert_eq!("0.000000001".parse::<Percent>().map(Percent::parts), Ok(1));
        assert_eq!("30".parse(), Ok(Percent::new(30)));
        for text in ["", ".", "-1", "+1.-1", "100.1", "101", "256", "1e1", "0.1234567891", "1.x"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!("12.50".parse::<Percent>().expect("it is one").to_string(), "12.5 %");
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert!(parse_duration("250").is_err());
    }
}

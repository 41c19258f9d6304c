//! Numbers, sizes, durations and percentages: as people write them on the
//! command line, and as they read them in a result.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// A count such as `100k`, `1.5M` or `250`.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number such as 250, 100k or 1.5M".to_owned();
    let (number, factor) = split_suffix(text);
    let factor = match factor {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    scaled(number, factor).ok_or_else(wrong)
}

/// A size in bytes such as `100`, `1KiB` or `1kB`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size such as 100, 512B or 1KiB".to_owned();
    let (number, factor) = split_suffix(text);
    let factor = match factor {
        "" | "B" => 1,
        "kB" | "KB" | "k" => 1_000,
        "KiB" | "Ki" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" | "Mi" => 1 << 20,
        _ => return Err(wrong()),
    };
    scaled(number, factor).ok_or_else(wrong)
}

/// A duration such as `10s` or `250ms`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a number with a unit, such as 250ms, 10s or 2m".to_owned())
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

/// A chance in millionths, written in percent: `30`, `12.5`, `0.0001`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent {
    millionths: u32,
}

impl Percent {
    /// Never.
    pub const ZERO: Self = Self { millionths: 0 };

    /// Millionths of certainty.
    pub const fn millionths(self) -> u32 {
        self.millionths
    }

    /// The number before the percent sign.
    pub fn value(self) -> f64 {
        f64::from(self.millionths) / 10_000.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text);
        scaled(number, 10_000)
            .and_then(|millionths| u32::try_from(millionths).ok())
            .filter(|millionths| *millionths <= 1_000_000)
            .map(|millionths| Self { millionths })
            .ok_or_else(|| "expected a percentage from 0 to 100, such as 30 or 12.5".into())
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.value())
    }
}

/// A whole duration in nanoseconds, as far as 64 bits reach: 584 years.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds with three digits and the unit that suits: `21.4 µs`.
pub fn show_ns(ns: u64) -> String {
    let value = ns as f64;
    let (value, unit) = match ns {
        0..1_000 => (value, "ns"),
        1_000..1_000_000 => (value / 1e3, "µs"),
        1_000_000..SECOND_NS => (value / 1e6, "ms"),
        _ => (value / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// A number with three significant digits, as far as it has decimals.
fn three_digits(value: f64) -> String {
    let decimals = match value {
        value if value >= 99.95 || value.fract() == 0.0 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// A count with its digits in groups of three: `1 000 000`.
pub fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

/// `part` of `whole` in percent, with as many digits as say something.
pub fn show_share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".into();
    }
    let share = part as f64 * 100.0 / whole as f64;
    match share {
        share if share >= 99.995 && part < whole => ">99.99 %".into(),
        share if share >= 9.95 => format!("{share:.1} %"),
        share if share >= 0.01 => format!("{share:.2} %"),
        _ => "<0.01 %".into(),
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
        for (text, bytes) in [("100", 100), ("1KiB", 1024), ("1.5KiB", 1536), ("1kB", 1000)] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1.5", "1e3", "100kk", "99999999999999999999", "1.2345k", "."] {
            assert!(parse_count(text).is_err(), "{text}");
        }
        assert!(parse_bytes("1GiB/s").is_err());
    }

    #[test]
    fn a_percentage_is_exact_to_a_millionth() {
        for (text, millionths) in [("0", 0), ("30", 300_000), ("12.5%", 125_000), ("0.0001", 1)] {
            let percent: Percent = text.parse().expect(text);
            assert_eq!(percent.millionths(), millionths, "{text}");
        }
        for text in ["", "-1", "100.0001", "101", "0.00001", "ten"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(parse_duration("250").is_err());
    }

    #[test]
    fn results_are_shown_with_three_digits_and_a_unit() {
        for (ns, shown) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1 µs"),
            (21_437, "21.4 µs"),
            (1_234_567, "1.23 ms"),
            (99_960_000, "100 ms"),
            (2_500_000_000, "2.50 s"),
        ] {
            assert_eq!(show_ns(ns), shown);
        }
        assert_eq!(show_count(1_234_567), "1 234 567");
        assert_eq!(show_count(999), "999");
        assert_eq!(show_share(1, 1_000_000), "<0.01 %");
        assert_eq!(show_share(999_999, 1_000_000), ">99.99 %");
        assert_eq!(show_share(1, 8), "12.5 %");
    }
}

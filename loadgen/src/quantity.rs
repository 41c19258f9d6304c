//! Numbers, durations and shares as people read them in a result. How they write them on
//! the command line is in `kad_node::quantity`.

use std::time::Duration;

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;

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

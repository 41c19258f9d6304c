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

/// Columns of a report's lines at most: what every terminal shows.
pub const COLUMNS: usize = 80;

/// `text` on lines of at most [`COLUMNS`], of which those after the first are indented by
/// `indent`. A blank between digits stands within a number, and does not end a line.
pub fn wrap(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut columns = 0;
    for word in words(text) {
        let length = word.chars().count();
        if columns > 0 && columns + 1 + length > COLUMNS {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            columns = indent;
        } else if columns > 0 {
            lines.push(' ');
            columns += 1;
        }
        lines.push_str(word);
        columns += length;
    }
    lines
}

/// The parts between blanks at which a line may end. Several blanks in a row stand in a part.
fn words(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let ends_word = |at: usize| {
        let (before, after) = (at.checked_sub(1).map(|at| bytes[at]), bytes.get(at + 1));
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let is_within = before.is_some_and(is_digit) && after.is_some_and(|&byte| is_digit(byte));
        bytes[at] == b' ' && !is_within && before != Some(b' ') && after != Some(&b' ')
    };
    let mut words = Vec::new();
    let mut begin = 0;
    for at in (0..bytes.len()).filter(|&at| ends_word(at)) {
        words.push(&text[begin..at]);
        begin = at + 1;
    }
    words.push(&text[begin..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_between_words_and_never_within_a_number() {
        let text = format!("verdict    {}", "999 999 999 999 999 x ".repeat(9).trim_end());
        let lines = wrap(&text, 11);
        assert!(lines.lines().count() > 1);
        for line in lines.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
            assert!(line.ends_with("999 999 999 999 999") || line.ends_with('x'), "{line}");
        }
        assert!(lines.lines().skip(1).all(|line| line.starts_with(&" ".repeat(11))));
        assert_eq!(lines.split_whitespace().count(), text.split_whitespace().count());
        assert_eq!(wrap("", 4), "");
        assert_eq!(wrap(&"x".repeat(100), 4), "x".repeat(100), "what has no end is left");
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

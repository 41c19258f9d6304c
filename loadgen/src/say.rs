//! Standard error. What cannot be written there is lost, and the run goes on: the disk
//! behind it may be full, or its reader gone.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Has a terminal forget the line that the cursor is on.
pub const ERASE_LINE: &str = "\r\x1b[K";

/// Writes one line to standard error. What it shows of files and arguments moves no cursor
/// and hides nothing.
pub fn say(line: impl Display) {
    write(&format!("{}\n", printable(&line.to_string())));
}

/// `text` with escapes for what a terminal would act on or not show: control characters,
/// among them line breaks, marks of direction, and characters without width.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // What `escape_debug` escapes though it can be seen.
            '\'' | '"' | '\\' => shown.push(c),
            _ if is_hidden(c) => shown.extend(c.escape_unicode()),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// Whether it can be seen only by what it does to others: Unicode's default-ignorable code
/// points and its marks of direction.
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Writes `text` to standard error as it is, in one piece.
pub fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped_and_the_rest_is_not() {
        for (text, shown) in [
            ("it's \"a\\b\", 14 µs, né, 日本", "it's \"a\\b\", 14 µs, né, 日本"),
            ("a\u{1b}[2Jb\rc\nd", "a\\u{1b}[2Jb\\rc\\nd"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a\\u{202e}b\\u{2066}c\\u{200f}"),
            ("a\u{200b}b\u{feff}c\u{ad}\u{2060}", "a\\u{200b}b\\u{feff}c\\u{ad}\\u{2060}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}

//! The text of a `put -`: lines up to a line with a single dot.
//!
//! As in mail (RFC 5321, 4.5.2), a line that begins with a dot is typed with one more.

use kad_node::limits::VALUE_BYTES_MAX;

use crate::request::{self, RequestError};

/// Most bytes kept of a text: enough to see that it is too large.
const KEPT_BYTES_MAX: usize = VALUE_BYTES_MAX + 1;

/// The lines so far.
#[derive(Debug, Default)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    lines: usize,
    /// Bytes beyond those kept.
    dropped: usize,
}

/// The result of adding a line to a text.
#[derive(Debug)]
pub(crate) enum Added {
    /// The text goes on.
    More(Text),
    /// The line was the final dot: the text is a value.
    Whole(Box<[u8]>),
}

impl Text {
    /// Adds `line` to the text. Lines are joined by line ends; none follows the last.
    pub(crate) fn with_line(mut self, line: &[u8]) -> Result<Added, RequestError> {
        let line = request::without_end(line);
        if line == b"." {
            return self.into_value().map(Added::Whole);
        }
        if self.lines > 0 {
            self.push(b"\n");
        }
        self.lines += 1;
        self.push(if line.starts_with(b"..") { &line[1..] } else { line });
        Ok(Added::More(self))
    }

    fn push(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(KEPT_BYTES_MAX - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.dropped += bytes.len() - kept;
    }

    fn into_value(self) -> Result<Box<[u8]>, RequestError> {
        if self.dropped > 0 {
            let (bytes, bytes_max) = (self.bytes.len() + self.dropped, VALUE_BYTES_MAX);
            return Err(RequestError::TooLarge { bytes, bytes_max });
        }
        if self.bytes.is_empty() {
            return Err(RequestError::MissingArgument { usage: "put -, lines of text, and a dot" });
        }
        request::value(&self.bytes, VALUE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(lines: &[&str]) -> Result<Box<[u8]>, RequestError> {
        let mut text = Text::default();
        for line in lines {
            match text.with_line(line.as_bytes())? {
                Added::More(longer) => text = longer,
                Added::Whole(value) => return Ok(value),
            }
        }
        panic!("no dot")
    }

    #[test]
    fn lines_are_joined_and_a_single_dot_ends_the_text() {
        for (lines, text) in [
            (&["one", "two", "."][..], "one\ntwo"),
            (&["one\r\n", "", ".\r\n"], "one\n"),
            (&["", " x ", "."], "\n x "),
            (&["..", "...and", "."], ".\n..and"),
            (&["put one", "exit", "."], "put one\nexit"),
        ] {
            assert_eq!(text_of(lines).as_deref(), Ok(text.as_bytes()), "{lines:?}");
        }
    }

    #[test]
    fn a_text_is_at_most_as_large_as_a_value() {
        let half = "x".repeat(VALUE_BYTES_MAX / 2 - 1);
        assert_eq!(
            text_of(&[&half, &half, "12", "."]),
            Err(RequestError::TooLarge {
                bytes: VALUE_BYTES_MAX / 2 * 2 + 2,
                bytes_max: VALUE_BYTES_MAX
            })
        );
        let rest = "x".repeat(VALUE_BYTES_MAX - half.len() - 1);
        assert_eq!(text_of(&[&half, &rest, "."]).map(|value| value.len()), Ok(VALUE_BYTES_MAX));
        assert!(matches!(text_of(&["."]), Err(RequestError::MissingArgument { .. })));
    }
}

//! The prompt on a pipe: one command per line, answered in order.

use std::io::{self, BufRead, Read as _, Write};
use std::ops::ControlFlow;

use crate::request::{LINE_BYTES_MAX, RequestError};
use crate::session::{Session, SessionError};

/// What a read from the pipe gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    EndOfInput,
}

/// Runs the lines of `input` until there are no more, or one is `exit`.
pub(crate) fn run(
    session: &mut Session,
    mut input: impl BufRead,
    mut out: impl Write,
) -> Result<ControlFlow<()>, SessionError> {
    let mut line = Vec::new();
    loop {
        let read = read_line(&mut input, &mut line).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read standard input: the node keeps serving without it");
            Line::EndOfInput
        });
        match read {
            Line::Whole => {
                if session.line(&line, &mut out)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Line::TooLong => Session::refuse(&RequestError::LineTooLong, &mut out)?,
            Line::EndOfInput => {
                session.end(&mut out)?;
                return Ok(ControlFlow::Continue(()));
            }
        }
    }
}

/// Reads one line of at most [`LINE_BYTES_MAX`]; a longer line is skipped whole.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let read = input.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(Line::EndOfInput);
    }
    if read <= LINE_BYTES_MAX || line.ends_with(b"\n") {
        return Ok(Line::Whole);
    }
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_is_read() {
        let text = [b"a\n".as_slice(), &vec![b'x'; LINE_BYTES_MAX * 3], b"\nlast"].concat();
        let (mut input, mut line) = (io::BufReader::new(text.as_slice()), Vec::new());
        let mut read = || {
            let read = read_line(&mut input, &mut line).expect("memory can be read");
            (read, line.clone())
        };
        assert_eq!(read(), (Line::Whole, b"a\n".to_vec()));
        assert_eq!(read().0, Line::TooLong);
        assert_eq!(read(), (Line::Whole, b"last".to_vec()));
        assert_eq!(read().0, Line::EndOfInput);
    }
}

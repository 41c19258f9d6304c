//! The prompt on a pipe: one command per line, answered in order. Puts that follow each other are
//! in flight together.

use std::io::{self, BufRead, Read as _, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::progress::Progress;
use crate::request::{LINE_BYTES_MAX, RequestError};
use crate::session::{Session, SessionError};

/// Lines that are read ahead.
const LINES_AHEAD_MAX: usize = 64;
/// How long a put is waited for before the next line is, where none has come.
const LINE_PERIOD: Duration = Duration::from_millis(5);

/// What a read from the pipe gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    EndOfInput,
}

/// Runs the lines of standard input until there are no more, or one is `exit`.
pub(crate) fn run(session: Session, mut out: impl Write) -> Result<ControlFlow<()>, SessionError> {
    let (lines, read) = sync_channel(LINES_AHEAD_MAX);
    thread::spawn(move || read_lines(io::stdin().lock(), &lines));
    let mut session = session.piped();
    loop {
        let (kind, line) = next_line(&mut session, &read, &mut out)?;
        match kind {
            Line::Whole => {
                if session.line(&line, &mut out)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Line::TooLong => session.refuse(&RequestError::LineTooLong, &mut out)?,
            Line::EndOfInput => {
                session.end(&mut out)?;
                return Ok(ControlFlow::Continue(()));
            }
        }
    }
}

/// The next line, when there is one and the session has room for it. Answers are printed
/// meanwhile.
fn next_line(
    session: &mut Session,
    read: &Receiver<(Line, Vec<u8>)>,
    out: &mut impl Write,
) -> Result<(Line, Vec<u8>), SessionError> {
    const END: (Line, Vec<u8>) = (Line::EndOfInput, Vec::new());

    loop {
        if session.is_settled() {
            return Ok(read.recv().unwrap_or(END));
        }
        if !session.has_room() {
            session.wait(Progress::PERIOD, out)?;
            continue;
        }
        match read.try_recv() {
            Ok(line) => return Ok(line),
            Err(TryRecvError::Empty) => session.wait(LINE_PERIOD, out)?,
            Err(TryRecvError::Disconnected) => return Ok(END),
        }
    }
}

/// Reads `input` until its end, or until no line of it is wanted any more.
fn read_lines(mut input: impl BufRead, lines: &SyncSender<(Line, Vec<u8>)>) {
    loop {
        let mut line = Vec::new();
        let read = read_line(&mut input, &mut line).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read standard input: the node keeps serving without it");
            Line::EndOfInput
        });
        if lines.send((read, line)).is_err() || read == Line::EndOfInput {
            return;
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

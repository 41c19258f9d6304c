//! Where the one-shot commands put their results: standard output.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::failure::Failure;
use crate::log;
use crate::reply::Audience;

/// Writes a result to standard output. A closed pipe is no error: its reader wants no more.
pub(crate) fn print(
    write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>, Audience) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out, Audience::of_stdout()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a result to standard output as one object of JSON, on one line.
pub(crate) fn print_json(result: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(result).expect("a result without maps has a JSON form");
    line.push(b'\n');
    print(|out, _| out.write_all(&line))
}

/// Writes additional information to standard error.
pub(crate) fn print_info(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
    let mut text = Vec::new();
    if write(&mut text).is_ok() {
        log::say(String::from_utf8_lossy(&text).trim_end());
    }
}

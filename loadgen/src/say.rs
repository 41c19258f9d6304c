//! Standard error. What cannot be written there is lost, and the run goes on: the disk
//! behind it may be full, or its reader gone.

use std::fmt::Display;
use std::io::{self, Write as _};

use kad_node::printable;

/// Has a terminal forget the line that the cursor is on.
pub const ERASE_LINE: &str = "\r\x1b[K";

/// Writes one line to standard error. What it shows of files and arguments moves no cursor
/// and hides nothing.
pub fn say(line: impl Display) {
    write(&format!("{}\n", printable::line(&line.to_string())));
}

/// Writes `text` to standard error as it is, in one piece.
pub fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

//! The one place that writes to standard output.

use std::io::Write as _;

/// Writes `lines` together, so that runs side by side do not mix theirs.
pub(crate) fn line(lines: &[String]) {
    let mut text = lines.join("\n");
    text.push('\n');
    // Where the reader is gone there is nothing to do.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

//! Shows how a network forms.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// Shows how many nodes have joined: on a terminal one line that is overwritten,
/// elsewhere a few log lines.
pub(super) struct Progress {
    total: usize,
    on_terminal: bool,
    /// The count of joined nodes at which the next line is logged.
    log_at: usize,
}

impl Progress {
    /// About how many lines are logged.
    const LOG_LINES: usize = 4;
    /// How often the nodes are polled.
    pub(super) const INTERVAL: Duration = Duration::from_millis(20);

    pub(super) fn new(total: usize) -> Self {
        Self { total, on_terminal: io::stderr().is_terminal(), log_at: 0 }
    }

    pub(super) fn show(&mut self, joined: usize) {
        if self.on_terminal {
            // A terminal that has closed needs no progress.
            let _ = write!(io::stderr(), "\rforming: {joined} of {} nodes have joined", self.total);
        } else if joined >= self.log_at {
            tracing::info!(joined, of = self.total, "forming");
            self.log_at = joined + self.total.div_ceil(Self::LOG_LINES);
        }
    }

    /// Clears the progress line.
    pub(super) fn end(&self) {
        if self.on_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

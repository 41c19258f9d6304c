//! A line on a terminal that says what is waited for, while it is waited for.

use std::fmt::Display;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use crate::log;
use crate::reply::time;

/// How long a wait is before it is shown.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// One wait. The line goes when this is dropped.
pub(crate) struct Progress {
    begun: Instant,
    on_terminal: bool,
    is_shown: bool,
}

impl Progress {
    /// How often a wait is looked at.
    pub(crate) const PERIOD: Duration = Duration::from_millis(100);

    /// A wait that begins now.
    pub(crate) fn begin() -> Self {
        let on_terminal = io::stderr().is_terminal();
        Self { begun: Instant::now(), on_terminal, is_shown: false }
    }

    /// How long the wait has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Says what is waited for, and for how long already, if that is long.
    pub(crate) fn show(&mut self, what: impl Display) {
        if !self.on_terminal || self.elapsed() < SHOWN_AFTER {
            return;
        }
        self.is_shown = true;
        log::show_progress(format_args!("{what}, {}", time(self.elapsed())));
    }

    /// Clears what is shown, for a result that comes in its place.
    pub(crate) fn hide(&mut self) {
        if self.is_shown {
            log::end_progress();
            self.is_shown = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.hide();
    }
}

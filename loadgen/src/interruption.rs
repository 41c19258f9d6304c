//! Signals that cut a run short: SIGHUP, SIGINT, SIGTERM.
//!
//! Before the first run has begun there is nothing to keep, and the first signal ends
//! the program. From then on the first signal cuts the run short, so that its results
//! are written; the second one ends the program at once. A signal that the program
//! inherits as ignored, as `nohup` does it, stays ignored.
//!
//! The kernel would end most programs by itself, but not the first process of a
//! container.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use kad_node::program::inherits_ignored;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::say;

/// What a shell adds to a signal's number to tell it by an exit status.
const SIGNALLED: u8 = 128;

/// A signal that ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    /// The exit status that tells of it.
    pub const fn exit_status(self) -> u8 {
        SIGNALLED + self.0 as u8
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            SIGHUP => "SIGHUP",
            SIGINT => "SIGINT",
            _ => "SIGTERM",
        })
    }
}

/// Whether a signal has come.
#[derive(Debug, Default)]
pub struct Interruption {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_measuring: bool,
    signal: Option<Signal>,
}

impl Interruption {
    /// Catches the signals from here on.
    pub fn catch() -> Result<Arc<Self>, String> {
        let catching = |error: io::Error| format!("cannot catch signals: {error}");
        // A file that may grow no more is then an error like others.
        signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(catching)?;
        let caught =
            [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !inherits_ignored(*signal));
        let mut signals = Signals::new(caught).map_err(catching)?;
        let interruption = Arc::new(Self::default());
        let notified = Arc::clone(&interruption);
        let notify = move || signals.forever().for_each(|number| notified.notify(Signal(number)));
        thread::Builder::new().name("signals".into()).spawn(notify).map_err(catching)?;
        Ok(interruption)
    }

    fn notify(&self, signal: Signal) {
        let mut state = self.lock();
        if !state.is_measuring || state.signal.is_some() {
            if io::stderr().is_terminal() {
                say::write(say::ERASE_LINE);
            }
            process::exit(signal.exit_status().into());
        }
        state.signal = Some(signal);
        self.changed.notify_all();
    }

    /// From now on there are results to keep.
    pub fn begin_measuring(&self) {
        self.lock().is_measuring = true;
    }

    /// The signal that has come.
    pub fn signal(&self) -> Option<Signal> {
        self.lock().signal
    }

    /// Waits for a signal, `longest` at most.
    pub fn wait(&self, longest: Duration) -> Option<Signal> {
        let state = self.lock();
        let none = |state: &mut State| state.signal.is_none();
        let waited = self.changed.wait_timeout_while(state, longest, none);
        waited.unwrap_or_else(PoisonError::into_inner).0.signal
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_signal() {
        let interruption = Interruption::default();
        interruption.begin_measuring();
        assert_eq!(interruption.wait(Duration::ZERO), None);
        interruption.notify(Signal(SIGINT));
        assert_eq!(interruption.wait(Duration::MAX), Some(Signal(SIGINT)));
        assert_eq!(Signal(SIGINT).exit_status(), 130);
    }
}

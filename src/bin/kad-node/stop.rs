//! Why the program stops: the signals, and what else ends a node.
//!
//! SIGINT, SIGTERM, SIGHUP and SIGQUIT ask a node to leave politely, and the second
//! of them to stop at once. A SIGHUP that follows is not a second one: a shell and
//! the kernel both send it as a terminal closes, and a supervisor may send it after
//! SIGTERM. A signal that was ignored when the program started stays ignored, as
//! `nohup` and shells without job control rely on. SIGPIPE is ignored: a write that
//! fails says so. SIGTSTP and SIGCONT are the shell's, and do what they always do.

use std::io;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::ongoing::{Interrupted, Ongoing};

/// Signals that ask the program to stop.
const STOP_SIGNALS: [(i32, &str); 4] =
    [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP"), (SIGQUIT, "SIGQUIT")];

/// Why the program stops, or need not wait any longer before it does.
pub(crate) enum Stop {
    /// The signal of this name.
    Signal(&'static str),
    /// SIGHUP: the terminal has closed.
    Hangup,
    /// The prompt said `exit`, or its terminal's input ended.
    Prompt,
    /// Standard output cannot be written.
    Output(io::Error),
    /// The node has left, as it was told to.
    Left,
    /// The node has ended by itself.
    NodeGone,
}

/// The signals that end the program, from here on.
pub(crate) struct StopSignals(Signals);

impl StopSignals {
    /// Catches them, but for those that the program was started to ignore.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let ignored = ignored_signals();
        let caught = STOP_SIGNALS.iter().map(|(signal, _)| *signal);
        // SIGTERM is how a supervisor stops it, whatever it inherited.
        let caught = caught.filter(|signal| *signal == SIGTERM || ignored & bit(*signal) == 0);
        Signals::new(caught)
            .map(Self)
            .map_err(|error| Failure::Failed(format!("cannot catch signals: {error}")))
    }

    /// Tells `stops` of each, but for the SIGINT that ends what runs at the prompt.
    pub(crate) fn forward(mut self, ongoing: &Ongoing, stops: &Sender<Stop>) {
        for signal in self.0.forever() {
            if signal == SIGINT && ongoing.interrupt() == Interrupted::Operation {
                continue;
            }
            let name = STOP_SIGNALS.iter().find(|(number, _)| *number == signal);
            let name = name.map_or("a signal", |(_, name)| *name);
            let stop = if signal == SIGHUP { Stop::Hangup } else { Stop::Signal(name) };
            if stops.send(stop).is_err() {
                return;
            }
        }
    }
}

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The signals that the process ignores, as a mask (`SigIgn` of proc(5)).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

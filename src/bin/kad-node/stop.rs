//! Why the program stops: a signal, the prompt, or an error.
//!
//! The first SIGINT, SIGTERM, SIGHUP or SIGQUIT makes a node depart; the second stops it
//! at once. A later SIGHUP does not count as the second: both a shell and the kernel send
//! it when a terminal closes, and a supervisor may send it after SIGTERM. A signal that
//! was ignored when the program started stays ignored: `nohup` and shells without job
//! control rely on that. SIGPIPE is ignored: the failing write reports the error. SIGTSTP
//! and SIGCONT keep their default actions.

use std::io;
use std::sync::mpsc::Sender;

use kad_node::program::inherits_ignored;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::ongoing::Ongoing;

/// Signals that ask the program to stop.
const STOP_SIGNALS: [(i32, &str); 4] =
    [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP"), (SIGQUIT, "SIGQUIT")];

/// Why the program stops, or why a departing node need not wait any longer.
pub(crate) enum Stop {
    /// The signal of this name.
    Signal(&'static str),
    /// SIGHUP: the terminal has closed.
    Hangup,
    /// The prompt said `exit`, or its terminal's input ended.
    Prompt,
    /// Standard output cannot be written.
    Output(io::Error),
    /// So many values are still to be handed off.
    Left(u64),
    /// The node has departed, as requested.
    Departed,
    /// The node has stopped by itself.
    NodeGone,
}

/// The caught signals that stop the program.
pub(crate) struct StopSignals(Signals);

impl StopSignals {
    /// Catches them, except those that were ignored when the program started.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let caught = STOP_SIGNALS.iter().map(|(signal, _)| *signal);
        // Supervisors stop a program by SIGTERM, so it is caught in any case.
        let caught = caught.filter(|signal| *signal == SIGTERM || !inherits_ignored(*signal));
        Signals::new(caught)
            .map(Self)
            .map_err(|error| Failure::Failed(format!("cannot catch signals: {error}")))
    }

    /// Sends each signal to `stops`, except a SIGINT that interrupts a running command.
    pub(crate) fn forward(mut self, ongoing: &Ongoing, stops: &Sender<Stop>) {
        for signal in self.0.forever() {
            if signal == SIGINT && ongoing.interrupt() {
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

//! A node in the background of a shell serves, and its prompt waits until the node
//! is in the foreground again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::termios;
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use signal_hook::consts::SIGCONT;
use signal_hook::{flag, low_level};

/// How soon the prompt sees that the node is in the foreground. A shell need not tell
/// a process that runs already.
const FOREGROUND_POLL: Duration = Duration::from_millis(200);

/// How long a process that was told to stop may still run: a signal takes far less.
const SUSPEND_WAIT_MAX: Duration = Duration::from_millis(500);
/// How soon it is seen that the process was continued.
const SUSPEND_POLL: Duration = Duration::from_millis(5);

/// Keeps the terminal from stopping the process in the background: what reads from it
/// or sets it there fails instead. Holds for the threads started from now on.
pub(crate) fn serve_in_background() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTTIN);
    signals.add(Signal::SIGTTOU);
    signals.thread_block().expect("these signals may be blocked");
}

/// Whether what is typed on standard input's terminal comes to this process. It does
/// on a terminal that controls no session, such as a container's.
pub(crate) fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).map_or_else(|error| error == Errno::ENOTTY, |group| group == getpgrp())
}

/// Whether standard input was a terminal that has closed.
pub(crate) fn has_hung_up() -> bool {
    termios::tcgetattr(io::stdin()).is_err_and(|error| error == Errno::EIO)
}

/// Waits until the process is in the foreground, or its terminal has closed.
pub(crate) fn await_foreground() {
    while !is_in_foreground() && !has_hung_up() {
        thread::sleep(FOREGROUND_POLL);
    }
}

/// Stops the process and those beside it in its job, as Ctrl-Z does, and returns when
/// the shell has continued them. Where no shell does job control, as for the first
/// process of a container, nothing stops, and it returns soon.
pub(crate) fn suspend() {
    let continued = Arc::new(AtomicBool::new(false));
    let Ok(registered) = flag::register(SIGCONT, Arc::clone(&continued)) else {
        return;
    };
    // Process 0 is the whole group of the caller. The signal may stop this thread a
    // little later than it returns.
    let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
    let polls = SUSPEND_WAIT_MAX.as_millis() / SUSPEND_POLL.as_millis();
    for _ in 0..polls {
        if continued.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(SUSPEND_POLL);
    }
    low_level::unregister(registered);
}

//! Job control: a node in the background of a shell keeps serving, and its prompt waits
//! until the node is in the foreground again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::termios::{self, LocalFlags};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use signal_hook::consts::SIGCONT;
use signal_hook::{flag, low_level};

/// How often the prompt checks whether the node is in the foreground. A shell sends no
/// signal to a process that already runs.
const FOREGROUND_POLL: Duration = Duration::from_millis(200);

/// How long to wait for SIGTSTP to take effect: it takes far less.
const SUSPEND_WAIT_MAX: Duration = Duration::from_millis(500);
/// How often to check whether the process was continued.
const SUSPEND_POLL: Duration = Duration::from_millis(5);

/// Keeps the terminal from stopping the process in the background: reading or setting the
/// terminal there fails instead. Applies to this thread and those started after it.
pub(crate) fn serve_in_background() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTTIN);
    signals.add(Signal::SIGTTOU);
    signals.thread_block().expect("these signals may be blocked");
}

/// Whether this process receives what is typed on the terminal of standard input. True
/// for a terminal that controls no session, such as a container's.
pub(crate) fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).map_or_else(|error| error == Errno::ENOTTY, |group| group == getpgrp())
}

/// Whether standard input was a terminal that has closed.
pub(crate) fn has_hung_up() -> bool {
    termios::tcgetattr(io::stdin()).is_err_and(|error| error == Errno::EIO)
}

/// Whether Ctrl-C on standard input's terminal sends SIGINT to this process. While a line
/// is edited it is a key like any other.
pub(crate) fn keys_raise_signals() -> bool {
    let settings = termios::tcgetattr(io::stdin());
    is_in_foreground()
        && settings.is_ok_and(|settings| settings.local_flags.contains(LocalFlags::ISIG))
}

/// Waits until the process is in the foreground, or its terminal has closed.
pub(crate) fn await_foreground() {
    while !is_in_foreground() && !has_hung_up() {
        thread::sleep(FOREGROUND_POLL);
    }
}

/// Stops the process and the rest of its job, as Ctrl-Z does, and returns when the shell
/// has continued them. Without a shell that does job control, as for the first process of
/// a container, nothing stops, and this returns soon.
pub(crate) fn suspend() {
    let continued = Arc::new(AtomicBool::new(false));
    let Ok(registered) = flag::register(SIGCONT, Arc::clone(&continued)) else {
        return;
    };
    // Process 0 stands for the whole group of the caller. The signal may stop this thread
    // a little after `kill` returns.
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

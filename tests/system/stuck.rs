//! Holds one thread of another process, as a page fault or a bad disk could: the others go on.

use std::path::Path;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// A thread that does nothing until this is dropped.
pub(crate) struct Stuck(Pid);

impl Stuck {
    /// Holds the thread whose folder under `/proc` this is; none where the system lets no
    /// process hold a child's thread.
    pub(crate) fn hold(thread: &Path) -> Option<Self> {
        let number = thread.file_name().and_then(|name| name.to_str()).expect("a number");
        let thread = Pid::from_raw(number.parse().expect("a number"));
        if let Err(error) = ptrace::seize(thread, Options::empty()) {
            eprintln!("skipped: no thread can be held: {error}");
            return None;
        }
        ptrace::interrupt(thread).expect("it is held");
        waitpid(thread, Some(WaitPidFlag::__WALL)).expect("it stops");
        Some(Self(thread))
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        // Its process may have been killed.
        let _ = ptrace::detach(self.0, None);
    }
}

//! Stops one thread of a child, as a page fault or a hung disk may, while the others go on.

use std::fs;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::threads::threads;

/// A stopped thread. It goes on when this is dropped, which must be on the thread of the test
/// that stopped it: that is its tracer.
pub(crate) struct Frozen(Pid);

impl Frozen {
    /// Stops the thread of a child whose name begins so.
    pub(crate) fn thread_of(process: u32, name: &str) -> Self {
        let thread = threads(&process.to_string(), name).pop();
        let thread = thread.unwrap_or_else(|| panic!("no thread {name}: {:?}", names(process)));
        let number = thread.file_name().and_then(|name| name.to_str()).expect("a number");
        let thread = Pid::from_raw(number.parse().expect("a number"));
        ptrace::seize(thread, Options::empty()).expect("a child of ours may be traced");
        ptrace::interrupt(thread).expect("it is traced");
        waitpid(thread, Some(WaitPidFlag::__WALL)).expect("it stops");
        Self(thread)
    }
}

fn names(process: u32) -> Vec<String> {
    let all = threads(&process.to_string(), "");
    all.iter().map(|path| fs::read_to_string(path.join("comm")).unwrap_or_default()).collect()
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // The child may have been killed.
        let _ = ptrace::detach(self.0, None);
    }
}

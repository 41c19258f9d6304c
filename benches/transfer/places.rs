//! Which core a thread runs on, and which thread runs first.

use std::fs;
use std::process::Command;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::Outcome;

/// The calling thread; those that it starts inherit what it has.
const THIS: Pid = Pid::from_raw(0);

/// The first core that this process may use, and all others.
pub(super) struct Places {
    first: CpuSet,
    others: CpuSet,
}

impl Places {
    pub(super) fn available() -> Outcome<Self> {
        let mut others = sched_getaffinity(THIS)?;
        let mut available = (0..CpuSet::count()).filter(|&core| others.is_set(core) == Ok(true));
        let (Some(one), Some(_)) = (available.next(), available.next()) else {
            return Err("it needs two cores".into());
        };
        let mut first = CpuSet::new();
        first.set(one)?;
        others.unset(one)?;
        Ok(Self { first, others })
    }

    pub(super) fn enter_first(&self) -> Outcome<()> {
        Ok(sched_setaffinity(THIS, &self.first)?)
    }

    pub(super) fn enter_others(&self) -> Outcome<()> {
        Ok(sched_setaffinity(THIS, &self.others)?)
    }
}

/// Lets the calling thread run as soon as it has something to do, before all others.
pub(super) fn go_first() -> Outcome<()> {
    let thread = fs::read_link("/proc/thread-self")?;
    let thread = thread.file_name().ok_or("Linux names each thread")?;
    let status = Command::new("chrt").args(["--fifo", "--pid", "1"]).arg(thread).status()?;
    status.success().then_some(()).ok_or_else(|| "chrt: real time needs root".into())
}

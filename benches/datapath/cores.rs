//! Pins processes to cores: with two cores or more the server runs on the last and the
//! client on the first.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::subject::Shards;

/// The calling thread.
const THIS: Pid = Pid::from_raw(0);

/// The cores that this process may use.
pub(crate) struct Cores {
    all: CpuSet,
    numbers: Vec<usize>,
}

impl Cores {
    pub(crate) fn available() -> nix::Result<Self> {
        let all = sched_getaffinity(THIS)?;
        let numbers = (0..CpuSet::count()).filter(|core| all.is_set(*core).unwrap_or(false));
        Ok(Self { numbers: numbers.collect(), all })
    }

    pub(crate) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// Pins the calling thread to the core of a server with so many shards: its children
    /// inherit that. A node pins its shards by itself.
    pub(crate) fn enter_server(&self, shards: Shards) -> nix::Result<()> {
        self.enter(shards, self.numbers.last())
    }

    /// Pins the calling thread to the core of such a server's client.
    pub(crate) fn enter_client(&self, shards: Shards) -> nix::Result<()> {
        self.enter(shards, self.numbers.first())
    }

    fn enter(&self, shards: Shards, core: Option<&usize>) -> nix::Result<()> {
        match (shards, core) {
            (Shards::One, Some(core)) => {
                let mut only = CpuSet::new();
                only.set(*core)?;
                sched_setaffinity(THIS, &only)
            }
            _ => sched_setaffinity(THIS, &self.all),
        }
    }
}

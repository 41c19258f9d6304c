//! The folder's time: milliseconds that go on while the node runs, whatever happens to the
//! wall clock, and by the wall clock while it does not run.
//!
//! All dates in a folder are of this time. It begins at the wall clock's time and equals it
//! as long as that is sane. A clock record now and then holds both. At the next start, the
//! difference of the wall clocks is the time that the node was down:
//!
//! - The wall clock is earlier than the record: it jumped back, and says nothing of the time
//!   that has passed. None is counted. No value becomes immortal by it, because the folder's
//!   time never goes back, and each value's life is at most the longest that the caller gives.
//! - It is later by at most that longest life: so much has passed.
//! - It is later by more: either the node was down for long, or the clock is wrong. If the
//!   first was believed, every value that is held would be dropped by a wrong clock, in a
//!   network with one time server on all nodes at once. The opposite error is cheap: a
//!   value is held for what was left of its life. So none is counted, and the caller is told.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Where the time comes from.
pub trait Clocks: Send + Sync {
    /// A clock that never goes back: the time since some moment. It must be the one by which
    /// the caller computes dates.
    fn running(&self) -> Duration;
    /// Milliseconds since 1970 by the wall clock.
    fn wall_ms(&self) -> u64;
}

/// `CLOCK_BOOTTIME`, which goes on while the machine sleeps, and the wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClocks;

impl Clocks for SystemClocks {
    fn running(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
    }

    fn wall_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
    }
}

/// How long the node was down, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// The folder is new.
    New,
    /// So long; it is counted.
    For(Duration),
    /// The wall clock is by so much earlier than when the node last ran: nothing is counted.
    Back(Duration),
    /// It is later by more than any value lives: nothing is counted.
    Ahead(Duration),
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new"),
            Self::For(time) => write!(f, "down for {} s", time.as_secs()),
            Self::Back(by) => write!(
                f,
                "the wall clock went back by {} s since the last run: the time that the node \
                 was down is unknown and not counted",
                by.as_secs()
            ),
            Self::Ahead(by) => write!(
                f,
                "the wall clock is {} s ahead of the last run, longer than any value lives: \
                 it may be wrong, so no value is dropped for it",
                by.as_secs()
            ),
        }
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The last time that a folder knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) folder_ms: u64,
    pub(crate) wall_ms: u64,
}

/// The folder's time at `wall_ms`, where `last` was written down before.
pub(crate) fn resumed(last: Option<Stamp>, wall_ms: u64, life_max: Duration) -> (u64, Down) {
    let Some(last) = last else {
        return (wall_ms, Down::New);
    };
    let Some(down) = wall_ms.checked_sub(last.wall_ms).map(Duration::from_millis) else {
        return (last.folder_ms, Down::Back(Duration::from_millis(last.wall_ms - wall_ms)));
    };
    if down > life_max {
        return (last.folder_ms, Down::Ahead(down));
    }
    (last.folder_ms.saturating_add(millis(down)), Down::For(down))
}

/// The folder's time while it is open.
#[derive(Clone)]
pub(crate) struct FolderClock {
    clocks: Arc<dyn Clocks>,
    opened_ms: u64,
    opened: Duration,
}

impl FolderClock {
    pub(crate) fn new(clocks: Arc<dyn Clocks>, opened_ms: u64) -> Self {
        let opened = clocks.running();
        Self { clocks, opened_ms, opened }
    }

    /// What the running clock said when the folder was opened.
    pub(crate) const fn opened(&self) -> Duration {
        self.opened
    }

    pub(crate) fn now(&self) -> Stamp {
        let running = self.clocks.running().saturating_sub(self.opened);
        let folder_ms = self.opened_ms.saturating_add(millis(running));
        Stamp { folder_ms, wall_ms: self.clocks.wall_ms() }
    }
}

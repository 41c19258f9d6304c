//! The clock that a shard reads once a turn.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::time::Instant;

/// `CLOCK_BOOTTIME` (`clock_gettime(2)`), counted from the moment at which the clock was
/// made. All shards of a node share one, so that a moment means the same to each of them.
///
/// Values live by the time that passes for every node of the network, so the clock goes on
/// while this machine sleeps. `CLOCK_MONOTONIC` stands still then, and a laptop that slept a
/// night would republish a night too late. What is in flight as the machine falls asleep
/// is overdue when it wakes: each such request is sent again, or fails once, which is far
/// fewer than the failures that cost a contact its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Duration,
    /// What a test has put the clock ahead by, in microseconds.
    #[cfg(test)]
    ahead_us: Option<&'static std::sync::atomic::AtomicU64>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            origin: since_boot(),
            #[cfg(test)]
            ahead_us: None,
        }
    }

    pub(super) fn now(self) -> Instant {
        Instant::ZERO + (since_boot().saturating_sub(self.origin) + self.ahead())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a test's clock may be ahead")]
    const fn ahead(self) -> Duration {
        Duration::ZERO
    }

    #[cfg(test)]
    fn ahead(self) -> Duration {
        let ahead = self.ahead_us.map(|us| us.load(std::sync::atomic::Ordering::Relaxed));
        Duration::from_micros(ahead.unwrap_or(0))
    }

    /// A clock that is ahead by so many microseconds, which may grow while it runs, as the
    /// kernel's does when the machine wakes up.
    #[cfg(test)]
    pub(super) fn ahead_by(us: &'static std::sync::atomic::AtomicU64) -> Self {
        Self { ahead_us: Some(us), ..Self::start() }
    }
}

fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock since 2.6.39");
    time.into()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::{env, thread};

    use super::*;

    /// Set for the process within the time namespace.
    const WITHIN: &str = "KAD_NODE_TEST_TIME_NAMESPACE";
    const SLEPT: Duration = Duration::from_hours(1000);

    /// In a time namespace (`time_namespaces(7)`) whose machine has slept, so that the two
    /// clocks differ.
    #[test]
    fn it_counts_the_time_that_the_machine_has_slept() {
        if env::var_os(WITHIN).is_some() {
            let awake = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has it");
            assert!(since_boot() >= Duration::from(awake) + SLEPT);
            return;
        }
        let asleep = || {
            let mut unshare = Command::new("unshare");
            unshare.args(["--time", "--boottime", &SLEPT.as_secs().to_string()]);
            unshare
        };
        if !asleep().arg("true").status().is_ok_and(|status| status.success()) {
            return eprintln!("SKIPPED: this machine gives no time namespace");
        }
        let own = env::current_exe().expect("Linux has it");
        let name = thread::current().name().expect("a test's thread has its name").to_owned();
        let output = asleep().arg(own).args(["--exact", &name]).env(WITHIN, "yes").output();
        let output = output.expect("it has just run");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}

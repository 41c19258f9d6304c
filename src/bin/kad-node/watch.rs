//! `watch`: a live view of the counters that change.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Stdin, Write};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, FlushArg, LocalFlags, SetArg, Termios};

use crate::figures::{Figures, counter};

/// How often the view is drawn anew.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// How often an interrupt is looked for.
const INTERRUPT_PERIOD_MS: u16 = 100;
/// Most counters shown: with the lines above them they fit a terminal of 24 lines.
const COUNTERS_MAX: usize = 16;

/// Moves the cursor to the top and clears what is below.
pub(crate) const CLEAR: &[u8] = b"\x1b[H\x1b[J";

/// Hears single keys for as long as it lives.
pub(crate) struct Keys {
    stdin: Stdin,
    before: Termios,
}

impl Keys {
    /// None where standard input is no terminal.
    pub(crate) fn hear() -> Option<Self> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = termios::tcgetattr(&stdin).ok()?;
        let mut single = before.clone();
        // A key is there at once, and not shown; Ctrl-C raises its signal as before.
        single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        termios::tcsetattr(&stdin, SetArg::TCSANOW, &single).ok()?;
        Some(Self { stdin, before })
    }

    /// Waits for a key, until `until` or an interrupt. Returns whether the view goes on.
    pub(crate) fn wait(&self, until: Instant, is_interrupted: impl Fn() -> bool) -> bool {
        while Instant::now() < until {
            if is_interrupted() {
                return false;
            }
            let mut waited = [PollFd::new(self.stdin.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waited, PollTimeout::from(INTERRUPT_PERIOD_MS)) {
                // A signal interrupts the wait.
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                _ => return false,
            }
        }
        true
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The key that ended the view is no command; a terminal that has closed has none.
        let _ = termios::tcflush(&self.stdin, FlushArg::TCIFLUSH);
        let _ = termios::tcsetattr(&self.stdin, SetArg::TCSANOW, &self.before);
    }
}

/// Writes the counters that have changed most since `before`, `elapsed` ago.
pub(crate) fn write(
    figures: &Figures,
    before: &Figures,
    elapsed: Duration,
    out: &mut impl Write,
) -> io::Result<()> {
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
    let changes = |named: &[(Cow<'static, str>, u64)], before: &_| -> Vec<(String, u64, u64)> {
        let changed = named.iter().filter_map(|(name, value)| {
            let grown = value.saturating_sub(counter(before, name));
            let rate = grown.saturating_mul(1_000_000) / elapsed_us;
            (grown > 0).then(|| (name.to_string(), *value, rate))
        });
        changed.collect()
    };
    let mut all = changes(&figures.total.node, &before.total.node);
    all.sort_by_key(|(_, _, rate)| std::cmp::Reverse(*rate));
    all.truncate(COUNTERS_MAX);
    writeln!(out, "{:<28}  {:>14}  {:>12}", "what changes", "in all", "a second")?;
    for (name, value, rate) in &all {
        writeln!(out, "  {name:<26}  {value:>14}  {rate:>12}")?;
    }
    writeln!(out, "any key ends this")
}

//! How far a run is, on a terminal: one line on standard error, written over and
//! over; and nothing where standard error is no terminal.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::engine::Traffic;
use crate::interruption::{Interruption, Signal};
use crate::quantity::{SECOND_NS, show_count};
use crate::say;
use crate::worker::Progress;

/// How often the line is written anew.
const PERIOD: Duration = Duration::from_millis(200);

/// Where progress is shown.
pub struct Display {
    watched: bool,
    shown: Option<Instant>,
    /// The reason that a line has told last.
    told: String,
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

impl Display {
    /// Shown when standard error is a terminal.
    pub fn new() -> Self {
        let watched = std::io::stderr().is_terminal();
        Self { watched, shown: None, told: String::new() }
    }

    /// Shows how much of `what` is filled with values, from 0 to 1.
    pub fn filling(&mut self, what: &str, share: f64) {
        if self.watched && self.shown.is_none_or(|shown| shown.elapsed() >= PERIOD) {
            self.show(&format!("storing values {what}: {:3.0} %", share * 100.0));
        }
    }

    /// Shows that a target is waited for. A line of its own tells why, and one more
    /// whenever the reason changes, also where standard error is no terminal.
    pub fn waiting(&mut self, target: &str, reason: &str, since: Duration, longest: Duration) {
        let longest = humantime::format_duration(longest);
        if self.told != reason {
            reason.clone_into(&mut self.told);
            self.clear();
            say::say(format_args!("waiting for {target}, up to {longest}: {reason}"));
        }
        self.show(&format!("waiting for {target}: {} s of {longest}", since.as_secs()));
    }

    /// Waits until the clock shows `time_ns` or a signal comes, and shows what the
    /// threads do. Returns the signal.
    pub fn until(
        &mut self,
        time_ns: u64,
        clock: Clock,
        traffic: &Traffic,
        progress: &[Progress],
        interruption: &Interruption,
    ) -> Option<Signal> {
        let (mut last_ns, mut last_sent) = (clock.now_ns(), sum(progress, |one| &one.sent));
        loop {
            let left = clock.until(time_ns);
            let shortest = if self.watched { left.min(PERIOD) } else { left };
            let signal = interruption.wait(shortest);
            if signal.is_some() || left <= shortest {
                return signal;
            }
            let (now_ns, sent) = (clock.now_ns(), sum(progress, |one| &one.sent));
            let elapsed_ns = (now_ns - last_ns).max(1);
            let rate =
                u128::from(sent - last_sent) * u128::from(SECOND_NS) / u128::from(elapsed_ns);
            (last_ns, last_sent) = (now_ns, sent);
            self.show_run(now_ns, rate as u64, traffic, progress);
        }
    }

    fn show_run(&mut self, now_ns: u64, rate: u64, traffic: &Traffic, progress: &[Progress]) {
        let seconds = |ns: u64| ns as f64 / SECOND_NS as f64;
        if now_ns < traffic.warmup_ns {
            let (now, all) = (seconds(now_ns), seconds(traffic.warmup_ns));
            return self.show(&format!("warming up {now:.1} of {all:.1} s"));
        }
        let now = seconds(now_ns.min(traffic.end_ns()) - traffic.warmup_ns);
        self.show(&format!(
            "{now:5.1} of {:.1} s, drop {}: {} requests/s, {} answered, {} timed out",
            seconds(traffic.duration_ns),
            traffic.drop,
            show_count(rate),
            show_count(sum(progress, |one| &one.answered)),
            show_count(sum(progress, |one| &one.timed_out)),
        ));
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            say::write(say::ERASE_LINE);
        }
    }

    fn show(&mut self, text: &str) {
        if self.watched {
            say::write(&format!("{}{text}", say::ERASE_LINE));
            self.shown = Some(Instant::now());
        }
    }
}

fn sum(progress: &[Progress], of: impl Fn(&Progress) -> &AtomicU64) -> u64 {
    progress.iter().map(|one| of(one).load(Ordering::Relaxed)).sum()
}

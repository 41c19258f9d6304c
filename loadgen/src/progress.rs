//! How far a run is: one line on standard error, written over and over on a terminal; a line
//! each second elsewhere.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use kad_node::quantity::Percent;

use crate::clock::Clock;
use crate::engine::Traffic;
use crate::interruption::{Interruption, Signal};
use crate::live::{SharedView, Totals, graph};
use crate::quantity::{SECOND_NS, show_count, show_ns};
use crate::record::brief_histogram;
use crate::say;
use crate::worker::Progress;

/// How often the line is written anew.
const PERIOD: Duration = Duration::from_millis(200);
/// How often a second is taken stock of, and a line is logged where standard error is no
/// terminal.
const SECOND: Duration = Duration::from_secs(1);
/// Columns of a terminal's line, of which the last stays empty: what every terminal has.
const COLUMNS: usize = 79;

/// Where progress is shown.
pub struct Display {
    watched: bool,
    shown: Option<Instant>,
    /// The reason that a line has told last.
    told: String,
    view: SharedView,
    /// Answers since the second began.
    recent: Histogram<u32>,
}

impl Display {
    /// Shown on a terminal, where standard error is one, and in `view`.
    pub fn new(view: SharedView) -> Self {
        let watched = std::io::stderr().is_terminal();
        Self { watched, shown: None, told: String::new(), view, recent: brief_histogram() }
    }

    /// Shows how much of `what` is filled with values, from 0 to 1.
    pub fn filling(&mut self, what: &str, share: f64) {
        if self.view.lock().state != "storing values" {
            self.view.lock().state = "storing values".into();
        }
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
        let mut second = Instant::now();
        let (mut last_ns, mut last) = (clock.now_ns(), totals(progress));
        loop {
            let left = clock.until(time_ns);
            let shortest = left.min(PERIOD);
            let signal = interruption.wait(shortest);
            if signal.is_some() || left <= shortest {
                return signal;
            }
            let (now_ns, now) = (clock.now_ns(), totals(progress));
            let elapsed_ns = u128::from((now_ns - last_ns).max(1));
            let rate = u128::from(now.sent - last.sent) * u128::from(SECOND_NS) / elapsed_ns;
            (last_ns, last) = (now_ns, now);
            let is_second = second.elapsed() >= SECOND;
            if is_second {
                second += SECOND;
            }
            if is_second && now_ns > traffic.warmup_ns {
                self.add_second(now_ns, traffic, progress, now);
            }
            let state = state(now_ns, traffic);
            self.view.lock().state.clone_from(&state);
            let line = self.line(&state, rate as u64, now);
            self.show(&line);
            if is_second && !self.watched {
                say::say(line);
            }
        }
    }

    /// Takes stock of the last second.
    fn add_second(
        &mut self,
        now_ns: u64,
        traffic: &Traffic,
        progress: &[Progress],
        totals: Totals,
    ) {
        for one in progress {
            one.recent.take(&mut self.recent);
        }
        let since_ns = now_ns.saturating_sub(traffic.warmup_ns + SECOND_NS);
        let mut view = self.view.lock();
        view.add_second(since_ns as f64 / SECOND_NS as f64, &self.recent, totals);
        self.recent.reset();
    }

    /// Begins another run, of which nothing is known yet.
    pub fn begin_run(&mut self) {
        self.view.lock().begin_run();
        self.recent.reset();
    }

    /// What a line says: the rate, the latency of the last second, what is lost and what is in
    /// flight; and as much of a graph of p99 as there is room for.
    fn line(&self, state: &str, rate: u64, totals: Totals) -> String {
        let view = self.view.lock();
        let latency = match view.now().filter(|now| now.answered > 0) {
            Some(now) => format!("p50 {}, p99 {}", show_ns(now.p50_ns), show_ns(now.p99_ns)),
            None => "p50 -, p99 -".into(),
        };
        let mut line = format!(
            "{state}: {}/s, {latency}, {} lost, {} in flight ",
            show_count(rate),
            show_count(totals.timed_out),
            show_count(totals.in_flight),
        );
        let room = COLUMNS.saturating_sub(line.chars().count());
        line.push_str(&graph(&view.timeline, room));
        line.trim_end().to_owned()
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

/// Where in its run it is.
fn state(now_ns: u64, traffic: &Traffic) -> String {
    let seconds = |ns: u64| ns as f64 / SECOND_NS as f64;
    if now_ns < traffic.warmup_ns {
        return format!("warming up {:.1} of {:.1} s", seconds(now_ns), seconds(traffic.warmup_ns));
    }
    let now = seconds(now_ns.min(traffic.end_ns()) - traffic.warmup_ns);
    let all = seconds(traffic.duration_ns);
    let drop = match traffic.drop {
        Percent::ZERO => String::new(),
        drop => format!(", drop {drop}"),
    };
    format!("{now:.1} of {all:.1} s{drop}")
}

fn totals(progress: &[Progress]) -> Totals {
    let sum = |of: fn(&Progress) -> &AtomicU64| {
        progress.iter().map(|one| of(one).load(Ordering::Relaxed)).sum()
    };
    Totals {
        sent: sum(|one| &one.sent),
        answered: sum(|one| &one.answered),
        timed_out: sum(|one| &one.timed_out),
        in_flight: sum(|one| &one.in_flight),
    }
}

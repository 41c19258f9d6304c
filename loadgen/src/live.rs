//! What is known of a run while it goes on: the last seconds, and everything so far. The
//! thread that waits for the run fills it; a terminal, a log and a browser show it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use crate::record::{brief_histogram, histogram};
use crate::summary::Moment;

/// Seconds that are kept: ten minutes, as much as a chart tells apart.
const SECONDS_MAX: usize = 600;

/// A run in progress, as it is shown.
#[derive(Clone, Debug)]
pub struct LiveView {
    /// What the program is about.
    pub title: String,
    /// What it does now.
    pub state: String,
    /// Requests in flight.
    pub in_flight: u64,
    /// Requests sent so far, of those that count.
    pub sent: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, given up.
    pub timed_out: u64,
    /// Latency so far from when requests were due, in nanoseconds.
    pub latency: Histogram<u64>,
    /// The latest seconds, by when answers came.
    pub timeline: Vec<Moment>,
}

impl LiveView {
    /// Nothing yet.
    pub fn new(title: String) -> Self {
        Self {
            title,
            state: "preparing".into(),
            in_flight: 0,
            sent: 0,
            answered: 0,
            timed_out: 0,
            latency: histogram(),
            timeline: Vec::new(),
        }
    }

    /// The last second.
    pub fn now(&self) -> Option<&Moment> {
        self.timeline.last()
    }

    /// Forgets the run before.
    pub fn begin_run(&mut self) {
        let title = std::mem::take(&mut self.title);
        *self = Self::new(title);
    }

    /// Adds a second that began `at_s` seconds into the run, of which `latency` are the
    /// answers, and the totals at its end.
    pub fn add_second(&mut self, at_s: f64, latency: &Histogram<u32>, totals: Totals) {
        let at =
            |quantile| if latency.is_empty() { 0 } else { latency.value_at_quantile(quantile) };
        let moment = Moment {
            at_s,
            sent: totals.sent.saturating_sub(self.sent),
            answered: latency.len(),
            timed_out: totals.timed_out.saturating_sub(self.timed_out),
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            max_ns: latency.max(),
        };
        for value in latency.iter_recorded() {
            let count = value.count_at_value().into();
            self.latency.saturating_record_n(value.value_iterated_to(), count);
        }
        if self.timeline.len() == SECONDS_MAX {
            self.timeline.remove(0);
        }
        self.timeline.push(moment);
        let Totals { sent, answered, timed_out, in_flight } = totals;
        (self.sent, self.answered, self.timed_out, self.in_flight) =
            (sent, answered, timed_out, in_flight);
    }
}

/// Counts since the run's beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Requests sent.
    pub sent: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, given up.
    pub timed_out: u64,
    /// Requests in flight now.
    pub in_flight: u64,
}

/// A view that several threads look at.
#[derive(Clone, Debug)]
pub struct SharedView(Arc<Mutex<LiveView>>);

impl SharedView {
    /// Nothing yet.
    pub fn new(title: String) -> Self {
        Self(Arc::new(Mutex::new(LiveView::new(title))))
    }

    /// The view, while no other thread has it.
    pub fn lock(&self) -> MutexGuard<'_, LiveView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks of a small graph, low to high.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The latest `columns` seconds of p99 as a graph of one line, from the least to the greatest
/// of them.
pub fn graph(timeline: &[Moment], columns: usize) -> String {
    let shown = &timeline[timeline.len().saturating_sub(columns)..];
    let answered = || shown.iter().filter(|moment| moment.answered > 0).map(|moment| moment.p99_ns);
    let (least, most) = (answered().min().unwrap_or(0), answered().max().unwrap_or(0));
    let block = |moment: &Moment| {
        if moment.answered == 0 {
            return ' ';
        }
        let part = (moment.p99_ns - least) as f64 / (most - least).max(1) as f64;
        BLOCKS[(part * 7.0).round() as usize]
    };
    shown.iter().map(block).collect()
}

/// The latency of what a thread has seen answered since it last told.
#[derive(Debug)]
pub struct Recent(Mutex<Histogram<u32>>);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(brief_histogram()))
    }
}

impl Recent {
    /// Adds what `own` holds and empties it, unless another thread looks at it just now: then
    /// it is told the next time.
    pub fn tell(&self, own: &mut Histogram<u32>) {
        if let Ok(mut told) = self.0.try_lock() {
            told.add(&*own).expect("the same bounds");
            own.reset();
        }
    }

    /// Takes out what was told, and adds it to `into`.
    pub fn take(&self, into: &mut Histogram<u32>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        into.add(&*told).expect("the same bounds");
        told.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(ns: &[u64]) -> Histogram<u32> {
        let mut latency = brief_histogram();
        for ns in ns {
            latency.saturating_record(*ns);
        }
        latency
    }

    #[test]
    fn a_second_has_its_own_percentiles_and_adds_to_the_whole() {
        let mut view = LiveView::new("a node".into());
        let totals = |sent| Totals { sent, answered: sent - 1, timed_out: 1, in_flight: 0 };
        view.add_second(0.0, &second(&[1000, 1000, 1000]), totals(4));
        view.add_second(1.0, &second(&[9_000_000]), totals(5));
        let now = view.now().expect("two seconds");
        assert_eq!((now.sent, now.answered, now.timed_out), (1, 1, 0));
        assert!(now.p50_ns.abs_diff(9_000_000) < 90_000, "{now:?}");
        assert_eq!(view.latency.len(), 4);
        assert!(view.latency.value_at_quantile(0.5) < 1100);
        for at_s in 2..1000 {
            view.add_second(f64::from(at_s), &second(&[]), totals(5));
        }
        assert_eq!(view.timeline.len(), SECONDS_MAX);
        view.begin_run();
        assert!(view.now().is_none() && view.sent == 0 && view.title == "a node");
    }

    #[test]
    fn a_graph_goes_from_the_least_to_the_greatest() {
        let mut view = LiveView::new(String::new());
        for ns in [1_000, 8_000, 4_000] {
            view.add_second(0.0, &second(&[ns]), Totals::default());
        }
        view.add_second(0.0, &second(&[]), Totals::default());
        assert_eq!(graph(&view.timeline, 10), "▁█▄ ");
        assert_eq!(graph(&view.timeline, 2), "▁ ");
        assert_eq!(graph(&[], 5), "");
    }

    #[test]
    fn what_is_told_is_taken_once() {
        let recent = Recent::default();
        let mut own = second(&[5, 6]);
        recent.tell(&mut own);
        assert!(own.is_empty());
        let mut taken = brief_histogram();
        recent.take(&mut taken);
        recent.take(&mut taken);
        assert_eq!(taken.len(), 2);
    }
}

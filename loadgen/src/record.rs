//! What is measured while requests are answered or given up.

use hdrhistogram::Histogram;

use crate::books::{Books, KindBooks, Operations};
use crate::mix::Kind;

/// Longest latency that a histogram tells apart; longer ones count as this.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
/// Digits of the histograms: an error of 0.1 %.
const DIGITS: u8 = 3;
/// Digits of the histograms over time, of which there are many: an error of 1 %.
const INTERVAL_DIGITS: u8 = 2;

/// An empty histogram of nanoseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, DIGITS).expect("bounds in order")
}

/// An empty histogram of nanoseconds with fewer digits, for seconds and intervals.
pub fn brief_histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, INTERVAL_DIGITS).expect("bounds in order")
}

/// The measurements of one thread, or of several together.
#[derive(Clone, Debug)]
pub struct Record {
    /// The accounts.
    pub books: Books,
    /// For each kind: how its requests ended, and the latency of its answers from
    /// when they were due.
    pub kinds: Vec<KindRecord>,
    /// Latency of all answers from when their requests were really sent: what a
    /// generator would say that waits when it is late.
    pub uncorrected: Histogram<u64>,
    /// How long after they were due requests were given up.
    pub lost: Histogram<u64>,
    /// How long after they were due requests were sent.
    pub pacing: Histogram<u64>,
    /// The same over time.
    pub timeline: Timeline,
}

/// The measurements of one kind.
#[derive(Clone, Debug)]
pub struct KindRecord {
    /// How its requests ended.
    pub books: KindBooks,
    /// What its whole operations took.
    pub operations: Operations,
    /// Latency of its answers from when they were due.
    pub corrected: Histogram<u64>,
}

/// Measurements by the moment at which requests were due.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Length of each interval.
    pub interval_ns: u64,
    /// One after the other from the beginning of the measured time.
    pub intervals: Vec<Interval>,
}

/// What became of the requests that were due in one interval.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were given up.
    pub timed_out: u64,
    /// Latency of answers from when they were due.
    pub corrected: Histogram<u32>,
}

impl Timeline {
    fn new(duration_ns: u64) -> Self {
        let interval_ns = Self::interval_ns(duration_ns);
        let interval = Interval { sent: 0, timed_out: 0, corrected: brief_histogram() };
        let count = duration_ns.div_ceil(interval_ns).max(1) as usize;
        Self { interval_ns, intervals: vec![interval; count] }
    }

    /// The shortest round length of which at most 120 make up the duration.
    fn interval_ns(duration_ns: u64) -> u64 {
        const MILLISECOND_NS: u64 = 1_000_000;
        let decades = (0..7).map(|exponent| 10u64.pow(exponent) * MILLISECOND_NS);
        decades
            .flat_map(|decade| [decade, 2 * decade, 5 * decade])
            .find(|length| duration_ns.div_ceil(*length) <= 120)
            .unwrap_or(duration_ns / 120)
    }

    /// Leaves out what a run that was cut short after `duration_ns` did not come to.
    pub fn cut_short(&mut self, duration_ns: u64) {
        let begun = duration_ns.div_ceil(self.interval_ns) as usize;
        let used = self.intervals.iter().rposition(|interval| interval.sent > 0);
        self.intervals.truncate(begun.max(used.map_or(0, |last| last + 1)).max(1));
    }

    fn at(&mut self, since_ns: u64) -> &mut Interval {
        let last = self.intervals.len() - 1;
        &mut self.intervals[((since_ns / self.interval_ns) as usize).min(last)]
    }
}

/// When a request was due, first sent, and done with.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// When it was due, since the beginning of the measured time.
    pub due_ns: u64,
    /// From then to its first send.
    pub late_ns: u64,
    /// From then to its answer, or to giving it up.
    pub taken_ns: u64,
}

/// What an answer was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// What was asked for.
    Fulfilled,
    /// Not held, not found.
    Missed,
    /// An error.
    Refused,
    /// Not the value that was stored, or no answer to this request at all.
    Wrong,
}

impl Record {
    /// Nothing measured yet, of these kinds, in a measured time of this length.
    pub fn new(kinds: impl Iterator<Item = Kind>, duration_ns: u64) -> Self {
        let kinds = kinds.map(|kind| KindRecord {
            books: KindBooks { kind, sent: 0, answered: 0, fulfilled: 0 },
            operations: Operations::default(),
            corrected: histogram(),
        });
        Self {
            books: Books::default(),
            kinds: kinds.collect(),
            uncorrected: histogram(),
            lost: histogram(),
            pacing: histogram(),
            timeline: Timeline::new(duration_ns),
        }
    }

    /// Notes what a whole operation took.
    pub fn took(&mut self, kind: Kind, operation: &Operations) {
        self.books.lookups_answered += 1;
        self.kind(kind).operations.add(operation);
    }

    fn kind(&mut self, kind: Kind) -> &mut KindRecord {
        let found = self.kinds.iter_mut().find(|record| record.books.kind == kind);
        found.expect("only kinds of the mix are sent")
    }

    /// Notes a request's first send, `late_ns` after it was due.
    pub fn sent(&mut self, kind: Kind, due_ns: u64, late_ns: u64) {
        self.books.sent += 1;
        self.kind(kind).books.sent += 1;
        self.pacing.saturating_record(late_ns);
        self.timeline.at(due_ns).sent += 1;
    }

    /// Notes an answer.
    pub fn answered(&mut self, kind: Kind, course: Course, worth: Worth) {
        self.books.answered += 1;
        *match worth {
            Worth::Fulfilled => &mut self.books.fulfilled,
            Worth::Missed => &mut self.books.missed,
            Worth::Refused => &mut self.books.refused,
            Worth::Wrong => &mut self.books.wrong,
        } += 1;
        let of_kind = self.kind(kind);
        of_kind.books.answered += 1;
        of_kind.books.fulfilled += u64::from(worth == Worth::Fulfilled);
        of_kind.corrected.saturating_record(course.taken_ns);
        self.uncorrected.saturating_record(course.taken_ns - course.late_ns);
        self.timeline.at(course.due_ns).corrected.saturating_record(course.taken_ns);
    }

    /// Notes that a request was given up.
    pub fn timed_out(&mut self, course: Course) {
        self.books.timed_out += 1;
        self.lost.saturating_record(course.taken_ns);
        self.timeline.at(course.due_ns).timed_out += 1;
    }

    /// Latency of the answers of every kind from when they were due.
    pub fn corrected(&self) -> Histogram<u64> {
        let mut all = histogram();
        for kind in &self.kinds {
            all.add(&kind.corrected).expect("the same bounds");
        }
        all
    }

    /// The same, with the requests that were given up as if they had been
    /// answered then: without them, a node that loses what is slow looks quick.
    pub fn with_lost(&self) -> Histogram<u64> {
        let mut all = self.corrected();
        all.add(&self.lost).expect("the same bounds");
        all
    }

    /// Adds another thread's measurements.
    pub fn merge(&mut self, other: &Self) {
        self.books.merge(&other.books);
        for (mine, theirs) in self.kinds.iter_mut().zip(&other.kinds) {
            mine.books.add(&theirs.books);
            mine.operations.add(&theirs.operations);
            mine.corrected.add(&theirs.corrected).expect("the same bounds");
        }
        self.uncorrected.add(&other.uncorrected).expect("the same bounds");
        self.lost.add(&other.lost).expect("the same bounds");
        self.pacing.add(&other.pacing).expect("the same bounds");
        for (mine, theirs) in self.timeline.intervals.iter_mut().zip(&other.timeline.intervals) {
            mine.sent += theirs.sent;
            mine.timed_out += theirs.timed_out;
            mine.corrected.add(&theirs.corrected).expect("the same bounds");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn lost_requests_count_at_their_time_out_beside_the_percentiles_of_answers() {
        let mut record = Record::new([Kind::Get].into_iter(), 1000 * MS);
        let course = |taken_ns| Course { due_ns: 0, late_ns: 0, taken_ns };
        for _ in 0..90 {
            record.answered(Kind::Get, course(MS), Worth::Fulfilled);
        }
        for _ in 0..10 {
            record.timed_out(course(1000 * MS));
        }
        let close = |value: u64, to: u64| value.abs_diff(to) <= to / 500;
        assert!(close(record.corrected().value_at_quantile(0.99), MS));
        assert!(close(record.with_lost().value_at_quantile(0.90), MS));
        assert!(close(record.with_lost().value_at_quantile(0.91), 1000 * MS));
        assert_eq!(record.with_lost().len(), 100);
    }

    #[test]
    fn uncorrected_latency_counts_from_the_send() {
        let mut record = Record::new([Kind::Get].into_iter(), 1000 * MS);
        let course = Course { due_ns: 0, late_ns: 300 * MS, taken_ns: 301 * MS };
        record.answered(Kind::Get, course, Worth::Fulfilled);
        let close = |value: u64, to: u64| value.abs_diff(to) <= to / 500;
        assert!(close(record.uncorrected.max(), MS));
        assert!(close(record.corrected().max(), 301 * MS));
    }

    #[test]
    fn intervals_are_round_and_cover_the_whole_run() {
        for (duration_ms, interval_ms, count) in
            [(10_000, 100, 100), (1_000, 10, 100), (60_000, 500, 120), (130, 2, 65)]
        {
            let timeline = Timeline::new(duration_ms * MS);
            assert_eq!(timeline.interval_ns, interval_ms * MS, "{duration_ms} ms");
            assert_eq!(timeline.intervals.len(), count, "{duration_ms} ms");
        }
        let mut record = Record::new([Kind::Ping].into_iter(), 100 * MS);
        record.sent(Kind::Ping, 99 * MS, 0);
        assert_eq!(record.timeline.intervals.last().map(|last| last.sent), Some(1));
    }
}

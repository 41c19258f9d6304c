//! Whether the numbers are the target's or the generator's own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::Pace;
use crate::result::RunResult;
use crate::worker::Waiting;

/// What the generator was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// It sent when it should: up to this percentile its own lateness is less
    /// than a quarter of the latency.
    KeptPace {
        /// Such as 99.9.
        up_to_percentile: f64,
    },
    /// It could not send as fast as asked.
    FellBehind {
        /// Requests that it never sent.
        unsent: u64,
        /// Median of how late it sent the others.
        late_p50_ns: u64,
    },
    /// It could not receive as fast as answers came.
    LostReplies {
        /// Replies dropped at its own sockets.
        receive_drops: u64,
    },
    /// A closed loop, in which it was idle for part of the time: the target set
    /// the pace.
    Idle {
        /// The busy part, from 0 to 1.
        busy_share: f64,
    },
    /// A closed loop, in which it was never idle: it may have set the pace.
    Saturated {
        /// The busy part, from 0 to 1.
        busy_share: f64,
    },
    /// A closed loop that slept between turns: its idle part is not known.
    Unknown,
}

/// Percentiles by which pacing and latency are compared.
const COMPARED: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
/// The generator's own lateness may be this part of the latency: 1 / 4.
pub const LATE_PART: u64 = 4;
/// Above this a thread has no time to spare.
const BUSY_SHARE_MAX: f64 = 0.9;

impl Verdict {
    /// The verdict on one run.
    pub fn of(result: &RunResult) -> Self {
        if result.receive_drops > 0 {
            return Self::LostReplies { receive_drops: result.receive_drops };
        }
        match result.pace {
            Pace::Open { .. } => Self::of_open_loop(result),
            Pace::Closed { .. } if result.waiting == Waiting::Sleep => Self::Unknown,
            Pace::Closed { .. } => {
                let time_ns = result.duration_ns * result.threads;
                let busy_share = (result.busy_ns as f64 / time_ns as f64).min(1.0);
                if busy_share > BUSY_SHARE_MAX {
                    Self::Saturated { busy_share }
                } else {
                    Self::Idle { busy_share }
                }
            }
        }
    }

    fn of_open_loop(result: &RunResult) -> Self {
        let (pacing, latency) = (&result.record.pacing, &result.with_lost);
        let kept = |percentile: &&f64| {
            let quantile = **percentile / 100.0;
            let late_ns = pacing.value_at_quantile(quantile);
            // Of a percentile that not one request is above, nothing is known.
            let beyond = (latency.len() as f64 * (1.0 - quantile)).round();
            beyond >= 1.0 && late_ns * LATE_PART <= latency.value_at_quantile(quantile)
        };
        let unsent = result.record.books.unsent;
        match COMPARED.iter().take_while(kept).last() {
            Some(&up_to_percentile) if unsent == 0 => Self::KeptPace { up_to_percentile },
            _ => Self::FellBehind { unsent, late_p50_ns: pacing.value_at_quantile(0.5) },
        }
    }

    /// Whether the generator, not the target, was the limit.
    pub const fn is_limit(&self) -> bool {
        matches!(self, Self::FellBehind { .. } | Self::LostReplies { .. } | Self::Saturated { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::quantity::{show_count, show_ns};
        match *self {
            Self::KeptPace { up_to_percentile } => write!(
                f,
                "the generator kept pace: up to p{up_to_percentile} its own lateness is less \
                 than a quarter of the latency"
            ),
            Self::FellBehind { unsent, late_p50_ns } => {
                f.write_str("the generator was the limit: ")?;
                if unsent > 0 {
                    write!(f, "{} requests never sent, ", show_count(unsent))?;
                }
                write!(
                    f,
                    "half of those sent more than {} late; use a lower --rate, or more --threads \
                     where there are cores",
                    show_ns(late_p50_ns)
                )
            }
            Self::LostReplies { receive_drops } => write!(
                f,
                "the generator was the limit: {} replies found its receive buffer full; use a \
                 lower --rate, or more --threads where there are cores",
                show_count(receive_drops)
            ),
            Self::Idle { busy_share } => write!(
                f,
                "the target set the pace: the generator was busy for {:.0} % of the time",
                busy_share * 100.0
            ),
            Self::Saturated { busy_share } => write!(
                f,
                "the generator was the limit: busy for {:.0} % of the time; use more --threads \
                 where there are cores, or a --burst",
                busy_share * 100.0
            ),
            Self::Unknown => f.write_str(
                "a closed loop with sleeping threads does not know what set the pace; \
                 --wait spin does",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::Kind;
    use crate::record::{Course, Record, Worth};

    const SECOND_NS: u64 = 1_000_000_000;

    /// A thousand answers after 100 microseconds, of which the given part was sent
    /// 50 microseconds late.
    fn result(late: usize) -> RunResult {
        let mut record = Record::new([Kind::Get].into_iter(), SECOND_NS);
        for request in 0..1000 {
            let late_ns = if request < late { 50_000 } else { 100 };
            record.sent(Kind::Get, 0, late_ns);
            let course = Course { due_ns: 0, late_ns, taken_ns: 100_000 };
            record.answered(Kind::Get, course, Worth::Fulfilled);
        }
        RunResult::for_tests(record, SECOND_NS)
    }

    #[test]
    fn the_percentile_is_told_up_to_which_the_generator_kept_pace() {
        let kept = |up_to_percentile| Verdict::KeptPace { up_to_percentile };
        assert_eq!(Verdict::of(&result(0)), kept(99.9));
        assert_eq!(Verdict::of(&result(5)), kept(99.0));
        assert_eq!(Verdict::of(&result(50)), kept(90.0));
        assert!(!Verdict::of(&result(50)).is_limit());
        assert!(Verdict::of(&result(600)).is_limit());
    }

    #[test]
    fn what_was_never_sent_or_not_received_is_the_generator_s_fault() {
        let mut unsent = result(0);
        unsent.record.books.unsent = 1;
        assert!(matches!(Verdict::of(&unsent), Verdict::FellBehind { unsent: 1, .. }));
        let mut dropped = result(0);
        dropped.receive_drops = 1;
        assert_eq!(Verdict::of(&dropped), Verdict::LostReplies { receive_drops: 1 });
    }

    #[test]
    fn a_closed_loop_without_idle_time_may_have_set_the_pace() {
        let mut closed = result(0);
        closed.pace = Pace::Closed { window: 1 };
        closed.busy_ns = SECOND_NS / 2;
        assert_eq!(Verdict::of(&closed), Verdict::Idle { busy_share: 0.5 });
        closed.busy_ns = SECOND_NS;
        assert!(Verdict::of(&closed).is_limit());
        closed.waiting = Waiting::Sleep;
        assert_eq!(Verdict::of(&closed), Verdict::Unknown);
    }
}

//! What one run has measured.

use hdrhistogram::Histogram;
use kad_node::quantity::Percent;

use crate::cpu::ThreadTime;
use crate::engine::Pace;
use crate::record::Record;
use crate::worker::{Coalesced, Waiting};

/// What was measured at one drop rate.
#[derive(Debug)]
pub struct RunResult {
    /// The drop rate.
    pub drop: Percent,
    /// The measured time: what was asked for, or less where the run was cut short.
    pub duration_ns: u64,
    /// Whether a signal ended the run before all was answered.
    pub is_cut_short: bool,
    /// What decided when a request was sent.
    pub pace: Pace,
    /// How the threads waited.
    pub waiting: Waiting,
    /// Threads of the generator.
    pub threads: u64,
    /// Requests and their latency.
    pub record: Record,
    /// Latency of answers from when they were due, of all kinds.
    pub corrected: Histogram<u64>,
    /// The same with lost requests counted at their time-out.
    pub with_lost: Histogram<u64>,
    /// Datagrams that were no replies.
    pub strange: u64,
    /// Replies that the kernel dropped at our own sockets, from the end of the warm-up
    /// on.
    pub receive_drops: u64,
    /// What travelled as one, where bursts were asked for.
    pub coalescing: Option<Coalesced>,
    /// The time of the generator's threads, of the measured time.
    pub generator: ThreadTime,
    /// Time in which they had something to do.
    pub busy_ns: u64,
    /// What the target's side of the machine told of the measured time.
    pub target: Watched,
}

/// What was seen of the target from outside in the measured time, where it is on
/// this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    /// Its CPU time.
    pub cpu_ns: Option<u64>,
    /// Requests that the kernel dropped at its sockets.
    pub receive_drops: Option<u64>,
}

#[cfg(test)]
impl RunResult {
    /// A result with nothing but a record.
    pub(crate) fn for_tests(record: Record, duration_ns: u64) -> Self {
        use crate::schedule::Arrivals;

        let rate = 100;
        let pace = Pace::Open { rate, arrivals: Arrivals::Uniform };
        Self {
            drop: Percent::ZERO,
            duration_ns,
            is_cut_short: false,
            pace,
            waiting: Waiting::Spin,
            threads: 1,
            corrected: record.corrected(),
            with_lost: record.with_lost(),
            record,
            strange: 0,
            receive_drops: 0,
            coalescing: None,
            generator: ThreadTime::default(),
            busy_ns: 0,
            target: Watched::default(),
        }
    }
}

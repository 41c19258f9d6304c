//! A report for tests.

use kad_node::quantity::Percent;

use crate::machine::Machine;
use crate::mix::Kind;
use crate::options::Options;
use crate::parameters::Parameters;
use crate::record::{Course, Record, Worth};
use crate::result::RunResult;
use crate::summary::{FORMAT, Report, RunSummary};

const SECOND_NS: u64 = 1_000_000_000;
const SENT: u64 = 300;

/// A report of one run of a second: 300 gets and puts, of which the slowest take 1.2 ms, and
/// three are lost.
pub(crate) fn report() -> Report {
    let options = Options::for_tests("");
    Report {
        format: FORMAT,
        program: "loadgen".into(),
        started: "then".into(),
        machine: Machine::default(),
        parameters: Parameters::of(&options),
        setup: vec![("target".into(), "127.0.0.1:9001".into()), ("rate".into(), "300".into())],
        cut_short: None,
        searches: Vec::new(),
        knees: Vec::new(),
        runs: vec![RunSummary::of(&result())],
    }
}

fn result() -> RunResult {
    let mut record = Record::new([Kind::Get, Kind::Put].into_iter(), SECOND_NS);
    for request in 0..SENT {
        let (due_ns, late_ns) = (request * SECOND_NS / SENT, 1_000);
        let kind = if request % 3 == 0 { Kind::Put } else { Kind::Get };
        record.sent(kind, due_ns, late_ns);
        record.books.scheduled += 1;
        record.books.requests_transmitted += 1;
        let taken_ns = 20_000 + request * 4_000;
        if request % 100 == 99 {
            let taken_ns = SECOND_NS / 4;
            record.timed_out(Course { due_ns, late_ns, taken_ns });
        } else {
            record.books.replies_received += 1;
            record.answered(kind, Course { due_ns, late_ns, taken_ns }, Worth::Fulfilled);
        }
    }
    RunResult { drop: Percent::new(1), ..RunResult::for_tests(record, SECOND_NS) }
}

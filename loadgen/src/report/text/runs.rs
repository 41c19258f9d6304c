//! Several runs as one table: a sweep of drop rates or of rates, the steps of a search.

use std::fmt::Write as _;

use crate::quantity::{show_count, show_ns, show_share};
use crate::search::Outcome;
use crate::summary::{Report, RunSummary};

/// The table. `sends` is how often each request was sent; `lost counted` the p99 with lost
/// requests at their time-out.
pub(super) fn table(text: &mut String, report: &Report) {
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{:>6} {:>11} {:>11} {:>7} {:>5} {:>8} {:>8} {:>12}",
        "drop", "rate", "answered/s", "lost", "sends", "p50", "p99", "lost counted"
    );
    let mut outcomes = report.searches.iter().flat_map(|search| &search.steps);
    for run in &report.runs {
        let remark =
            outcomes.next().map_or_else(|| remark(report, run), |step| short(step.outcome));
        let books = &run.books;
        let sends = (books.sent + books.resent) as f64 / books.sent.max(1) as f64;
        let _ = writeln!(
            text,
            "{:>4} % {:>11} {:>11} {:>7} {sends:>5.2} {:>8} {:>8} {:>12}{remark}",
            run.drop_percent,
            run.rate_per_s.map_or_else(|| "max".into(), show_count),
            show_count(run.answered_per_s.round() as u64),
            show_share(books.timed_out, books.sent),
            show_ns(run.corrected.p50_ns),
            show_ns(run.corrected.p99_ns),
            show_ns(run.with_lost.p99_ns),
        );
    }
    if report.runs.iter().any(|run| run.verdict.is_limit()) {
        text.push_str("!      the generator was the limit: the row says nothing of the target\n");
    }
}

fn short(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => " ok",
        Outcome::Fails => " no",
        Outcome::GeneratorLimit => " !",
    }
}

fn remark(report: &Report, run: &RunSummary) -> &'static str {
    let is_knee = report.knees.iter().any(|knee| {
        knee.rate_per_s.is_some()
            && knee.rate_per_s == run.rate_per_s
            && knee.drop_percent.total_cmp(&run.drop_percent).is_eq()
    });
    match (run.verdict.is_limit(), is_knee) {
        (true, _) => " !",
        (false, true) => " <--",
        (false, false) => "",
    }
}

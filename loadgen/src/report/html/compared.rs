//! The page of several reports.

use super::document::{self, Document};
use super::{at_drop, head, machine, run};
use crate::report::charts::{self, SweepCurve};
use crate::summary::{Report, RunSummary};

/// Curves by percentile that one chart holds: more cannot be told apart.
const CURVES_MAX: usize = 8;

/// The page of several reports, each with a name: their curves in one chart.
pub fn compared(reports: &[(String, Report)]) -> String {
    let names: Vec<&str> = reports.iter().map(|(name, _)| name.as_str()).collect();
    let title = format!("Compared: {}", names.join(", "));
    let mut document = Document::default();
    head(&mut document, &title, &[&reports[0].1.program]);
    let sweeps: Vec<SweepCurve<'_>> = reports.iter().flat_map(of_report).collect();
    if !sweeps.is_empty() {
        document.heading("p99 against throughput", "lost requests at their time-out");
        document.chart(charts::sweeps_overlaid("p99 against throughput", &sweeps));
    }
    let runs: Vec<(String, &RunSummary)> = reports.iter().flat_map(runs_of).collect();
    let is_drawn =
        |run: &RunSummary| sweeps.is_empty() || sweeps.iter().any(|one| one.is_knee(run));
    let drawn = runs.iter().filter(|(_, run)| is_drawn(run)).take(CURVES_MAX);
    let drawn: Vec<(String, &RunSummary)> = drawn.cloned().collect();
    if !drawn.is_empty() {
        document.heading("Latency by percentile", remark(&drawn, &runs));
        document.chart(charts::overlaid("latency by percentile", &drawn));
    }
    document.heading("Runs", "");
    run::write_table(&mut document, &runs);
    for (name, run) in runs.iter().filter(|(_, run)| run.verdict.is_limit()) {
        document.notice("verdict bad", &format!("{name}: {}", run.verdict));
    }
    for (name, report) in reports {
        document.add(&format!("<details><summary>{}</summary>", document::escape(name)));
        document.words(&report.setup);
        document.words(&machine(report));
        document.add("</details>");
    }
    document.page(&title, None)
}

/// What is to be said of the curves.
fn remark(drawn: &[(String, &RunSummary)], runs: &[(String, &RunSummary)]) -> &'static str {
    if drawn.len() == runs.len() {
        "lost requests at their time-out"
    } else {
        "lost requests at their time-out; of a sweep the run at its knee"
    }
}

/// A curve for each drop rate that a report has swept.
fn of_report((name, report): &(String, Report)) -> impl Iterator<Item = SweepCurve<'_>> {
    let is_one = report.knees.len() == 1;
    report.knees.iter().map(move |&knee| {
        let drop = knee.drop_percent;
        let counted = at_drop(report, drop).into_iter().filter(|run| !run.verdict.is_limit());
        let name = if is_one { name.clone() } else { format!("{name}, drop {drop} %") };
        SweepCurve { name, runs: counted.collect(), knee }
    })
}

/// The runs of a report, each with its name.
fn runs_of((name, report): &(String, Report)) -> impl Iterator<Item = (String, &RunSummary)> {
    let is_one = report.runs.len() == 1;
    report.runs.iter().map(move |run| {
        (if is_one { name.clone() } else { format!("{name}, {}", run.label()) }, run)
    })
}

//! Two runs side by side.

use std::fmt::Write as _;

use crate::quantity::{show_count, show_ns};
use crate::summary::{Report, RunSummary};

/// What is compared: a name, how to take it from a run, and how to show it.
struct Row {
    name: &'static str,
    number: fn(&RunSummary) -> Option<f64>,
    show: fn(f64) -> String,
}

const ROWS: [Row; 14] = [
    Row { name: "answered a second", number: |run| Some(run.answered_per_s), show: count },
    Row { name: "timed out", number: |run| Some(run.books.timed_out as f64), show: count },
    Row { name: "unsent", number: |run| Some(run.books.unsent as f64), show: count },
    Row { name: "wrong", number: |run| Some(run.books.wrong as f64), show: count },
    Row { name: "p50", number: |run| Some(run.corrected.p50_ns as f64), show: time },
    Row { name: "p90", number: |run| Some(run.corrected.p90_ns as f64), show: time },
    Row { name: "p99", number: |run| Some(run.corrected.p99_ns as f64), show: time },
    Row { name: "p99.9", number: |run| Some(run.corrected.p99_9_ns as f64), show: time },
    Row { name: "p99.99", number: |run| Some(run.corrected.p99_99_ns as f64), show: time },
    Row { name: "max", number: |run| Some(run.corrected.max_ns as f64), show: time },
    Row { name: "p99, uncorrected", number: |run| Some(run.uncorrected.p99_ns as f64), show: time },
    Row { name: "p99, lost counted", number: |run| Some(run.with_lost.p99_ns as f64), show: time },
    Row { name: "p99 pacing error", number: |run| Some(run.pacing.p99_ns as f64), show: time },
    Row {
        name: "target's CPU, request",
        number: |run| run.server_cpu_ns.map(|ns| ns as f64),
        show: time,
    },
];

fn count(number: f64) -> String {
    show_count(number.round() as u64)
}

fn time(ns: f64) -> String {
    show_ns(ns.round() as u64)
}

/// The table: the parameters in which they differ, then for each drop rate that
/// both have, their numbers and the ratio of B to A; of others, which one has them.
pub fn table(a: &Report, b: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    for (name, of_a) in &a.setup {
        let of_b = b.setup.iter().find(|(other, _)| other == name).map_or("-", |(_, value)| value);
        if of_a != of_b {
            let _ = writeln!(text, "{name}: {of_a} | {of_b}");
        }
    }
    for (name, of_b) in &b.setup {
        if !a.setup.iter().any(|(other, _)| other == name) {
            let _ = writeln!(text, "{name}: - | {of_b}");
        }
    }
    for (name, report) in [("A", a), ("B", b)] {
        if let Some(cut_short) = &report.cut_short {
            let _ = writeln!(text, "{name}: {cut_short}");
        }
    }
    for run_a in &a.runs {
        let Some(run_b) = find(b, run_a.drop_percent) else {
            let _ = writeln!(text, "\ndrop {} %: only in A", run_a.drop_percent);
            continue;
        };
        let drop = format!("drop {} %", run_a.drop_percent);
        let _ = writeln!(text, "\n{drop:<22} {:>12} {:>12} {:>7}", "A", "B", "B/A");
        for row in &ROWS {
            compare(&mut text, row, run_a, run_b);
        }
        for (name, run) in [("A", run_a), ("B", run_b)] {
            if run.verdict.is_limit() {
                let _ = writeln!(text, "{name}: {}", run.verdict);
            }
        }
    }
    for run_b in &b.runs {
        if find(a, run_b.drop_percent).is_none() {
            let _ = writeln!(text, "\ndrop {} %: only in B", run_b.drop_percent);
        }
    }
    text
}

/// The run with this drop rate.
fn find(report: &Report, drop_percent: f64) -> Option<&RunSummary> {
    report.runs.iter().find(|run| run.drop_percent.total_cmp(&drop_percent).is_eq())
}

fn compare(text: &mut String, row: &Row, a: &RunSummary, b: &RunSummary) {
    let (a, b) = ((row.number)(a), (row.number)(b));
    if a.is_none() && b.is_none() {
        return;
    }
    let show = |number: Option<f64>| number.map_or("-".into(), row.show);
    let ratio = match (a, b) {
        (Some(a), Some(b)) if a > 0.0 => format!("{:.2}", b / a),
        _ => "-".into(),
    };
    let _ = writeln!(text, "{:<22} {:>12} {:>12} {ratio:>7}", row.name, show(a), show(b));
}

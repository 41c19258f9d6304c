//! Results side by side.

use std::fmt::Write as _;

use kad_node::printable;

use crate::quantity::{show_count, show_ns, wrap};
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

/// With two decimals, and with four where two would be one digit or none.
fn ratio(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

fn count(number: f64) -> String {
    show_count(number.round() as u64)
}

fn time(ns: f64) -> String {
    show_ns(ns.round() as u64)
}

/// The first of `reports` beside each of the others: the parameters in which they differ,
/// then for each run that both have, their numbers and the ratio; of others, which one has
/// them. Each report comes with its file's name.
pub fn tables(reports: &[(String, Report)]) -> String {
    let Some(((name_a, a), others)) = reports.split_first() else { return String::new() };
    let mut text = String::new();
    for (index, (name_b, b)) in others.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let names = format!("A {name_a}, B {name_b}");
        add(&mut text, &names);
        text.push_str(&table(a, b));
    }
    text
}

/// Adds a line, wrapped; what a file's names hold moves no cursor.
fn add(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}", wrap(&printable::line(line).to_string(), 4));
}

/// Two reports side by side.
pub fn table(a: &Report, b: &Report) -> String {
    let mut text = String::new();
    for (name, of_a) in &a.setup {
        let of_b = b.setup.iter().find(|(other, _)| other == name).map_or("-", |(_, value)| value);
        if of_a != of_b {
            add(&mut text, &format!("{name}: {of_a} | {of_b}"));
        }
    }
    for (name, of_b) in &b.setup {
        if !a.setup.iter().any(|(other, _)| other == name) {
            add(&mut text, &format!("{name}: - | {of_b}"));
        }
    }
    for (name, report) in [("A", a), ("B", b)] {
        if let Some(cut_short) = &report.cut_short {
            add(&mut text, &format!("{name}: {cut_short}"));
        }
    }
    for run_a in &a.runs {
        let Some(run_b) = find(b, a, run_a) else {
            let _ = writeln!(text, "\n{}: only in A", run_a.label());
            continue;
        };
        let label = if run_a.rate_per_s == run_b.rate_per_s {
            run_a.label()
        } else {
            format!("drop {} %", run_a.drop_percent)
        };
        let _ = writeln!(text, "\n{label:<32} {:>12} {:>12} {:>7}", "A", "B", "B/A");
        for row in &ROWS {
            compare(&mut text, row, run_a, run_b);
        }
        for (name, run) in [("A", run_a), ("B", run_b)] {
            if run.verdict.is_limit() {
                add(&mut text, &format!("{name}: {}", run.verdict));
            }
        }
    }
    for run_b in &b.runs {
        if find(a, b, run_b).is_none() {
            let _ = writeln!(text, "\n{}: only in B", run_b.label());
        }
    }
    text
}

/// The run of `report` that stands for `run` of `other`: with the same drop rate and rate,
/// or the only one of either with the drop rate.
fn find<'a>(report: &'a Report, other: &Report, run: &RunSummary) -> Option<&'a RunSummary> {
    let is_at_drop = |one: &&RunSummary| one.drop_percent.total_cmp(&run.drop_percent).is_eq();
    let mut at_drop = report.runs.iter().filter(is_at_drop);
    let same = at_drop.clone().find(|one| one.rate_per_s == run.rate_per_s);
    let only = at_drop.next().filter(|_| at_drop.next().is_none());
    same.or_else(|| only.filter(|_| other.runs.iter().filter(is_at_drop).count() == 1))
}

fn compare(text: &mut String, row: &Row, a: &RunSummary, b: &RunSummary) {
    let (a, b) = ((row.number)(a), (row.number)(b));
    if a.is_none() && b.is_none() {
        return;
    }
    let show = |number: Option<f64>| number.map_or("-".into(), row.show);
    let b_to_a = match (a, b) {
        (Some(a), Some(b)) if a > 0.0 => ratio(b / a),
        _ => "-".into(),
    };
    let _ = writeln!(text, "{:<32} {:>12} {:>12} {b_to_a:>7}", row.name, show(a), show(b));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_ratio_keeps_digits() {
        let shown = [0.0, 0.003, 0.06, 0.5, 12.5].map(ratio);
        assert_eq!(shown, ["0.00", "0.0030", "0.0600", "0.50", "12.50"]);
    }
}

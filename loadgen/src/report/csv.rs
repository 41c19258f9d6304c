//! A line of numbers for each run, for spreadsheets and scripts: times in nanoseconds, a field
//! that a run does not have is empty. No field holds a comma or a quotation mark.

use crate::summary::{Report, RunSummary};
use crate::verdict::Verdict;

/// A column: its name, and its number of a run.
type Column = (&'static str, fn(&RunSummary) -> String);

const COLUMNS: [Column; 30] = [
    ("drop_percent", |run| run.drop_percent.to_string()),
    ("rate_per_s", |run| optional(run.rate_per_s)),
    ("answered_per_s", |run| run.answered_per_s.to_string()),
    ("duration_s", |run| run.duration_s.to_string()),
    ("verdict", |run| name(&run.verdict).into()),
    ("generator_was_limit", |run| u8::from(run.verdict.is_limit()).to_string()),
    ("cut_short", |run| u8::from(run.cut_short).to_string()),
    ("scheduled", |run| run.books.scheduled.to_string()),
    ("sent", |run| run.books.sent.to_string()),
    ("unsent", |run| run.books.unsent.to_string()),
    ("answered", |run| run.books.answered.to_string()),
    ("timed_out", |run| run.books.timed_out.to_string()),
    ("fulfilled", |run| run.books.fulfilled.to_string()),
    ("missed", |run| run.books.missed.to_string()),
    ("refused", |run| run.books.refused.to_string()),
    ("wrong", |run| run.books.wrong.to_string()),
    ("resent", |run| run.books.resent.to_string()),
    ("p50_ns", |run| run.corrected.p50_ns.to_string()),
    ("p90_ns", |run| run.corrected.p90_ns.to_string()),
    ("p99_ns", |run| run.corrected.p99_ns.to_string()),
    ("p99_9_ns", |run| run.corrected.p99_9_ns.to_string()),
    ("p99_99_ns", |run| run.corrected.p99_99_ns.to_string()),
    ("max_ns", |run| run.corrected.max_ns.to_string()),
    ("mean_ns", |run| run.corrected.mean_ns.to_string()),
    ("uncorrected_p99_ns", |run| run.uncorrected.p99_ns.to_string()),
    ("with_lost_p99_ns", |run| run.with_lost.p99_ns.to_string()),
    ("pacing_p50_ns", |run| run.pacing.p50_ns.to_string()),
    ("pacing_p99_ns", |run| run.pacing.p99_ns.to_string()),
    ("server_cpu_ns", |run| optional(run.server_cpu_ns)),
    ("generator_busy_ns", |run| optional(run.generator_busy_ns)),
];

fn optional(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

const fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::KeptPace { .. } => "kept-pace",
        Verdict::FellBehind { .. } => "fell-behind",
        Verdict::LostReplies { .. } => "lost-replies",
        Verdict::Idle { .. } => "idle",
        Verdict::Saturated { .. } => "saturated",
        Verdict::Unknown => "unknown",
    }
}

/// The table, with a line of names first.
pub fn table(report: &Report) -> String {
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut text = line(COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect());
    for run in &report.runs {
        text.push_str(&line(COLUMNS.iter().map(|(_, of)| of(run)).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn every_line_has_a_cell_for_each_name() {
        let table = table(&samples::report());
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), lines[1].len());
        let cell = |name: &str| {
            let column = lines[0].iter().position(|other| *other == name);
            lines[1][column.expect("a column")]
        };
        assert_eq!((cell("sent"), cell("timed_out"), cell("server_cpu_ns")), ("300", "3", ""));
        assert!(!table.contains('"'));
    }
}

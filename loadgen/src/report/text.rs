//! Results as text on a terminal.

mod runs;

use std::fmt::Write as _;

use kad_node::printable;

use crate::books::{Books, LookupDatagrams, Operations};
use crate::mix::Kind;
use crate::quantity::{show_count, show_ns, show_share, wrap};
use crate::summary::{Percentiles, Report, RunSummary};

/// Everything about every run; of several, a table of all runs last. No line is longer than
/// a terminal's.
pub fn report(report: &Report) -> String {
    let mut text = String::new();
    let parameters = report.setup.iter().map(|(name, value)| format!("{name} {value}"));
    line(&mut text, &parameters.collect::<Vec<_>>().join(", "));
    if let Some(cut_short) = &report.cut_short {
        text.push('\n');
        line(&mut text, &format!("*** {cut_short} ***"));
    }
    let is_one = report.runs.len() == 1;
    if is_one || report.searches.is_empty() && report.knees.is_empty() {
        for run in &report.runs {
            text.push('\n');
            if !is_one {
                line(&mut text, &format!("{} each way", run.label()));
            }
            describe_run(&mut text, run);
        }
    }
    if !is_one {
        text.push('\n');
        runs::table(&mut text, report);
    }
    for search in &report.searches {
        text.push('\n');
        line(&mut text, &format!("drop {} %: {search}", search.drop_percent));
    }
    for knee in &report.knees {
        text.push('\n');
        line(&mut text, &knee.to_string());
    }
    text
}

/// Adds a line, wrapped; what its names hold moves no cursor.
fn line(text: &mut String, line: &str) {
    const INDENT: usize = 11;
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}", wrap(&printable::line(line).to_string(), INDENT));
}

fn describe_run(text: &mut String, run: &RunSummary) {
    describe_books(text, run);
    text.push('\n');
    header(text, "latency");
    row(text, "of answers", &run.corrected);
    row(text, "uncorrected", &run.uncorrected);
    if run.books.timed_out > 0 {
        row(text, "lost counted", &run.with_lost);
    }
    if run.kinds.len() > 1 {
        for kind in &run.kinds {
            row(text, kind.books.kind.name(), &kind.corrected);
        }
    }
    row(text, "pacing error", &run.pacing);
    describe_operations(text, run);
    text.push('\n');
    line(text, &format!("CPU        {}", cpu(run)));
    line(text, &format!("verdict    {}", run.verdict));
    for remark in run.remarks() {
        line(text, &format!("           {remark}"));
    }
}

/// What whole operations took, for each of them.
fn describe_operations(text: &mut String, run: &RunSummary) {
    for kind in run.kinds.iter().filter(|kind| kind.operations.ended > 0) {
        let Operations { ended, located, hops, asked, holders, datagrams } = kind.operations;
        let mean = |sum: u64, count: u64| sum as f64 / count.max(1) as f64;
        let (hops, asked, datagrams) =
            (mean(hops, located), mean(asked, ended), mean(datagrams, ended));
        let of = match kind.books.kind {
            Kind::Put => format!("held by {:.1} of {asked:.1} nodes", mean(holders, ended)),
            _ => format!("{asked:.1} nodes asked"),
        };
        line(
            text,
            &format!(
                "{:<10} {hops:.2} hops, {datagrams:.1} datagrams, {of}",
                kind.books.kind.name()
            ),
        );
    }
}

fn cpu(run: &RunSummary) -> String {
    let mut parts = Vec::new();
    if let Some(ns) = run.server_cpu_ns {
        parts.push(format!("target {}", show_ns(ns)));
    }
    if let Some(ns) = run.generator_cpu_ns {
        let mut generator = format!("generator {}", show_ns(ns));
        // The time of busy turns includes waits for a core: on a crowded machine it can be more
        // than the CPU time, and says nothing about spinning then.
        if let Some(busy_ns) = run.generator_busy_ns.filter(|&busy_ns| busy_ns < ns) {
            generator.extend([", or ", &show_ns(busy_ns), " without spinning"]);
        }
        parts.push(generator);
    }
    if parts.is_empty() { "-".into() } else { format!("for each request: {}", parts.join("; ")) }
}

fn describe_books(text: &mut String, run: &RunSummary) {
    let books = &run.books;
    let count = show_count;
    let unfinished = match books.unfinished {
        0 => String::new(),
        unfinished => format!(" + {} unfinished", count(unfinished)),
    };
    line(
        text,
        &format!(
            "requests   {} scheduled = {} sent + {} unsent",
            count(books.scheduled),
            count(books.sent),
            count(books.unsent)
        ),
    );
    line(
        text,
        &format!(
            "           {} sent = {} answered + {} timed out ({}){unfinished}; \
             {} answered a second",
            count(books.sent),
            count(books.answered),
            count(books.timed_out),
            show_share(books.timed_out, books.sent),
            count(run.answered_per_s.round() as u64)
        ),
    );
    line(text, &format!("answers    {}", answers(books)));
    line(text, &format!("datagrams  {}", datagrams(books)));
    if books.lookup_datagrams != LookupDatagrams::default() {
        line(text, &format!("lookups    {}", lookups(&books.lookup_datagrams)));
    }
    let mut unexpected = Vec::new();
    for (number, name) in [
        (books.late, "late replies"),
        (books.duplicate, "duplicate replies"),
        (books.requests_unsendable, "requests refused by the kernel"),
        (run.receive_drops, "replies dropped by the kernel"),
        (run.target_receive_drops.unwrap_or(0), "requests dropped by the kernel at the target"),
        (run.strange, "datagrams that are no replies"),
    ] {
        if number > 0 {
            unexpected.push(format!("{} {name}", count(number)));
        }
    }
    if !unexpected.is_empty() {
        line(text, &format!("           {}", unexpected.join(", ")));
    }
}

fn answers(books: &Books) -> String {
    format!(
        "{} fulfilled, {} missed, {} refused, {} wrong",
        show_count(books.fulfilled),
        show_count(books.missed),
        show_count(books.refused),
        show_count(books.wrong)
    )
}

fn datagrams(books: &Books) -> String {
    let mut parts = vec![
        format!("{} requests", show_count(books.requests_transmitted)),
        format!("{} replies", show_count(books.replies_received)),
    ];
    for (number, name) in [
        (books.resent, "sent again"),
        (books.requests_dropped + books.replies_dropped, "dropped on purpose"),
        (books.lost_elsewhere(), "lost on the way"),
    ] {
        if number > 0 {
            parts.push(format!("{} {name}", show_count(number)));
        }
    }
    parts.join(", ")
}

fn lookups(account: &LookupDatagrams) -> String {
    let mut parts = vec![
        format!("{} datagrams sent", show_count(account.transmitted)),
        format!("{} received", show_count(account.received)),
    ];
    for (number, name) in [
        (account.dropped + account.received_dropped, "dropped on purpose"),
        (account.unsendable, "refused by the kernel"),
    ] {
        if number > 0 {
            parts.push(format!("{} {name}", show_count(number)));
        }
    }
    parts.join(", ")
}

fn header(text: &mut String, title: &str) {
    let _ = write!(text, "{title:<13}");
    for name in ["p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"] {
        let _ = write!(text, " {name:>8}");
    }
    text.push('\n');
}

fn row(text: &mut String, title: &str, latency: &Percentiles) {
    let _ = write!(text, "{title:<13}");
    for ns in latency.shown_ns() {
        let shown = if latency.count == 0 { "-".into() } else { show_ns(ns) };
        let _ = write!(text, " {shown:>8}");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::COLUMNS;
    use crate::samples;
    use crate::search::{Finding, Outcome, SearchStep, SearchSummary};
    use crate::sweep::Knee;

    #[test]
    fn turns_that_took_longer_than_the_cpu_time_say_nothing_about_spinning() {
        let mut run = samples::report().runs[0].clone();
        for (busy_ns, is_said) in [(5_000, true), (9_000, false)] {
            (run.generator_cpu_ns, run.generator_busy_ns) = (Some(6_000), Some(busy_ns));
            assert_eq!(cpu(&run).contains("without spinning"), is_said, "{}", cpu(&run));
            assert!(cpu(&run).contains("generator 6 µs"), "{}", cpu(&run));
        }
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_s() {
        let mut result = samples::report();
        result.setup.push(("mix".into(), "get=90,put=10 ".repeat(20)));
        result.runs.push(result.runs[0].clone());
        let rate_per_s = 100_000_000;
        result.runs[1].rate_per_s = Some(rate_per_s);
        let with_parts = report(&result);
        result.knees.push(Knee { drop_percent: 1.0, rate_per_s: Some(rate_per_s) });
        let step = SearchStep { rate_per_s, outcome: Outcome::GeneratorLimit };
        result.searches.push(SearchSummary {
            drop_percent: 1.0,
            conditions: vec!["with-lost.p99.99<1250us".into(), "timed-out<0.001%".into()],
            finding: Finding::NoResult { rate_per_s },
            steps: vec![step],
        });
        for text in [with_parts, report(&result)] {
            for line in text.lines() {
                assert!(line.chars().count() <= COLUMNS, "{} columns: {line}", line.len());
            }
        }
    }

    #[test]
    fn names_from_a_file_move_no_cursor() {
        let mut hostile = samples::report();
        hostile.setup.push(("network".into(), "a\u{1b}[2J\u{202e}b".into()));
        let text = report(&hostile);
        assert!(text.contains("a\\u{1b}[2J\\u{202e}b"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
    }
}

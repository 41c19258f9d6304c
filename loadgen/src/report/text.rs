//! Results as text on a terminal.

use std::fmt::Write as _;

use crate::books::{Books, LookupDatagrams};
use crate::quantity::{show_count, show_ns, show_share};
use crate::summary::{Percentiles, Report, RunSummary};

/// Everything about every run; of a sweep, a table of all runs last.
pub fn report(report: &Report) -> String {
    let mut text = String::new();
    let parameters = report.setup.iter().map(|(name, value)| format!("{name} {value}"));
    line(&mut text, &parameters.collect::<Vec<_>>().join(", "));
    if let Some(cut_short) = &report.cut_short {
        line(&mut text, &format!("\n*** {cut_short} ***"));
    }
    for run in &report.runs {
        text.push('\n');
        if report.runs.len() > 1 {
            line(&mut text, &format!("drop {} % each way", run.drop_percent));
        }
        describe_run(&mut text, run);
    }
    if report.runs.len() > 1 {
        text.push('\n');
        sweep(&mut text, &report.runs);
    }
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
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
    text.push('\n');
    line(text, &format!("CPU        {}", cpu(run)));
    line(text, &format!("verdict    {}", run.verdict));
    if let Some(ended_early) = run.ended_early() {
        line(text, &format!("           {ended_early}"));
    }
    if let Some(crowded) = run.crowded() {
        line(text, &format!("           {crowded}"));
    }
    if let Some(parted) = run.parted() {
        line(text, &format!("           {parted}"));
    }
}

fn cpu(run: &RunSummary) -> String {
    let mut parts = Vec::new();
    if let Some(ns) = run.server_cpu_ns {
        parts.push(format!("target {}", show_ns(ns)));
    }
    if let (Some(ns), Some(busy_ns)) = (run.generator_cpu_ns, run.generator_busy_ns) {
        let (all, busy) = (show_ns(ns), show_ns(busy_ns));
        parts.push(format!("generator {all}, or {busy} without spinning"));
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
    let _ = write!(text, "{title:<14}");
    for name in ["p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"] {
        let _ = write!(text, " {name:>9}");
    }
    text.push('\n');
}

fn row(text: &mut String, title: &str, latency: &Percentiles) {
    let _ = write!(text, "{title:<14}");
    let mean_ns = latency.mean_ns.round() as u64;
    for ns in [
        latency.p50_ns,
        latency.p90_ns,
        latency.p99_ns,
        latency.p99_9_ns,
        latency.p99_99_ns,
        latency.max_ns,
        mean_ns,
    ] {
        let shown = if latency.count == 0 { "-".into() } else { show_ns(ns) };
        let _ = write!(text, " {shown:>9}");
    }
    text.push('\n');
}

fn sweep(text: &mut String, runs: &[RunSummary]) {
    line(
        text,
        "  drop  answered  timed out  sends/request        p50        p99      p99.9  \
         p99, lost counted",
    );
    for run in runs {
        let books = &run.books;
        let sends = (books.sent + books.resent) as f64 / books.sent.max(1) as f64;
        let _ = writeln!(
            text,
            "{:>4} % {:>9} {:>10} {sends:>14.2} {:>10} {:>10} {:>10} {:>18}",
            run.drop_percent,
            show_share(books.answered, books.sent),
            show_share(books.timed_out, books.sent),
            show_ns(run.corrected.p50_ns),
            show_ns(run.corrected.p99_ns),
            show_ns(run.corrected.p99_9_ns),
            show_ns(run.with_lost.p99_ns),
        );
    }
}

//! One run on the page, and many.

use super::accounts;
use super::document::{Document, escape};
use crate::quantity::{show_count, show_ns, show_share};
use crate::report::charts;
use crate::summary::{Percentiles, Report, RunSummary};

/// A figure that is seen at once: a class, a name, a value.
pub(super) type Tile = (&'static str, &'static str, String);

/// Everything about one run.
pub(super) fn write(document: &mut Document, run: &RunSummary) {
    let class = if run.verdict.is_limit() { "verdict bad" } else { "verdict" };
    document.notice(class, &run.verdict.to_string());
    for remark in run.remarks() {
        document.notice("verdict bad", &remark);
    }
    write_tiles(document, &tiles(run));
    document.heading("Latency by percentile", "each nine as long as the one before");
    document.chart(charts::by_percentile("latency by percentile", run));
    write_percentiles(document, run);
    if !run.timeline.is_empty() {
        document.heading("Over time", "by the moment at which requests were due");
        document.chart(charts::over_time("latency over time", &run.timeline));
        let rate = charts::rate_over_time("requests over time", &run.timeline, run.duration_s);
        document.chart(rate);
    }
    accounts::write(document, run);
}

/// All runs of a report: their curves, a table, and each by itself.
pub(super) fn write_all(document: &mut Document, report: &Report) {
    let runs: Vec<(String, &RunSummary)> =
        report.runs.iter().map(|run| (run.label(), run)).collect();
    document.heading("Latency by percentile", "lost requests at their time-out");
    document.chart(charts::overlaid("latency by percentile of each run", &runs));
    document.heading("Runs", "");
    write_table(document, &runs);
    for run in &report.runs {
        document.add(&format!("<details><summary>{}</summary>", escape(&run.label())));
        write(document, run);
        document.add("</details>");
    }
}

/// A row for each run.
pub(super) fn write_table(document: &mut Document, runs: &[(String, &RunSummary)]) {
    let head = [
        "",
        "answered/s",
        "timed out",
        "sends",
        "median",
        "p99",
        "p99.9",
        "p99 with lost",
        "the limit",
    ];
    let row = |(name, run): &(String, &RunSummary)| {
        let books = &run.books;
        let sends = (books.sent + books.resent) as f64 / books.sent.max(1) as f64;
        vec![
            name.clone(),
            show_count(run.answered_per_s.round() as u64),
            show_share(books.timed_out, books.sent),
            format!("{sends:.2}"),
            show_ns(run.corrected.p50_ns),
            show_ns(run.corrected.p99_ns),
            show_ns(run.corrected.p99_9_ns),
            show_ns(run.with_lost.p99_ns),
            if run.verdict.is_limit() { "generator" } else { "" }.into(),
        ]
    };
    document.table(&head, &runs.iter().map(row).collect::<Vec<_>>());
}

fn tiles(run: &RunSummary) -> Vec<Tile> {
    let books = &run.books;
    let latency = |ns: u64| if run.corrected.count == 0 { "–".into() } else { show_ns(ns) };
    let lost = if books.timed_out > 0 { "bad" } else { "" };
    let mut tiles = vec![
        ("", "answered a second", show_count(run.answered_per_s.round() as u64)),
        ("", "median", latency(run.corrected.p50_ns)),
        ("", "p99", latency(run.corrected.p99_ns)),
        ("", "p99.9", latency(run.corrected.p99_9_ns)),
        (lost, "timed out", show_share(books.timed_out, books.sent)),
    ];
    if let Some(ns) = run.server_cpu_ns {
        tiles.push(("", "target's CPU, a request", show_ns(ns)));
    }
    if books.wrong > 0 {
        tiles.push(("bad", "wrong answers", show_count(books.wrong)));
    }
    tiles
}

/// The figures that are seen at once.
pub(super) fn write_tiles(document: &mut Document, tiles: &[Tile]) {
    let tile = |(class, name, value): &Tile| {
        format!("<div class=\"{class}\"><dt>{name}</dt><dd>{}</dd></div>", escape(value))
    };
    let tiles: String = tiles.iter().map(tile).collect();
    document.add(&format!("<dl class=\"tiles\">{tiles}</dl>"));
}

fn write_percentiles(document: &mut Document, run: &RunSummary) {
    let mut rows = vec![
        percentile_row("of answers", &run.corrected),
        percentile_row("uncorrected", &run.uncorrected),
        percentile_row("lost at their time-out", &run.with_lost),
    ];
    if run.kinds.len() > 1 {
        let kinds = run.kinds.iter();
        rows.extend(kinds.map(|kind| percentile_row(kind.books.kind.name(), &kind.corrected)));
    }
    rows.push(percentile_row("pacing error", &run.pacing));
    document.heading("Percentiles", "");
    let head = ["", "median", "p90", "p99", "p99.9", "p99.99", "max", "mean", "count"];
    document.table(&head, &rows);
}

fn percentile_row(name: &str, latency: &Percentiles) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    row.extend(latency.shown_ns().map(
        |ns| {
            if latency.count == 0 { "–".into() } else { show_ns(ns) }
        },
    ));
    row.push(show_count(latency.count));
    row
}

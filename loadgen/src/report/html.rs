//! A page with everything in it: it loads nothing, and so can be kept or sent.

use std::fmt::Write as _;

use super::charts;
use super::plot::escape;
use crate::books::LookupDatagrams;
use crate::quantity::{show_count, show_ns, show_share};
use crate::result::RunResult;
use crate::summary::{Percentiles, Report, RunSummary};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn page(report: &Report, results: &[RunResult]) -> String {
    let parameter = |name: &str| {
        let found = report.setup.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let title = format!("{}: rate {}", parameter("target"), parameter("rate"));
    let title = match &report.cut_short {
        Some(_) => format!("{} (cut short)", unbroken(&title)),
        None => unbroken(&title),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <p class=\"faint\">{program} · {started}</p>\n<h1>{title}</h1>\n",
        title = escape(&title),
        program = escape(&report.program),
        started = escape(&report.started),
    );
    if let Some(cut_short) = &report.cut_short {
        let notice = escape(&capitalised(&cut_short.to_string()));
        add(&mut page, &format!("<p class=\"verdict bad\"><strong>{notice}</strong></p>"));
    }
    if report.runs.len() > 1 {
        write_sweep(&mut page, report, results);
    }
    for (run, result) in report.runs.iter().zip(results) {
        if report.runs.len() > 1 {
            add(&mut page, &format!("<details><summary>Drop {}</summary>", result.drop));
            write_run(&mut page, run, result);
            add(&mut page, "</details>");
        } else {
            write_run(&mut page, run, result);
        }
    }
    write_parameters(&mut page, report);
    let _ = write!(
        page,
        "<footer>Latency counts from the moment at which a request was due, not from when it was \
         sent: a generator that waits for a slow answer would not see what other users see \
         meanwhile.</footer>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    );
    page
}

/// With no line break within a number's digits.
fn unbroken(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |index: usize| letters.get(index).is_some_and(char::is_ascii_digit);
    let within = |index: usize| index > 0 && is_digit(index - 1) && is_digit(index + 1);
    let kept = letters.iter().enumerate();
    kept.map(|(index, &c)| if c == ' ' && within(index) { '\u{a0}' } else { c }).collect()
}

fn add(page: &mut String, line: &str) {
    page.push_str(line);
    page.push('\n');
}

fn write_run(page: &mut String, run: &RunSummary, result: &RunResult) {
    let drop = result.drop;
    let class = if run.verdict.is_limit() { "verdict bad" } else { "verdict" };
    add(
        page,
        &format!("<p class=\"{class}\">{}</p>", escape(&capitalised(&run.verdict.to_string()))),
    );
    if let Some(ended_early) = run.ended_early() {
        add(page, &format!("<p class=\"verdict bad\">{}</p>", escape(&capitalised(&ended_early))));
    }
    if let Some(crowded) = run.crowded() {
        add(page, &format!("<p class=\"verdict bad\">{}</p>", escape(&capitalised(&crowded))));
    }
    if let Some(parted) = run.parted() {
        add(page, &format!("<p class=\"verdict bad\">{}</p>", escape(&capitalised(parted))));
    }
    write_tiles(page, run);
    add(page, "<h2>Latency by percentile <small>each nine as long as the one before</small></h2>");
    page.push_str(
        &charts::by_percentile(&format!("latency by percentile, drop {drop}"), result).svg(),
    );
    write_percentiles(page, run);
    add(page, "<h2>Over time <small>by the moment at which requests were due</small></h2>");
    page.push_str(&charts::over_time(&format!("latency over time, drop {drop}"), run).svg());
    page.push_str(&charts::rate_over_time(&format!("requests over time, drop {drop}"), run).svg());
    write_books(page, run);
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn write_tiles(page: &mut String, run: &RunSummary) {
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
    page.push_str("<dl class=\"tiles\">");
    for (class, name, value) in tiles {
        let _ = write!(page, "<div class=\"{class}\"><dt>{name}</dt><dd>{value}</dd></div>");
    }
    add(page, "</dl>");
}

fn write_percentiles(page: &mut String, run: &RunSummary) {
    add(page, "<h2>Percentiles</h2><div class=\"scroll\"><table><thead><tr><th></th>");
    for name in ["median", "p90", "p99", "p99.9", "p99.99", "max", "mean", "count"] {
        let _ = write!(page, "<th>{name}</th>");
    }
    add(page, "</tr></thead><tbody>");
    percentile_row(page, "of answers", &run.corrected);
    percentile_row(page, "uncorrected", &run.uncorrected);
    percentile_row(page, "lost at their time-out", &run.with_lost);
    if run.kinds.len() > 1 {
        for kind in &run.kinds {
            percentile_row(page, kind.books.kind.name(), &kind.corrected);
        }
    }
    percentile_row(page, "pacing error", &run.pacing);
    add(page, "</tbody></table></div>");
}

fn percentile_row(page: &mut String, name: &str, latency: &Percentiles) {
    let _ = write!(page, "<tr><td>{name}</td>");
    for ns in [
        latency.p50_ns,
        latency.p90_ns,
        latency.p99_ns,
        latency.p99_9_ns,
        latency.p99_99_ns,
        latency.max_ns,
        latency.mean_ns.round() as u64,
    ] {
        let shown = if latency.count == 0 { "–".into() } else { show_ns(ns) };
        let _ = write!(page, "<td>{shown}</td>");
    }
    add(page, &format!("<td>{}</td></tr>", show_count(latency.count)));
}

fn write_books(page: &mut String, run: &RunSummary) {
    let books = &run.books;
    let mut rows = vec![
        ("scheduled", books.scheduled, "requests that were due"),
        ("sent", books.sent, "the generator kept up with these"),
        ("unsent", books.unsent, "and not with these"),
        ("answered", books.answered, "of those sent"),
        ("timed out", books.timed_out, "of those sent: given up after the last retry"),
        ("unfinished", books.unfinished, "of those sent: not answered when the run was cut short"),
        ("fulfilled", books.fulfilled, "of the answers: what was asked for, verified"),
        ("missed", books.missed, "of the answers: the target does not hold the value"),
        ("refused", books.refused, "of the answers: an error"),
        ("wrong", books.wrong, "of the answers: not the value that was stored"),
        ("sent again", books.resent, "retransmissions"),
        ("dropped requests", books.requests_dropped, "on purpose, by seed"),
        ("dropped replies", books.replies_dropped, "on purpose, by seed"),
        ("late", books.late, "replies whose request was given up before"),
        ("duplicate", books.duplicate, "replies whose request was answered before"),
        ("refused sends", books.requests_unsendable, "datagrams that the kernel did not take"),
        ("overflowed", run.receive_drops, "replies that the kernel dropped at our sockets"),
        (
            "overflowed there",
            run.target_receive_drops.unwrap_or(0),
            "requests that the kernel dropped at the target's sockets, where that is known",
        ),
        ("lost on the way", books.lost_elsewhere(), "requests without a reply, other than by us"),
    ];
    let lookups = &books.lookup_datagrams;
    if *lookups != LookupDatagrams::default() {
        rows.extend([
            ("lookups sent", lookups.transmitted, "datagrams that lookups sent by themselves"),
            ("lookups received", lookups.received, "datagrams that came to them"),
            ("lookups' drops", lookups.dropped + lookups.received_dropped, "on purpose, by seed"),
            ("lookups' refused sends", lookups.unsendable, "that the kernel did not take"),
        ]);
    }
    add(page, "<h2>Accounts <small>they close, or there is no result</small></h2>");
    add(page, "<div class=\"scroll\"><table><tbody>");
    for (name, count, about) in rows {
        let _ = writeln!(
            page,
            "<tr><td>{name}</td><td>{}</td><td class=\"faint\" style=\"text-align:left\">{about}\
             </td></tr>",
            show_count(count)
        );
    }
    add(page, "</tbody></table></div>");
}

fn write_sweep(page: &mut String, report: &Report, results: &[RunResult]) {
    add(page, "<h2>Latency by percentile <small>lost requests at their time-out</small></h2>");
    page.push_str(&charts::sweep(results).svg());
    add(page, "<h2>Drop rates</h2><div class=\"scroll\"><table><thead><tr>");
    for name in [
        "drop each way",
        "answered",
        "timed out",
        "sends a request",
        "median",
        "p99",
        "p99.9",
        "p99, lost counted",
    ] {
        let _ = write!(page, "<th>{name}</th>");
    }
    add(page, "</tr></thead><tbody>");
    for (run, result) in report.runs.iter().zip(results) {
        let books = &run.books;
        let sends = (books.sent + books.resent) as f64 / books.sent.max(1) as f64;
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{sends:.2}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td></tr>",
            result.drop,
            show_share(books.answered, books.sent),
            show_share(books.timed_out, books.sent),
            show_ns(run.corrected.p50_ns),
            show_ns(run.corrected.p99_ns),
            show_ns(run.corrected.p99_9_ns),
            show_ns(run.with_lost.p99_ns),
        );
    }
    add(page, "</tbody></table></div>");
}

fn write_parameters(page: &mut String, report: &Report) {
    add(page, "<h2>Parameters</h2><table class=\"words\"><tbody>");
    for (name, value) in &report.setup {
        let _ = writeln!(page, "<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    add(page, "</tbody></table>");
}

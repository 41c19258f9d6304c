//! The page of a run in progress: the same tiles and charts, of what was measured so far.

use super::document::Document;
use super::head;
use super::run::{Tile, write_tiles};
use crate::live::LiveView;
use crate::quantity::{show_count, show_ns, show_share};
use crate::report::charts;
use crate::summary::Moment;

/// Where the page's script asks for the contents anew.
const CONTENTS: &str = "/contents";

/// The page.
pub fn live_page(view: &LiveView) -> String {
    document(view).page(&view.title, Some(CONTENTS))
}

/// What changes of it from second to second.
pub fn live_contents(view: &LiveView) -> String {
    document(view).contents()
}

fn document(view: &LiveView) -> Document {
    let mut document = Document::default();
    head(&mut document, &view.title, &["loadgen", "live"]);
    document.notice("verdict", &view.state);
    write_tiles(&mut document, &tiles(view));
    document.heading("Over time", "each second, by the moment at which answers came");
    document.chart(charts::over_time("latency over time", &view.timeline));
    document.chart(charts::rate_over_time("requests over time", &view.timeline, 1.0));
    document.heading("Latency by percentile", "since the end of the warm-up");
    document.chart(charts::by_percentile_so_far("latency by percentile", &view.latency));
    document
}

fn tiles(view: &LiveView) -> Vec<Tile> {
    let latency = |of: fn(&Moment) -> u64| {
        let answered = view.now().filter(|now| now.answered > 0);
        answered.map_or_else(|| "–".into(), |now| show_ns(of(now)))
    };
    let rate = view.now().map_or(0, |now| now.answered);
    let lost = if view.timed_out > 0 { "bad" } else { "" };
    vec![
        ("", "answered, last second", show_count(rate)),
        ("", "median", latency(|now| now.p50_ns)),
        ("", "p99", latency(|now| now.p99_ns)),
        ("", "in flight", show_count(view.in_flight)),
        (lost, "timed out", show_share(view.timed_out, view.sent)),
    ]
}

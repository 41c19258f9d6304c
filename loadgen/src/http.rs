//! The page of a run in progress, and its numbers for a collector of metrics: for long runs.
//!
//! It runs on a thread of its own, which is none of the generator's, and only reads.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicU64;
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::live::{LiveView, SharedView};
use crate::report::html::{live_contents, live_page};

/// What `OpenMetrics` calls its own form.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `view` at `address` until the program ends. Returns the address, of which the system
/// may have chosen the port.
///
/// # Errors
/// Why not, and the remedy.
pub fn serve(address: SocketAddr, view: SharedView) -> Result<SocketAddr, String> {
    let cannot = |error: &dyn fmt::Display| {
        format!("'--http {address}': {error}: choose another address or port")
    };
    if !address.ip().is_loopback() {
        return Err(cannot(&"it is not a loopback address, and others would see the page"));
    }
    let listener = TcpListener::bind(address).map_err(|error| cannot(&error))?;
    listener.set_nonblocking(true).map_err(|error| cannot(&error))?;
    let bound = listener.local_addr().map_err(|error| cannot(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| cannot(&error))?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(|error| cannot(&error))?
    };
    let routes = Router::new()
        .route("/", get(page))
        .route("/contents", get(contents))
        .route("/metrics", get(metrics))
        .with_state(view);
    let work = move || {
        // It ends with the program: an error of one connection is that connection's.
        let _ = runtime.block_on(async { axum::serve(listener, routes).await });
    };
    thread::Builder::new().name("http".into()).spawn(work).map_err(|error| cannot(&error))?;
    Ok(bound)
}

async fn page(State(view): State<SharedView>) -> Html<String> {
    let view = view.lock().clone();
    Html(live_page(&view))
}

async fn contents(State(view): State<SharedView>) -> Html<String> {
    let view = view.lock().clone();
    Html(live_contents(&view))
}

async fn metrics(State(view): State<SharedView>) -> impl IntoResponse {
    let view = view.lock().clone();
    ([(CONTENT_TYPE, METRICS)], open_metrics(&view))
}

/// The numbers as `OpenMetrics` text.
fn open_metrics(view: &LiveView) -> String {
    let mut registry = Registry::with_prefix("loadgen");
    for (name, help, count) in [
        ("requests_sent", "Requests sent since the end of the warm-up", view.sent),
        ("requests_answered", "Of these, answered", view.answered),
        ("requests_timed_out", "Of these, given up", view.timed_out),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
    let in_flight: Gauge<i64> = Gauge::default();
    in_flight.set(i64::try_from(view.in_flight).unwrap_or(i64::MAX));
    registry.register("requests_in_flight", "Requests that wait for an answer", in_flight);
    let latency = Family::<[(&str, &str); 1], Gauge<f64, AtomicU64>>::default();
    if let Some(now) = view.now().filter(|now| now.answered > 0) {
        for (quantile, ns) in
            [("0.5", now.p50_ns), ("0.9", now.p90_ns), ("0.99", now.p99_ns), ("1", now.max_ns)]
        {
            latency.get_or_create(&[("quantile", quantile)]).set(ns as f64 / 1e9);
        }
    }
    let help = "Latency of the last second's answers, from when they were due";
    registry.register_with_unit("latency", help, Unit::Seconds, latency);
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Totals;
    use crate::record::brief_histogram;

    #[test]
    fn the_metrics_are_those_of_the_last_second_and_of_all() {
        let view = SharedView::new("a node".into());
        let mut latency = brief_histogram();
        latency.saturating_record(2_000_000);
        let totals = Totals { sent: 12, answered: 7, timed_out: 2, in_flight: 3 };
        view.lock().add_second(0.0, &latency, totals);
        let text = open_metrics(&view.lock());
        for line in [
            "loadgen_requests_sent_total 12",
            "loadgen_requests_timed_out_total 2",
            "loadgen_requests_in_flight 3",
            "loadgen_latency_seconds{quantile=\"0.99\"} 0.002",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn what_others_could_see_is_refused() {
        let everywhere: SocketAddr = ([0, 0, 0, 0], 0).into();
        let error = serve(everywhere, SharedView::new(String::new())).expect_err("refused");
        assert!(error.contains("'--http 0.0.0.0:0'") && error.contains("choose"), "{error}");
    }
}

//! `/metrics`: every counter, for Prometheus.
//!
//! It is written when it is scraped, from the counters that the shards answer with: no shard
//! shares a counter with another thread for it.

mod families;

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use kad_durable::Snapshot;
use kad_node::driver::{DriverStats, Io, ShardStats};
use kad_node::node::Stats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;
use tokio::time;

use self::families::{Families, Family};
use super::app::App;
use super::counters::Counters;
use super::limits::SHARD_SILENCE_MAX;
use super::problem::Problem;
use crate::log;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The older format, for those that ask for it and not for the other.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`
pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shards = time::timeout(SHARD_SILENCE_MAX, app.node.stats()).await;
    let shards = shards.map_err(|_| Problem::silent_shard())??;
    let scrape = Scrape {
        shards,
        disk: app.about.disk.as_ref().map(|disk| disk.snapshot()),
        http: Arc::clone(&app.counters),
        io: app.about.io,
        uptime_s: app.started.elapsed().as_secs_f64(),
    };
    let mut registry = Registry::with_prefix("kad");
    registry.register_collector(Box::new(scrape));
    let (content, mut written) = (content(&headers), String::new());
    let encoded = if content == OPENMETRICS {
        text::encode(&mut written, &registry)
    } else {
        prometheus_text::encode(&mut written, &registry)
    };
    encoded.expect("a string takes what is written");
    let fields = [(CONTENT_TYPE, content), (VARY, "accept")];
    Ok((fields.map(|(name, value)| (name, HeaderValue::from_static(value))), written)
        .into_response())
}

/// The format to answer with.
fn content(headers: &HeaderMap) -> &'static str {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok());
    let mut accepted = accepted.flat_map(|field| field.split(',')).peekable();
    let is_any = accepted.peek().is_none();
    let takes = |range: &str| {
        range.trim().starts_with("application/openmetrics-text") || range.trim().starts_with("*/*")
    };
    // Prometheus names both, and ranks them; what it names it can read.
    if is_any || accepted.any(takes) { OPENMETRICS } else { PROMETHEUS }
}

/// All there is to tell at one moment.
#[derive(Debug)]
struct Scrape {
    shards: Vec<ShardStats>,
    disk: Option<Snapshot>,
    http: Arc<Counters>,
    io: Io,
    uptime_s: f64,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        let shards = |values: fn(&ShardStats) -> Vec<u64>| -> Vec<Vec<u64>> {
            self.shards.iter().map(values).collect()
        };
        let node = shards(|shard| shard.node.iter().map(|(_, value)| value).collect());
        let names = Stats::default();
        for (index, ((name, _), about)) in names.iter().zip(Stats::about()).enumerate() {
            let values = node.iter().map(|shard| shard[index]);
            families.of_shards(&Family::of_counter("", name, about), values)?;
        }
        let driver = shards(|shard| shard.driver.iter().map(|(_, value)| value).collect());
        let names = DriverStats::default();
        for (index, ((name, _), about)) in names.iter().zip(DriverStats::about()).enumerate() {
            let values = driver.iter().map(|shard| shard[index]);
            families.of_shards(&Family::of_counter("driver_", name, about), values)?;
        }
        families.histograms(&self.shards)?;
        for ((name, value), about) in
            self.disk.iter().flat_map(Snapshot::iter).zip(Snapshot::about())
        {
            families.of_node(&Family::of_counter("disk_", name, about), value)?;
        }
        for (name, about, value) in self.http.iter() {
            families.of_node(&Family::of_counter("http_", name, about.trim()), value)?;
        }
        let dropped = "Lines of the log not written: their reader is slow.";
        let dropped = Family::of_counter("", "log_lines_dropped", dropped);
        families.of_node(&dropped, log::lines_dropped())?;
        families.gauge("uptime", "Time since the node serves HTTP.", self.uptime_s)?;
        families.info(
            "build",
            "The program and how it runs.",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                ("io", &self.io.to_string()),
                ("shards", &self.shards.len().to_string()),
            ],
        )
    }
}

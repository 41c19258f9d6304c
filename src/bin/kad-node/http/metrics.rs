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

/// The format to answer with: the one that the client ranks higher, and of both alike the first.
/// A client that names other types alone, as browsers do, can show the older one.
fn content(headers: &HeaderMap) -> &'static str {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok());
    let accepted: Vec<(&str, u32)> =
        accepted.flat_map(|field| field.split(',')).filter_map(ranked).collect();
    let [open, older] = [OPENMETRICS, PROMETHEUS].map(|kind| {
        let name = kind.split(';').next().unwrap_or_default();
        let group = name.split('/').next().unwrap_or_default();
        let ranks = |range: &str| {
            let fits = accepted.iter().filter(|(of, _)| of.eq_ignore_ascii_case(range));
            fits.map(|(_, rank)| *rank).max()
        };
        // The most specific range counts (RFC 9110, 12.5.1).
        let named = ranks(name);
        let rank = named.or(ranks(&format!("{group}/*"))).or(ranks("*/*"));
        (named.is_some(), rank.unwrap_or(0))
    });
    let takes_any = accepted.iter().all(|(range, _)| *range == "*/*");
    if (open.0 || takes_any) && open.1 >= older.1 { OPENMETRICS } else { PROMETHEUS }
}

/// A range of an Accept field, and how it is ranked, in thousandths.
#[allow(clippy::cast_sign_loss)] // between 0 and 1
fn ranked(range: &str) -> Option<(&str, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let quality = quality.map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0));
    Some((name, (quality.clamp(0.0, 1.0) * 1000.0) as u32))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_client_ranks_higher() {
        let open = "application/openmetrics-text";
        for (accept, content_type) in [
            ("", OPENMETRICS),
            ("*/*", OPENMETRICS),
            (open, OPENMETRICS),
            (
                &format!("{open};version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
                OPENMETRICS,
            ),
            (&format!("text/plain;q=0.5, {open};q=0.4"), PROMETHEUS),
            (&format!("{open};q=0, */*"), PROMETHEUS),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", PROMETHEUS),
            ("text/*", PROMETHEUS),
            // A browser, which would not show the other.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PROMETHEUS),
            (&format!("{open};q=much"), OPENMETRICS),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(ACCEPT, accept.parse().expect("a field"));
            }
            assert_eq!(content(&headers), content_type, "{accept}");
        }
    }
}

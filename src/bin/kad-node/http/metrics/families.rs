//! Writes families of metrics: their names, units and help lines, from the counters' names
//! and docs.

use std::fmt;

use kad_node::driver::ShardStats;
use kad_node::node::{HOP_BOUNDS, Histogram, Histograms, Hops, TIME_BOUNDS_US, Times};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// What a family is called, and what it counts.
#[derive(Debug)]
pub(super) struct Family<'a> {
    name: String,
    help: &'a str,
    kind: MetricType,
    unit: Option<Unit>,
    /// How many of the counter's units are one of the family's.
    scale: f64,
}

impl<'a> Family<'a> {
    /// The family of the counter `name`, which counts what `about` says. Its unit follows from
    /// its name: of `busy_us` and of `bytes_sent` the families are `busy_seconds` and
    /// `sent_bytes`.
    pub(super) fn of_counter(prefix: &str, name: &str, about: &'a str) -> Self {
        let (name, unit, scale) = if let Some(name) = name.strip_suffix("_us") {
            (name, Some(Unit::Seconds), 1e6)
        } else if let Some(name) = name.strip_prefix("bytes_").or(name.strip_suffix("_bytes")) {
            (name, Some(Unit::Bytes), 1.0)
        } else {
            (name, None, 1.0)
        };
        let (help, kind) = match about.strip_prefix("Gauge: ") {
            Some(help) => (help, MetricType::Gauge),
            None => (about, MetricType::Counter),
        };
        Self { name: format!("{prefix}{name}"), help, kind, unit, scale }
    }
}

/// Families as they are written.
pub(super) struct Families<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Families<'a> {
    pub(super) const fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// Writes a family with a value for each shard.
    pub(super) fn of_shards(
        &mut self,
        family: &Family<'_>,
        values: impl Iterator<Item = u64>,
    ) -> fmt::Result {
        let Family { name, help, kind, unit, scale } = family;
        let mut metric = self.encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
        for (shard, value) in values.enumerate() {
            let shard = [("shard", shard.to_string())];
            write(metric.encode_family(&shard)?, *kind, value, *scale)?;
        }
        Ok(())
    }

    /// Writes a family with one value.
    pub(super) fn of_node(&mut self, family: &Family<'_>, value: u64) -> fmt::Result {
        let Family { name, help, kind, unit, scale } = family;
        let metric = self.encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
        write(metric, *kind, value, *scale)
    }

    /// Writes a time.
    pub(super) fn gauge(&mut self, name: &str, help: &str, seconds: f64) -> fmt::Result {
        let unit = Unit::Seconds;
        let mut metric =
            self.encoder.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
        metric.encode_gauge(&seconds)
    }

    /// Writes what does not change.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Info)?;
        metric.encode_info(&labels)
    }
}

/// Takes one distribution of all.
type Of<H> = fn(&Histograms) -> &H;

/// The distributions of times that have families of their own.
const TIMES: [(&str, &str, Of<Times>); 3] = [
    (
        "lookup_duration",
        "Lookups, those of maintenance among them, with the STOREs that follow.",
        |histograms| &histograms.lookups,
    ),
    ("put_duration", "Puts.", |histograms| &histograms.puts),
    ("get_duration", "Gets, those that find nothing among them.", |histograms| &histograms.gets),
];

/// The round trips, by the kind of the request.
const RPCS: [(&str, Of<Times>); 6] = [
    ("ping", |histograms| &histograms.pings),
    ("find_node", |histograms| &histograms.find_nodes),
    ("find_value", |histograms| &histograms.find_values),
    ("store", |histograms| &histograms.stores),
    ("find_range", |histograms| &histograms.find_ranges),
    ("renew", |histograms| &histograms.renews),
];

/// The distributions of hops.
const HOPS: [(&str, &str, Of<Hops>); 2] = [
    ("get_hops", "Hops to the node that had the value; 0 for this one.", |histograms| {
        &histograms.get_hops
    }),
    ("put_hops", "Hops to the farthest-fetched node of a put.", |histograms| &histograms.put_hops),
];

impl Families<'_> {
    /// Writes the distributions of all shards.
    pub(super) fn histograms(&mut self, shards: &[ShardStats]) -> fmt::Result {
        let (seconds, kind) = (Unit::Seconds, MetricType::Histogram);
        let help = "From a request's first send to its answer, of find_range to the first piece.";
        let mut metric =
            self.encoder.encode_descriptor("rpc_duration", help, Some(&seconds), kind)?;
        for (rpc, times) in RPCS {
            for (index, shard) in shards.iter().enumerate() {
                let labels = [("shard", index.to_string()), ("rpc", rpc.to_owned())];
                let times = times(&shard.histograms);
                write_histogram(metric.encode_family(&labels)?, times, &TIME_BOUNDS_US, 1e6)?;
            }
        }
        for (name, help, times) in TIMES {
            let mut metric = self.encoder.encode_descriptor(name, help, Some(&seconds), kind)?;
            for (index, shard) in shards.iter().enumerate() {
                let labels = [("shard", index.to_string())];
                let times = times(&shard.histograms);
                write_histogram(metric.encode_family(&labels)?, times, &TIME_BOUNDS_US, 1e6)?;
            }
        }
        for (name, help, hops) in HOPS {
            let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
            for (index, shard) in shards.iter().enumerate() {
                let labels = [("shard", index.to_string())];
                let hops = hops(&shard.histograms);
                write_histogram(metric.encode_family(&labels)?, hops, &HOP_BOUNDS, 1.0)?;
            }
        }
        Ok(())
    }
}

/// Writes one distribution, whose values are divided by `scale`.
#[allow(clippy::cast_precision_loss)] // counts below 2^53
fn write_histogram<const N: usize>(
    mut metric: MetricEncoder<'_>,
    histogram: &Histogram<N>,
    bounds: &[u64; N],
    scale: f64,
) -> fmt::Result {
    let bounds = bounds.iter().map(|&bound| bound as f64 / scale);
    let buckets: Vec<(f64, u64)> =
        bounds.zip(histogram.counts).chain([(f64::INFINITY, histogram.beyond)]).collect();
    let (sum, count) = (histogram.sum as f64 / scale, histogram.count());
    metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}

#[allow(clippy::cast_precision_loss)] // counts below 2^53
fn write(mut metric: MetricEncoder<'_>, kind: MetricType, value: u64, scale: f64) -> fmt::Result {
    let value = value as f64 / scale;
    match kind {
        MetricType::Counter => metric.encode_counter::<NoLabelSet, _, f64>(&value, None),
        _ => metric.encode_gauge(&value),
    }
}

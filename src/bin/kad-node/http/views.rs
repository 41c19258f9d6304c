//! What the API shows, as JSON.

use std::time::Duration;

use kad_durable::Snapshot;
use kad_node::driver::ShardStats;
use kad_node::id::Id;
use kad_node::node::{BucketView, ContactView, Holding, Hop, HopAnswer, PulledRange, ValuesView};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::counters::Counters;
use super::node::GetAnswer;

/// Microseconds of a duration.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A traced get.
#[derive(Serialize)]
pub(crate) struct TraceView {
    key: String,
    found: bool,
    /// The node that had it; none where it was here, or was not found.
    from: Option<String>,
    asked: usize,
    elapsed_us: u64,
    hops: Vec<HopView>,
    /// Which holder has sent which part of a value larger than a datagram.
    ranges: Vec<RangeView>,
}

/// A part of a large value.
#[derive(Serialize)]
pub(crate) struct RangeView {
    id: String,
    address: String,
    offset: usize,
    bytes: usize,
    elapsed_us: u64,
}

impl From<&PulledRange> for RangeView {
    fn from(range: &PulledRange) -> Self {
        Self {
            id: range.holder.id.to_string(),
            address: range.holder.addr.to_string(),
            offset: range.offset,
            bytes: range.length,
            elapsed_us: micros(range.elapsed),
        }
    }
}

/// One node that a lookup has asked.
#[derive(Serialize)]
pub(crate) struct HopView {
    id: String,
    address: String,
    depth: u8,
    shared_prefix_bits: usize,
    elapsed_us: u64,
    /// `value`, `contacts`, `wrong_value`, `refused` or `timed_out`.
    answer: &'static str,
    /// Of a value.
    bytes: Option<usize>,
    /// How many closer ones it named.
    contacts: Option<usize>,
}

pub(crate) fn trace(key: Id, answer: &GetAnswer) -> TraceView {
    let found = answer.outcome.as_ref().ok().and_then(Option::as_ref);
    TraceView {
        key: key.to_string(),
        found: found.is_some(),
        from: found.and_then(|found| found.from).map(|contact| contact.addr.to_string()),
        asked: answer.asked,
        elapsed_us: micros(answer.elapsed),
        hops: answer.hops.iter().map(HopView::from).collect(),
        ranges: answer.ranges.iter().map(RangeView::from).collect(),
    }
}

impl From<&Hop> for HopView {
    fn from(hop: &Hop) -> Self {
        let (answer, bytes, contacts) = match hop.answer {
            HopAnswer::Value { bytes } => ("value", Some(bytes), None),
            HopAnswer::Contacts { count } => ("contacts", None, Some(count)),
            HopAnswer::TooLarge { bytes } => ("too_large", Some(bytes), None),
            HopAnswer::WrongValue => ("wrong_value", None, None),
            HopAnswer::Refused => ("refused", None, None),
            HopAnswer::TimedOut => ("timed_out", None, None),
        };
        Self {
            id: hop.contact.id.to_string(),
            address: hop.contact.addr.to_string(),
            depth: hop.depth,
            shared_prefix_bits: hop.shared_prefix_bits,
            elapsed_us: micros(hop.elapsed),
            answer,
            bytes,
            contacts,
        }
    }
}

/// The routing table.
#[derive(Serialize)]
pub(crate) struct PeersView {
    contacts: usize,
    buckets: Vec<Bucket>,
}

#[derive(Serialize)]
struct Bucket {
    /// Bits that its contacts share with the node's own id.
    index: usize,
    contacts: Vec<PeerView>,
    replacements: usize,
}

#[derive(Serialize)]
struct PeerView {
    id: String,
    address: String,
    seen_ago_us: u64,
    round_trip_us: Option<u64>,
    failures: u8,
}

pub(crate) fn peers(buckets: &[BucketView]) -> PeersView {
    let buckets: Vec<Bucket> = buckets
        .iter()
        .map(|bucket| Bucket {
            index: bucket.index,
            contacts: bucket.contacts.iter().map(PeerView::from).collect(),
            replacements: bucket.replacements,
        })
        .collect();
    PeersView { contacts: buckets.iter().map(|bucket| bucket.contacts.len()).sum(), buckets }
}

impl From<&ContactView> for PeerView {
    fn from(view: &ContactView) -> Self {
        Self {
            id: view.contact.id.to_string(),
            address: view.contact.addr.to_string(),
            seen_ago_us: micros(view.seen_ago),
            round_trip_us: view.round_trip.map(micros),
            failures: view.failures,
        }
    }
}

/// Digits of a key that tell where it is. All of them would give the value to those that may
/// read this.
const KEY_PREFIX_DIGITS: usize = 8;

/// The values that the node holds.
#[derive(Serialize)]
pub(crate) struct HeldView {
    /// Put here, and published from here.
    published: u64,
    /// Held as one of the closest nodes.
    replicas: u64,
    /// Held because a get passed.
    cached: u64,
    /// What is held for others, overhead included.
    bytes: u64,
    bytes_max: u64,
    /// The largest first.
    sources: Vec<SourceShare>,
    sources_left_out: u64,
    /// Some of them, by the first digits of their keys.
    keys: KeyPrefixes,
}

#[derive(Serialize)]
struct SourceShare {
    /// An address, or the network of one; none of this node's own copies.
    source: Option<String>,
    values: u64,
    bytes: u64,
}

#[derive(Default, Serialize)]
struct KeyPrefixes {
    published: Vec<String>,
    replicas: Vec<String>,
    cached: Vec<String>,
}

pub(crate) fn values(values: &ValuesView) -> HeldView {
    let mut keys = KeyPrefixes::default();
    for (key, holding) in &values.keys {
        let kind = match holding {
            Holding::Published => &mut keys.published,
            Holding::Replica => &mut keys.replicas,
            Holding::Cached => &mut keys.cached,
        };
        kind.push(key.to_string()[..KEY_PREFIX_DIGITS].to_owned());
    }
    let &ValuesView { published, replicas, cached, bytes, bytes_max, sources_left_out, .. } =
        values;
    let sources = values.sources.iter().map(|source| SourceShare {
        source: source.source.map(|source| source.to_string()),
        values: source.values,
        bytes: source.bytes,
    });
    let sources = sources.collect();
    HeldView { published, replicas, cached, bytes, bytes_max, sources, sources_left_out, keys }
}

/// The counters of all shards together, of each, of the disk where there is one, and of the
/// HTTP API.
pub(crate) fn stats(shards: &[ShardStats], disk: Option<&Snapshot>, http: &Counters) -> Value {
    let one = |shard: &ShardStats| {
        let (node, driver) = (counters(shard.node.iter()), counters(shard.driver.iter()));
        json!({ "node": node, "driver": driver })
    };
    json!({
        "total": one(&ShardStats::total(shards)),
        "shards": shards.iter().map(one).collect::<Vec<_>>(),
        "disk": disk.map(|disk| counters(disk.iter())),
        "http": counters(http.iter().map(|(name, _, value)| (name, value))),
    })
}

fn counters(all: impl Iterator<Item = (&'static str, u64)>) -> Map<String, Value> {
    all.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

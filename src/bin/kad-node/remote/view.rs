//! Reads what the HTTP API answers, as `http/views.rs` writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kad_node::id::Id;
use kad_node::node::{BucketView, ContactView, Hop, HopAnswer, PulledRange};
use kad_node::wire::Contact;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;
use crate::figures::{Counters, Figures, Identity, Named};
use crate::own_id::OwnId;

/// A traced get.
pub(super) struct Trace {
    pub(super) found: bool,
    pub(super) from: Option<SocketAddr>,
    pub(super) asked: usize,
    pub(super) elapsed: Duration,
    pub(super) hops: Vec<Hop>,
    pub(super) ranges: Vec<PulledRange>,
}

#[derive(Deserialize)]
struct TraceView {
    found: bool,
    from: Option<SocketAddr>,
    asked: usize,
    elapsed_us: u64,
    hops: Vec<HopView>,
    ranges: Vec<RangeView>,
}

#[derive(Deserialize)]
struct RangeView {
    id: String,
    address: SocketAddr,
    offset: usize,
    bytes: usize,
    elapsed_us: u64,
}

#[derive(Deserialize)]
struct HopView {
    id: String,
    address: SocketAddr,
    depth: u8,
    shared_prefix_bits: usize,
    elapsed_us: u64,
    answer: String,
    bytes: Option<usize>,
    contacts: Option<usize>,
}

#[derive(Deserialize)]
struct PeersView {
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    index: usize,
    contacts: Vec<PeerView>,
    replacements: usize,
}

#[derive(Deserialize)]
struct PeerView {
    id: String,
    address: SocketAddr,
    seen_ago_us: u64,
    round_trip_us: Option<u64>,
    failures: u8,
}

#[derive(Deserialize)]
struct NodeView {
    id: String,
    address: String,
    network: String,
    io: String,
    uptime_us: u64,
}

#[derive(Deserialize)]
struct StatsView {
    total: CountersView,
    shards: Vec<CountersView>,
    disk: Option<BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
struct CountersView {
    node: BTreeMap<String, u64>,
    driver: BTreeMap<String, u64>,
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(unread)
}

fn unread(why: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the answer is not that of a node of this version: {why}"))
}

fn contact(id: &str, addr: SocketAddr) -> Result<Contact, Failure> {
    Ok(Contact { id: parsed_id(id)?, addr })
}

fn parsed_id(id: &str) -> Result<Id, Failure> {
    id.parse().map_err(|_| unread("an id is 40 hexadecimal digits"))
}

/// Reads the answer of `/v1/trace/KEY`.
pub(super) fn trace(answer: Value) -> Result<Trace, Failure> {
    let TraceView { found, from, asked, elapsed_us, hops, ranges } = read(answer)?;
    let hops = hops.iter().map(hop).collect::<Result<_, _>>()?;
    let ranges = ranges.iter().map(range).collect::<Result<_, _>>()?;
    Ok(Trace { found, from, asked, elapsed: Duration::from_micros(elapsed_us), hops, ranges })
}

fn range(view: &RangeView) -> Result<PulledRange, Failure> {
    Ok(PulledRange {
        holder: contact(&view.id, view.address)?,
        offset: view.offset,
        length: view.bytes,
        elapsed: Duration::from_micros(view.elapsed_us),
    })
}

fn hop(view: &HopView) -> Result<Hop, Failure> {
    let answer = match view.answer.as_str() {
        "value" => HopAnswer::Value { bytes: view.bytes.unwrap_or_default() },
        "contacts" => HopAnswer::Contacts { count: view.contacts.unwrap_or_default() },
        "too_large" => HopAnswer::TooLarge { bytes: view.bytes.unwrap_or_default() },
        "wrong_value" => HopAnswer::WrongValue,
        "refused" => HopAnswer::Refused,
        "timed_out" => HopAnswer::TimedOut,
        _ => return Err(unread("unknown answer of a hop")),
    };
    Ok(Hop {
        contact: contact(&view.id, view.address)?,
        shared_prefix_bits: view.shared_prefix_bits,
        depth: view.depth,
        answer,
        elapsed: Duration::from_micros(view.elapsed_us),
    })
}

/// Reads the answer of `/v1/peers`.
pub(super) fn buckets(answer: Value) -> Result<Vec<BucketView>, Failure> {
    let bucket = |Bucket { index, contacts, replacements }: Bucket| {
        let contacts = contacts.iter().map(peer).collect::<Result<_, _>>()?;
        Ok(BucketView { index, contacts, replacements })
    };
    read::<PeersView>(answer)?.buckets.into_iter().map(bucket).collect()
}

fn peer(view: &PeerView) -> Result<ContactView, Failure> {
    Ok(ContactView {
        contact: contact(&view.id, view.address)?,
        seen_ago: Duration::from_micros(view.seen_ago_us),
        round_trip: view.round_trip_us.map(Duration::from_micros),
        failures: view.failures,
    })
}

/// Reads the answer of `/v1/node`.
pub(super) fn identity(answer: Value) -> Result<Identity, Failure> {
    let NodeView { id, address, network, io, uptime_us } = read(answer)?;
    let id = OwnId::new(parsed_id(&id)?, None);
    let now = Instant::now();
    let started = now.checked_sub(Duration::from_micros(uptime_us)).unwrap_or(now);
    Ok(Identity { id, address, network, io, started })
}

/// Reads the answer of `/v1/stats`.
pub(super) fn figures(answer: Value) -> Result<Figures, Failure> {
    let StatsView { total, shards, disk } = read(answer)?;
    Ok(Figures {
        total: counters(total),
        shards: shards.into_iter().map(counters).collect(),
        disk: disk.map(named).unwrap_or_default(),
        program: Named::new(),
    })
}

fn counters(CountersView { node, driver }: CountersView) -> Counters {
    Counters { node: named(node), driver: named(driver) }
}

fn named(counters: BTreeMap<String, u64>) -> Named {
    counters.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect()
}

//! What `stats` shows: who the node is, what it holds, how much comes and goes, and all its
//! counters in groups. The counters are known by name, so that those of another process,
//! which come as JSON, are shown alike.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use kad_durable::Snapshot;
use kad_node::driver::ShardStats;

use crate::own_id::OwnId;
use crate::reply::{counted, time};
use crate::shard_table;

/// Counters with their names, in the order in which they are shown.
pub(crate) type Named = Vec<(Cow<'static, str>, u64)>;

/// The counter of that name; 0 where there is none.
pub(crate) fn counter(named: &Named, name: &str) -> u64 {
    named.iter().find(|(of, _)| of == name).map_or(0, |(_, value)| *value)
}

/// Which node it is, and how it runs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: OwnId,
    pub(crate) address: String,
    pub(crate) network: String,
    /// The driver.
    pub(crate) io: String,
    pub(crate) started: Instant,
}

/// The counters of one shard, or of all together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) node: Named,
    pub(crate) driver: Named,
}

impl From<&ShardStats> for Counters {
    fn from(stats: &ShardStats) -> Self {
        Self { node: named(stats.node.iter()), driver: named(stats.driver.iter()) }
    }
}

/// Gives counters the form in which they are shown.
pub(crate) fn named(all: impl Iterator<Item = (&'static str, u64)>) -> Named {
    all.map(|(name, value)| (name.into(), value)).collect()
}

/// What a node counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) total: Counters,
    pub(crate) shards: Vec<Counters>,
    pub(crate) disk: Named,
    /// What the program counts beside the node.
    pub(crate) program: Named,
}

impl Figures {
    pub(crate) fn new(shards: &[ShardStats], disk: Option<&Snapshot>, program: Named) -> Self {
        Self {
            total: Counters::from(&ShardStats::total(shards)),
            shards: shards.iter().map(Counters::from).collect(),
            disk: disk.map(|disk| named(disk.iter())).unwrap_or_default(),
            program,
        }
    }
}

/// Whether counters that are zero are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeros {
    Folded,
    Shown,
}

/// How many datagrams had come and gone at some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    at: Instant,
    received: u64,
    sent: u64,
}

impl Traffic {
    /// Nothing, when the node was started.
    pub(crate) const fn none(started: Instant) -> Self {
        Self { at: started, received: 0, sent: 0 }
    }

    pub(crate) fn of(figures: &Figures) -> Self {
        Self::at(figures, Instant::now())
    }

    /// What had come and gone at the time of the figures.
    pub(crate) fn at(figures: &Figures, at: Instant) -> Self {
        let driver = |name| counter(&figures.total.driver, name);
        let (received, sent) = (driver("datagrams_received"), driver("datagrams_sent"));
        Self { at, received, sent }
    }
}

/// Groups of counters, by prefixes of their names. A counter belongs to the first group
/// that matches.
const GROUPS: [(&str, &[&str]); 8] = [
    ("datagrams", &["datagrams_", "outbox_", "handoffs_"]),
    ("requests answered", &["pings_", "find_", "stores_", "renews_", "renewals_", "replies_cut"]),
    ("large values", &["ranges_", "pieces_", "transfer", "sources_given_up", "uploads"]),
    ("requests made", &["requests_", "rpcs", "replies_", "values_mismatched"]),
    ("lookups", &["lookups", "candidates_"]),
    ("routing table", &["contacts", "replacements", "checks_", "verifications_", "proofs_"]),
    ("values", &["value", "changes_", "renew", "rounds"]),
    ("other", &[""]),
];

/// Writes the first lines: who, how long, what, how much since `before`.
pub(crate) fn head(
    identity: &Identity,
    figures: &Figures,
    before: Traffic,
    out: &mut impl Write,
) -> io::Result<()> {
    let Identity { id, address, network, io, started } = identity;
    writeln!(out, "id        {id}")?;
    writeln!(out, "address   {address}, network {network}")?;
    let shards = counted(figures.shards.len(), "shard");
    writeln!(out, "up        {}, {io}, {shards}", time(started.elapsed()))?;
    let node = |name| counter(&figures.total.node, name);
    writeln!(
        out,
        "holds     {} put here, {} of others ({}), {}",
        node("values_published"),
        node("values"),
        size(node("value_bytes")),
        counted(node("contacts") as usize, "contact"),
    )?;
    let now = Traffic::of(figures);
    let elapsed = now.at.saturating_duration_since(before.at);
    let received = rate(now.received.saturating_sub(before.received), elapsed);
    let sent = rate(now.sent.saturating_sub(before.sent), elapsed);
    writeln!(out, "rates     {received} datagrams/s in, {sent}/s out, in {}", time(elapsed))
}

/// How many a second.
pub(crate) fn rate(count: u64, elapsed: Duration) -> u64 {
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1_000_000) / elapsed_us
}

/// Formats a number of bytes.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(UNITS.len() as u32 - 1);
    if unit == 0 {
        return format!("{bytes} B");
    }
    let tenths = bytes.saturating_mul(10) >> (10 * unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit as usize])
}

/// Writes the counters of all shards together, group by group, then a table of the shards.
pub(crate) fn write(figures: &Figures, zeros: Zeros, out: &mut impl Write) -> io::Result<()> {
    for (index, (title, _)) in GROUPS.iter().enumerate() {
        let members = figures.total.node.iter().filter(|(name, _)| group_of(name) == index);
        group(title, members, zeros, out)?;
    }
    group("driver", figures.total.driver.iter(), zeros, out)?;
    group("program", figures.program.iter(), zeros, out)?;
    group("disk", figures.disk.iter(), zeros, out)?;
    shard_table::write(&figures.shards, out)
}

fn group<'a>(
    title: &str,
    members: impl Iterator<Item = &'a (Cow<'static, str>, u64)>,
    zeros: Zeros,
    out: &mut impl Write,
) -> io::Result<()> {
    let shown = |(_, value): &&(Cow<'static, str>, u64)| zeros == Zeros::Shown || *value > 0;
    for (index, (name, value)) in members.filter(shown).enumerate() {
        if index == 0 {
            writeln!(out, "{title}:")?;
        }
        writeln!(out, "  {name:<26}  {value:>12}")?;
    }
    Ok(())
}

fn group_of(name: &str) -> usize {
    let fits = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    GROUPS.iter().position(|(_, prefixes)| fits(prefixes)).expect("the last group takes every name")
}

#[cfg(test)]
mod tests {
    use kad_node::driver::DriverStats;
    use kad_node::node::Stats;

    use kad_node::id::Id;

    use super::*;

    #[test]
    fn each_beginning_of_a_group_is_that_of_some_counter() {
        let (node, driver) = (Stats::default(), DriverStats::default());
        let names: Vec<&str> = node.iter().chain(driver.iter()).map(|(name, _)| name).collect();
        for beginning in GROUPS.iter().flat_map(|(_, beginnings)| *beginnings) {
            assert!(names.iter().any(|name| name.starts_with(beginning)), "{beginning:?}");
        }
    }

    /// Counters as after a year at a million datagrams a second.
    fn large() -> Figures {
        const COUNT: u64 = 31_536_000_000_000;
        const VALUES: u64 = 10_000_000;
        let mut figures = Figures::new(&[ShardStats::default()], None, Named::new());
        for counters in figures.shards.iter_mut().chain([&mut figures.total]) {
            for (name, value) in counters.node.iter_mut().chain(&mut counters.driver) {
                let is_held = ["values", "values_published", "contacts"].contains(&name.as_ref());
                *value = if is_held { VALUES } else { COUNT };
            }
        }
        figures
    }

    fn identity() -> Identity {
        Identity {
            id: OwnId::new(Id::new([0xff; 20]), None),
            address: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".into(),
            network: "default".into(),
            io: "tokio-uring".into(),
            started: Instant::now(),
        }
    }

    #[test]
    fn stats_fit_80_columns() {
        let (mut out, figures) = (Vec::new(), large());
        // A second ago, so that the rate is at most a million however soon it is taken.
        let ago = Instant::now().checked_sub(Duration::from_secs(1)).expect("the clock is older");
        let now = Traffic::at(&figures, ago);
        let before =
            Traffic { received: now.received - 1_000_000, sent: now.sent - 1_000_000, ..now };
        head(&identity(), &figures, before, &mut out).expect("memory takes it");
        write(&figures, Zeros::Shown, &mut out).expect("memory takes it");
        for line in String::from_utf8(out).expect("text").lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn zeros_are_folded_and_a_group_of_zeros_has_no_title() {
        let mut figures = Figures::new(&[ShardStats::default()], None, Named::new());
        let known = figures.total.node.iter_mut().find(|(name, _)| name == "lookups_started");
        known.expect("a counter").1 = 7;
        let text = |zeros| {
            let mut out = Vec::new();
            write(&figures, zeros, &mut out).expect("memory takes it");
            String::from_utf8(out).expect("text")
        };
        let folded = text(Zeros::Folded);
        let before_shards = folded.split("shards:").next().expect("a beginning");
        let words: Vec<_> = before_shards.split_whitespace().collect();
        assert_eq!(words, ["lookups:", "lookups_started", "7"]);
        let names = Stats::default().iter().count() + DriverStats::default().iter().count();
        assert!(text(Zeros::Shown).lines().count() > names);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, said) in [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 20, "3.0 MiB")]
        {
            assert_eq!(size(bytes), said);
        }
    }
}

//! Prints results, for a person on a terminal and for a program.

use std::io::{self, Write};
use std::time::Duration;

use kad_durable::Snapshot;
use kad_node::driver::ShardStats;
use kad_node::limits::{PUBLISHED_VALUES_MAX, QUERIES_MAX};
use kad_node::node::{BucketView, ContactView, Found, Hop, HopAnswer, Kept, Refusal, Stored};

use crate::latencies::{Latencies, SessionLatencies};
use crate::operations::GetAnswer;
use crate::request::RequestError;
use crate::{log, shard_table};

/// The reader of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A person on a terminal: gets more detail, and no control characters.
    Person,
    /// A program: gets what the interface promises, byte for byte.
    Program,
}

impl Audience {
    /// The audience of standard output.
    pub(crate) fn of_stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// The audience of standard error.
    pub(crate) fn of_stderr() -> Self {
        Self::of(&io::stderr())
    }

    fn of(output: &impl io::IsTerminal) -> Self {
        if output.is_terminal() { Self::Person } else { Self::Program }
    }
}

/// Groups of counters, by prefixes of their names. A counter belongs to the first group
/// that matches.
const GROUPS: [(&str, &[&str]); 7] = [
    ("datagrams", &["datagrams_", "outbox_", "handoffs_"]),
    ("requests answered", &["pings_", "find_", "stores_", "replies_cut"]),
    ("requests made", &["requests_", "rpcs", "replies_", "values_mismatched"]),
    ("lookups", &["lookups", "candidates_"]),
    ("routing table", &["contacts", "replacements", "checks_", "verifications_"]),
    ("values", &["value", "changes_"]),
    ("other", &[""]),
];

/// Prints how many nodes hold a value that was put, and whether this one's disk failed.
pub(crate) fn stored(stored: &Stored, elapsed: Duration, out: &mut impl Write) -> io::Result<()> {
    let elapsed = time(elapsed);
    match stored {
        Stored { asked: 0, .. } => write!(out, "held only here: no other node is known")?,
        Stored { holders, asked, hops, .. } => write!(
            out,
            "held by {holders} of the {asked} closest nodes, {} away, in {elapsed}",
            counted(usize::from(*hops), "hop")
        )?,
    }
    if stored.kept == Some(Kept::InMemory) {
        write!(out, "; not durable here: the disk has failed, see the log")?;
    }
    writeln!(out)
}

/// Prints a value and which node had it.
pub(crate) fn found(
    found: &Found,
    answer: &GetAnswer,
    audience: Audience,
    out: &mut impl Write,
) -> io::Result<()> {
    match audience {
        Audience::Person => writeln!(out, "{}", printable(&found.value))?,
        Audience::Program => {
            out.write_all(&found.value)?;
            out.write_all(b"\n")?;
        }
    }
    origin(found, answer, audience, out)
}

/// Prints which node had a value.
pub(crate) fn origin(
    found: &Found,
    answer: &GetAnswer,
    audience: Audience,
    out: &mut impl Write,
) -> io::Result<()> {
    match found.from {
        Some(contact) => write!(out, "from {}", contact.addr)?,
        None => write!(out, "from local")?,
    }
    match (audience, found.from) {
        (Audience::Person, Some(_)) => writeln!(
            out,
            " ({}, {} asked, {})",
            counted(usize::from(found.hops), "hop"),
            counted(answer.asked, "node"),
            time(answer.elapsed)
        ),
        _ => writeln!(out),
    }
}

/// Prints that no node had the value.
pub(crate) fn not_found(
    answer: &GetAnswer,
    audience: Audience,
    out: &mut impl Write,
) -> io::Result<()> {
    match audience {
        Audience::Person => {
            let (asked, elapsed) = (counted(answer.asked, "node"), time(answer.elapsed));
            writeln!(out, "NOTFOUND ({asked} asked, {elapsed})")
        }
        Audience::Program => writeln!(out, "NOTFOUND"),
    }
}

/// Says why the node refused an operation.
pub(crate) fn refusal(refusal: Refusal) -> String {
    match refusal {
        Refusal::TooLarge { bytes } => RequestError::TooLarge { bytes }.to_string(),
        Refusal::Busy => format!("ERR busy ({QUERIES_MAX} lookups in progress): try again"),
        Refusal::DiskBusy => "ERR busy (the disk does not keep up): try again".into(),
        Refusal::Full => {
            format!("ERR full ({PUBLISHED_VALUES_MAX} values were put here): forget some")
        }
        Refusal::Abandoned => "ERR abandoned".into(),
    }
}

/// Prints one hop of a traced get.
pub(crate) fn hop(hop: &Hop, out: &mut impl Write) -> io::Result<()> {
    let answer = match hop.answer {
        HopAnswer::Value { bytes } => format!("the value, {}", counted(bytes, "byte")),
        HopAnswer::Contacts { count } => counted(count, "closer contact"),
        HopAnswer::WrongValue => "a wrong value: its hash is not the key".into(),
        HopAnswer::Refused => "refused".into(),
        HopAnswer::TimedOut => "no answer".into(),
    };
    let id = hop.contact.id.to_string();
    writeln!(
        out,
        "hop {}  {:<21}  {}..  shared bits {:>3}  {:>8}  {answer}",
        hop.depth,
        hop.contact.addr,
        &id[..8],
        hop.shared_prefix_bits,
        time(hop.elapsed),
    )
}

/// Prints the routing table.
pub(crate) fn peers(buckets: &[BucketView], out: &mut impl Write) -> io::Result<()> {
    for bucket in buckets {
        let contacts = counted(bucket.contacts.len(), "contact");
        write!(out, "bucket {}: {contacts}", bucket.index)?;
        match bucket.replacements {
            0 => writeln!(out)?,
            replacements => writeln!(out, ", {}", counted(replacements, "replacement"))?,
        }
        for contact in &bucket.contacts {
            peer(contact, out)?;
        }
    }
    let contacts: usize = buckets.iter().map(|bucket| bucket.contacts.len()).sum();
    writeln!(out, "{} in {}", counted(contacts, "contact"), counted(buckets.len(), "bucket"))
}

fn peer(view: &ContactView, out: &mut impl Write) -> io::Result<()> {
    let seen = format!("{} ago", time(view.seen_ago));
    let round_trip = view.round_trip.map_or_else(|| "unknown".into(), time);
    write!(
        out,
        "  {}  {:<21}  seen {seen:>12}  round trip {round_trip:>8}",
        view.contact.id, view.contact.addr
    )?;
    match view.failures {
        0 => writeln!(out),
        failures => writeln!(out, "  {}", counted(usize::from(failures), "failure")),
    }
}

/// Prints the counters of all shards together, group by group, then a table of the shards
/// and the session's latencies. A person sees only counters above zero, a program all.
pub(crate) fn stats(
    shards: &[ShardStats],
    disk: Option<&Snapshot>,
    latencies: &SessionLatencies,
    audience: Audience,
    out: &mut impl Write,
) -> io::Result<()> {
    let shown = |(_, value): &(_, u64)| audience == Audience::Program || *value > 0;
    let total = ShardStats::total(shards);
    let node: Vec<_> = total.node.iter().filter(shown).collect();
    for (index, (title, _)) in GROUPS.iter().enumerate() {
        let members: Vec<_> =
            node.iter().copied().filter(|(name, _)| group_of(name) == index).collect();
        group(title, &members, out)?;
    }
    let driver: Vec<_> = total.driver.iter().filter(shown).collect();
    group("driver", &driver, out)?;
    let log: Vec<_> =
        [("log_lines_dropped", log::lines_dropped())].into_iter().filter(shown).collect();
    group("log", &log, out)?;
    let disk: Vec<_> = disk.into_iter().flat_map(Snapshot::iter).filter(shown).collect();
    group("disk", &disk, out)?;
    shard_table::write(shards, out)?;
    writeln!(out, "latencies of this session:")?;
    percentiles("puts", &latencies.puts, out)?;
    percentiles("gets", &latencies.gets, out)
}

fn group(title: &str, members: &[(&str, u64)], out: &mut impl Write) -> io::Result<()> {
    if !members.is_empty() {
        writeln!(out, "{title}:")?;
    }
    for (name, value) in members {
        writeln!(out, "  {name:<24}  {value:>12}")?;
    }
    Ok(())
}

fn group_of(name: &str) -> usize {
    let fits = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    GROUPS.iter().position(|(_, prefixes)| fits(prefixes)).expect("the last group takes every name")
}

fn percentiles(name: &str, latencies: &Latencies, out: &mut impl Write) -> io::Result<()> {
    let count = latencies.count();
    if count == 0 {
        return writeln!(out, "  {name}  none yet");
    }
    write!(out, "  {name}  count {count}")?;
    for percent in [50, 90, 99] {
        write!(out, "  p{percent} {}", time(latencies.percentile(f64::from(percent))))?;
    }
    writeln!(out, "  max {}", time(latencies.max()))
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Formats a duration with about three digits.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.001 {
        format!("{:.0} us", seconds * 1e6)
    } else if seconds < 0.01 {
        format!("{:.2} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// Prints only a value: for a program its exact bytes, for a person text and a line end.
pub(crate) fn value(value: &[u8], audience: Audience, out: &mut impl Write) -> io::Result<()> {
    match audience {
        Audience::Person => writeln!(out, "{}", printable(value)),
        Audience::Program => out.write_all(value),
    }
}

/// `value` as text, with control characters other than line ends and tabs escaped: an
/// untrusted value must not control the terminal.
fn printable(value: &[u8]) -> String {
    let mut printable = String::with_capacity(value.len());
    for shown in String::from_utf8_lossy(value).chars() {
        if shown.is_control() && !matches!(shown, '\n' | '\t') {
            printable.extend(shown.escape_default());
        } else {
            printable.push(shown);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use kad_node::driver::DriverStats;
    use kad_node::node::Stats;

    use super::GROUPS;

    #[test]
    fn each_beginning_of_a_group_is_that_of_some_counter() {
        let (node, driver) = (Stats::default(), DriverStats::default());
        let names: Vec<&str> = node.iter().chain(driver.iter()).map(|(name, _)| name).collect();
        for beginning in GROUPS.iter().flat_map(|(_, beginnings)| *beginnings) {
            assert!(names.iter().any(|name| name.starts_with(beginning)), "{beginning:?}");
        }
    }
}

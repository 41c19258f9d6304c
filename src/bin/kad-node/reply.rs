//! Prints results, for a person on a terminal and for a program.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use kad_node::limits::{PUBLISHED_VALUES_MAX, QUERIES_MAX};
use kad_node::node::{
    BucketView, ContactView, Found, Hop, HopAnswer, Kept, PulledRange, Refusal, Stored,
};
use kad_node::printable;

use crate::figures;
use crate::latencies::{Latencies, SessionLatencies};
use crate::operations::{GetAnswer, Step};
use crate::request::RequestError;
use crate::shown;

/// How wide a terminal is at least.
const COLUMNS: usize = 80;

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
    if stored.too_large > 0 {
        let nodes = counted(stored.too_large, "node");
        write!(out, "; too large for {nodes}: see their --value-max")?;
    }
    if stored.kept == Some(Kept::InMemory) {
        write!(out, "; not durable here: the disk has failed, see the log")?;
    }
    writeln!(out)
}

/// Says why no node has stored a value, and what may help.
pub(crate) fn not_stored(stored: &Stored) -> String {
    let Stored { asked, too_large, .. } = *stored;
    let remedy = match too_large {
        0 => "try again".into(),
        _ => format!("too large for {too_large} of them: see their --value-max"),
    };
    format!("none of the {asked} closest nodes stored it; {remedy}")
}

/// Prints a value and which node had it.
pub(crate) fn found(
    found: &Found,
    answer: &GetAnswer,
    audience: Audience,
    out: &mut impl Write,
) -> io::Result<()> {
    match audience {
        Audience::Person => writeln!(out, "{}", shown::value(&found.value, shown::columns()))?,
        Audience::Program => {
            out.write_all(&found.value)?;
            out.write_all(b"\n")?;
        }
    }
    origin(found, answer, audience, out)
}

/// Prints that a value was written to a file, in place of another one where that `was_there`.
pub(crate) fn written(
    bytes: usize,
    file: &Path,
    was_there: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let (bytes, file) = (counted(bytes, "byte"), file.display().to_string());
    let instead = if was_there { ", in place of what it held" } else { "" };
    writeln!(out, "{bytes} written to '{}'{instead}", printable::line(&file))
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

/// Says why the node refused an operation, without what a failure begins with.
pub(crate) fn refusal(refusal: Refusal) -> String {
    match refusal {
        Refusal::Empty => "empty value: a value has one byte or more".into(),
        Refusal::TooLarge { bytes, bytes_max } => {
            RequestError::TooLarge { bytes, bytes_max }.to_string()
        }
        Refusal::Unfinished { bytes } => format!(
            "unfinished: nodes have a value of {bytes} bytes, and none sent the whole: \
             try again"
        ),
        Refusal::Busy => format!("busy ({QUERIES_MAX} lookups in progress): try again"),
        Refusal::DiskBusy => "busy (the disk does not keep up): try again".into(),
        Refusal::Full => {
            format!("full ({PUBLISHED_VALUES_MAX} values were put here): forget some")
        }
        Refusal::Abandoned => "abandoned".into(),
    }
}

/// Prints one step of a traced get.
pub(crate) fn step(step: &Step, out: &mut impl Write) -> io::Result<()> {
    match step {
        Step::Hop(one) => hop(one, out),
        Step::Range(one) => range(one, out),
    }
}

/// Prints which part of a large value a holder has sent, and when its last byte came.
pub(crate) fn range(range: &PulledRange, out: &mut impl Write) -> io::Result<()> {
    let id = range.holder.id.to_string();
    writeln!(
        out,
        "range  {:<21}  {}..  at {:>12}  {:>8}  {} of the value",
        range.holder.addr,
        &id[..8],
        range.offset,
        time(range.elapsed),
        figures::size(range.length as u64),
    )
}

/// Prints one hop of a traced get.
pub(crate) fn hop(hop: &Hop, out: &mut impl Write) -> io::Result<()> {
    let answer = match hop.answer {
        HopAnswer::Value { bytes } => format!("the value, {}", counted(bytes, "byte")),
        HopAnswer::Contacts { count } => counted(count, "closer contact"),
        HopAnswer::TooLarge { bytes } => {
            format!("the value, {}: more than --value-max", counted(bytes, "byte"))
        }
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

/// Prints the routing table. A person sees the beginnings of ids, so that lines stay short.
pub(crate) fn peers(
    buckets: &[BucketView],
    audience: Audience,
    out: &mut impl Write,
) -> io::Result<()> {
    for bucket in buckets {
        let contacts = counted(bucket.contacts.len(), "contact");
        write!(out, "bucket {}: {contacts}", bucket.index)?;
        match bucket.replacements {
            0 => writeln!(out)?,
            replacements => writeln!(out, ", {}", counted(replacements, "replacement"))?,
        }
        for contact in &bucket.contacts {
            peer(contact, audience, out)?;
        }
    }
    let contacts: usize = buckets.iter().map(|bucket| bucket.contacts.len()).sum();
    writeln!(out, "{} in {}", counted(contacts, "contact"), counted(buckets.len(), "bucket"))
}

fn peer(view: &ContactView, audience: Audience, out: &mut impl Write) -> io::Result<()> {
    let (id, addr) = (view.contact.id.to_string(), view.contact.addr);
    let (seen, round_trip) = (time(view.seen_ago), view.round_trip);
    let round_trip = round_trip.map_or_else(|| "unknown".into(), time);
    let failures = match view.failures {
        0 => String::new(),
        failures => format!("  {}", counted(usize::from(failures), "failure")),
    };
    match audience {
        Audience::Person => {
            let contact = format!("  {}..  {addr:<21}", &id[..8]);
            let known = format!("seen {seen:>7} ago  rtt {round_trip:>7}{failures}");
            // An IPv6 address may have 47 characters.
            let is_long = contact.len() + known.len() + 2 > COLUMNS;
            writeln!(out, "{contact}{}{known}", if is_long { "\n      " } else { "  " })
        }
        Audience::Program => {
            let seen = format!("{seen} ago");
            writeln!(
                out,
                "  {id}  {addr:<21}  seen {seen:>12}  round trip {round_trip:>8}{failures}"
            )
        }
    }
}

/// Prints the latencies of the puts and gets typed at this prompt.
pub(crate) fn latencies(latencies: &SessionLatencies, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "latencies of this session:")?;
    percentiles("puts", &latencies.puts, out)?;
    percentiles("gets", &latencies.gets, out)
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

pub(crate) fn counted(count: usize, noun: &str) -> String {
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
        Audience::Person => writeln!(out, "{}", shown::value(value, shown::columns())),
        Audience::Program => out.write_all(value),
    }
}

#[cfg(test)]
mod tests {
    use kad_node::id::Id;
    use kad_node::wire::Contact;

    use super::*;

    #[test]
    fn the_routing_table_fits_80_columns() {
        let view = |address: &str| ContactView {
            contact: Contact {
                id: Id::new([0xff; 20]),
                addr: address.parse().expect("an address"),
            },
            seen_ago: Duration::from_mins(9999),
            round_trip: Some(Duration::from_millis(9999)),
            failures: 16,
        };
        let addresses =
            ["203.0.113.255:65535", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "[::1]:1"];
        let contacts = addresses.map(view).into();
        let bucket = BucketView { index: 159, contacts, replacements: 20 };
        let mut out = Vec::new();
        peers(&[bucket], Audience::Person, &mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().count(), 2 + addresses.len() + 1, "one is on two lines: {text}");
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }
}

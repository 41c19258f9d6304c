//! A table of the shards: how busy each is, and what they pass to each other.

use std::io::{self, Write};

use crate::figures::{Counters, counter};

/// The heads of the columns, and how wide they are: with the blanks between them, and the
/// number of the shard, 80 characters.
const COLUMNS: [(&str, usize); 7] = [
    ("load", 7),
    ("datagrams", 14),
    ("mis-steered", 11),
    ("handoffs", 11),
    ("wakes each", 10),
    ("dropped", 7),
    ("waited", 6),
];

/// Writes a line for each shard. The load is the part of the time in which the shard
/// worked. Wakes are the system calls that each message to another shard costs.
pub(crate) fn write(shards: &[Counters], out: &mut impl Write) -> io::Result<()> {
    write!(out, "shards:")?;
    for (head, width) in COLUMNS {
        write!(out, " {head:>width$}")?;
    }
    writeln!(out)?;
    for (index, shard) in shards.iter().enumerate() {
        write!(out, "{index:>7}")?;
        for (cell, (_, width)) in cells(shard).into_iter().zip(COLUMNS) {
            write!(out, " {cell:>width$}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn cells(shard: &Counters) -> [String; COLUMNS.len()] {
    let node = |name| counter(&shard.node, name);
    let driver = |name| counter(&shard.driver, name);
    [
        load(driver("busy_us"), driver("waiting_us")),
        short(node("datagrams_received")),
        short(node("datagrams_missteered")),
        short(driver("handoffs_sent")),
        per(driver("wakes_sent"), driver("handoffs_sent")),
        short(driver("handoffs_dropped")),
        short(driver("handoffs_waited")),
    ]
}

/// A count that may be too long for its column: of large ones only the first digits.
fn short(count: u64) -> String {
    match count {
        0..1_000_000 => count.to_string(),
        1_000_000..10_000_000_000 => format!("{}M", count / 1_000_000),
        _ => format!("{}G", count / 1_000_000_000),
    }
}

fn load(busy_us: u64, waiting_us: u64) -> String {
    let thousandths = busy_us.saturating_mul(1000) / (busy_us + waiting_us).max(1);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// `part` divided by `whole`, with two decimals.
fn per(part: u64, whole: u64) -> String {
    match part.saturating_mul(100).checked_div(whole) {
        Some(hundredths) => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        None => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use kad_node::driver::ShardStats;

    use super::*;

    #[test]
    fn each_shard_has_a_line_and_each_number_is_in_its_column() {
        let mut busy = ShardStats::default();
        busy.node.datagrams_received = 1000;
        busy.node.datagrams_missteered = 9;
        busy.driver.busy_us = 125;
        busy.driver.waiting_us = 875;
        busy.driver.handoffs_sent = 8;
        busy.driver.wakes_sent = 2;
        busy.driver.handoffs_dropped = 1;
        busy.driver.handoffs_waited = 3;
        let shards = [Counters::from(&busy), Counters::from(&ShardStats::default())];
        let mut out = Vec::new();
        write(&shards, &mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        let heads = COLUMNS.iter().flat_map(|(head, _)| head.split(' ')).collect::<Vec<_>>();
        assert_eq!(lines[0][1..], heads);
        assert_eq!(lines[1], ["0", "12.5", "%", "1000", "9", "8", "0.25", "1", "3"]);
        assert_eq!(lines[2], ["1", "0.0", "%", "0", "0", "0", "-", "0", "0"]);
    }

    #[test]
    fn a_large_count_keeps_its_column() {
        assert_eq!(short(999_999), "999999");
        assert_eq!(short(1_234_567), "1M");
        assert_eq!(short(31_536_000_000_000), "31536G");
    }
}

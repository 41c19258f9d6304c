//! A table of the shards: how busy each is, and what they pass to each other.

use std::io::{self, Write};

use kad_node::driver::ShardStats;

/// The heads of the columns.
const HEAD: [&str; 7] =
    ["load", "datagrams", "mis-steered", "handoffs", "wakes/handoff", "dropped", "waited"];

/// Writes a line for each shard. The load is the part of the time in which the shard
/// worked. Wakes per handoff are the system calls that one message to another shard costs.
pub(crate) fn write(shards: &[ShardStats], out: &mut impl Write) -> io::Result<()> {
    write!(out, "shards:")?;
    for head in HEAD {
        write!(out, "  {head:>13}")?;
    }
    writeln!(out)?;
    for (index, shard) in shards.iter().enumerate() {
        write!(out, "  {index:>5}")?;
        for cell in cells(shard) {
            write!(out, "  {cell:>13}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn cells(ShardStats { node, driver, .. }: &ShardStats) -> [String; HEAD.len()] {
    [
        load(driver.busy_us, driver.waiting_us),
        node.datagrams_received.to_string(),
        node.datagrams_missteered.to_string(),
        driver.handoffs_sent.to_string(),
        per(driver.wakes_sent, driver.handoffs_sent),
        driver.handoffs_dropped.to_string(),
        driver.handoffs_waited.to_string(),
    ]
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
        let mut out = Vec::new();
        write(&[busy, ShardStats::default()], &mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0][1..], HEAD);
        assert_eq!(lines[1], ["0", "12.5", "%", "1000", "9", "8", "0.25", "1", "3"]);
        assert_eq!(lines[2], ["1", "0.0", "%", "0", "0", "0", "-", "0", "0"]);
    }
}

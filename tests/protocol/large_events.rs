//! Values larger than one datagram: what the user is told before the end.

use std::time::Duration;

use kad_node::limits::{PIECE_BYTES_MAX, PROGRESS_PERIOD};
use kad_node::node::{Event, OperationId, Progress, PulledRange};

use crate::large::{get, got, put, stored, value_of};
use crate::net::{Net, addr};

/// Progress of an operation, in order.
fn progress(net: &Net, operation: u64) -> Vec<Progress> {
    let events = net.answers(OperationId(operation));
    let told = |event: &Event| match event {
        Event::Progress { progress, .. } => Some(*progress),
        _ => None,
    };
    events.filter_map(told).collect()
}

/// Three nodes with 150 ms between them, and a value that the first has put.
fn far_apart(value: &[u8]) -> Net {
    let mut net = Net::joined(1, 3);
    net.use_delay(|_, _| Duration::from_millis(150));
    put(&mut net, 0, 900, value);
    net.run_for(Duration::from_secs(30));
    net
}

fn assert_comes_on(all: &[Progress], bytes_total: usize) {
    assert!(all.len() >= 2, "{all:?}");
    for pair in all.windows(2) {
        assert!(pair[0].bytes_done < pair[1].bytes_done, "{pair:?}");
        assert!(pair[0].elapsed + PROGRESS_PERIOD <= pair[1].elapsed, "{pair:?}");
    }
    let is_bounded = |one: &Progress| one.bytes_done <= one.bytes_total;
    assert!(all.iter().all(|one| is_bounded(one) && one.bytes_total == bytes_total), "{all:?}");
}

#[test]
fn a_put_and_a_get_that_take_long_say_how_far_they_are() {
    let value = value_of(900_000);
    let mut net = far_apart(&value);
    assert_eq!(stored(&net, 900).map(|stored| stored.holders), Some(2));
    assert_comes_on(&progress(&net, 900), 2 * value.len());
    net.add(9);
    net.join(9, 0);
    net.run_for(Duration::from_secs(5));
    get(&mut net, 9, 901, kad_node::id::Id::of_value(&value));
    net.run_for(Duration::from_secs(30));
    let all = progress(&net, 901);
    assert_comes_on(&all, value.len());
    assert!(all.iter().any(|one| one.holders > 1), "{all:?}");
}

#[test]
fn a_traced_get_says_which_holder_has_sent_which_part() {
    let value = value_of(900_000);
    let mut net = far_apart(&value);
    net.add(9);
    net.join(9, 0);
    net.run_for(Duration::from_secs(5));
    get(&mut net, 9, 901, kad_node::id::Id::of_value(&value));
    net.run_for(Duration::from_secs(30));
    assert!(got(&net, 901) == Some(Ok(Some(value.clone()))));
    let events = net.answers(OperationId(901));
    let mut ranges: Vec<PulledRange> = events
        .filter_map(|event| match event {
            Event::Range { range, .. } => Some(*range),
            _ => None,
        })
        .collect();
    ranges.sort_by_key(|range| range.offset);
    let mut end = 0;
    for range in &ranges {
        assert_eq!(range.offset, end, "no gap, and none twice");
        assert!(range.length % PIECE_BYTES_MAX == 0 || range.offset + range.length == value.len());
        end += range.length;
    }
    assert_eq!(end, value.len());
    let holds = |number: u16| ranges.iter().any(|range| range.holder.addr == addr(number));
    assert!((0..3).all(holds), "each of the three has sent a part: {ranges:?}");
}

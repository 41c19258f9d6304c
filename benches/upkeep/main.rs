//! Measures what it costs a node to renew what it has put and what it holds: time in its turns,
//! and the longest of them, without the kernel.
//!
//! Run `cargo bench --bench upkeep`, or `cargo bench --bench upkeep -- PUT HELD` for other counts
//! than 100 000 values that are put at the node and a million that it holds.

#![allow(clippy::cast_precision_loss)] // no count here is near 2^52
#![allow(clippy::print_stdout)] // results are what a benchmark is for

#[path = "../../tests/harness/datagram.rs"]
mod datagram;
mod network;

use std::env;

use kad_node::driver;
use kad_node::limits::{K_DEFAULT, REPUBLISH_DEFAULT};
use kad_node::node::{Command, OperationId};

use network::{Network, Turns};

const PUT: u64 = 100_000;
const HELD: u64 = 1_000_000;
pub(crate) const VALUE_BYTES: usize = 100;
/// Peers of the node at which values are put.
const PEERS: u16 = 300;
/// Periods of republishing that are timed.
const PERIODS: u32 = 3;

fn print(what: &str, turns: &Turns) {
    let Turns { count, all, longest } = turns;
    let share = all.as_secs_f64() / REPUBLISH_DEFAULT.as_secs_f64() * 100.0;
    println!(
        "{what:34} {count:8} turns: {:.3} s, {share:.4} % of a core in an hour; the longest \
         {:.2} ms",
        all.as_secs_f64(),
        longest.as_secs_f64() * 1e3,
    );
}

/// A node at which values are put, among many peers.
fn origin(values: u64) {
    let mut network = Network::new(PEERS);
    network.put(values);
    for period in 1..=PERIODS {
        let before = network.node.stats();
        let turns = network.run_for_a_period();
        let stats = network.node.stats();
        print(&format!("{values} values put, hour {period}"), &turns);
        println!(
            "    {} renewed by {} RENEWs, {} overdue",
            stats.values_republished - before.values_republished,
            stats.renews_sent - before.renews_sent,
            stats.values_overdue
        );
        assert_eq!(stats.values_overdue, 0, "each is renewed within its period");
    }
}

/// A node that is among the closest to each value that it holds.
fn holder(values: u64) {
    let mut network = Network::new(K_DEFAULT as u16 - 2);
    network.take_turns();
    network.store(values);
    print(&format!("{values} values stored"), &network.take_turns());
    let mut most = Turns::default();
    // Its own turn to renew them comes once in K hours, if others are silent.
    for _ in 0..=K_DEFAULT {
        let turns = network.run_for_a_period();
        if turns.all > most.all {
            most = turns;
        }
    }
    print(&format!("{values} values held, the worst hour"), &most);
    network.meet();
    print("a peer joins", &network.run_for_a_period());
    network.command(Command::Depart { operation: OperationId(0) });
    print("the node departs", &network.run_for_a_period());
}

fn main() {
    let mut counts = env::args().filter_map(|argument| argument.parse().ok());
    driver::join_freed_memory(); // as the program has it
    origin(counts.next().unwrap_or(PUT));
    holder(counts.next().unwrap_or(HELD));
}

//! What one put and one get cost in networks of several sizes: datagrams at the node that does
//! it, and round trips until it ends.

use std::time::Duration;

use kad_node::node::KeyedValue;

use crate::catalogue;
use crate::faults::{Delay, Faults};
use crate::operations::{Expect, Tally};
use crate::peers::PeerIndex;
use crate::report::line;
use crate::samples::Samples;
use crate::scenario::{Scenario, Step};
use crate::world::World;

const NODES: [usize; 4] = [30, 100, 1000, 10_000];
/// Of what passes each leg, in percent.
const LOSSES: [u64; 2] = [0, 20];
/// Operations of each kind, one after another at random nodes.
const OPERATIONS: usize = 100;
/// The same between any two nodes, so that an operation's time says how many follow each other.
const ROUND_TRIP: Duration = Duration::from_millis(40);

const HEAD: &str = "nodes  loss  operation      datagrams  round trips: mean    p99  well ended";

fn scenario(loss: u64) -> Scenario {
    let delay = Delay { floor: ROUND_TRIP / 2, distance_max: Duration::ZERO, ..Delay::WIDE_AREA };
    let delay = Delay { jitter: Duration::ZERO, ..delay };
    let faults = Faults { delay, ..Faults::loss(loss) };
    let proves = "what a put and a get cost";
    let scenario = catalogue::scenario("costs", proves, faults, Vec::new());
    Scenario { datagrams_max: u64::MAX, ..scenario }
}

/// What a node has sent and received.
fn traffic(world: &World, peer: PeerIndex) -> u64 {
    let stats = world.peers[peer.as_usize()].node().expect("none crashes").stats();
    stats.datagrams_sent + stats.datagrams_received
}

/// One kind of operation, many times; returns its row.
fn row(
    world: &mut World,
    name: &str,
    values: &[KeyedValue],
    begin: impl Fn(&mut World, PeerIndex, &KeyedValue),
    took: impl Fn(&Tally) -> &Samples,
    well: impl Fn(&Tally) -> u64,
) -> String {
    world.operations.tally = Tally::default();
    let mut datagrams = 0;
    for value in values {
        let peer = world.any_honest();
        let before = traffic(world, peer);
        begin(world, peer, value);
        world.await_operations();
        world.run_for(2 * ROUND_TRIP); // what is under way still
        datagrams += traffic(world, peer) - before;
    }
    let tally = &world.operations.tally;
    let us = took(tally).summary().expect("some have ended");
    let round_trips = |us: f64| us / ROUND_TRIP.as_micros() as f64;
    format!(
        "{name:<13}  {:>9.1}  {:>17.2} {:>6.1}  {:>5} of {}",
        datagrams as f64 / values.len() as f64,
        round_trips(us.mean),
        round_trips(us.p99 as f64),
        well(tally),
        values.len(),
    )
}

/// Prints what each costs in each network.
#[allow(clippy::cast_sign_loss)] // the mean of counts is none
pub(crate) fn table(seed: u64) {
    line(&[HEAD.to_owned()]);
    for (nodes, loss) in NODES.into_iter().flat_map(|nodes| LOSSES.map(|loss| (nodes, loss))) {
        let mut world = World::new(&scenario(loss), seed, None);
        world.step(&Step::Join { count: nodes, over: Duration::from_millis(20) * nodes as u32 });
        world.run_for(Duration::from_mins(2));
        let values = world.draw_values(OPERATIONS);
        let absent = world.draw_values(OPERATIONS);
        let full = |tally: &Tally| {
            let holders = tally.put_holders.summary().expect("some have ended");
            (holders.mean * tally.puts as f64 / 20.0).round() as u64
        };
        let put = |world: &mut World, peer, value: &KeyedValue| {
            world.put_value(peer, value.clone());
        };
        let get = |world: &mut World, peer, value: &KeyedValue| {
            world.get(peer, value.key(), Expect::Anything);
        };
        let rows = [
            row(&mut world, "put", &values, put, |tally| &tally.put_elapsed_us, full),
            row(
                &mut world,
                "get",
                &values,
                get,
                |tally| &tally.get_elapsed_us,
                |tally| tally.gets_found,
            ),
            row(
                &mut world,
                "get of none",
                &absent,
                get,
                |tally| &tally.get_missing_us,
                |tally| tally.gets - tally.gets_found,
            ),
        ];
        line(&rows.map(|row| format!("{nodes:>5}  {loss:>2} %  {row}")));
    }
}

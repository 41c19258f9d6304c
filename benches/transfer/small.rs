//! How long small gets take, with and without ten transfers of 1 MiB at once from the node
//! that they ask.
//!
//! What it measures is that node, not how the kernel shares two cores among four threads: the
//! node that gets the large values has a core to itself, and what gets the small ones runs
//! before the node that serves, as it would on a machine of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use kad_node::driver::Running;
use kad_node::id::Id;
use kad_node::node::KeyedValue;

use super::nodes::{self, Pair};
use super::places::{self, Places};
use super::{Outcome, ROUNDS, median};

/// Small gets of each measurement.
const GETS: usize = 10_000;
/// Gets of 1 MiB at once.
const TRANSFERS: usize = 10;

pub(super) fn measure() -> Outcome<()> {
    let places = Places::available()?;
    let any = ([127, 0, 0, 1], 0).into();
    places.enter_first()?;
    let reader = nodes::node(any, 2, 0)?;
    places.enter_others()?;
    let mut pair = Pair::of(nodes::node(any, 1, 0)?, reader)?;
    places::go_first()?;
    let small = nodes::node(any, 3, 0)?;
    nodes::join(&small, &pair.origin)?;
    let value = KeyedValue::new(vec![1; 100]);
    let key = value.key();
    nodes::put(&pair.origin, value)?;
    let keys = pair.put(0)?;
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let without = p99_us(&small, key)?;
        let (is_over, transferring) = (AtomicBool::new(false), &mut pair);
        let with = thread::scope(|scope| {
            let transfers = scope.spawn(|| transfer(transferring, &keys, &is_over));
            let with = p99_us(&small, key);
            is_over.store(true, Ordering::Relaxed);
            transfers.join().expect("it does not panic")?;
            with
        })?;
        for (all, one) in all.iter_mut().zip([without, with, with / without]) {
            all.push(one);
        }
    }
    let [without, with, ratio] = all.map(median);
    println!(
        "small gets, 99th percentile  {without:.0} us; during {TRANSFERS} transfers  {with:.0} us"
    );
    println!("99th percentile, with transfers / without  {ratio:.2}");
    Ok(())
}

/// Keeps transfers in progress until it is over.
fn transfer(pair: &mut Pair, keys: &[Id], is_over: &AtomicBool) -> Result<(), String> {
    keep_transferring(&pair.reader, keys, is_over).map_err(|error| error.to_string())
}

fn keep_transferring(reader: &Running, keys: &[Id], is_over: &AtomicBool) -> Outcome<()> {
    let mut next = keys.iter().cycle();
    for &key in next.by_ref().take(TRANSFERS) {
        nodes::begin_get(reader, key)?;
    }
    while !is_over.load(Ordering::Relaxed) {
        nodes::end_get(reader)?;
        let &key = next.next().expect("it has no end");
        nodes::begin_get(reader, key)?;
    }
    (0..TRANSFERS).try_for_each(|_| nodes::end_get(reader))
}

/// The 99th percentile of small gets, one after another.
fn p99_us(node: &Running, key: Id) -> Outcome<f64> {
    let mut took = Vec::with_capacity(GETS);
    for _ in 0..GETS {
        let started = Instant::now();
        nodes::begin_get(node, key)?;
        nodes::end_get(node)?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    Ok(took[GETS * 99 / 100].as_nanos() as f64 / 1000.0)
}

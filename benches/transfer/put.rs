//! Puts of 1 MiB to 20 nodes, beside as many gets as that is transfers.

use std::time::Instant;

use kad_node::driver::Running;
use kad_node::limits::K_DEFAULT;
use kad_node::node::KeyedValue;

use super::nodes::{self, Pair};
use super::{Outcome, ROUNDS, VALUE_BYTES, median};

/// Puts of a round, and of the gets a K-th part for each.
const PUTS: usize = 4;
/// What a holder keeps at most: the values of two rounds.
const STORE_BYTES_MAX: usize = 2 * PUTS * (VALUE_BYTES + (1 << 16));

pub(super) fn measure() -> Outcome<()> {
    let pair = Pair::start()?;
    let (origin, holders) = crowd()?;
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let values: Vec<KeyedValue> = (0..PUTS).map(|number| nodes::value(round, number)).collect();
        let keys: Vec<_> = values.iter().map(KeyedValue::key).collect();
        for value in &values {
            nodes::put(&pair.origin, value.clone())?;
        }
        let started = Instant::now();
        for _ in 0..K_DEFAULT {
            pair.get(&keys)?;
        }
        let gets = started.elapsed();
        let started = Instant::now();
        for value in values {
            let stored = nodes::put(&origin, value)?;
            if stored.holders != K_DEFAULT {
                return Err(format!("{} of {K_DEFAULT} hold the value", stored.holders).into());
            }
        }
        let puts = started.elapsed();
        ratios.push(gets.as_secs_f64() / puts.as_secs_f64());
        rates.push((PUTS * K_DEFAULT) as f64 / puts.as_secs_f64());
        pair.forget(&keys)?;
    }
    println!("put to {} nodes  {:>7.0} MiB/s, all of them together", holders.len(), median(rates));
    println!("throughput, put / {K_DEFAULT} gets  {:.2}", median(ratios));
    Ok(())
}

/// A node that knows K others, and these.
fn crowd() -> Outcome<(Running, Vec<Running>)> {
    let any = ([127, 0, 0, 1], 0).into();
    let origin = nodes::node(any, 100, STORE_BYTES_MAX)?;
    let mut holders = Vec::new();
    for number in 0..K_DEFAULT {
        let holder = nodes::node(any, 101 + number as u8, STORE_BYTES_MAX)?;
        nodes::join(&holder, &origin)?;
        holders.push(holder);
    }
    Ok((origin, holders))
}

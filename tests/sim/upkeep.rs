//! What the upkeep of values costs: datagrams and bytes in a period in which nothing is asked.

use std::time::Duration;

use crate::peers::PeerIndex;
use crate::violation::Wrong;
use crate::world::World;

/// What the network sent in a period, of a node and in an hour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upkeep {
    /// Values that were put and not lost.
    values: usize,
    nodes: f64,
    datagrams: f64,
    bytes: f64,
}

/// What a period is measured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// For what the network sends without any value.
    Idle,
    /// For what its values cost beside that: at most so many datagrams a value and hour.
    Values { datagrams_max: u64 },
}

impl World {
    /// Lets a period pass, and measures it.
    pub(crate) fn measure_upkeep(&mut self, measure: Measure, period: Duration, churn: usize) {
        let before = *self.network.tally();
        self.churn(churn, period);
        let after = self.network.tally();
        let hours = period.as_secs_f64() / 3600.0;
        let nodes = self.honest.len() as f64;
        let upkeep = Upkeep {
            values: self.oracle.stored_values().len(),
            nodes,
            datagrams: (after.sent - before.sent) as f64 / hours / nodes,
            bytes: (after.bytes - before.bytes) as f64 / hours / nodes,
        };
        if let Measure::Values { datagrams_max } = measure
            && let Some((datagrams, _)) = upkeep.of_a_value(self.upkeep.first())
            && datagrams > datagrams_max as f64
        {
            let what =
                format!("{datagrams:.1} datagrams a value and hour; at most {datagrams_max}");
            self.violate(Wrong::NotQuiet, what);
        }
        self.upkeep.push(upkeep);
    }

    /// Values are put at one node, evenly spread.
    pub(crate) fn put_at(&mut self, peer: PeerIndex, count: usize, bytes: usize, over: Duration) {
        self.spread(count, over, |world, _| world.put(peer, bytes));
        self.await_operations();
    }

    /// The figures, for people to read.
    pub(crate) fn upkeep_lines(&self) -> impl Iterator<Item = String> {
        self.upkeep.iter().map(|upkeep| {
            let Upkeep { values, nodes, datagrams, bytes } = upkeep;
            let of_node = format!(
                "{values} values, {nodes} nodes: {datagrams:.0} datagrams and {bytes:.0} bytes a \
                 node and hour"
            );
            match upkeep.of_a_value(self.upkeep.first()) {
                Some((datagrams, bytes)) => format!(
                    "{of_node}; beside an idle network's {datagrams:.2} datagrams and {bytes:.0} \
                     bytes a value and hour"
                ),
                None => of_node,
            }
        })
    }
}

impl Upkeep {
    /// Datagrams and bytes of a value, beside those of an idle network.
    fn of_a_value(&self, idle: Option<&Self>) -> Option<(f64, f64)> {
        let idle = idle.filter(|_| self.values > 0)?;
        let of_values = |all: f64, idle: f64| (all - idle) * self.nodes / self.values as f64;
        let bytes = of_values(self.bytes, idle.bytes);
        Some((of_values(self.datagrams, idle.datagrams), bytes))
    }
}

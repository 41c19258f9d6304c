//! Keys that one host has surrounded before a value is put there.

use std::time::Duration;

use kad_node::node::KeyedValue;

use crate::attacker::{Malice, near};
use crate::peers::Crowd;
use crate::world::World;

/// Time for the attackers to become known to all nodes.
const SETTLING: Duration = Duration::from_secs(30);

impl World {
    /// Has one host take so many ids close to the key of each of so many values, and make
    /// itself known; then the values are put.
    pub(crate) fn put_surrounded(&mut self, values: usize, ids: usize) {
        let drawn: Vec<KeyedValue> =
            (0..values).map(|_| KeyedValue::new(self.rng.bytes::<64>().as_slice())).collect();
        let first = self.peers.len() as u32;
        let crowd = Crowd { first, count: (values * ids) as u32 };
        self.network.crowd = crowd;
        for value in &drawn {
            for _ in 0..ids {
                let id = near(value.key(), &mut self.rng);
                self.add_attacker_called(id, Malice::Surround(crowd), first);
            }
        }
        self.run_for(SETTLING);
        for value in drawn {
            let peer = self.any_honest();
            self.put_value(peer, value);
        }
        self.await_operations();
    }
}

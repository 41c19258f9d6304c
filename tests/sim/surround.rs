//! How attackers come into a world: one by one, or in league, knowing each other and making
//! themselves known to every node.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kad_node::id::{ID_BYTES, Id};
use kad_node::node::{KeyedValue, fitted_id};
use kad_node::rng::Rng;
use kad_node::wire::Contact;

use crate::attacker::{Attacker, near};
use crate::crowd::Crowd;
use crate::malice::Malice;
use crate::peers::{Being, PeerIndex};
use crate::world::World;

/// Time for the attackers to become known to all nodes.
const SETTLING: Duration = Duration::from_secs(30);

/// Peers that the attackers know by address before these join.
const LATER_PEERS: u32 = 50;

impl World {
    /// Adds an attacker.
    pub(crate) fn add_attacker(&mut self, malice: Malice) {
        let number = self.peers.len();
        let mut id = self.id_of(PeerIndex(number as u32));
        if malice == Malice::Erasure {
            let values = self.oracle.stored_values();
            id = near(values[number % values.len()].key, &mut self.rng);
        }
        self.add_attacker_called(id, malice, number as u32, |attacker| attacker);
    }

    /// Adds an attacker that goes by `id` and knows so many peers.
    fn add_attacker_called(
        &mut self,
        id: Id,
        malice: Malice,
        peers: u32,
        change: impl FnOnce(Attacker) -> Attacker,
    ) {
        let peer = self.add_peer();
        let rng = Rng::from_seed(self.rng.seed());
        let slot = &mut self.peers[peer.as_usize()];
        slot.id = id;
        let attacker = change(Attacker::new(id, malice, peers, rng, self.now));
        let due = Some(attacker.next_timeout());
        slot.being = Being::Attacker(Box::new(attacker));
        self.arm(peer, due);
    }

    /// Adds a crowd that goes by these names, host by host.
    pub(crate) fn add_crowd(&mut self, crowd: Crowd, malice: Malice, names: &[Id]) {
        let crowd = Crowd { first: self.peers.len() as u32, ..crowd };
        self.network.crowd = crowd;
        let names: Vec<Id> = if malice == Malice::Squat {
            names.to_vec()
        } else {
            let ip = |number| crowd.address_of(PeerIndex(crowd.first + number as u32)).ip();
            names.iter().enumerate().map(|(number, &id)| closest_fit(id, ip(number))).collect()
        };
        let place = |number: usize| PeerIndex(crowd.first + number as u32);
        let mate = |(number, &id)| Contact { id, addr: crowd.address_of(place(number)) };
        let mates: Arc<[Contact]> = names.iter().enumerate().map(mate).collect();
        let peers = crowd.first + crowd.count() + LATER_PEERS;
        for &name in &names {
            self.add_attacker_called(name, malice, peers, |attacker| {
                attacker.in_league(crowd, Arc::clone(&mates))
            });
        }
    }

    /// Has so many hosts of one subnet, each with so many ids, take ids close to the keys of so
    /// many values, and make themselves known; then the values are put.
    pub(crate) fn put_surrounded(&mut self, values: usize, (hosts, ids): (u32, u32)) {
        let drawn = self.draw_values(values);
        let crowd = Crowd { hosts, ids, subnets: 1, ..Crowd::default() };
        let names = self.around(&drawn, crowd.count() as usize);
        self.add_crowd(crowd, Malice::Surround, &names);
        self.run_for(SETTLING);
        for value in drawn {
            let peer = self.any_honest();
            self.put_value(peer, value);
        }
        self.await_operations();
    }

    pub(crate) fn draw_values(&mut self, count: usize) -> Vec<KeyedValue> {
        (0..count).map(|_| KeyedValue::new(self.rng.bytes::<64>().as_slice())).collect()
    }

    /// So many ids, as many close to each value's key.
    pub(crate) fn around(&mut self, values: &[KeyedValue], count: usize) -> Vec<Id> {
        let keys = values.iter().map(KeyedValue::key).cycle().take(count);
        keys.map(|key| near(key, &mut self.rng)).collect()
    }
}

/// Of the ids that fit an address, the one that is closest to `wanted` but for its last byte.
fn closest_fit(wanted: Id, ip: IpAddr) -> Id {
    let mut bytes = wanted.to_bytes();
    let places = (0..8).map(|place| {
        bytes[ID_BYTES - 1] = bytes[ID_BYTES - 1] & !7 | place;
        fitted_id(Id::new(bytes), ip)
    });
    places.min_by_key(|&id| id ^ wanted).expect("a host has places")
}

//! What a node keeps that is flooded with STOREs.

use std::net::SocketAddr;

use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::K_DEFAULT;
use kad_node::rng::Rng;
use kad_node::wire::{self, Body, Datagram, Purpose, Store, Token};

use crate::datagram::{datagram, store};
use crate::net::{Net, addr};

const STORE_BYTES: usize = 16 << 20;
/// Buckets that are full, of which the deepest is not clearly beyond this node's reach.
const FULL_BUCKETS: usize = 3;

fn token_for(net: &mut Net, from: SocketAddr) -> Token {
    let replies = net.ask(from, 0, &datagram(9, Body::Ping));
    wire::decode(&replies[0]).expect("nodes send no garbage").token
}

/// Has a host store a value, and says whether that was answered by STORED.
fn store_from(net: &mut Net, from: SocketAddr, token: Token, value: &[u8]) -> bool {
    let store = Store { purpose: Purpose::Replica, ..store(value) };
    let request = Datagram { token, ..datagram(9, Body::Store(store)) };
    let replies = net.ask(from, 0, &request);
    wire::decode(&replies[0]).expect("nodes send no garbage").body == Body::Stored
}

/// A node with room for 16 MiB, and with buckets so full that it is far from most keys.
fn node_in_a_large_network() -> Net {
    let mut net = Net::new(2);
    net.add_with(0, |config| config.store_bytes_max = STORE_BYTES);
    let own = net.id(0);
    let mut rng = Rng::from_u64(3);
    for bucket in 0..FULL_BUCKETS {
        for place in 0..K_DEFAULT {
            let number = 1 + bucket * K_DEFAULT + place;
            net.introduce(number as u16, 0, in_bucket(own, bucket, &mut rng));
        }
    }
    assert_eq!(net.stats(0).contacts, (FULL_BUCKETS * K_DEFAULT) as u64);
    net
}

/// An id that shares exactly so many of the first bits of `own`.
fn in_bucket(own: Id, bits: usize, rng: &mut Rng) -> Id {
    let (own, mut bytes) = (own.to_bytes(), rng.bytes::<ID_BYTES>());
    let mask = 0xff_u8 >> bits;
    bytes[0] = own[0] & !mask | bytes[0] & mask;
    let bit = 0x80_u8 >> bits;
    bytes[0] = bytes[0] & !bit | !own[0] & bit;
    Id::new(bytes)
}

/// A value that the node holds as one of the K closest.
fn near_value(own: Id, bytes: usize, rng: &mut Rng) -> Vec<u8> {
    loop {
        let mut value = vec![0; bytes];
        value[..8].copy_from_slice(&rng.bytes::<8>());
        if (Id::of_value(&value) ^ own).shared_prefix_bits() >= FULL_BUCKETS - 1 {
            return value;
        }
    }
}

/// Values of honest hosts, and then those of 10 000 sources in 100 subnets, three each. Says
/// how many of the honest ones are left.
fn honest_values_left(
    bytes: usize,
    mut hostile_value: impl FnMut(Id, &mut Rng) -> Vec<u8>,
) -> usize {
    let mut net = node_in_a_large_network();
    let (own, mut rng) = (net.id(0), Rng::from_u64(4));
    let honest: Vec<Vec<u8>> = (0..210).map(|_| near_value(own, bytes, &mut rng)).collect();
    for (number, value) in honest.iter().enumerate() {
        let from = addr(800 + number as u16 % 10);
        let token = token_for(&mut net, from);
        assert!(store_from(&mut net, from, token, value));
    }
    for source in 0..10_000_u32 {
        let (subnet, host) = ((source % 100) as u8, (source / 100) as u8);
        let from = SocketAddr::from(([100, 64, subnet, host], 9000));
        let token = token_for(&mut net, from);
        for _ in 0..3 {
            let value = hostile_value(own, &mut rng);
            store_from(&mut net, from, token, &value);
        }
    }
    let stats = net.stats(0);
    assert!(stats.values_evicted > 1000, "the store is full: {}", stats.values_evicted);
    assert!(stats.value_bytes <= STORE_BYTES as u64);
    let node = &net.nodes[&addr(0)];
    honest.iter().filter(|value| node.holds(Id::of_value(value))).count()
}

#[test]
fn a_flood_of_many_sources_pushes_out_nothing_that_the_node_is_responsible_for() {
    let any = |_: Id, rng: &mut Rng| {
        let mut value = vec![0; 1000];
        value[..8].copy_from_slice(&rng.bytes::<8>());
        value
    };
    assert_eq!(honest_values_left(1000, any), 210);
}

#[test]
fn a_flood_of_keys_close_to_the_node_costs_the_subnets_that_it_comes_from() {
    let near = |own, rng: &mut Rng| near_value(own, 1000, rng);
    assert_eq!(honest_values_left(100, near), 210);
}

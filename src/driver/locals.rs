//! Which of this host's addresses each peer asks, for a socket bound to a wildcard.
//!
//! A peer takes a reply only from the address that it has asked. On a host with several
//! addresses the kernel's own choice for a peer may be another one, so the driver remembers
//! for each peer which one it asked last, and sends to it from there: replies, and requests
//! as well. A peer that has asked nothing yet is sent to from the kernel's choice.
//!
//! A table of so many places stands for all peers. When the places for a peer are taken,
//! the one that was used the longest ago makes way. A turn brings messages of 512 peers at
//! most, an eighth of the table, so that those of the turn find a place.
//!
//! A shard knows what comes to its own socket. What lands on the wrong shard, where the
//! kernel does not steer, is answered from the kernel's choice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::address;

/// Peers that are remembered at most: 4096 of 56 bytes.
const PEERS_MAX: usize = 4096;
/// Places that are looked at for one peer.
const PROBES_MAX: usize = 8;

const _: () = assert!(PEERS_MAX.is_power_of_two() && PROBES_MAX < PEERS_MAX);

/// The addresses that peers have asked.
pub(super) struct Locals {
    places: Box<[Place]>,
    /// Counts up with each note.
    clock: u64,
}

#[derive(Clone, Copy)]
struct Place {
    peer: SocketAddr,
    local: IpAddr,
    /// When it was last noted; 0: it is free.
    noted: u64,
}

impl Place {
    const FREE: Self = Self {
        peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        noted: 0,
    };
}

impl Locals {
    pub(super) fn new() -> Self {
        Self { places: vec![Place::FREE; PEERS_MAX].into_boxed_slice(), clock: 0 }
    }

    /// Notes that `peer` has asked `local`.
    pub(super) fn note(&mut self, peer: SocketAddr, local: IpAddr) {
        self.clock += 1;
        let oldest = places(peer).min_by_key(|&place| self.rank(place, peer));
        let oldest = oldest.expect("a few places are looked at");
        self.places[oldest] = Place { peer, local, noted: self.clock };
    }

    /// The address that `peer` asked last.
    pub(super) fn find(&self, peer: SocketAddr) -> Option<IpAddr> {
        let place = places(peer).map(|place| &self.places[place]);
        let mut place = place.take_while(|place| place.noted > 0);
        place.find(|place| place.peer == peer).map(|place| place.local)
    }

    /// Forgets which address `peer` asked: it cannot be sent from.
    pub(super) fn forget(&mut self, peer: SocketAddr) {
        if let Some(local) = self.find(peer) {
            // In its place, so that those behind it are still found.
            let unspecified = match local {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
            };
            self.note(peer, unspecified);
        }
    }

    /// The peer's own place comes first, then a free one, then the oldest.
    fn rank(&self, place: usize, peer: SocketAddr) -> (bool, u64) {
        let Place { peer: other, noted, .. } = self.places[place];
        (noted == 0 || other != peer, noted)
    }
}

/// Where a peer may be in the table.
fn places(peer: SocketAddr) -> impl Iterator<Item = usize> {
    let bits = address::spread(peer.ip()) ^ u64::from(peer.port()) << 8;
    let start = address::mix(bits) >> (u64::BITS - PEERS_MAX.ilog2());
    (0..PROBES_MAX).map(move |probe| (start as usize + probe) & (PEERS_MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 9001))
    }

    fn local(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn the_address_that_was_asked_last_counts() {
        let mut locals = Locals::new();
        assert_eq!(locals.find(peer(1)), None);
        locals.note(peer(1), local(2));
        locals.note(peer(2), local(3));
        assert_eq!((locals.find(peer(1)), locals.find(peer(2))), (Some(local(2)), Some(local(3))));
        locals.note(peer(1), local(4));
        assert_eq!(locals.find(peer(1)), Some(local(4)));
        locals.forget(peer(1));
        assert_eq!(locals.find(peer(1)), Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        assert_eq!(locals.find(peer(2)), Some(local(3)));
    }

    #[test]
    fn the_peers_of_a_turn_are_all_remembered_whoever_came_before() {
        let mut locals = Locals::new();
        for number in 0..60_000 {
            locals.note(peer(number), local(2));
            let turn = number.saturating_sub(511)..=number;
            if number % 5000 == 4999 {
                let found = turn.filter(|&number| locals.find(peer(number)).is_some());
                assert_eq!(found.count(), 512);
            }
        }
        assert_eq!(locals.places.len(), PEERS_MAX);
    }
}

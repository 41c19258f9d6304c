//! Which of this host's addresses each peer asks, for a socket bound to a wildcard.
//!
//! A peer takes a reply only from the address that it has asked. On a host with several
//! addresses the kernel's own choice for a peer may be another one, so it is
//! remembered for each peer which one it asked last, and that is sent from: replies, and requests
//! as well. A peer that has asked nothing yet is sent to from the kernel's choice.
//!
//! A table of [`PEERS_MAX`] places stands for all peers. When the places for a peer are
//! taken, the one that was used the longest ago is given up. A batch of received messages is
//! of 512 peers at most, an eighth of the table, so that all of a batch find a place.
//!
//! A peer may ask two addresses in one batch, when it knows a server by both. So an entry
//! that a waiting reply may leave by does not change: the replies are sent first.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::address;

/// Peers that are remembered at most: 4096 of 56 bytes.
const PEERS_MAX: usize = 4096;
/// Places that are looked at for one peer.
const PROBES_MAX: usize = 8;

const _: () = assert!(PEERS_MAX.is_power_of_two() && PROBES_MAX < PEERS_MAX);

/// The addresses that peers have asked.
pub struct LocalAddresses {
    places: Box<[Place]>,
    /// Counts up with each note.
    clock: u64,
    /// What was noted later than this may have a reply that waits to be sent.
    sent: u64,
    /// The place that was noted last.
    latest: usize,
}

/// What came of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is noted.
    Done,
    /// It is noted, and another peer's entry was given up for it.
    Displaced,
    /// Nothing is noted: replies that wait may leave by the entry that is to change.
    SendFirst,
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

impl Default for LocalAddresses {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalAddresses {
    /// No peer yet.
    #[must_use]
    pub fn new() -> Self {
        let places = vec![Place::FREE; PEERS_MAX].into_boxed_slice();
        Self { places, clock: 0, sent: 0, latest: 0 }
    }

    /// Notes that `peer` has asked `local`.
    pub fn note(&mut self, peer: SocketAddr, local: IpAddr) -> Noted {
        let index = self.place(peer);
        let Place { peer: before, local: asked, noted } = self.places[index];
        let is_free = noted == 0;
        let is_same = !is_free && before == peer && asked == local;
        if !is_same && noted > self.sent {
            return Noted::SendFirst;
        }
        self.clock += 1;
        self.places[index] = Place { peer, local, noted: self.clock };
        self.latest = index;
        if is_free || before == peer { Noted::Done } else { Noted::Displaced }
    }

    /// Says that no reply waits to be sent.
    pub const fn all_sent(&mut self) {
        self.sent = self.clock;
    }

    /// The address that `peer` asked last, where it can be sent from.
    pub fn find(&self, peer: SocketAddr) -> Option<IpAddr> {
        let place = places(peer).map(|place| &self.places[place]);
        let mut place = place.take_while(|place| place.noted > 0);
        let place = place.find(|place| place.peer == peer);
        place.map(|place| place.local).filter(|local| !local.is_unspecified())
    }

    /// Forgets which address `peer` asked: it cannot be sent from.
    pub fn forget(&mut self, peer: SocketAddr) {
        let index = self.place(peer);
        let place = &mut self.places[index];
        if place.noted > 0 && place.peer == peer {
            // It stays, so that those behind it are still found.
            place.local = Ipv4Addr::UNSPECIFIED.into();
        }
    }

    /// The place of `peer`, or the one that it takes. Datagrams come in bursts, so the
    /// latest is looked at first.
    fn place(&self, peer: SocketAddr) -> usize {
        let Place { peer: latest, noted, .. } = self.places[self.latest];
        if noted > 0 && latest == peer {
            return self.latest;
        }
        let oldest = places(peer).min_by_key(|&place| self.rank(place, peer));
        oldest.expect("a few places are looked at")
    }

    /// The peer's own place comes first, then a free one, then the oldest.
    fn rank(&self, place: usize, peer: SocketAddr) -> (bool, u64) {
        let Place { peer: other, noted, .. } = self.places[place];
        (noted == 0 || other != peer, noted)
    }
}

/// Where a peer may be in the table.
fn places(peer: SocketAddr) -> impl Iterator<Item = usize> {
    let bits = address::bits(peer.ip()) ^ u64::from(peer.port()) << 8;
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
        let mut locals = LocalAddresses::new();
        assert_eq!(locals.find(peer(1)), None);
        locals.note(peer(1), local(2));
        locals.note(peer(2), local(3));
        assert_eq!((locals.find(peer(1)), locals.find(peer(2))), (Some(local(2)), Some(local(3))));
        assert_eq!(locals.note(peer(1), local(4)), Noted::SendFirst);
        assert_eq!(locals.find(peer(1)), Some(local(2)));
        locals.all_sent();
        assert_eq!(locals.note(peer(1), local(4)), Noted::Done);
        assert_eq!(locals.find(peer(1)), Some(local(4)));
        locals.forget(peer(1));
        assert_eq!(locals.find(peer(1)), None);
        assert_eq!(locals.find(peer(2)), Some(local(3)));
    }

    #[test]
    fn a_burst_that_is_sent_in_the_middle_keeps_its_address() {
        let mut locals = LocalAddresses::new();
        assert_eq!(locals.note(peer(1), local(2)), Noted::Done);
        locals.all_sent();
        assert_eq!(locals.note(peer(1), local(2)), Noted::Done);
        assert_eq!(locals.note(peer(1), local(3)), Noted::SendFirst);
    }

    #[test]
    fn a_peer_that_waits_for_a_reply_keeps_its_place() {
        let mut locals = LocalAddresses::new();
        let start = |peer: &SocketAddr| places(*peer).next();
        let same = |other: &SocketAddr| start(other) == start(&peer(0));
        let peers: Vec<_> = (0..=u16::MAX).map(peer).filter(same).take(PROBES_MAX + 1).collect();
        let (newcomer, others) = peers.split_last().expect("there are some");
        assert_eq!(others.len(), PROBES_MAX);
        for other in others {
            assert_eq!(locals.note(*other, local(2)), Noted::Done);
        }
        assert_eq!(locals.note(*newcomer, local(3)), Noted::SendFirst);
        assert!(others.iter().all(|other| locals.find(*other).is_some()));
        locals.all_sent();
        assert_eq!(locals.note(*newcomer, local(3)), Noted::Displaced);
        assert_eq!((locals.find(others[0]), locals.find(*newcomer)), (None, Some(local(3))));
    }

    #[test]
    fn the_peers_of_a_batch_are_all_remembered_however_many_came_before() {
        let mut locals = LocalAddresses::new();
        for number in 0..60_000 {
            assert_ne!(locals.note(peer(number), local(2)), Noted::SendFirst, "no room in a turn");
            if number % 512 == 511 {
                locals.all_sent();
            }
            let turn = number.saturating_sub(511)..=number;
            if number % 5000 == 4999 {
                let found = turn.filter(|&number| locals.find(peer(number)).is_some());
                assert_eq!(found.count(), 512);
            }
        }
        assert_eq!(locals.places.len(), PEERS_MAX);
    }
}

//! Attackers on hosts of their own: so many hosts, each with so many ids, in so many subnets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::peers::{PeerIndex, address_of, peer_at};

/// A host that takes part in nothing, and is named by attackers.
pub(crate) const VICTIM: IpAddr = IpAddr::V4(Ipv4Addr::new(112, 0, 0, 1));

/// Attackers: peers from `first` on, host by host, each at a port of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crowd {
    pub(crate) first: u32,
    pub(crate) hosts: u32,
    /// Of each host.
    pub(crate) ids: u32,
    /// Hosts are dealt to them by turns.
    pub(crate) subnets: u32,
}

const NETWORK: u32 = 96 << 24;
const NETWORK_MASK: u32 = 0xff00_0000;
const PORT: u32 = 10_000;

impl Crowd {
    pub(crate) const fn count(self) -> u32 {
        self.hosts * self.ids
    }

    pub(crate) fn contains(self, peer: PeerIndex) -> bool {
        peer.0.checked_sub(self.first).is_some_and(|place| place < self.count())
    }

    /// The address of a peer, of the crowd or not.
    pub(crate) fn address_of(self, peer: PeerIndex) -> SocketAddr {
        if !self.contains(peer) {
            return address_of(peer);
        }
        let place = peer.0 - self.first;
        let (host, port) = (place / self.ids, PORT + place % self.ids);
        let ip = NETWORK | (host % self.subnets) << 8 | (1 + host / self.subnets);
        SocketAddr::from((Ipv4Addr::from_bits(ip), port as u16))
    }

    /// The peer that may live at `address`, where one may.
    pub(crate) fn peer_at(self, address: SocketAddr) -> Option<PeerIndex> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let ip = ip.to_bits();
        if self.count() == 0 || ip & NETWORK_MASK != NETWORK {
            return peer_at(address);
        }
        let (subnet, number) = ((ip & !NETWORK_MASK) >> 8, (ip & 0xff).checked_sub(1)?);
        let host = number * self.subnets + subnet;
        let port = u32::from(address.port()).checked_sub(PORT)?;
        let is_there = subnet < self.subnets && host < self.hosts && port < self.ids;
        is_there.then_some(PeerIndex(self.first + host * self.ids + port))
    }
}

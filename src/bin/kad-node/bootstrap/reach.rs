//! Which addresses a node can send to, given the address that it is bound to.

use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use kad_node::driver::canonical;
use kad_node::wire;
use udp::Families;

use crate::launch;

/// Port used in the examples of remedies.
const PORT_SHOWN: u16 = 9001;

/// The addresses that a socket can send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    bound: SocketAddr,
}

/// Why a datagram can never reach an address. Its text includes the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The address is unspecified, multicast or broadcast: no single node has it.
    NotOneNode,
    /// The address is link-local and names no interface.
    NoInterface,
    /// The socket does not support the peer's address family.
    Family { bound: SocketAddr, peer: SocketAddr },
    /// The socket is bound to loopback, and the peer is on another host.
    Loopback { bound: SocketAddr, peer: SocketAddr },
}

impl Reach {
    /// The reach of a socket bound to `bound`.
    pub(crate) fn of(bound: SocketAddr) -> Self {
        Self { bound: canonical(bound) }
    }

    /// Why a datagram can never reach `peer`, or `None` when it may.
    pub(crate) fn obstacle(self, peer: SocketAddr) -> Option<Obstacle> {
        let bound = self.bound;
        let has_family = Families::of(bound).include(peer.ip());
        if !is_of_one_node(peer.ip()) {
            Some(Obstacle::NotOneNode)
        } else if lacks_interface(peer) {
            Some(Obstacle::NoInterface)
        } else if !has_family {
            Some(Obstacle::Family { bound, peer })
        } else if bound.ip().is_loopback() && !peer.ip().is_loopback() && !is_local(peer.ip()) {
            Some(Obstacle::Loopback { bound, peer })
        } else {
            None
        }
    }

    /// Those of `peers` that a datagram may reach.
    pub(crate) fn filter(self, mut peers: Vec<SocketAddr>) -> Vec<SocketAddr> {
        peers.retain(|peer| self.obstacle(*peer).is_none());
        peers
    }

    /// Whether `peer` is the socket's own address.
    pub(crate) fn is_own(self, peer: SocketAddr) -> bool {
        let bound = self.bound;
        peer == bound
            || (bound.ip().is_unspecified() && peer.port() == bound.port() && is_local(peer.ip()))
    }

    /// The address to bind another socket to, so that it too reaches `peer`.
    pub(crate) fn beside(self, peer: SocketAddr) -> SocketAddr {
        if self.bound.ip().is_unspecified() {
            return launch::any_like(peer);
        }
        let mut beside = self.bound;
        beside.set_port(0);
        beside
    }
}

fn is_of_one_node(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !wire::is_of_many(ip)
}

fn lacks_interface(peer: SocketAddr) -> bool {
    let SocketAddr::V6(peer) = peer else { return false };
    peer.ip().is_unicast_link_local() && peer.scope_id() == 0
}

/// Whether `ip` belongs to this host: the kernel binds no other.
fn is_local(ip: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok()
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotOneNode => {
                f.write_str("no single node has this address: give the address of one node")
            }
            Self::NoInterface => write!(
                f,
                "a link-local address needs its interface: add it, as in \
                 [fe80::1%eth0]:{PORT_SHOWN}"
            ),
            Self::Family { bound, peer } => {
                let family = if peer.is_ipv4() { "IPv4" } else { "IPv6" };
                let port = bound.port();
                write!(f, "--listen {bound} has no {family}: listen on [::]:{port}, which has both")
            }
            Self::Loopback { bound, peer } => {
                let mut listen = launch::any_like(peer);
                listen.set_port(bound.port());
                write!(f, "--listen {bound} reaches only this host: listen on {listen}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_unreachable_address_is_reported_with_the_remedy() {
        // 192.0.2.0/24 and 2001:db8::/32 are reserved for documentation: no host has them.
        for (bound, peer, remedy) in [
            ("127.0.0.1:9001", "192.0.2.1:9001", "listen on 0.0.0.0:9001"),
            ("127.0.0.1:9001", "0.0.0.0:9001", "give the address of one node"),
            ("127.0.0.1:9001", "[::1]:9001", "listen on [::]:9001"),
            ("0.0.0.0:9001", "[2001:db8::1]:9001", "listen on [::]:9001"),
            ("0.0.0.0:9001", "224.0.0.1:9001", "give the address of one node"),
            ("0.0.0.0:9001", "255.255.255.255:9001", "give the address of one node"),
            ("[::1]:9001", "[2001:db8::1]:9001", "listen on [::]:9001"),
            ("[::1]:9001", "127.0.0.1:9001", "listen on [::]:9001"),
            ("[::]:9001", "[fe80::1]:9001", "[fe80::1%eth0]:9001"),
            ("[::ffff:127.0.0.1]:9001", "192.0.2.1:9001", "--listen 127.0.0.1:9001 reaches"),
        ] {
            let obstacle = Reach::of(addr(bound)).obstacle(addr(peer));
            let said = obstacle.unwrap_or_else(|| panic!("{bound} to {peer}")).to_string();
            assert!(said.contains(remedy), "{bound} to {peer}: {said}");
        }
    }

    #[test]
    fn an_address_that_may_be_reached_has_no_obstacle() {
        for (bound, peer) in [
            ("127.0.0.1:9001", "127.0.0.2:9001"),
            ("0.0.0.0:9001", "192.0.2.1:9001"),
            ("0.0.0.0:9001", "127.0.0.1:9002"),
            ("[::]:9001", "192.0.2.1:9001"),
            ("[::]:9001", "[2001:db8::1]:9001"),
            ("[::]:9001", "[fe80::1%3]:9001"),
            ("192.0.2.7:9001", "127.0.0.1:9001"),
        ] {
            assert_eq!(Reach::of(addr(bound)).obstacle(addr(peer)), None, "{bound} to {peer}");
        }
    }

    #[test]
    fn a_node_knows_its_own_address() {
        let own = |bound: &str, peer: &str| Reach::of(addr(bound)).is_own(addr(peer));
        assert!(own("127.0.0.1:9001", "127.0.0.1:9001"));
        assert!(own("0.0.0.0:9001", "127.0.0.1:9001"));
        assert!(!own("127.0.0.1:9001", "127.0.0.1:9002"));
        assert!(!own("127.0.0.1:9001", "127.0.0.2:9001"));
        assert!(!own("0.0.0.0:9001", "127.0.0.1:9002"));
        assert!(!own("0.0.0.0:9001", "192.0.2.1:9001"));
    }
}

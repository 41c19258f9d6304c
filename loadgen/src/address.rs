//! Addresses: their one form, and what a socket of a family reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The one form of an address: an IPv4 one that is written as an IPv6 one is the former.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address, // with its scope
        ip => SocketAddr::new(ip, address.port()),
    }
}

/// What a socket reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6, and IPv4 by mapped addresses.
    V6,
}

impl Family {
    /// The one that reaches all of `targets`.
    pub fn of(targets: &[SocketAddr]) -> Self {
        if targets.iter().all(SocketAddr::is_ipv4) { Self::V4 } else { Self::V6 }
    }

    /// The address of every interface.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    /// `destination` as a socket of this family takes it.
    pub fn reached(self, destination: SocketAddr) -> SocketAddr {
        match (self, destination) {
            (Self::V6, SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => destination,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect(text)
    }

    #[test]
    fn an_ipv4_address_has_one_form() {
        let mapped = address("[::ffff:127.0.0.1]:9002");
        assert_eq!(canonical(mapped), address("127.0.0.1:9002"));
        assert_eq!(canonical(address("[::1]:9002")), address("[::1]:9002"));
        assert_eq!(canonical(address("[fe80::1%3]:9002")), address("[fe80::1%3]:9002"));
    }

    #[test]
    fn a_socket_for_both_families_takes_ipv4_addresses_as_ipv6_ones() {
        let (v4, v6) = (address("127.0.0.1:1"), address("[::1]:1"));
        assert_eq!(Family::of(&[v4]).reached(v4), v4);
        let both = Family::of(&[v4, v6]);
        assert_eq!((both.reached(v4), both.reached(v6)), (address("[::ffff:127.0.0.1]:1"), v6));
        assert_eq!(canonical(both.reached(v4)), v4);
    }
}

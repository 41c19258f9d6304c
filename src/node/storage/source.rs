//! The senders that have values stored.

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv6Addr};

/// The sender that had a value stored: the unit of fairness. Of an IPv6 address the first
/// 64 bits count, for one host has all the others to choose from; of one that
/// stands for an IPv4 address, as a socket of both families has it, that address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// This node itself: copies of what it was asked to find.
    Own,
    Peer(IpAddr),
}

impl Source {
    pub(crate) fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip @ IpAddr::V4(_) => Self::Peer(ip),
            IpAddr::V6(ip) => {
                let network = u128::from(ip) >> 64 << 64;
                Self::Peer(IpAddr::V6(Ipv6Addr::from(network)))
            }
        }
    }

    pub(super) const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Own => None,
            Self::Peer(ip) => Some(ip),
        }
    }
}

impl Hash for Source {
    /// By words, as [`Keyed`](super::keyed::Keyed) expects it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Own => state.write_u64(0),
            Self::Peer(IpAddr::V4(ip)) => state.write_u64(1 << 32 | u64::from(ip.to_bits())),
            Self::Peer(IpAddr::V6(ip)) => {
                state.write_u64((ip.to_bits() >> 64) as u64);
                state.write_u64(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_one_source_whatever_its_address_looks_like() {
        let of = |text: &str| Source::of_ip(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"), "as a socket of both families says it");
        assert_ne!(of("::ffff:192.0.2.1"), of("::ffff:192.0.2.2"));
    }
}

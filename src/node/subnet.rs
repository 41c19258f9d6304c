//! Subnets: the addresses that one party is likely to hold together.

use core::net::IpAddr;

/// The first 24 bits of an IPv4 address, or the first 48 of an IPv6 address: what a
/// provider gives one customer at little cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subnet(u64);

/// Tells the subnets of one family from those of the other.
const IPV6: u64 = 1 << 48;

impl Subnet {
    pub(crate) const fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self((ip.to_bits() >> 8) as u64),
            IpAddr::V6(ip) => Self((ip.to_bits() >> 80) as u64 | IPV6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ip: &str) -> Subnet {
        Subnet::of(ip.parse().expect("an address"))
    }

    #[test]
    fn a_subnet_is_24_bits_of_ipv4_and_48_of_ipv6() {
        assert_eq!(of("192.0.2.1"), of("192.0.2.255"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1::1"), of("2001:db8:1:ffff::2"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.9"), "the same in IPv6 form");
        assert_ne!(of("0.0.1.1"), of("0:0:1::"), "the families are apart");
    }
}

//! Subnets: the addresses that one party is likely to hold together.

use core::net::IpAddr;
use core::num::NonZeroU64;

use crate::limits::{PEERS_PER_SUBNET, SUBNET_BUCKETS};

/// The first 24 bits of an IPv4 address, or the first 48 of an IPv6 address: what a
/// provider gives one customer at little cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Subnet(NonZeroU64);

/// Tell the subnets of one family from those of the other, and make each a number that is not
/// zero: so no subnet takes as many bytes as any.
const IPV4: u64 = 1 << 48;
const IPV6: u64 = 1 << 49;

impl Subnet {
    pub(crate) const fn of(ip: IpAddr) -> Self {
        let bits = match ip.to_canonical() {
            IpAddr::V4(ip) => (ip.to_bits() >> 8) as u64 | IPV4,
            IpAddr::V6(ip) => (ip.to_bits() >> 80) as u64 | IPV6,
        };
        Self(NonZeroU64::new(bits).expect("it is of a family"))
    }

    /// Into which of so many cells, a power of two, it falls: neighbouring subnets into
    /// different ones.
    pub(crate) const fn cell(self, cells: usize) -> usize {
        let bits = self.0.get();
        (bits ^ bits >> 8 ^ bits >> 16 ^ bits >> 32) as usize & (cells - 1)
    }
}

/// How many peers of one subnet count, where it matters that peers are of many parties.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubnetLimit {
    /// Contacts in one bucket, and among the K that a lookup ends with.
    pub(crate) in_bucket: usize,
    /// Contacts in the whole table.
    pub(crate) in_table: usize,
    counts_private: bool,
}

impl SubnetLimit {
    /// The limit that the user has set, for addresses of all kinds; or
    /// [`PEERS_PER_SUBNET`], for those that the whole Internet may reach: a host
    /// of a private network has all the addresses it wants.
    pub(crate) const fn new(set: Option<usize>) -> Self {
        let (in_bucket, counts_private) = match set {
            Some(most) => (most, true),
            None => (PEERS_PER_SUBNET, false),
        };
        let in_table = in_bucket.saturating_mul(SUBNET_BUCKETS);
        Self { in_bucket, in_table, counts_private }
    }

    /// The subnet in which a peer at `ip` counts, where it counts.
    pub(crate) fn subnet(self, ip: IpAddr) -> Option<Subnet> {
        (self.counts_private || !is_private(ip)).then(|| Subnet::of(ip))
    }
}

/// Whether an address is of this host, of its link or of a private network.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ip: &str) -> Subnet {
        Subnet::of(ip.parse().expect("an address"))
    }

    #[test]
    fn private_addresses_count_only_where_the_user_has_set_the_limit() {
        let private = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.0.1", "::1", "fd00::1"];
        for ip in private.map(|ip| ip.parse().expect("an address")) {
            assert_eq!(SubnetLimit::new(None).subnet(ip), None, "{ip}");
            assert_eq!(SubnetLimit::new(Some(3)).subnet(ip), Some(Subnet::of(ip)), "{ip}");
        }
        let public = "192.0.2.1".parse().expect("an address");
        assert_eq!(SubnetLimit::new(None).subnet(public), Some(Subnet::of(public)));
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

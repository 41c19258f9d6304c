//! A contact as the routing table keeps it: in 38 bytes rather than 52, since a
//! node keeps hundreds of them and reads their ids for every request.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::id::Id;
use crate::node::subnet::Subnet;
use crate::wire::Contact;

/// An address: an IPv4 one as the IPv6 address that stands for it (RFC 4291,
/// 2.5.5.2), which is never a peer's own. The scope of a link-local one stands in
/// bytes 4 to 7, which are zero in every such address (RFC 4291, 2.5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompactAddr {
    ip: [u8; 16],
    port: [u8; 2],
}

/// What precedes an IPv4 address in the IPv6 address that stands for it.
const MAPPED: u128 = 0xffff;

impl CompactAddr {
    pub(crate) const fn new(addr: SocketAddr) -> Self {
        let ip = match addr {
            SocketAddr::V4(addr) => addr.ip().to_ipv6_mapped().octets(),
            SocketAddr::V6(addr) => {
                let mut ip = addr.ip().octets();
                if addr.ip().is_unicast_link_local() {
                    [ip[4], ip[5], ip[6], ip[7]] = addr.scope_id().to_be_bytes();
                }
                ip
            }
        };
        Self { ip, port: addr.port().to_be_bytes() }
    }

    /// The subnet that it is of. Of an IPv4 address it is read as it stands: a table counts
    /// those of all its contacts for each answer that comes from no contact.
    pub(crate) const fn subnet(self) -> Subnet {
        let bits = u128::from_be_bytes(self.ip);
        if bits >> 32 == MAPPED {
            return Subnet::of(IpAddr::V4(Ipv4Addr::from_bits(bits as u32)));
        }
        match self.addr() {
            SocketAddr::V4(addr) => Subnet::of(IpAddr::V4(*addr.ip())),
            SocketAddr::V6(addr) => Subnet::of(IpAddr::V6(*addr.ip())),
        }
    }

    pub(crate) const fn addr(self) -> SocketAddr {
        let port = u16::from_be_bytes(self.port);
        let bits = u128::from_be_bytes(self.ip);
        if bits >> 32 == MAPPED {
            return SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(bits as u32)), port);
        }
        let mut ip = self.ip;
        let mut scope = 0;
        if Ipv6Addr::from_octets(ip).is_unicast_link_local() {
            scope = u32::from_be_bytes([ip[4], ip[5], ip[6], ip[7]]);
            [ip[4], ip[5], ip[6], ip[7]] = [0; 4];
        }
        SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from_octets(ip), port, 0, scope))
    }
}

/// A contact with such an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompactContact {
    pub(crate) id: Id,
    pub(crate) addr: CompactAddr,
}

impl CompactContact {
    pub(crate) const fn new(contact: Contact) -> Self {
        Self { id: contact.id, addr: CompactAddr::new(contact.addr) }
    }

    pub(crate) const fn contact(self) -> Contact {
        Contact { id: self.id, addr: self.addr.addr() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Addresses of all kinds that a peer may have, mapped ones aside: the driver
    /// and the wire format turn those into IPv4.
    fn addrs() -> impl Strategy<Value = SocketAddr> {
        let link_local =
            (any::<u64>(), any::<u16>(), any::<u32>()).prop_map(|(host, port, scope)| {
                let ip = Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(host));
                SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope))
            });
        let is_link_local = |ip: &IpAddr| match ip {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let any_ip = any::<IpAddr>().prop_map(|ip| ip.to_canonical());
        let elsewhere = any_ip
            .prop_filter("made above, with the zeros that it has", move |ip| !is_link_local(ip));
        let elsewhere = (elsewhere, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port));
        prop_oneof![link_local, elsewhere]
    }

    proptest! {
        #[test]
        fn a_contact_comes_back_as_it_was(addr in addrs(), other in addrs(), id: [u8; 20]) {
            let contact = Contact { id: Id::new(id), addr };
            prop_assert_eq!(CompactContact::new(contact).contact(), contact);
            prop_assert_eq!(CompactAddr::new(addr) == CompactAddr::new(other), addr == other);
            prop_assert_eq!(CompactAddr::new(addr).subnet(), Subnet::of(addr.ip()));
        }
    }
}

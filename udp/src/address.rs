//! Addresses as the kernel writes them (`sockaddr_in`, `sockaddr_in6`), read and
//! written by the byte.
//!
//! Every IPv4 peer has an IPv4 address, whatever the socket: an IPv6 socket bound to
//! `[::]` receives from IPv4 peers under IPv4-mapped addresses (RFC 4291, 2.5.5.2), which
//! are translated here in both directions, so that a reply's source equals the address
//! that was asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Bytes of a `sockaddr_in`.
const ADDRESS_V4_BYTES: usize = size_of::<libc::sockaddr_in>();
/// Bytes of a `sockaddr_in6`, the larger of the two.
pub const ADDRESS_BYTES_MAX: usize = size_of::<libc::sockaddr_in6>();

const FAMILY_V4: u16 = libc::AF_INET as u16;
const FAMILY_V6: u16 = libc::AF_INET6 as u16;

// family 2, port 2, then for IPv4 address 4 and zeros 8, for IPv6 flow 4,
// address 16, scope 4.
const _: () = assert!(ADDRESS_V4_BYTES == 16 && ADDRESS_BYTES_MAX == 28);

/// The address families that a socket can send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both: an IPv6 socket that takes IPv4 peers as mapped addresses.
    Dual,
}

impl Families {
    /// Those of a socket that is bound to `listen`: the unspecified IPv6 address takes IPv4
    /// peers as well.
    pub const fn of(listen: SocketAddr) -> Self {
        match listen {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(address) if address.ip().is_unspecified() => Self::Dual,
            SocketAddr::V6(_) => Self::V6,
        }
    }

    /// Whether the socket can send to `ip`.
    pub const fn include(self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(_) => !matches!(self, Self::V6),
            IpAddr::V6(_) => !matches!(self, Self::V4),
        }
    }
}

/// A socket address as the kernel takes it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4))]
pub(crate) struct RawAddress {
    bytes: [u8; ADDRESS_BYTES_MAX],
    length: usize,
}

impl RawAddress {
    /// Room for the kernel to write any address into.
    pub(crate) const ROOM: Self = Self { bytes: [0; ADDRESS_BYTES_MAX], length: ADDRESS_BYTES_MAX };

    /// The address of `destination` for a socket of these families; none where such
    /// a socket cannot send there.
    pub(crate) fn new(families: Families, destination: SocketAddr) -> Option<Self> {
        let ip = destination.ip().to_canonical();
        match (families, ip) {
            (Families::V4, IpAddr::V4(ip)) => Some(Self::v4(ip, destination.port())),
            (Families::Dual, IpAddr::V4(ip)) => {
                Some(Self::v6(ip.to_ipv6_mapped(), destination.port(), 0))
            }
            (Families::V6 | Families::Dual, IpAddr::V6(ip)) => {
                let scope = match destination {
                    SocketAddr::V6(destination) => destination.scope_id(),
                    SocketAddr::V4(_) => 0,
                };
                Some(Self::v6(ip, destination.port(), scope))
            }
            (Families::V4, IpAddr::V6(_)) | (Families::V6, IpAddr::V4(_)) => None,
        }
    }

    fn v4(ip: Ipv4Addr, port: u16) -> Self {
        let mut bytes = [0; ADDRESS_BYTES_MAX];
        bytes[..2].copy_from_slice(&FAMILY_V4.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[4..8].copy_from_slice(&ip.octets());
        Self { bytes, length: ADDRESS_V4_BYTES }
    }

    fn v6(ip: Ipv6Addr, port: u16, scope: u32) -> Self {
        let mut bytes = [0; ADDRESS_BYTES_MAX];
        bytes[..2].copy_from_slice(&FAMILY_V6.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[8..24].copy_from_slice(&ip.octets());
        bytes[24..28].copy_from_slice(&scope.to_ne_bytes());
        Self { bytes, length: ADDRESS_BYTES_MAX }
    }

    /// Where the kernel reads the address.
    pub(crate) fn as_ptr(&self) -> *const libc::c_void {
        self.bytes.as_ptr().cast()
    }

    /// Where the kernel writes the address.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.bytes.as_mut_ptr().cast()
    }

    /// Bytes of the address.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// The address in the first `length` bytes, which the kernel has written.
    pub(crate) fn parse(&self, length: usize) -> Option<SocketAddr> {
        parse_address(&self.bytes[..length.min(ADDRESS_BYTES_MAX)])
    }
}

/// The address that the kernel wrote, IPv4 where it is an IPv4-mapped one; none
/// where it is of another family or too short.
#[must_use]
pub fn parse_address(raw: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*raw.first_chunk()?);
    let port = u16::from_be_bytes(*raw.get(2..)?.first_chunk()?);
    match family {
        FAMILY_V4 => {
            let ip = Ipv4Addr::from(*raw.get(4..)?.first_chunk::<4>()?);
            Some(SocketAddr::from((ip, port)))
        }
        FAMILY_V6 => {
            let ip = Ipv6Addr::from(*raw.get(8..)?.first_chunk::<16>()?);
            let scope = u32::from_ne_bytes(*raw.get(24..)?.first_chunk()?);
            Some(canonical(SocketAddrV6::new(ip, port, 0, scope).into()))
        }
        _ => None,
    }
}

/// The form of `address` that a peer is known by: IPv4 where it is IPv4-mapped, and
/// without a flow label.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match (address.ip().to_canonical(), address) {
        (IpAddr::V6(ip), SocketAddr::V6(address)) => {
            // The flow label is no part of a peer's identity.
            SocketAddrV6::new(ip, address.port(), 0, address.scope_id()).into()
        }
        (ip, _) => SocketAddr::new(ip, address.port()),
    }
}

/// The bits of an address, for a table of hosts to mix.
pub(crate) const fn bits(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits() as u64,
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            (bits >> 64) as u64 ^ bits as u64
        }
    }
}

/// Fibonacci hashing: 2^64 divided by the golden ratio. The upper bits are the mixed ones.
pub(crate) const fn mix(bits: u64) -> u64 {
    bits.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(families: Families, text: &str) -> Option<SocketAddr> {
        let raw = RawAddress::new(families, text.parse().expect("an address"))?;
        raw.parse(raw.length())
    }

    #[test]
    fn an_address_survives_the_way_to_the_kernel_and_back() {
        for (families, text) in [
            (Families::V4, "192.0.2.1:9001"),
            (Families::V6, "[2001:db8::1]:9001"),
            (Families::V6, "[fe80::1%3]:9001"),
            (Families::Dual, "[2001:db8::1]:9001"),
            (Families::Dual, "192.0.2.1:9001"),
        ] {
            assert_eq!(there_and_back(families, text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn a_mapped_address_is_an_ipv4_address() {
        for families in [Families::V4, Families::Dual] {
            let back = there_and_back(families, "[::ffff:192.0.2.1]:9001");
            assert_eq!(back, "192.0.2.1:9001".parse().ok());
        }
    }

    #[test]
    fn an_address_of_the_other_family_is_out_of_reach() {
        assert_eq!(there_and_back(Families::V4, "[2001:db8::1]:1"), None);
        assert_eq!(there_and_back(Families::V6, "192.0.2.1:1"), None);
    }

    #[test]
    fn what_is_no_ip_address_is_not_read() {
        let raw = RawAddress::new(Families::V6, "[2001:db8::1]:1".parse().expect("an address"));
        let raw = raw.expect("the socket reaches it");
        for length in 0..ADDRESS_BYTES_MAX {
            assert_eq!(raw.parse(length), None, "{length} bytes");
        }
        assert_eq!(parse_address(&[0; ADDRESS_BYTES_MAX]), None);
    }
}

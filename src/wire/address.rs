//! Contacts and addresses, and their bytes.
//!
//! An IPv4 address has one form here: a node that listens on an IPv6 socket for
//! both families sees IPv4 peers as `::ffff:a.b.c.d`, and what it told others
//! about them would otherwise be no use to a node without IPv6, and would be a
//! second contact to all others.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::CONTACT_BYTES_MAX;
use super::bytes::{DecodeError, Reader, Writer};
use crate::id::Id;

const FAMILY_V4: u8 = 4;
const FAMILY_V6: u8 = 6;

/// A node as others know it: Kademlia's triple of IP address, port and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contact {
    /// The node's id.
    pub id: Id,
    /// Where it receives.
    pub addr: SocketAddr,
}

/// Whether a datagram to `addr` can reach one node: not without a port, not an
/// unspecified, multicast or broadcast address, in IPv6 form either.
pub const fn is_reachable(addr: SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    !is_of_many(ip) && !ip.is_unspecified() && !is_link_local && addr.port() != 0
}

/// Whether it is the address of no single host: multicast or broadcast.
pub const fn is_of_many(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

/// Bytes of a contact at `addr`.
pub(super) const fn contact_bytes(addr: SocketAddr) -> usize {
    match addr.ip().to_canonical() {
        IpAddr::V4(_) => CONTACT_BYTES_MAX - 16 + 4,
        IpAddr::V6(_) => CONTACT_BYTES_MAX,
    }
}

/// Writes a contact in one piece: twenty of them are most of a NODES reply's
/// encoding, and each piece is checked against the buffer's end.
pub(super) fn write_contact(writer: &mut Writer<'_>, contact: Contact) {
    let [high, low] = contact.addr.port().to_be_bytes();
    match contact.addr.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let mut bytes = [0; CONTACT_BYTES_MAX - 16 + 4];
            bytes[0] = FAMILY_V4;
            bytes[1..21].copy_from_slice(&contact.id.to_bytes());
            bytes[21..25].copy_from_slice(&ip.octets());
            bytes[25..].copy_from_slice(&[high, low]);
            writer.bytes(&bytes);
        }
        IpAddr::V6(ip) => {
            let mut bytes = [0; CONTACT_BYTES_MAX];
            bytes[0] = FAMILY_V6;
            bytes[1..21].copy_from_slice(&contact.id.to_bytes());
            bytes[21..37].copy_from_slice(&ip.octets());
            bytes[37..].copy_from_slice(&[high, low]);
            writer.bytes(&bytes);
        }
    }
}

pub(super) fn read_contact(reader: &mut Reader<'_>) -> Result<Contact, DecodeError> {
    let family = reader.u8()?;
    let id = Id::new(reader.array()?);
    let addr = read_ip_and_port(reader, family)?;
    Ok(Contact { id, addr })
}

pub(super) fn write_address(writer: &mut Writer<'_>, addr: SocketAddr) {
    writer.u8(family(addr));
    write_ip_and_port(writer, addr);
}

pub(super) fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    let family = reader.u8()?;
    read_ip_and_port(reader, family)
}

const fn family(addr: SocketAddr) -> u8 {
    match addr.ip().to_canonical() {
        IpAddr::V4(_) => FAMILY_V4,
        IpAddr::V6(_) => FAMILY_V6,
    }
}

fn write_ip_and_port(writer: &mut Writer<'_>, addr: SocketAddr) {
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => writer.bytes(&ip.octets()),
        IpAddr::V6(ip) => writer.bytes(&ip.octets()),
    }
    writer.bytes(&addr.port().to_be_bytes());
}

fn read_ip_and_port(reader: &mut Reader<'_>, family: u8) -> Result<SocketAddr, DecodeError> {
    let ip = match family {
        FAMILY_V4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?)),
        FAMILY_V6 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?)),
        _ => return Err(DecodeError::Address),
    };
    Ok(SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(reader.array()?)))
}

//! Control messages (`cmsg(3)`): what is told of a message beside its bytes.
//!
//! On the way out the length of a message's segments (`UDP_SEGMENT`), and the
//! address that it leaves from; on the way in the length (`UDP_GRO`), and the address that
//! it came to. Read and written by the byte, since the kernel aligns them to nothing where
//! a ring brings them.

use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::{c_int, cmsghdr};

use crate::address::Families;

const HEADER_BYTES: usize = size_of::<cmsghdr>();
const LENGTH_BYTES: usize = size_of::<usize>();
const PKTINFO_V4_BYTES: usize = size_of::<libc::in_pktinfo>();
const PKTINFO_V6_BYTES: usize = size_of::<libc::in6_pktinfo>();
/// Bytes of the message that tells a length.
pub(crate) const SEGMENT_BYTES: usize = space(size_of::<c_int>());
/// Bytes of all messages that are known here.
pub(crate) const CONTROL_BYTES_MAX: usize = SEGMENT_BYTES + space(PKTINFO_V6_BYTES);

const _: () = assert!(HEADER_BYTES.is_multiple_of(align_of::<cmsghdr>()));
const _: () = assert!(size_of::<c_int>() == 4 && align_of::<cmsghdr>() <= align_of::<Control>());
const _: () = assert!(PKTINFO_V4_BYTES == 12 && PKTINFO_V6_BYTES == 20);

/// Bytes of a message with a payload of so many (`CMSG_SPACE`).
const fn space(payload_bytes: usize) -> usize {
    (HEADER_BYTES + payload_bytes).next_multiple_of(LENGTH_BYTES)
}

/// Control messages, or room for them.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Control {
    bytes: [u8; CONTROL_BYTES_MAX],
    length: usize,
}

impl Control {
    /// None, or room for the kernel to write some into.
    pub(crate) const EMPTY: Self = Self { bytes: [0; CONTROL_BYTES_MAX], length: 0 };

    /// Makes the kernel split the message into datagrams of so many bytes.
    pub(crate) fn segment(mut self, segment_bytes: u16) -> Self {
        self.push(libc::SOL_UDP, libc::UDP_SEGMENT, &segment_bytes.to_ne_bytes());
        self
    }

    /// Makes the message leave from `local`, by a socket of these families (`ip(7)`, `ipv6(7)`).
    pub(crate) fn source(mut self, families: Families, local: IpAddr) -> Self {
        match (families, local) {
            (Families::V4, IpAddr::V4(local)) => {
                let mut payload = [0; PKTINFO_V4_BYTES];
                payload[offset_of!(libc::in_pktinfo, ipi_spec_dst)..][..4]
                    .copy_from_slice(&local.octets());
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &payload);
            }
            (Families::V6 | Families::Dual, local) => {
                let local = match local {
                    IpAddr::V4(local) => local.to_ipv6_mapped(),
                    IpAddr::V6(local) => local,
                };
                let mut payload = [0; PKTINFO_V6_BYTES];
                payload[offset_of!(libc::in6_pktinfo, ipi6_addr)..][..16]
                    .copy_from_slice(&local.octets());
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &payload);
            }
            (Families::V4, IpAddr::V6(_)) => {}
        }
        self
    }

    fn push(&mut self, level: c_int, kind: c_int, payload: &[u8]) {
        let message = &mut self.bytes[self.length..];
        let mut put = |at: usize, field: &[u8]| message[at..][..field.len()].copy_from_slice(field);
        put(offset_of!(cmsghdr, cmsg_len), &(HEADER_BYTES + payload.len()).to_ne_bytes());
        put(offset_of!(cmsghdr, cmsg_level), &level.to_ne_bytes());
        put(offset_of!(cmsghdr, cmsg_type), &kind.to_ne_bytes());
        put(HEADER_BYTES, payload);
        self.length += space(payload.len());
    }

    /// What the kernel tells in the first `length` bytes, which it has written.
    pub(crate) fn parse(&self, length: usize) -> ControlData {
        parse_control(&self.bytes[..length.min(CONTROL_BYTES_MAX)])
    }

    /// Bytes of the messages in it.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// Where the kernel reads or writes them.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.bytes.as_mut_ptr().cast()
    }
}

/// What the kernel tells of a message that it has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlData {
    /// Bytes of each segment but the last; none where it is one datagram.
    pub segment_bytes: Option<usize>,
    /// The address that it came to, IPv4 where it is an IPv4-mapped one; none where that
    /// is not told, or is no address to answer from.
    pub local: Option<IpAddr>,
}

/// Reads received control messages. Those of another kind are passed over.
#[must_use]
pub fn parse_control(control: &[u8]) -> ControlData {
    let mut told = ControlData::default();
    let mut rest = control;
    while let Some((message, kind, payload)) = first(rest) {
        match kind {
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let number = payload.first_chunk().map(|bytes| c_int::from_ne_bytes(*bytes));
                told.segment_bytes =
                    number.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // The address of ours that the kernel would answer from: of a datagram to a
                // broadcast address, the interface's own.
                let address = payload.get(offset_of!(libc::in_pktinfo, ipi_spec_dst)..);
                let address = address.and_then(|bytes| bytes.first_chunk::<4>());
                told.local = address.map(|octets| IpAddr::from(Ipv4Addr::from(*octets)));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let address = payload.get(offset_of!(libc::in6_pktinfo, ipi6_addr)..);
                let address = address.and_then(|bytes| bytes.first_chunk::<16>());
                let address = address.map(|octets| Ipv6Addr::from(*octets).to_canonical());
                told.local = address.filter(|ip| !ip.is_multicast() && !ip.is_unspecified());
            }
            _ => {}
        }
        rest = &rest[message..];
    }
    told
}

/// The first control message: how many bytes it takes, its level and type, its payload.
fn first(control: &[u8]) -> Option<(usize, (c_int, c_int), &[u8])> {
    fn field<const N: usize>(control: &[u8], at: usize) -> Option<[u8; N]> {
        control.get(at..)?.first_chunk().copied()
    }
    let length =
        usize::from_ne_bytes(field::<LENGTH_BYTES>(control, offset_of!(cmsghdr, cmsg_len))?);
    let level = c_int::from_ne_bytes(field(control, offset_of!(cmsghdr, cmsg_level))?);
    let kind = c_int::from_ne_bytes(field(control, offset_of!(cmsghdr, cmsg_type))?);
    let payload = control.get(HEADER_BYTES..length)?;
    Some((length.next_multiple_of(LENGTH_BYTES).min(control.len()), (level, kind), payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(messages: &[(c_int, c_int, &[u8])]) -> Vec<u8> {
        let mut control = Control::EMPTY;
        for (level, kind, payload) in messages {
            control.push(*level, *kind, payload);
        }
        control.bytes[..control.length()].to_vec()
    }

    #[test]
    fn a_length_and_an_address_are_read_in_either_order() {
        let length = 1200_i32.to_ne_bytes();
        let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets();
        let info: Vec<u8> = mapped.into_iter().chain([0; 4]).collect();
        let gro = (libc::SOL_UDP, libc::UDP_GRO, &length[..]);
        let pktinfo = (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info[..]);
        let told =
            ControlData { segment_bytes: Some(1200), local: Some(IpAddr::from([192, 0, 2, 1])) };
        assert_eq!(parse_control(&received(&[gro, pktinfo])), told);
        assert_eq!(parse_control(&received(&[pktinfo, gro])), told);
        let other = (libc::SOL_SOCKET, 1, &length[..]);
        assert_eq!(parse_control(&received(&[other, gro])).segment_bytes, Some(1200));
        assert_eq!(
            parse_control(&received(&[(libc::SOL_UDP, libc::UDP_GRO, &[0; 4])])),
            ControlData::default()
        );
    }

    #[test]
    fn an_address_that_is_no_source_is_none() {
        for ip in ["ff02::1", "::"] {
            let ip: Ipv6Addr = ip.parse().expect("an address");
            let info: Vec<u8> = ip.octets().into_iter().chain([0; 4]).collect();
            let message = received(&[(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info)]);
            assert_eq!(parse_control(&message).local, None, "{ip}");
        }
    }

    #[test]
    fn a_message_that_is_cut_off_tells_nothing() {
        let length = 1200_i32.to_ne_bytes();
        let message = received(&[(libc::SOL_UDP, libc::UDP_GRO, &length)]);
        for cut in 0..HEADER_BYTES + length.len() {
            assert_eq!(parse_control(&message[..cut]), ControlData::default(), "{cut} bytes");
        }
        for lying in [0, 1, HEADER_BYTES - 1, 1000, usize::MAX] {
            let mut message = message.clone();
            message[..LENGTH_BYTES].copy_from_slice(&lying.to_ne_bytes());
            assert_eq!(parse_control(&message), ControlData::default(), "a length of {lying}");
        }
    }

    #[test]
    fn a_source_is_written_as_the_socket_wants_it() {
        let v4 = IpAddr::from([127, 0, 0, 2]);
        let told = |control: Control| control.parse(control.length());
        for families in [Families::V4, Families::Dual] {
            let control = Control::EMPTY.segment(9).source(families, v4);
            assert_eq!(told(control), ControlData { segment_bytes: None, local: Some(v4) });
        }
        let v6 = "2001:db8::1".parse().expect("an address");
        assert_eq!(told(Control::EMPTY.source(Families::Dual, v6)).local, Some(v6));
        assert_eq!(Control::EMPTY.source(Families::V4, v6).length(), 0);
    }
}

//! From untrusted bytes to a [`Datagram`], or a reason why not.

use core::net::SocketAddr;

use super::address::read_address;
use super::body::kind;
use super::bytes::{DecodeError, Reader};
use super::{
    Body, Contacts, Datagram, ErrorCode, FLAG_ANNOUNCE, FLAG_CLIENT, FLAG_DEPARTING, FLAG_PROOF,
    HEADER_BYTES, MAGIC, NetworkId, Purpose, Range, Renewals, Renewed, Role, Store, Token,
    TransactionId, VERSION, Value,
};
use crate::id::Id;
use crate::limits::{DATAGRAM_BYTES_MAX, RENEWAL_BYTES, RENEWALS_MAX};

/// Reads one datagram. Never panics, whatever the bytes.
pub fn decode(bytes: &[u8]) -> Result<Datagram<'_>, DecodeError> {
    if bytes.len() > DATAGRAM_BYTES_MAX {
        return Err(DecodeError::Oversized);
    }
    check_prefix(bytes)?;
    // In one piece: each is checked against the datagram's end.
    let (header, rest) = bytes.split_first_chunk().ok_or(DecodeError::Truncated)?;
    let header: &[u8; HEADER_BYTES] = header;
    // The steer byte, 3, is the kernel's; the shard is found by what it stands for.
    let kind = header[2];
    let flags = u32::from_be_bytes(field(header, 36));
    let is_proof = flags & FLAG_PROOF != 0;
    let mut reader = Reader::new(rest);
    let announce = if flags & FLAG_ANNOUNCE == 0 { None } else { read_announce(&mut reader)? };
    Ok(Datagram {
        network: NetworkId(u32::from_be_bytes(field(header, 4))),
        transaction: TransactionId::new(field(header, 8)),
        sender: Id::new(field(header, 16)),
        role: match (flags & FLAG_CLIENT, flags & FLAG_DEPARTING) {
            (0, _) => Role::Peer,
            (_, 0) => Role::Client,
            _ => Role::Departing,
        },
        announce,
        asks_proof: is_proof && kind & kind::REPLY != 0,
        token: Token::new(field(header, 40)),
        body: read_body(&mut reader, kind, is_proof)?,
    })
}

/// Apart, for the few datagrams that have it: a part of [`decode`] it would have every
/// datagram put together an address byte by byte.
#[cold]
#[inline(never)]
fn read_announce(reader: &mut Reader<'_>) -> Result<Option<SocketAddr>, DecodeError> {
    read_address(reader).map(Some)
}

/// A kind of request that costs much more than others to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Costly {
    /// It has a value to be kept.
    Store,
    /// It names so many values to be renewed, as far as its length says.
    Renew { renewals: usize },
    /// It asks for a part of a large value.
    FindRange,
}

/// Which costly request `bytes` would be, if they are well-formed.
pub fn costly(bytes: &[u8]) -> Option<Costly> {
    match bytes.get(2) {
        Some(&kind::STORE) => Some(Costly::Store),
        Some(&kind::RENEW) => {
            // An announced address has fewer bytes than a renewal, and changes nothing.
            let renewals = bytes.len().saturating_sub(HEADER_BYTES + 1) / RENEWAL_BYTES;
            Some(Costly::Renew { renewals: renewals.clamp(1, RENEWALS_MAX) })
        }
        Some(&kind::FIND_RANGE) => Some(Costly::FindRange),
        _ => None,
    }
}

/// Whether `bytes` begin as a datagram does, as far as they go.
fn check_prefix(bytes: &[u8]) -> Result<(), DecodeError> {
    match bytes {
        [MAGIC, VERSION, ..] | [MAGIC] => Ok(()),
        [] => Err(DecodeError::Truncated),
        [MAGIC, ..] => Err(DecodeError::Version),
        _ => Err(DecodeError::Magic),
    }
}

/// `N` bytes of the header from `offset` on.
fn field<const N: usize>(header: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    *header[offset..].first_chunk().expect("the header's fields lie within it")
}

fn read_body<'a>(
    reader: &mut Reader<'a>,
    kind: u8,
    is_proof: bool,
) -> Result<Body<'a>, DecodeError> {
    Ok(match kind {
        kind::PING if is_proof => Body::Proof,
        kind::PING => Body::Ping,
        kind::FIND_NODE => Body::FindNode { target: Id::new(reader.array()?) },
        kind::FIND_VALUE => {
            Body::FindValue { key: Id::new(reader.array()?), offset: reader.u32()? }
        }
        kind::STORE => Body::Store(Store {
            key: Id::new(reader.array()?),
            offset: reader.u32()?,
            total: reader.u32()?,
            life_s: reader.u32()?,
            purpose: match reader.u8()? {
                0 => Purpose::Replica,
                1 => Purpose::Cache,
                _ => return Err(DecodeError::Code),
            },
            value: reader.value()?,
        }),
        kind::FIND_RANGE => Body::FindRange(Range {
            key: Id::new(reader.array()?),
            offset: reader.u32()?,
            length: reader.u32()?,
        }),
        kind::RENEW => Body::Renew(Renewals::read(reader)?),
        kind::PONG => Body::Pong,
        kind::NODES => Body::Nodes(Contacts::read(reader)?),
        kind::VALUE => Body::Value(Value {
            offset: reader.u32()?,
            total: reader.u32()?,
            life_s: reader.u32()?,
            value: reader.value()?,
        }),
        kind::STORED => Body::Stored,
        kind::PENDING => Body::Pending,
        kind::RENEWED => Body::Renewed(Renewed { answered: reader.u64()?, lacking: reader.u64()? }),
        kind::ERROR => Body::Error(match reader.u8()? {
            1 => ErrorCode::Token,
            2 => ErrorCode::Mismatch,
            3 => ErrorCode::TooLarge,
            4 => ErrorCode::Full,
            5 => ErrorCode::Busy,
            _ => return Err(DecodeError::Code),
        }),
        _ => return Err(DecodeError::Kind),
    })
}

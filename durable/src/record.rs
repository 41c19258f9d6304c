//! One record of a segment: its bytes.
//!
//! Numbers are big-endian.
//!
//! | bytes | field |
//! |---|---|
//! | 4 | the segment's marker |
//! | 4 | bytes of the body |
//! | 4 | CRC-32 of the marker, the length and the body |
//! | 1 | kind, the first byte of the body |
//! | | fields of the kind |
//!
//! | kind | name | fields |
//! |---|---|---|
//! | 1 | clock | folder's time in ms 8, wall clock in ms since 1970 8 |
//! | 2 | publish | key 20, date of the next publication in ms 8, value |
//! | 3 | republish | key 20, date 8 |
//! | 4 | forget | key 20 |
//! | 5 | hold | key 20, end of life in ms 8, purpose 1, source, value |
//! | 6 | renew | key 20, end of life 8, purpose 1 |
//! | 7 | evict | key 20 |
//! | 8 | contacts | each: id 20, address, port 2 |
//!
//! Purposes: 0 replica, 1 cache. A source or an address is a family 1 (0 this node, 4 or 6)
//! and an IP address of 0, 4 or 16 bytes.

use std::net::{IpAddr, SocketAddr};

use crate::limits::CONTACTS_MAX;
use crate::types::{Change, Contact, Key, Purpose};

/// Bytes before the body.
pub(crate) const HEAD_BYTES: usize = 12;

/// The body of a record, its value still in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    Clock { folder_ms: u64, wall_ms: u64 },
    Publish { key: Key, republish_ms: u64, value: &'a [u8] },
    Republish { key: Key, republish_ms: u64 },
    Forget { key: Key },
    Hold { key: Key, expires_ms: u64, purpose: Purpose, source: Option<IpAddr>, value: &'a [u8] },
    Renew { key: Key, expires_ms: u64, purpose: Purpose },
    Evict { key: Key },
    Contacts(Vec<Contact>),
}

impl<'a> From<&'a Change> for Body<'a> {
    fn from(change: &'a Change) -> Self {
        match *change {
            Change::Publish(ref published) => Self::Publish {
                key: published.key,
                republish_ms: published.republish_ms,
                value: &published.value,
            },
            Change::Republish { key, republish_ms } => Self::Republish { key, republish_ms },
            Change::Forget { key } => Self::Forget { key },
            Change::Hold(ref held) => Self::Hold {
                key: held.key,
                expires_ms: held.expires_ms,
                purpose: held.purpose,
                source: held.source,
                value: &held.value,
            },
            Change::Renew { key, expires_ms, purpose } => Self::Renew { key, expires_ms, purpose },
            Change::Evict { key } => Self::Evict { key },
            Change::Contacts(ref contacts) => {
                Self::Contacts(contacts.iter().copied().take(CONTACTS_MAX).collect())
            }
        }
    }
}

/// Appends the record of `body` to `buffer` and returns its length.
pub(crate) fn encode(body: &Body, marker: u32, buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.extend_from_slice(&marker.to_be_bytes());
    buffer.extend_from_slice(&[0; 8]);
    encode_body(body, buffer);
    let length = (buffer.len() - start - HEAD_BYTES) as u32;
    buffer[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
    let sum = checksum(&buffer[start..start + 8], &buffer[start + HEAD_BYTES..]);
    buffer[start + 8..start + HEAD_BYTES].copy_from_slice(&sum.to_be_bytes());
    buffer.len() - start
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(body);
    sum.finalize()
}

fn encode_body(body: &Body, buffer: &mut Vec<u8>) {
    let mut fields = |kind: u8, key: &Key, date: Option<u64>| {
        buffer.push(kind);
        buffer.extend_from_slice(key);
        if let Some(date) = date {
            buffer.extend_from_slice(&date.to_be_bytes());
        }
    };
    match body {
        Body::Clock { folder_ms, wall_ms } => {
            buffer.push(1);
            buffer.extend_from_slice(&folder_ms.to_be_bytes());
            buffer.extend_from_slice(&wall_ms.to_be_bytes());
        }
        Body::Publish { key, republish_ms, value } => {
            fields(2, key, Some(*republish_ms));
            buffer.extend_from_slice(value);
        }
        Body::Republish { key, republish_ms } => fields(3, key, Some(*republish_ms)),
        Body::Forget { key } => fields(4, key, None),
        Body::Hold { key, expires_ms, purpose, source, value } => {
            fields(5, key, Some(*expires_ms));
            buffer.push(purpose_byte(*purpose));
            encode_ip(*source, buffer);
            buffer.extend_from_slice(value);
        }
        Body::Renew { key, expires_ms, purpose } => {
            fields(6, key, Some(*expires_ms));
            buffer.push(purpose_byte(*purpose));
        }
        Body::Evict { key } => fields(7, key, None),
        Body::Contacts(contacts) => {
            buffer.push(8);
            for contact in contacts {
                buffer.extend_from_slice(&contact.id);
                encode_ip(Some(contact.address.ip()), buffer);
                buffer.extend_from_slice(&contact.address.port().to_be_bytes());
            }
        }
    }
}

const fn purpose_byte(purpose: Purpose) -> u8 {
    match purpose {
        Purpose::Replica => 0,
        Purpose::Cache => 1,
    }
}

fn encode_ip(ip: Option<IpAddr>, buffer: &mut Vec<u8>) {
    match ip {
        None => buffer.push(0),
        Some(IpAddr::V4(ip)) => {
            buffer.push(4);
            buffer.extend_from_slice(&ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            buffer.push(6);
            buffer.extend_from_slice(&ip.octets());
        }
    }
}

/// What stands at the beginning of some bytes.
pub(crate) enum Decoded<'a> {
    /// A record of this length.
    Record(usize, Body<'a>),
    /// A record of this length with a good checksum and an unknown body.
    Unknown(usize),
    /// Something else.
    Nothing,
}

/// Reads the record at the beginning of `bytes`.
pub(crate) fn decode(bytes: &[u8], marker: u32) -> Decoded<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Decoded::Nothing;
    };
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let Some(body) = rest.get(..word(4) as usize) else {
        return Decoded::Nothing;
    };
    if word(0) != marker || word(8) != checksum(&head[..8], body) {
        return Decoded::Nothing;
    }
    let length = HEAD_BYTES + body.len();
    decode_body(body).map_or(Decoded::Unknown(length), |body| Decoded::Record(length, body))
}

/// Bytes that are no address.
struct NoAddress;

/// The bytes of a body that are not read yet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn date(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn purpose(&mut self) -> Option<Purpose> {
        match self.take()? {
            [0] => Some(Purpose::Replica),
            [1] => Some(Purpose::Cache),
            _ => None,
        }
    }

    /// An address; the error is that there is none.
    fn ip(&mut self) -> Result<Option<IpAddr>, NoAddress> {
        match self.take().ok_or(NoAddress)? {
            [0] => Ok(None),
            [4] => Ok(Some(IpAddr::from(self.take::<4>().ok_or(NoAddress)?))),
            [6] => Ok(Some(IpAddr::from(self.take::<16>().ok_or(NoAddress)?))),
            _ => Err(NoAddress),
        }
    }

    fn contact(&mut self) -> Option<Contact> {
        let (id, ip) = (self.take()?, self.ip().ok()??);
        let port = u16::from_be_bytes(self.take()?);
        Some(Contact { id, address: SocketAddr::new(ip, port) })
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

fn decode_body(body: &[u8]) -> Option<Body<'_>> {
    let mut fields = Fields(body);
    let [kind] = fields.take()?;
    let body = match kind {
        1 => Body::Clock { folder_ms: fields.date()?, wall_ms: fields.date()? },
        2 => Body::Publish {
            key: fields.take()?,
            republish_ms: fields.date()?,
            value: fields.rest(),
        },
        3 => Body::Republish { key: fields.take()?, republish_ms: fields.date()? },
        4 => Body::Forget { key: fields.take()? },
        5 => Body::Hold {
            key: fields.take()?,
            expires_ms: fields.date()?,
            purpose: fields.purpose()?,
            source: fields.ip().ok()?,
            value: fields.rest(),
        },
        6 => Body::Renew {
            key: fields.take()?,
            expires_ms: fields.date()?,
            purpose: fields.purpose()?,
        },
        7 => Body::Evict { key: fields.take()? },
        8 => {
            let mut contacts = Vec::new();
            while !fields.0.is_empty() && contacts.len() < CONTACTS_MAX {
                contacts.push(fields.contact()?);
            }
            Body::Contacts(contacts)
        }
        _ => return None,
    };
    fields.0.is_empty().then_some(body)
}

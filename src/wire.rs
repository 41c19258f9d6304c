//! The datagrams: their shapes, their bytes, and the way between the two.
//!
//! Every datagram starts with the same 48 bytes. Numbers are big-endian.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | magic, 0x4b: not `d`, which begins a bencoded message |
//! | 1 | version, 1 |
//! | 2 | kind |
//! | 3 | steer byte |
//! | 4-7 | network, a hash of its name |
//! | 8-15 | transaction id; byte 8 is the reply tag |
//! | 16-35 | sender's id |
//! | 36-39 | flags |
//! | 40-47 | token: in a request one that the receiver gave, in a reply one to use |
//! | 48- | announced address where flagged, then the body of the kind |
//!
//! The steer byte is the last byte of a request's key or target, of the first key of a
//! RENEW, or of a PING's sender; in
//! a reply it is the requester's reply tag. Flags: bit 0, a client; bit 1, an announced
//! address follows the header; bit 2 beside bit 0, a client that was a peer until now;
//! bit 3, in a reply to a peer without a valid token: the replier would take the peer for a
//! contact once it shows the token that the reply carries; bit 3 of a PING: it is a PROOF.
//!
//! | kind | name | body |
//! |---|---|---|
//! | 0x01 | PING, and with flag bit 3 PROOF | |
//! | 0x02 | `FIND_NODE` | target 20 |
//! | 0x03 | `FIND_VALUE` | key 20, offset 4 |
//! | 0x04 | STORE | key 20, offset 4, total 4, lifetime in seconds 4, purpose 1, value |
//! | 0x05 | `FIND_RANGE` | key 20, offset 4, length 4 |
//! | 0x06 | RENEW | count 1, renewals |
//! | 0x81 | PONG | |
//! | 0x82 | NODES | count 1, contacts |
//! | 0x83 | VALUE | offset 4, total 4, lifetime in seconds 4, value |
//! | 0x84 | STORED | |
//! | 0x85 | PENDING | |
//! | 0x86 | RENEWED | answered 8, lacking 8 |
//! | 0x8f | ERROR | code 1 |
//!
//! A contact is family 1 (4 or 6), id 20, IP address 4 or 16, port 2; an
//! announced address is the same without the id. An IPv4 address in IPv6 form
//! (`::ffff:a.b.c.d`) is written and read as the IPv4 address that it is; an IPv6
//! address travels without its scope. A NODES reply holds at most 28 contacts. One that
//! answers a `FIND_NODE` for the sender's own id begins with that id at the address where the
//! sender is seen, and, where the replier lists the id, with it again at the address there.
//!
//! Purposes: 0 replica, 1 cache. Error codes: 1 token, 2 mismatch, 3 too large,
//! 4 full, 5 busy; their meaning is that of [`Purpose`] and [`ErrorCode`].
//!
//! PING is answered by PONG, `FIND_NODE` by NODES, `FIND_VALUE` by VALUE or NODES,
//! STORE by STORED or PENDING, `FIND_RANGE` by VALUEs or NODES, RENEW by RENEWED; any but a
//! PING also by ERROR. A PROOF is not answered: it shows the token that a reply has asked for,
//! and the reply to it would say nothing that the one before has not said. A node of an older
//! release sends a PING to show a token, and takes a PROOF for one: it answers by a PONG, which
//! matches no request, and is dropped.
//!
//! # Values that are held already
//! A RENEW asks for longer lives of up to 48 values, without their bytes: each renewal is a
//! key 20 and a lifetime in seconds 4. What it asks of each is what a STORE of a replica
//! asks of a node that holds the value; with no life it asks whether that is so. The origin
//! of a value lends a whole life, a holder what is left of it: what a neighbour sends with
//! less than a whole life postpones the receiver's own renewal. RENEWED says by two sets of
//! 64 bits, of which bit `i`, the least significant first, is of renewal `i`: which keys
//! the reply is about, and which of them the replier lacks. Each shard of a node answers
//! for its own keys alone: the sender asks again about the others, the first of which then
//! steers. Sorted by their last bytes, the keys of one shard follow each other, however
//! many shards there are. A RENEW needs no token: it brings the receiver nothing to keep,
//! and RENEWED is smaller.
//!
//! # Values larger than one datagram
//! The receiver pulls them. A VALUE that answers `FIND_VALUE` carries the first 1132 bytes
//! and the total; so does a STORE. A `FIND_RANGE` asks for `length` bytes from `offset` on,
//! both multiples of 1132 but for the value's end; each 1132 of them come as a VALUE of
//! their own, 48 at most, and to a sender without a token as many as may answer it. A node
//! that was offered a value by a STORE says PENDING while it pulls the rest from the
//! sender, and STORED, with the transaction id of the latest STORE, when the whole hashes
//! to its key and is kept. The sender repeats its STORE when it hears nothing.
//!
//! A value ends with its datagram. What follows any other body is ignored:
//! requests are padded so. Also ignored are the flags that have no meaning yet, or not
//! without another, and, once the datagram has arrived, the steer byte. All else that is
//! unknown is refused, as is what exceeds the [`limits`](crate::limits): a datagram of
//! more than 1232 bytes, of which more than 1132 are of a value.

mod address;
mod body;
mod bytes;
mod contacts;
mod decode;
mod encode;
mod renewals;
#[cfg(test)]
mod tests;

use core::net::SocketAddr;

use crate::id::Id;
use crate::limits::PIECE_BYTES_MAX;

pub use crate::limits::{CONTACT_BYTES_MAX, HEADER_BYTES};
pub use address::{Contact, is_of_many, is_reachable};
pub use body::Body;
pub use bytes::DecodeError;
pub use contacts::Contacts;
pub use decode::{Costly, costly, decode};
pub use encode::encode;
pub use renewals::{Renewal, Renewals, Renewed};

/// First byte of every datagram.
pub const MAGIC: u8 = 0x4b;
/// Version of the wire format.
pub const VERSION: u8 = 1;
/// Where the steer byte is, for the kernel's steering program.
pub const STEER_OFFSET: usize = 3;

const FLAG_CLIENT: u32 = 1 << 0;
const FLAG_ANNOUNCE: u32 = 1 << 1;
const FLAG_DEPARTING: u32 = 1 << 2;
const FLAG_PROOF: u32 = 1 << 3;

/// One datagram, its borrowed parts pointing into the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Which network it belongs to: nodes ignore the others.
    pub network: NetworkId,
    /// Ties a reply to its request.
    pub transaction: TransactionId,
    /// The sender's id.
    pub sender: Id,
    /// Whether the sender wants a place in routing tables.
    pub role: Role,
    /// The address by which the sender is reached, where it is not the source.
    pub announce: Option<SocketAddr>,
    /// Of a reply, whether the requester would enter the routing table if it showed the
    /// token that the reply carries. Not written of anything else, and read as false.
    pub asks_proof: bool,
    /// Proof of address: see [`Token`].
    pub token: Token,
    /// What it asks or answers.
    pub body: Body<'a>,
}

/// The body of a STORE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// The value's key.
    pub key: Id,
    /// Where these bytes begin in the value.
    pub offset: u32,
    /// Bytes of the whole value.
    pub total: u32,
    /// How long to keep it, in seconds.
    pub life_s: u32,
    /// Why it is stored.
    pub purpose: Purpose,
    /// The bytes.
    pub value: &'a [u8],
}

/// The body of a `FIND_RANGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The value's key.
    pub key: Id,
    /// Where the part begins in the value.
    pub offset: u32,
    /// Bytes of the part.
    pub length: u32,
}

/// The body of a VALUE reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Where these bytes begin in the value.
    pub offset: u32,
    /// Bytes of the whole value.
    pub total: u32,
    /// How long the holder will still keep it, in seconds.
    pub life_s: u32,
    /// The bytes.
    pub value: &'a [u8],
}

impl Value<'_> {
    /// Whether it carries the whole value of `key`.
    pub fn is_whole(&self, key: Id) -> bool {
        self.offset == 0
            && !self.value.is_empty()
            && self.total as usize == self.value.len()
            && Id::of_value(self.value) == key
    }

    /// Whether it carries the first bytes of a value that is larger than one datagram.
    pub const fn is_first_piece(&self) -> bool {
        is_first_piece(self.offset, self.total, self.value)
    }
}

impl Store<'_> {
    /// Whether it carries the first bytes of a value that is larger than one datagram.
    pub const fn is_first_piece(&self) -> bool {
        is_first_piece(self.offset, self.total, self.value)
    }
}

const fn is_first_piece(offset: u32, total: u32, bytes: &[u8]) -> bool {
    offset == 0 && bytes.len() == PIECE_BYTES_MAX && total as usize > PIECE_BYTES_MAX
}

/// Why a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The origin or a holder places it on the closest nodes.
    Replica,
    /// A get leaves a copy on its path; it does not spread from there.
    Cache,
}

/// Why a request was refused. Every refusal carries a fresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request needs a valid token, and had none.
    Token,
    /// The value does not hash to the key.
    Mismatch,
    /// The value is larger than the node takes, or empty, or not all of it is there.
    TooLarge,
    /// The store has no room for the sender's value.
    Full,
    /// As many values are being pulled as may: the request may be made again later.
    Busy,
}

/// Whether a sender takes part in the network or only uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves requests and belongs into routing tables.
    Peer,
    /// Only asks; no node adds it to a routing table.
    Client,
    /// A peer that leaves the network: it still serves requests, and belongs into no
    /// routing table any more. A node that knows no such role takes it for a client.
    Departing,
}

/// Proof that a sender receives what is sent to its address: a number that the
/// receiver gave to that address a short while ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token([u8; 8]);

impl Token {
    /// No token: the sender has had no reply from the receiver yet.
    pub const NONE: Self = Self([0; 8]);

    /// The token made of `bytes`.
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The token's bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

/// Names a network, so that networks which meet do not merge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkId(u32);

impl NetworkId {
    /// The network called `name`.
    pub fn of_name(name: &str) -> Self {
        let digest = Id::of_value(name.as_bytes()).to_bytes();
        Self(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }
}

/// Ties a reply to its request. The requester makes it; the replier copies it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransactionId([u8; 8]);

impl TransactionId {
    /// The transaction id made of `bytes`, the first of them the reply tag.
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The byte by which the requester finds the shard that asked.
    pub const fn reply_tag(self) -> u8 {
        self.0[0]
    }
}

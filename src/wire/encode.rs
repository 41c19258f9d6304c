//! From a [`Datagram`] to its bytes, straight into the send buffer.
//!
//! All of it is inlined into its caller: a caller that knows the kind of body, as `serve`
//! does, keeps nothing of the other kinds, and the datagram itself need never lie in
//! memory. That is 5 % of all that a request of a burst costs (`benches/datapath`).
#![expect(clippy::inline_always, reason = "a hint is not taken for so much code")]

use super::address::{contact_bytes, write_address};
use super::bytes::Writer;
use super::{
    Body, Datagram, ErrorCode, FLAG_ANNOUNCE, FLAG_CLIENT, FLAG_DEPARTING, FLAG_PROOF,
    HEADER_BYTES, MAGIC, Purpose, Role, VERSION,
};
use crate::id::ID_BYTES;
use crate::limits::{DATAGRAM_BYTES_MAX, PIECE_BYTES_MAX, RENEWAL_BYTES, STORE_FIELDS_BYTES};

/// Writes `datagram` at the start of `buffer` and returns its length in bytes.
///
/// # Panics
/// When it carries more than [`PIECE_BYTES_MAX`] of a value: the node cuts what is
/// larger. Everything else fits by the arithmetic in [`limits`](crate::limits).
#[inline(always)]
pub fn encode(datagram: &Datagram<'_>, buffer: &mut [u8; DATAGRAM_BYTES_MAX]) -> usize {
    let mut writer = Writer::new(buffer);
    write_header(&mut writer, datagram);
    if let Some(addr) = datagram.announce {
        write_address(&mut writer, addr);
    }
    write_body(&mut writer, &datagram.body);
    writer.length()
}

impl Body<'_> {
    /// Bytes of a datagram that carries this body and announces no address.
    #[inline(always)]
    pub fn encoded_bytes(&self) -> usize {
        HEADER_BYTES
            + match self {
                Self::Ping | Self::Proof | Self::Pong | Self::Stored | Self::Pending => 0,
                Self::FindNode { .. } => ID_BYTES,
                Self::FindValue { .. } => ID_BYTES + 4,
                Self::FindRange(_) => ID_BYTES + 4 + 4,
                Self::Store(store) => STORE_FIELDS_BYTES + store.value.len(),
                Self::Nodes(contacts) => {
                    1 + contacts.iter().map(|contact| contact_bytes(contact.addr)).sum::<usize>()
                }
                Self::Value(value) => 3 * 4 + value.value.len(),
                Self::Renew(renewals) => 1 + renewals.len() * RENEWAL_BYTES,
                Self::Renewed(_) => 8 + 8,
                Self::Error(_) => 1,
            }
    }
}

#[inline(always)]
fn write_header(writer: &mut Writer<'_>, datagram: &Datagram<'_>) {
    let mut flags = match datagram.role {
        Role::Peer => 0,
        Role::Client => FLAG_CLIENT,
        Role::Departing => FLAG_CLIENT | FLAG_DEPARTING,
    };
    if datagram.announce.is_some() {
        flags |= FLAG_ANNOUNCE;
    }
    // Of a PING, which asks nothing so, it would make a PROOF.
    let asks_proof = datagram.asks_proof && !datagram.body.is_request();
    if asks_proof || matches!(datagram.body, Body::Proof) {
        flags |= FLAG_PROOF;
    }
    // In one piece: each is checked against the buffer's end.
    let mut header = [0; HEADER_BYTES];
    let steer = datagram.body.steer(datagram.sender, datagram.transaction);
    header[..4].copy_from_slice(&[MAGIC, VERSION, datagram.body.kind(), steer]);
    header[4..8].copy_from_slice(&datagram.network.0.to_be_bytes());
    header[8..16].copy_from_slice(datagram.transaction.as_bytes());
    header[16..36].copy_from_slice(&datagram.sender.to_bytes());
    header[36..40].copy_from_slice(&flags.to_be_bytes());
    header[40..].copy_from_slice(datagram.token.as_bytes());
    writer.bytes(&header);
}

#[inline(always)]
fn write_body(writer: &mut Writer<'_>, body: &Body<'_>) {
    match body {
        Body::Ping | Body::Proof | Body::Pong | Body::Stored | Body::Pending => {}
        Body::FindNode { target } => writer.bytes(&target.to_bytes()),
        Body::FindValue { key, offset } => {
            writer.bytes(&key.to_bytes());
            writer.u32(*offset);
        }
        Body::Store(store) => {
            assert!(store.value.len() <= PIECE_BYTES_MAX);
            writer.bytes(&store.key.to_bytes());
            writer.u32(store.offset);
            writer.u32(store.total);
            writer.u32(store.life_s);
            writer.u8(match store.purpose {
                Purpose::Replica => 0,
                Purpose::Cache => 1,
            });
            writer.bytes(store.value);
        }
        Body::FindRange(range) => {
            writer.bytes(&range.key.to_bytes());
            writer.u32(range.offset);
            writer.u32(range.length);
        }
        Body::Nodes(contacts) => contacts.write(writer),
        Body::Value(value) => {
            assert!(value.value.len() <= PIECE_BYTES_MAX);
            writer.u32(value.offset);
            writer.u32(value.total);
            writer.u32(value.life_s);
            writer.bytes(value.value);
        }
        Body::Renew(renewals) => renewals.write(writer),
        Body::Renewed(renewed) => {
            writer.u64(renewed.answered);
            writer.u64(renewed.lacking);
        }
        Body::Error(code) => writer.u8(match code {
            ErrorCode::Token => 1,
            ErrorCode::Mismatch => 2,
            ErrorCode::TooLarge => 3,
            ErrorCode::Full => 4,
            ErrorCode::Busy => 5,
        }),
    }
}

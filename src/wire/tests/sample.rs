//! Arbitrary datagrams, owned, so that a strategy can make them.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::id::Id;
use crate::limits::{K_MAX, PIECE_BYTES_MAX, RENEWALS_MAX};
use crate::wire::{
    Body, Contact, Contacts, Datagram, ErrorCode, NetworkId, Purpose, Range, Renewal, Renewals,
    Renewed, Role, Store, Token, TransactionId, Value,
};

/// A datagram that owns what [`Datagram`] borrows.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    header: Datagram<'static>,
    kind: Kind,
    contacts: Vec<Contact>,
    renewals: Vec<Renewal>,
    value: Vec<u8>,
}

/// Which body, its borrowed part left out.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Bodies that borrow nothing.
    Plain(Body<'static>),
    Store(Store<'static>),
    Nodes,
    Renew,
    Value(Value<'static>),
}

impl Kind {
    const fn is_reply(self) -> bool {
        match self {
            Self::Plain(body) => !body.is_request() && !matches!(body, Body::Proof),
            Self::Store(_) | Self::Renew => false,
            Self::Nodes | Self::Value(_) => true,
        }
    }
}

impl Sample {
    pub(super) fn datagram(&self) -> Datagram<'_> {
        let value = &self.value[..];
        let body = match self.kind {
            Kind::Plain(body) => body,
            Kind::Store(store) => Body::Store(Store { value, ..store }),
            Kind::Nodes => Body::Nodes(Contacts::new(&self.contacts)),
            Kind::Renew => Body::Renew(Renewals::new(&self.renewals)),
            Kind::Value(fields) => Body::Value(Value { value, ..fields }),
        };
        Datagram { body, ..self.header }
    }

    /// The same but for a value of its first `length` bytes.
    pub(super) fn with_value_cut(mut self, length: usize) -> Self {
        self.value.truncate(length);
        self
    }

    /// Bytes of the value, where the body ends in one.
    pub(super) fn value_length(&self) -> Option<usize> {
        matches!(self.kind, Kind::Store(_) | Kind::Value(_)).then_some(self.value.len())
    }
}

/// Any datagram that a node can be asked to encode.
pub(super) fn any_sample() -> impl Strategy<Value = Sample> {
    sample(prop_oneof![any_request_kind(), any_store_kind(), any_reply_kind()])
}

/// Any request that may be followed by padding.
pub(super) fn any_padded_request() -> impl Strategy<Value = Sample> {
    sample(any_request_kind())
}

fn sample(kind: impl Strategy<Value = Kind>) -> impl Strategy<Value = Sample> {
    let contact = (any_id(), any_address()).prop_map(|(id, addr)| Contact { id, addr });
    let renewal = (any_id(), any::<u32>()).prop_map(|(key, life_s)| Renewal { key, life_s });
    (
        any_header(),
        any::<bool>(),
        kind,
        vec(contact, 0..=K_MAX),
        vec(renewal, 1..=RENEWALS_MAX),
        vec(any::<u8>(), 0..=PIECE_BYTES_MAX),
    )
        .prop_map(|(header, is_asking, kind, contacts, renewals, value)| Sample {
            header: Datagram { asks_proof: is_asking && kind.is_reply(), ..header },
            kind,
            contacts,
            renewals,
            value,
        })
}

fn any_header() -> impl Strategy<Value = Datagram<'static>> {
    (
        any::<u32>(),
        any::<[u8; 8]>(),
        any_id(),
        prop_oneof![Just(Role::Peer), Just(Role::Client), Just(Role::Departing)],
        proptest::option::of(any_address()),
        any::<[u8; 8]>(),
    )
        .prop_map(|(network, transaction, sender, role, announce, token)| Datagram {
            network: NetworkId(network),
            transaction: TransactionId::new(transaction),
            sender,
            role,
            announce,
            asks_proof: false,
            token: Token::new(token),
            body: Body::Ping,
        })
}

fn any_request_kind() -> impl Strategy<Value = Kind> {
    let plain =
        prop_oneof![
            Just(Body::Ping),
            Just(Body::Proof),
            any_id().prop_map(|target| Body::FindNode { target }),
            (any_id(), any::<u32>()).prop_map(|(key, offset)| Body::FindValue { key, offset }),
            (any_id(), any::<[u32; 2]>())
                .prop_map(|(key, [offset, length])| Body::FindRange(Range { key, offset, length })),
        ];
    prop_oneof![4 => plain.prop_map(Kind::Plain), 1 => Just(Kind::Renew)]
}

fn any_store_kind() -> impl Strategy<Value = Kind> {
    let purpose = prop_oneof![Just(Purpose::Replica), Just(Purpose::Cache)];
    (any_id(), any::<[u32; 3]>(), purpose).prop_map(|(key, [offset, total, life_s], purpose)| {
        Kind::Store(Store { key, offset, total, life_s, purpose, value: &[] })
    })
}

fn any_reply_kind() -> impl Strategy<Value = Kind> {
    const CODES: [ErrorCode; 5] = [
        ErrorCode::Token,
        ErrorCode::Mismatch,
        ErrorCode::TooLarge,
        ErrorCode::Full,
        ErrorCode::Busy,
    ];
    prop_oneof![
        Just(Kind::Plain(Body::Pong)),
        Just(Kind::Plain(Body::Stored)),
        Just(Kind::Plain(Body::Pending)),
        any::<[u64; 2]>().prop_map(|[answered, lacking]| {
            Kind::Plain(Body::Renewed(Renewed { answered, lacking }))
        }),
        proptest::sample::select(&CODES[..]).prop_map(|code| Kind::Plain(Body::Error(code))),
        Just(Kind::Nodes),
        any::<[u32; 3]>().prop_map(|[offset, total, life_s]| {
            Kind::Value(Value { offset, total, life_s, value: &[] })
        }),
    ]
}

fn any_id() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::new)
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
        any::<[u8; 16]>().prop_map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

//! Requests of this node, as the engines hand them to `rpc`, and what comes of them.

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;

use super::known::Known;
use super::renewable::RoundPeer;
use crate::id::Id;
use crate::limits::{
    CONTACT_BYTES_MAX, DATAGRAM_BYTES_MAX, HEADER_BYTES, PIECE_BYTES_MAX, SENDS_HURRIED,
    SENDS_LOOKUP, SENDS_STORE, SENDS_UNCONFIRMED,
};
use crate::time::Instant;
use crate::wire::{self, Body, Contact, Renewal, Renewals, Role, Store};

/// A request to one peer.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) addr: SocketAddr,
    /// The peer's id, unless only its address is known.
    pub(crate) id: Option<Id>,
    /// What is known of the peer as it is asked.
    pub(crate) known: Known,
    pub(crate) ask: Ask,
    pub(crate) purpose: Purpose,
    pub(crate) sends_max: u8,
    pub(crate) patience: Patience,
    /// Bytes of a reply that it makes room for where it has no token to show: a reply may be
    /// but so many times its size.
    pub(crate) reply_bytes: usize,
    /// Whether it was sent anew with the token that came with a refusal.
    pub(crate) is_renewed: bool,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Ping,
    FindNode { target: Id },
    FindValue { key: Id },
    Store { key: Id, value: Arc<[u8]>, life: Duration, purpose: wire::Purpose },
    Renew { renewals: Arc<[Renewal]> },
}

/// What a request is for. Only the dispatcher looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// To reach a bootstrap address.
    Bootstrap,
    /// To check whether a contact lives.
    Check,
    /// To verify that a new contact is where it says that it is.
    Verify,
    /// To tell a contact that the node departs.
    Goodbye,
    /// One step of a query, or one of its STOREs.
    Query(QueryId),
    /// To leave a copy on the path of a get.
    PathCache,
    /// To renew values on a peer, or to store there what it lacks.
    Round(RoundPeer),
}

impl Purpose {
    /// None comes before it, in the order in which they are sorted.
    pub(crate) const FIRST: Self = Self::Bootstrap;
}

/// Names a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryId {
    pub(crate) slot: usize,
    pub(crate) generation: u32,
}

/// How long a request waits after its last send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the peer may take to answer.
    Full,
    /// Not at all: it is given up as it is sent for the last time. A departing node
    /// has seconds.
    Hurried,
    /// As long as the peer may take, but for the first send there is no other.
    Unconfirmed,
}

impl Request {
    /// A request to a contact, sent as often as its kind is.
    pub(crate) const fn new(contact: Contact, known: Known, ask: Ask, purpose: Purpose) -> Self {
        let sends_max = match ask {
            Ask::Store { .. } => SENDS_STORE,
            Ask::Ping | Ask::FindNode { .. } | Ask::FindValue { .. } | Ask::Renew { .. } => {
                SENDS_LOOKUP
            }
        };
        Self {
            addr: contact.addr,
            id: Some(contact.id),
            known,
            ask,
            purpose,
            sends_max,
            patience: Patience::Full,
            reply_bytes: DATAGRAM_BYTES_MAX,
            is_renewed: false,
        }
    }

    /// A PING to a contact.
    pub(crate) const fn ping(contact: Contact, known: Known, purpose: Purpose) -> Self {
        Self::new(contact, known, Ask::Ping, purpose)
    }

    /// A PING to an address at which any node may answer.
    pub(crate) fn bootstrap(addr: SocketAddr) -> Self {
        Self {
            addr,
            id: None,
            known: Known::default(),
            ask: Ask::Ping,
            purpose: Purpose::Bootstrap,
            sends_max: SENDS_LOOKUP,
            patience: Patience::Full,
            reply_bytes: DATAGRAM_BYTES_MAX,
            is_renewed: false,
        }
    }

    /// The same request to a peer that one peer alone has named: sent once, and no larger
    /// than a reply needs it that names so many contacts.
    pub(crate) fn unconfirmed(self, contacts: usize) -> Self {
        let contact_bytes =
            if self.addr.is_ipv4() { CONTACT_BYTES_MAX - 12 } else { CONTACT_BYTES_MAX };
        let reply_bytes = HEADER_BYTES + 1 + contacts * contact_bytes;
        Self { sends_max: SENDS_UNCONFIRMED, patience: Patience::Unconfirmed, reply_bytes, ..self }
    }

    /// The same request once its peer has shown that it is there.
    pub(crate) fn confirmed(self) -> Self {
        if self.patience != Patience::Unconfirmed {
            return self;
        }
        let reply_bytes = DATAGRAM_BYTES_MAX;
        Self { sends_max: SENDS_LOOKUP, patience: Patience::Full, reply_bytes, ..self }
    }

    /// The same request, sent [`SENDS_HURRIED`] times and given up as it is sent for the
    /// last, where there are only seconds for it.
    pub(crate) fn hurried_if(self, is_hurried: bool) -> Self {
        if !is_hurried {
            return self;
        }
        Self { sends_max: SENDS_HURRIED, patience: Patience::Hurried, ..self }
    }
}

impl Ask {
    /// What it is called in the log.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::FindNode { .. } => "FIND_NODE",
            Self::FindValue { .. } => "FIND_VALUE",
            Self::Store { .. } => "STORE",
            Self::Renew { .. } => "RENEW",
        }
    }

    /// The key of the value that it stores.
    pub(crate) const fn stored_key(&self) -> Option<Id> {
        match self {
            Self::Store { key, .. } => Some(*key),
            Self::Ping | Self::FindNode { .. } | Self::FindValue { .. } | Self::Renew { .. } => {
                None
            }
        }
    }

    /// The body that asks it.
    pub(crate) fn body(&self) -> Body<'_> {
        match self {
            Self::Ping => Body::Ping,
            Self::FindNode { target } => Body::FindNode { target: *target },
            Self::FindValue { key } => Body::FindValue { key: *key, offset: 0 },
            Self::Store { key, value, life, purpose } => Body::Store(Store {
                key: *key,
                offset: 0,
                total: value.len() as u32,
                life_s: whole_seconds(*life),
                purpose: *purpose,
                // The peer pulls the rest of a larger one.
                value: &value[..value.len().min(PIECE_BYTES_MAX)],
            }),
            Self::Renew { renewals } => Body::Renew(Renewals::new(renewals)),
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) request: Request,
    /// As this request measured it, with the token that the peer gave.
    pub(crate) known: Known,
    /// When the request was first sent.
    pub(crate) first_sent: Instant,
    pub(crate) answer: Answer<'a>,
}

/// What a peer answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'a> {
    /// The peer `id` replied.
    Reply { id: Id, role: Role, body: Body<'a> },
    /// Another node, of this id, replied at the peer's address.
    Misnamed { id: Id },
    /// The peer did not reply, however often it was asked.
    Silence,
}

impl Reply<'_> {
    /// The peer that was asked; none where a bootstrap address is silent.
    pub(crate) fn contact(&self) -> Option<Contact> {
        let id = match (self.request.id, self.answer) {
            (Some(id), _) | (None, Answer::Reply { id, .. }) => id,
            (None, Answer::Misnamed { .. } | Answer::Silence) => return None,
        };
        Some(Contact { id, addr: self.request.addr })
    }
}

/// A duration as the wire carries it.
pub(crate) fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

//! The trace of a run: a hash of every datagram that arrived, and on demand a
//! readable log of what concerns one node or one key.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use kad_node::id::Id;
use kad_node::time::Instant;
use kad_node::wire::{self, Body, Datagram, Range};

use crate::network::Fate;
use crate::payload::Hash;
use crate::peers::{PeerIndex, peer_at};

/// What a readable log is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The peer of this number, in the order of joining.
    Node(PeerIndex),
    /// Keys and targets whose digits begin so.
    Key(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(peer) => write!(f, "node {peer}"),
            Self::Key(digits) => write!(f, "keys that begin with {digits:?}"),
        }
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || format!("{text:?}: write node:NUMBER or key:HEX");
        match text.split_once(':').ok_or_else(usage)? {
            ("node", number) => {
                number.parse().map(|number| Self::Node(PeerIndex(number))).map_err(|_| usage())
            }
            ("key", digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                Ok(Self::Key(digits.to_ascii_lowercase()))
            }
            _ => Err(usage()),
        }
    }
}

/// The trace of one world.
pub(crate) struct Trace {
    hash: Hash,
    subject: Option<Subject>,
    /// Transactions that asked about the subject's key: their replies, which do
    /// not name it, are about it as well.
    transactions: BTreeSet<[u8; 8]>,
    lines: Vec<String>,
}

impl Trace {
    pub(crate) fn new(subject: Option<Subject>) -> Self {
        Self { hash: Hash::NEW, subject, transactions: BTreeSet::new(), lines: Vec::new() }
    }

    /// Takes an arrival into the hash.
    pub(crate) fn arrived(&mut self, at: Instant, from: PeerIndex, to: PeerIndex, hash: Hash) {
        self.hash.fold(at.as_micros());
        self.hash.fold((from.as_u64() << 32) | to.as_u64());
        self.hash.fold(hash.0);
    }

    /// The hash of all arrivals so far: equal for equal runs.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.0
    }

    /// Whether sends are looked at, since one may concern the subject.
    pub(crate) const fn is_on(&self) -> bool {
        self.subject.is_some()
    }

    /// Logs a send where it concerns the subject.
    pub(crate) fn sent(
        &mut self,
        at: Instant,
        from: PeerIndex,
        to: std::net::SocketAddr,
        bytes: &[u8],
        fate: Fate,
    ) {
        let Some(subject) = &self.subject else { return };
        let decoded = wire::decode(bytes);
        let concerns = match subject {
            Subject::Node(peer) => *peer == from || peer_at(to) == Some(*peer),
            Subject::Key(digits) => decoded
                .as_ref()
                .is_ok_and(|datagram| is_about(datagram, digits, &mut self.transactions)),
        };
        if !concerns {
            return;
        }
        let what = match &decoded {
            Ok(datagram) => describe(datagram),
            Err(error) => format!("{} bytes, {error}", bytes.len()),
        };
        let to = peer_at(to).map_or_else(|| to.to_string(), |peer| peer.to_string());
        self.lines.push(format!("{at:?} {from} -> {to} {what}: {fate}"));
    }

    /// Logs what else happened to `peer`, or to `key` there.
    pub(crate) fn note(
        &mut self,
        at: Instant,
        peer: PeerIndex,
        key: Option<Id>,
        what: impl FnOnce() -> String,
    ) {
        let concerns = match &self.subject {
            None => false,
            Some(Subject::Node(node)) => *node == peer,
            Some(Subject::Key(digits)) => {
                key.is_some_and(|key| key.to_string().starts_with(digits))
            }
        };
        if concerns {
            self.lines.push(format!("{at:?} {peer} {}", what()));
        }
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

fn is_about(datagram: &Datagram<'_>, digits: &str, transactions: &mut BTreeSet<[u8; 8]>) -> bool {
    let key = match datagram.body {
        Body::FindNode { target } => target,
        Body::FindValue { key, .. } => key,
        Body::Store(store) => store.key,
        Body::Renew(renewals) => {
            let mut keys = renewals.iter().map(|renewal| renewal.key);
            let found = keys.find(|key| key.to_string().starts_with(digits));
            let Some(key) = found else { return false };
            key
        }
        _ => return transactions.contains(datagram.transaction.as_bytes()),
    };
    key.to_string().starts_with(digits) && {
        transactions.insert(*datagram.transaction.as_bytes());
        true
    }
}

fn describe(datagram: &Datagram<'_>) -> String {
    let mut text = match datagram.body {
        Body::Ping => "PING".to_owned(),
        Body::Proof => "PROOF".to_owned(),
        Body::FindNode { target } => format!("FIND_NODE {target}"),
        Body::FindValue { key, .. } => format!("FIND_VALUE {key}"),
        Body::Store(store) => format!(
            "STORE {} {} bytes, {:?}, life {} s",
            store.key,
            store.value.len(),
            store.purpose,
            store.life_s
        ),
        Body::Pong => "PONG".to_owned(),
        Body::Nodes(contacts) => {
            let mut text = format!("NODES {}:", contacts.len());
            for contact in contacts.iter() {
                let _ = match peer_at(contact.addr) {
                    Some(peer) => write!(text, " {peer}"),
                    None => write!(text, " {}", contact.addr),
                };
            }
            text
        }
        Body::Value(value) => format!("VALUE {} bytes, life {} s", value.value.len(), value.life_s),
        Body::Stored => "STORED".to_owned(),
        Body::FindRange(Range { key, offset, length }) => {
            format!("FIND_RANGE {key} {offset} {length}")
        }
        Body::Pending => "PENDING".to_owned(),
        Body::Renew(renewals) => format!("RENEW {} values", renewals.len()),
        Body::Renewed(renewed) => {
            format!("RENEWED {:x}, lacking {:x}", renewed.answered, renewed.lacking)
        }
        Body::Error(code) => format!("ERROR {code:?}"),
    };
    let transaction = u64::from_be_bytes(*datagram.transaction.as_bytes());
    let _ = write!(text, " (transaction {transaction:016x})");
    text
}

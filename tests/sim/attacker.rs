//! A peer that lies: it takes part as far as it must to be asked, and tells one
//! kind of lie. Where its lie has no answer to a question, it names no contact.

use std::net::SocketAddr;
use std::time::Duration;

use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{DATAGRAM_BYTES_MAX, K_MAX, PIECE_BYTES_MAX};
use kad_node::node::Outbox;
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{
    self, Body, Contact, Contacts, Datagram, Purpose, Role, Store, Token, TransactionId, Value,
};

use crate::datagram::{datagram, store};
use crate::peers::{Crowd, PEERS_MAX, PeerIndex, Period, address_of, empty_address};

/// How an attacker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malice {
    /// Random bytes under a valid header, or no header at all; replies that no
    /// node waits for, and STOREs without a token.
    Garbage,
    /// A value that does not hash to the key; it says STORED and keeps nothing.
    WrongValues,
    /// Contacts that do not exist, closer to the target than any node.
    MadeUpContacts,
    /// Contacts with the addresses of real peers and names that are not theirs.
    MisnamedContacts,
    /// Answers under a name of its choosing, close to the target.
    FalseNames,
    /// Goes by another name each time it speaks unasked, and answers to the last.
    ManyNames,
    /// Fills stores: answers NODES, which bring a token, with STOREs.
    Flood { values_max: u32 },
    /// Offers large values, and never sends any.
    HalfOpen { offers_max: u32 },
    /// Is close to a key, one of many on one host, and names only the others; it says STORED
    /// and keeps nothing.
    Surround(Crowd),
    /// Floods nodes with requests of made-up peers at made-up addresses.
    ForgedSenders,
    /// Is close to a stored value's key, says STORED and keeps nothing, so that holders
    /// take the value to be stored closer than they are.
    Erasure,
    /// Each of those above by turns, but for those by which it would change its own
    /// name, the flood and the erasure.
    Everything,
}

const EACH: [Malice; 5] = [
    Malice::Garbage,
    Malice::WrongValues,
    Malice::MadeUpContacts,
    Malice::MisnamedContacts,
    Malice::FalseNames,
];

/// What nodes notice of lies, each a counter of theirs: where nothing is lost and
/// no node dies they stand at zero without a liar.
pub(crate) const SIGNS: [&str; 4] =
    ["datagrams_malformed", "values_mismatched", "rpcs_failed", "replies_misnamed"];

impl Malice {
    /// Those of [`SIGNS`] that nodes must see, and no others.
    pub(crate) const fn signs(self) -> &'static [&'static str] {
        match self {
            // A question that garbage answers has no answer.
            Self::Garbage => &["datagrams_malformed", "rpcs_failed"],
            Self::WrongValues => &["values_mismatched"],
            Self::MadeUpContacts => &["rpcs_failed"],
            // One of the addresses is the asker's own, where no node answers it.
            Self::MisnamedContacts => &["replies_misnamed", "rpcs_failed"],
            Self::FalseNames | Self::ManyNames => &["replies_misnamed"],
            Self::Flood { .. }
            | Self::HalfOpen { .. }
            | Self::Surround(_)
            | Self::ForgedSenders
            | Self::Erasure => &[],
            Self::Everything => &SIGNS,
        }
    }
}

/// What a swarm draws from: all but those that change their names, with which no oracle
/// can say which nodes were the closest.
pub(crate) const SWARM: [Malice; 7] = [
    Malice::Garbage,
    Malice::WrongValues,
    Malice::MadeUpContacts,
    Malice::MisnamedContacts,
    Malice::FalseNames,
    // A thousand in all, of the largest network: holders store each anew every hour,
    // and a run is to end within seconds.
    Malice::Flood { values_max: 64 },
    Malice::Everything,
];

/// Peers to which an attacker speaks unasked each [`PERIOD`].
const VICTIMS: u64 = 2;
/// Values that a flooder stores at one node at once.
const FLOOD: u32 = 16;
/// Bytes of such a value, and of one that is offered and never sent.
const FLOOD_BYTES: usize = 512;
const OFFER_BYTES: usize = 200_000;
/// How often an attacker speaks unasked.
const PERIOD: Duration = Duration::from_secs(10);
/// How often one that forges senders does so, and how many requests it sends then: 400 a
/// second.
const FORGING_PERIOD: Duration = Duration::from_millis(10);
const FORGED: usize = 4;

/// A peer that lies.
pub(crate) struct Attacker {
    id: Id,
    /// The names that it has gone by, each with the moment from which it has.
    names: Vec<(Instant, Id)>,
    malice: Malice,
    /// Values that it has stored.
    flooded: u32,
    /// Peers that the world has, as far as the attacker knows.
    peers: u32,
    rng: Rng,
    next: Instant,
}

impl Attacker {
    pub(crate) fn new(id: Id, malice: Malice, peers: u32, rng: Rng, now: Instant) -> Self {
        Self { id, names: vec![(now, id)], malice, flooded: 0, peers, rng, next: now }
    }

    /// The names that it has gone by at any time of `period`.
    pub(crate) fn names_during(&self, period: Period) -> impl Iterator<Item = Id> {
        let ends = self.names.iter().skip(1).map(|(start, _)| *start).map(Some).chain([None]);
        let names = self.names.iter().zip(ends);
        let is_of = move |start, end: Option<Instant>| {
            start <= period.end && end.is_none_or(|end| end > period.start)
        };
        names.filter(move |((start, _), end)| is_of(*start, *end)).map(|((_, id), _)| *id)
    }

    pub(crate) const fn next_timeout(&self) -> Instant {
        self.next
    }

    /// Speaks to some peers unasked: makes itself known, and talks nonsense where that
    /// is its lie.
    pub(crate) fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        if now < self.next {
            return;
        }
        if self.malice == Malice::ForgedSenders {
            self.next = now + self.rng.jitter(FORGING_PERIOD);
            return (0..FORGED).for_each(|_| self.forge(outbox));
        }
        self.next = now + self.rng.jitter(PERIOD);
        if self.malice == Malice::ManyNames {
            self.id = self.rng.id();
            self.names.push((now, self.id));
        }
        // One that surrounds a key makes itself known to all.
        let is_known_to_all = matches!(self.malice, Malice::Surround(_));
        let victims = if is_known_to_all { u64::from(self.peers) } else { VICTIMS };
        for number in 0..victims {
            let victim = if is_known_to_all {
                address_of(PeerIndex(number as u32))
            } else {
                self.some_peer()
            };
            let transaction = TransactionId::new(self.rng.bytes());
            send(victim, transaction, self.id, Body::Ping, outbox);
            let target = self.rng.id();
            send(victim, transaction, self.id, Body::FindNode { target }, outbox);
            if matches!(self.malice, Malice::Garbage | Malice::Everything) {
                self.nonsense(victim, outbox);
                self.garbage(victim, outbox);
            }
        }
    }

    /// A request of a made-up peer.
    fn forge(&mut self, outbox: &mut Outbox) {
        let transaction = TransactionId::new(self.rng.bytes());
        send(self.some_peer(), transaction, self.rng.id(), Body::Ping, outbox);
    }

    /// The peer in whose name it sends a datagram, where that is not its own: one that is
    /// not there.
    pub(crate) fn forged_source(&mut self) -> Option<PeerIndex> {
        let is_forger = self.malice == Malice::ForgedSenders;
        is_forger.then(|| PeerIndex(PEERS_MAX | self.rng.below(PEERS_MAX.into()) as u32))
    }

    /// A reply that no node waits for, or a STORE without a token.
    fn nonsense(&mut self, victim: SocketAddr, outbox: &mut Outbox) {
        let value: [u8; 32] = self.rng.bytes();
        let unasked = match self.rng.below(4) {
            0 => Body::Pong,
            1 => Body::Stored,
            2 => Body::Value(whole(&value)),
            _ => Body::Store(Store {
                key: Id::of_value(&value),
                offset: 0,
                total: value.len() as u32,
                life_s: u32::MAX,
                purpose: Purpose::Replica,
                value: &value,
            }),
        };
        let forged = TransactionId::new(self.rng.bytes());
        send(victim, forged, self.id, unasked, outbox);
    }

    /// Answers a request, after its fashion.
    pub(crate) fn handle_datagram(
        &mut self,
        source: SocketAddr,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        let Ok(request) = wire::decode(bytes) else { return };
        let transaction = request.transaction;
        if request.asks_proof {
            self.prove(source, request.token, outbox);
        }
        match request.body {
            // Without an honest PONG no node would ever ask it anything.
            Body::Ping => send(source, transaction, self.id, Body::Pong, outbox),
            Body::FindNode { target } => {
                self.lie(source, transaction, target, Asked::Contacts, outbox);
            }
            Body::FindValue { key, .. } => self.lie(source, transaction, key, Asked::Value, outbox),
            Body::Store(_) => send(source, transaction, self.id, Body::Stored, outbox),
            Body::Nodes(_) => {
                let (values_max, total) = match self.malice {
                    Malice::Flood { values_max } => (values_max, FLOOD_BYTES),
                    Malice::HalfOpen { offers_max } => (offers_max, OFFER_BYTES),
                    _ => (0, 0),
                };
                if self.flooded < values_max {
                    self.flood(source, request.token, total, outbox);
                }
            }
            _ => {}
        }
    }

    /// Shows a node the token that it gave: it takes the attacker for a contact then.
    fn prove(&mut self, to: SocketAddr, token: Token, outbox: &mut Outbox) {
        let transaction = TransactionId::new(self.rng.bytes());
        let ping = Datagram { token, ..of(self.id, transaction, Body::Ping) };
        let _ = outbox.datagram(to, |buffer| wire::encode(&ping, buffer));
    }

    fn lie(
        &mut self,
        to: SocketAddr,
        transaction: TransactionId,
        target: Id,
        asked: Asked,
        outbox: &mut Outbox,
    ) {
        let malice = match self.malice {
            Malice::Everything => EACH[self.rng.below(EACH.len() as u64) as usize],
            malice => malice,
        };
        let none = Body::Nodes(Contacts::new(&[]));
        match (malice, asked) {
            (Malice::Garbage, _) => self.garbage(to, outbox),
            (Malice::WrongValues, Asked::Value) => {
                let value: [u8; 64] = self.rng.bytes();
                send(to, transaction, self.id, Body::Value(whole(&value)), outbox);
            }
            (Malice::MadeUpContacts | Malice::MisnamedContacts, _) => {
                let contacts: [Contact; K_MAX] =
                    std::array::from_fn(|_| self.made_up(target, malice));
                send(to, transaction, self.id, Body::Nodes(Contacts::new(&contacts)), outbox);
            }
            (Malice::Surround(crowd), _) => {
                let names: [Contact; K_MAX] = std::array::from_fn(|number| Contact {
                    id: near(target, &mut self.rng),
                    addr: crowd.address_of(PeerIndex(crowd.first + number as u32)),
                });
                send(to, transaction, self.id, Body::Nodes(Contacts::new(&names)), outbox);
            }
            (Malice::FalseNames, _) => {
                let name = near(target, &mut self.rng);
                send(to, transaction, name, none, outbox);
            }
            (
                Malice::WrongValues
                | Malice::ManyNames
                | Malice::Flood { .. }
                | Malice::HalfOpen { .. }
                | Malice::ForgedSenders
                | Malice::Erasure,
                _,
            ) => {
                send(to, transaction, self.id, none, outbox);
            }
            (Malice::Everything, _) => unreachable!("one of its lies was drawn"),
        }
    }

    /// Stores values of `total` bytes that no user wants, under the token that `to` has given;
    /// of large ones it sends the first piece alone.
    fn flood(&mut self, to: SocketAddr, token: Token, total: usize, outbox: &mut Outbox) {
        self.flooded += FLOOD;
        for _ in 0..FLOOD {
            let mut first = self.rng.bytes::<FLOOD_BYTES>().to_vec();
            first.resize(total.min(PIECE_BYTES_MAX), 0);
            let store = Store { life_s: u32::MAX, total: total as u32, ..store(&first) };
            let transaction = TransactionId::new(self.rng.bytes());
            let store = Body::Store(store);
            let datagram = Datagram { token, ..of(self.id, transaction, store) };
            let _ = outbox.datagram(to, |buffer| wire::encode(&datagram, buffer));
        }
    }

    fn made_up(&mut self, target: Id, malice: Malice) -> Contact {
        let addr = match malice {
            Malice::MisnamedContacts => self.some_peer(),
            _ => empty_address(self.rng.u32()),
        };
        Contact { id: near(target, &mut self.rng), addr }
    }

    fn some_peer(&mut self) -> SocketAddr {
        address_of(PeerIndex(self.rng.below(u64::from(self.peers)) as u32))
    }

    fn garbage(&mut self, to: SocketAddr, outbox: &mut Outbox) {
        let noise: [u8; 256] = self.rng.bytes();
        let length = self.rng.below(noise.len() as u64) as usize;
        let header = [wire::MAGIC, wire::VERSION, 0x81 + (self.rng.u32() as u8 & 3)];
        let keep_header = self.rng.ratio(1, 2);
        let _ = outbox.datagram(to, |buffer| {
            buffer[..length].copy_from_slice(&noise[..length]);
            if keep_header {
                buffer[..header.len()].copy_from_slice(&header);
            }
            length.max(header.len())
        });
    }
}

#[derive(Clone, Copy)]
enum Asked {
    Contacts,
    Value,
}

fn whole(value: &[u8]) -> Value<'_> {
    Value { offset: 0, total: value.len() as u32, life_s: u32::MAX, value }
}

/// An id that differs from `target` in its last eight bytes: closer than any
/// peer that did not choose its id.
pub(crate) fn near(target: Id, rng: &mut Rng) -> Id {
    let mut bytes = target.to_bytes();
    bytes[ID_BYTES - 8..].copy_from_slice(&rng.bytes::<8>());
    Id::new(bytes)
}

fn send(to: SocketAddr, transaction: TransactionId, name: Id, body: Body<'_>, outbox: &mut Outbox) {
    let datagram = of(name, transaction, body);
    let _ = outbox.datagram(to, |buffer| {
        let length = wire::encode(&datagram, buffer);
        if !datagram.body.is_request() {
            return length;
        }
        // Padded, so that nothing is cut from the reply.
        buffer[length..].fill(0);
        length.max(DATAGRAM_BYTES_MAX / 2)
    });
}

fn of(sender: Id, transaction: TransactionId, body: Body<'_>) -> Datagram<'_> {
    Datagram { sender, transaction, role: Role::Peer, ..datagram(0, body) }
}

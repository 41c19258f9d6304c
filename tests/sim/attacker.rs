//! A peer that lies: it takes part as far as it must to be asked, and tells one
//! kind of lie. Where its lie has no answer to a question, it names no contact.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::{DATAGRAM_BYTES_MAX, K_MAX, PIECE_BYTES_MAX};
use kad_node::node::{Outbox, fitted_id};
use kad_node::rng::Rng;
use kad_node::time::Instant;
use kad_node::wire::{
    self, Body, Contact, Contacts, Datagram, Purpose, Renewed, Role, Store, Token, TransactionId,
    Value,
};

use crate::crowd::{Crowd, VICTIM};
use crate::datagram::{datagram, store};
use crate::malice::{EACH, Malice};
use crate::peers::{PEERS_MAX, PeerIndex, Period, address_of, empty_address};

/// Peers to which an attacker speaks unasked each [`PERIOD`].
const VICTIMS: u64 = 2;
/// Values that a flooder stores at one node at once, and those that are offered to one and never
/// sent: four offerers make a thousand.
const FLOOD: u32 = 16;
const OFFERS: u32 = 256;
/// Bytes of such a value, and of one that is offered and never sent.
const FLOOD_BYTES: usize = 512;
const OFFER_BYTES: usize = 200_000;
/// Addresses among which an attacker looks for one that suits a contact that it makes up.
const TRIED: usize = 256;
/// How often an attacker speaks unasked.
const PERIOD: Duration = Duration::from_secs(10);
/// How often one does that offers values: it is back at a node before its offers have ended.
const OFFERING_PERIOD: Duration = Duration::from_secs(1);
/// How often those in league do, to every peer.
const LEAGUE_PERIOD: Duration = Duration::from_secs(30);
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
    /// Those with which it is in league.
    crowd: Crowd,
    mates: Arc<[Contact]>,
    /// Bytes of the NODES in which it has named a victim.
    pub(crate) named_bytes: u64,
    rng: Rng,
    next: Instant,
}

impl Attacker {
    pub(crate) fn new(id: Id, malice: Malice, peers: u32, rng: Rng, now: Instant) -> Self {
        Self {
            id,
            names: vec![(now, id)],
            malice,
            flooded: 0,
            peers,
            crowd: Crowd::default(),
            mates: Arc::default(),
            named_bytes: 0,
            rng,
            next: now,
        }
    }

    /// The same, in league with those of a crowd.
    pub(crate) fn in_league(self, crowd: Crowd, mates: Arc<[Contact]>) -> Self {
        Self { crowd, mates, ..self }
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
        let is_in_league = !self.mates.is_empty();
        let period = match self.malice {
            _ if is_in_league => LEAGUE_PERIOD,
            Malice::HalfOpen { .. } => OFFERING_PERIOD,
            _ => PERIOD,
        };
        self.next = now + self.rng.jitter(period);
        if self.malice == Malice::ManyNames {
            self.id = self.rng.id();
            self.names.push((now, self.id));
        }
        if is_in_league {
            let crowd = self.crowd;
            for peer in (0..self.peers).map(PeerIndex).filter(|&peer| !crowd.contains(peer)) {
                self.speak_to(address_of(peer), outbox);
            }
        } else {
            for _ in 0..VICTIMS {
                let victim = self.some_peer();
                self.speak_to(victim, outbox);
            }
        }
    }

    fn speak_to(&mut self, victim: SocketAddr, outbox: &mut Outbox) {
        let transaction = TransactionId::new(self.rng.bytes());
        send(victim, transaction, self.id, Body::Ping, outbox);
        let target = self.rng.id();
        send(victim, transaction, self.id, Body::FindNode { target }, outbox);
        if matches!(self.malice, Malice::Garbage | Malice::Everything) {
            self.nonsense(victim, outbox);
            self.garbage(victim, outbox);
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
            Body::Renew(_) => {
                let renewed = Renewed { answered: u64::MAX, lacking: 0 };
                send(source, transaction, self.id, Body::Renewed(renewed), outbox);
            }
            Body::Nodes(_) => {
                let (values_max, count, total) = match self.malice {
                    Malice::Flood { values_max } => (values_max, FLOOD, FLOOD_BYTES),
                    Malice::HalfOpen { offers_max } => (offers_max, OFFERS, OFFER_BYTES),
                    _ => (0, 0, 0),
                };
                if self.flooded < values_max {
                    self.flood(source, request.token, count, total, outbox);
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
            (Malice::Surround, _) => {
                let mut mates = self.mates.to_vec();
                mates.sort_unstable_by_key(|mate| mate.id ^ target);
                mates.truncate(K_MAX);
                send(to, transaction, self.id, Body::Nodes(Contacts::new(&mates)), outbox);
            }
            (Malice::Reflect, _) => {
                let ports: [Contact; K_MAX] = std::array::from_fn(|_| Contact {
                    id: near(target, &mut self.rng),
                    addr: SocketAddr::new(VICTIM, 1024 + self.rng.below(60_000) as u16),
                });
                let nodes = Body::Nodes(Contacts::new(&ports));
                self.named_bytes += nodes.encoded_bytes() as u64;
                send(to, transaction, self.id, nodes, outbox);
            }
            (Malice::Drop, _) => {}
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
                | Malice::Squat
                | Malice::Erasure,
                _,
            ) => {
                send(to, transaction, self.id, none, outbox);
            }
            (Malice::Everything, _) => unreachable!("one of its lies was drawn"),
        }
    }

    /// Stores `count` values of `total` bytes that no user wants, under the token that `to` has
    /// given; of large ones it sends the first piece alone.
    fn flood(
        &mut self,
        to: SocketAddr,
        token: Token,
        count: u32,
        total: usize,
        outbox: &mut Outbox,
    ) {
        self.flooded += count;
        for _ in 0..count {
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
        let wanted = near(target, &mut self.rng);
        if malice == Malice::MisnamedContacts {
            return Contact { id: wanted, addr: self.some_peer() };
        }
        // Where it looks for one, there is an address that an id close to the target fits.
        let addrs = (0..TRIED).map(|_| empty_address(self.rng.u32()));
        let fit = addrs.map(|addr| Contact { id: fitted_id(wanted, addr.ip()), addr });
        fit.min_by_key(|one| one.id ^ target).expect("some were tried")
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

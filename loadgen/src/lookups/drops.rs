//! Loss on purpose of what lookups send and receive.
//!
//! In which order their datagrams come is a matter of timing, and their transaction
//! ids are a node's own. So a draw is made of a request's content and destination, and of
//! how often that was sent before; with it the fate of its reply is known as well.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use kad_node::id::Id;
use kad_node::wire::{self, Body, TransactionId};

use crate::loss::{Leg, Loss, scramble};

/// Questions whose number of sends is remembered, 16 MB of them: with more the count
/// begins anew, and what is drawn is drawn again.
const QUESTIONS_MAX: usize = 1 << 20;
/// Replies to be dropped that are waited for: more than a node has requests in flight.
const DOOMED_MAX: usize = 1 << 16;

const _: () = assert!(DOOMED_MAX > kad_node::limits::IN_FLIGHT_MAX);

/// What is lost of one client's datagrams.
pub(super) struct LookupLoss {
    loss: Loss,
    /// Sends of each question so far.
    sends: HashMap<u64, u64>,
    /// Requests whose replies are dropped.
    doomed: HashSet<[u8; 8]>,
}

impl LookupLoss {
    pub(super) fn new(loss: Loss) -> Self {
        Self { loss, sends: HashMap::new(), doomed: HashSet::new() }
    }

    /// Whether what goes to `destination` is dropped.
    pub(super) fn drops_sent(&mut self, destination: SocketAddr, bytes: &[u8]) -> bool {
        let Ok(datagram) = wire::decode(bytes) else {
            return false; // a node sends no garbage
        };
        let question = question(destination, &datagram.body);
        if self.sends.len() == QUESTIONS_MAX {
            self.sends.clear();
        }
        let sends = self.sends.entry(question).or_default();
        *sends += 1;
        let place = |leg: Leg| scramble(question ^ *sends << 1) ^ leg as u64;
        let drops = self.loss.drops_at(place(Leg::Request));
        if !drops && datagram.body.is_request() && self.loss.drops_at(place(Leg::Reply)) {
            if self.doomed.len() == DOOMED_MAX {
                self.doomed.clear();
            }
            self.doomed.insert(*datagram.transaction.as_bytes());
        }
        drops
    }

    /// Whether what came is dropped. What is no reply is not: its sender loses it.
    pub(super) fn drops_received(&mut self, bytes: &[u8]) -> bool {
        let reply = wire::decode(bytes).ok().filter(|datagram| !datagram.body.is_request());
        let id = reply.map(|reply| reply.transaction);
        id.as_ref().map(TransactionId::as_bytes).is_some_and(|id| self.doomed.remove(id))
    }
}

/// A request's content and destination as one number.
fn question(destination: SocketAddr, body: &Body<'_>) -> u64 {
    let (kind, key) = match body {
        Body::FindNode { target } => (1, Some(*target)),
        Body::FindValue { key, .. } => (2, Some(*key)),
        Body::Store(store) => (3, Some(store.key)),
        Body::Ping => (4, None),
        // Replies: of a client, to a node that asks it.
        _ => (5, None),
    };
    let ip = match destination.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let mut mixed = scramble(kind << 16 | u64::from(destination.port()));
    for half in [(ip >> 64) as u64, ip as u64] {
        mixed = scramble(mixed ^ half);
    }
    // A key is a hash: its first eight bytes tell it from others.
    let of_key = key.map(Id::to_bytes).and_then(|bytes| bytes.first_chunk().copied());
    scramble(mixed ^ of_key.map_or(0, u64::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kad_node::limits::DATAGRAM_BYTES_MAX;
    use kad_node::quantity::Percent;
    use kad_node::wire::{Datagram, NetworkId, Role, Token};

    fn datagram(transaction: u64, body: Body<'_>) -> Vec<u8> {
        let datagram = Datagram {
            network: NetworkId::of_name("default"),
            transaction: TransactionId::new(transaction.to_be_bytes()),
            sender: Id::of_value(b"client"),
            role: Role::Client,
            announce: None,
            asks_proof: false,
            token: Token::NONE,
            body,
        };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&datagram, &mut buffer);
        buffer[..length].to_vec()
    }

    fn peer(number: u64) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 9000 + number as u16))
    }

    /// Which of these requests and of their replies are lost: each names a peer and
    /// how often that was asked before. The transactions are as they fall.
    fn fates(order: &[u64], first_transaction: u64) -> HashMap<(u64, u64), (bool, bool)> {
        let mut loss = LookupLoss::new(Loss::new(Percent::new(30), 7, 0));
        let mut asked = HashMap::<u64, u64>::new();
        let ask = |(transaction, number): (u64, &u64)| {
            let times = asked.entry(*number).or_default();
            *times += 1;
            let target = Id::of_value(b"target");
            let request = datagram(transaction, Body::FindNode { target });
            let sent = loss.drops_sent(peer(*number), &request);
            let reply = datagram(transaction, Body::Pong);
            ((*number, *times), (sent, !sent && loss.drops_received(&reply)))
        };
        (first_transaction..).zip(order).map(ask).collect()
    }

    #[test]
    fn the_order_in_which_others_are_asked_decides_nothing() {
        let order: Vec<u64> = (0..5000).map(|number| number % 1000).collect();
        let mut other = order.clone();
        other.reverse();
        let fates_of = fates(&order, 0);
        assert_eq!(fates_of, fates(&other, 70_000));
        let count = |of: fn(&(bool, bool)) -> bool| fates_of.values().filter(|one| of(one)).count();
        // Of 5000 requests three in ten, of 3500 replies as many, and five standard
        // deviations.
        assert!(count(|(sent, _)| *sent).abs_diff(1500) < 162);
        assert!(count(|(_, received)| *received).abs_diff(1050) < 136);
        let again = (0..1000).filter(|number| fates_of[&(*number, 1)] != fates_of[&(*number, 2)]);
        assert!(again.count() > 300, "a second send has a draw of its own");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut loss = LookupLoss::new(Loss::new(Percent::new(50), 7, 0));
        for transaction in 0..3 * DOOMED_MAX as u64 {
            loss.drops_sent(peer(0), &datagram(transaction, Body::Ping));
        }
        assert!(loss.doomed.len() <= DOOMED_MAX);
    }
}

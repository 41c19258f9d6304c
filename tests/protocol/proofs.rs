//! How a peer becomes a contact by a proof, a datagram that is not answered.

use std::net::SocketAddr;

use kad_node::id::Id;
use kad_node::node::{Command, Event, Stats};
use kad_node::wire::{self, Body, Contacts, Datagram, Role, Token, TransactionId};

use crate::datagram::{datagram, encoded};
use crate::net::{Net, addr};
use crate::sharded::Landing;

const PEER: u16 = 500;

fn sender() -> Id {
    Id::of_value(b"peer")
}

fn of_peer(body: Body<'_>) -> Datagram<'_> {
    Datagram { role: Role::Peer, sender: sender(), ..datagram(9, body) }
}

/// How many datagrams node `number` has sent, of a kind `wanted` picks.
fn sent(net: &Net, number: u16, wanted: impl Fn(&Body<'_>) -> bool) -> usize {
    net.sent_by(number, wanted).len()
}

const fn is_ping(body: &Body<'_>) -> bool {
    matches!(body, Body::Ping)
}

const fn is_proof(body: &Body<'_>) -> bool {
    matches!(body, Body::Proof)
}

#[test]
fn a_node_shows_its_token_to_a_peer_that_asks_for_it_once() {
    let mut net = Net::new(10);
    net.add(0);
    net.add(1);
    net.command(0, Command::Bootstrap { addresses: vec![addr(1)] });
    assert!(net.step() && net.step(), "a PING, and the PONG that asks for a proof");
    let own = net.id(0);
    assert!(!net.knows(1, own));
    assert_eq!((sent(&net, 0, is_ping), sent(&net, 0, is_proof)), (1, 1));
    assert!(net.step(), "the proof");
    assert!(net.knows(1, own));
    assert_eq!(net.stats(1).datagrams_sent, 1, "the PONG: nothing comes back for the proof");
    net.settle();
    assert_eq!((sent(&net, 0, is_ping), sent(&net, 0, is_proof)), (1, 1));
    assert_eq!(sent(&net, 1, is_ping), 0);
    let (stats, of_other) = (net.stats(0), net.stats(1));
    assert_eq!((stats.proofs_sent, of_other.proofs_received), (1, 1));
    let requests = sent(&net, 0, |body| !is_proof(body)) as u64;
    assert_eq!((stats.requests_sent, stats.rpcs), (requests, 0), "a proof is no request");
}

#[test]
fn a_proof_makes_a_contact_and_is_not_answered() {
    for shards in [1, 4] {
        let mut net = Net::new(11);
        net.use_shards(shards, Landing::InTurn);
        net.add(0);
        let token_of = |net: &mut Net, from: u16| {
            let pong = &net.ask(addr(from), 0, &of_peer(Body::Ping))[0];
            wire::decode(pong).expect("a PONG").token
        };
        let (token, of_another) = (token_of(&mut net, PEER), token_of(&mut net, PEER + 1));
        let before = net.sent.len();
        for (role, token, is_known) in [
            (Role::Peer, Token::NONE, false),
            (Role::Peer, Token::new([7; 8]), false),
            (Role::Peer, of_another, false),
            (Role::Client, token, false),
            (Role::Peer, token, true),
            (Role::Departing, token, false),
        ] {
            let proof = Datagram { role, token, ..of_peer(Body::Proof) };
            net.inject(addr(PEER), 0, &encoded(&proof));
            assert_eq!(net.knows(0, sender()), is_known, "{role:?} with {token:?}");
        }
        assert_eq!(net.sent.len(), before, "nothing is answered");
        let stats = net.stats(0);
        assert_eq!((stats.proofs_received, stats.pings_answered), (6, 2));
    }
}

/// It shows tokens by PINGs, and takes a proof for one.
#[test]
fn the_pong_of_an_older_peer_to_a_proof_changes_nothing() {
    let mut net = Net::new(12);
    net.use_shards(4, Landing::Steered);
    net.add(0);
    net.command(0, Command::Bootstrap { addresses: vec![addr(PEER)] });
    let asked = transaction(&net, is_ping);
    let token = Token::new([1; 8]);
    let pong = Datagram { token, transaction: asked, ..of_peer(Body::Pong) };
    net.inject(addr(PEER), 0, &encoded(&Datagram { asks_proof: true, ..pong }));
    let [proof] = net.sent_by(0, is_proof)[..] else { panic!("one proof") };
    let (to, proof) = (proof.to, wire::decode(&proof.bytes).expect("a proof"));
    assert_eq!((to, proof.token, proof.sender), (addr(PEER), token, net.id(0)));
    let proof = proof.transaction;
    assert_eq!(proof.reply_tag(), asked.reply_tag(), "the shard that asked takes the PONG");

    let (before, sent_before) = (net.stats(0), net.sent.len());
    net.inject(addr(PEER), 0, &encoded(&Datagram { transaction: proof, ..pong }));
    let expected = Stats {
        datagrams_received: before.datagrams_received + 1,
        replies_unmatched: before.replies_unmatched + 1,
        ..before
    };
    assert_eq!((net.stats(0), net.sent.len()), (expected, sent_before));

    let transaction = transaction(&net, |body| matches!(body, Body::FindNode { .. }));
    let nodes = Datagram { transaction, ..of_peer(Body::Nodes(Contacts::new(&[]))) };
    net.inject(addr(PEER), 0, &encoded(&nodes));
    assert!(net.events.iter().any(|(_, event)| matches!(event, Event::Joined { .. })));
    net.introduce(PEER, 0, sender());
    assert!(net.knows(0, sender()));
    assert_eq!(sent(&net, 0, is_proof), 1);
}

/// The transaction id of the last datagram that node 0 has sent to the peer, of a kind `wanted`
/// picks.
fn transaction(net: &Net, wanted: impl Fn(&Body<'_>) -> bool) -> TransactionId {
    let at: SocketAddr = addr(PEER);
    let of_kind = net.sent_by(0, wanted);
    let last = of_kind.iter().rev().find(|sent| sent.to == at).expect("one was sent");
    wire::decode(&last.bytes).expect("nodes send no garbage").transaction
}

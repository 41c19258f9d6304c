//! How values are renewed where they are held, without their bytes.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::EXPIRE_DEFAULT;
use kad_node::wire::{self, Body, Datagram, Renewal, Renewals, Renewed, Role, Store};

use crate::datagram::{datagram, store};
use crate::net::{Net, addr};
use crate::sharded::Landing;

const SENDER: u16 = 500;
const TEXTS: [&str; 4] = ["one", "two", "three", "four"];

/// A node without contacts that holds each of [`TEXTS`].
fn holder(seed: u64, shards: usize, landing: Landing) -> Net {
    let mut net = Net::new(seed);
    net.use_shards(shards, landing);
    net.add(0);
    let pong = &net.ask(addr(SENDER), 0, &datagram(1, Body::Ping))[0];
    let token = wire::decode(pong).expect("a PONG").token;
    for text in TEXTS {
        let life_s = EXPIRE_DEFAULT.as_secs() as u32;
        let body = Body::Store(Store { life_s, ..store(text.as_bytes()) });
        let request = Datagram { token, role: Role::Client, ..datagram(2, body) };
        assert_eq!(body_of(&net.ask(addr(SENDER), 0, &request)), Some(BodyKind::Stored));
    }
    net
}

#[derive(Debug, PartialEq, Eq)]
enum BodyKind {
    Stored,
    Other,
}

fn body_of(replies: &[Vec<u8>]) -> Option<BodyKind> {
    let body = wire::decode(replies.first()?).expect("nodes send no garbage").body;
    Some(if body == Body::Stored { BodyKind::Stored } else { BodyKind::Other })
}

/// What node 0 says of a RENEW of these keys, for so long.
fn renew(net: &mut Net, keys: &[Id], life: Duration) -> Renewed {
    let life_s = life.as_secs() as u32;
    let renewals: Vec<Renewal> = keys.iter().map(|&key| Renewal { key, life_s }).collect();
    let body = Body::Renew(Renewals::new(&renewals));
    let replies = net.ask(addr(SENDER), 0, &Datagram { role: Role::Client, ..datagram(3, body) });
    assert_eq!(replies.len(), 1, "one reply to each request");
    match wire::decode(&replies[0]).expect("nodes send no garbage").body {
        Body::Renewed(renewed) => renewed,
        other => panic!("{other:?}"),
    }
}

fn keys() -> Vec<Id> {
    TEXTS.iter().map(|text| Id::of_value(text.as_bytes())).collect()
}

fn held(net: &Net) -> usize {
    keys().into_iter().filter(|&key| net.nodes[&addr(0)].holds(key)).count()
}

#[test]
fn a_renewed_value_lives_on_and_one_that_is_not_held_is_named() {
    let mut net = holder(1, 1, Landing::Steered);
    net.run_for(EXPIRE_DEFAULT / 2);
    let mut asked = keys()[..2].to_vec();
    asked.push(Id::of_value(b"never stored"));
    // A sender without a token: the reply is no larger than the request.
    let renewed = renew(&mut net, &asked, EXPIRE_DEFAULT);
    assert_eq!(renewed, Renewed { answered: 0b111, lacking: 0b100 });
    net.run_for(EXPIRE_DEFAULT * 3 / 4);
    assert_eq!(held(&net), 2, "the others have expired");
    let stats = net.stats(0);
    assert_eq!((stats.renews_answered, stats.renewals_hit, stats.renewals_missed), (1, 2, 1));
}

#[test]
fn no_renew_shortens_a_life_or_makes_it_longer_than_a_store_may() {
    let mut net = holder(2, 1, Landing::Steered);
    renew(&mut net, &keys(), Duration::ZERO);
    net.run_for(EXPIRE_DEFAULT / 2);
    assert_eq!(held(&net), TEXTS.len());
    renew(&mut net, &keys(), EXPIRE_DEFAULT * 1000);
    net.run_for(EXPIRE_DEFAULT + Duration::from_secs(1));
    assert_eq!(held(&net), 0);
}

#[test]
fn shards_answer_for_their_own_keys_until_each_key_is_answered() {
    for landing in [Landing::Steered, Landing::InTurn] {
        let mut net = holder(3, 3, landing);
        let mut left = keys();
        left.push(Id::of_value(b"never stored"));
        left.sort_by_key(|key| key.last_byte());
        let (mut rounds, mut lacking) = (0, 0);
        while !left.is_empty() {
            let renewed = renew(&mut net, &left, EXPIRE_DEFAULT);
            assert_eq!(renewed.answered & 1, 1, "the first key steers");
            assert_eq!(renewed.lacking & !renewed.answered, 0);
            lacking += renewed.lacking.count_ones();
            let mut bits = (0..left.len()).map(|bit| renewed.answered >> bit & 1 == 1);
            left.retain(|_| !bits.next().expect("a bit for each"));
            rounds += 1;
        }
        assert!((2..=3).contains(&rounds), "{rounds} for three shards, {landing:?}");
        assert_eq!(lacking, 1);
    }
}

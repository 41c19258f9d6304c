//! Rounds whose requests come to nothing.

use super::*;
use crate::limits::{RENEWALS_MAX, ROUND_PACE, ROUND_STORES_AGAIN_MAX};
use crate::node::Config;
use crate::node::renewable::steer_order;
use crate::node::request::{Purpose, Request};
use crate::node::samples::{contact, id};
use crate::wire::{ErrorCode, Renewed, Role};

/// What is pushed of the effects that `pick` takes.
fn effects<T>(turn: &mut Turn, pick: impl Fn(Effect) -> Option<T>) -> Vec<T> {
    let mut picked = Vec::new();
    while let Some(effect) = turn.pop() {
        picked.extend(pick(effect));
    }
    picked
}

fn turn() -> Turn {
    Turn::new(Config::new(id(0), [7; 32]), Instant::ZERO)
}

fn requests(turn: &mut Turn) -> Vec<Request> {
    effects(turn, |effect| match effect {
        Effect::Request(request) => Some(request),
        _ => None,
    })
}

/// So many values, and what is to be done with all of them on a peer.
fn values_for(turn: &Turn, count: u16, peer: u16) -> (Vec<(Renewable, Option<u8>)>, Work) {
    let expires = turn.now;
    let mut values: Vec<Renewable> = (0..count)
        .map(|number| Renewable { key: id(number), value: [1][..].into(), expires })
        .collect();
    values.sort_unstable_by_key(|value| steer_order(value.key));
    let work =
        Work { contact: contact(peer), known: Known::default(), values: (0..count).collect() };
    (values.into_iter().map(|value| (value, None)).collect(), work)
}

/// Its peer is silent.
fn settle_silent(rounds: &mut Rounds, turn: &mut Turn, request: &Request) {
    settle(rounds, turn, request, Answer::Silence);
}

fn settle(rounds: &mut Rounds, turn: &mut Turn, request: &Request, answer: Answer<'_>) {
    let Purpose::Round(peer) = request.purpose else { panic!("of a round") };
    let (request, known, first_sent) = (request.clone(), request.known, turn.now);
    rounds.settled(turn, peer, &Reply { request, known, first_sent, answer });
}

#[test]
fn the_next_round_begins_after_a_pause_for_each_renew_of_this_one() {
    let (mut turn, mut rounds) = (turn(), Rounds::default());
    let (values, work) = values_for(&turn, RENEWALS_MAX as u16 + 1, 1);
    let reason = RenewReason::Replicate;
    let next = rounds.begin(&mut turn, reason, values.into_iter(), [work].into(), Vec::new());
    assert_eq!(next, turn.now + 2 * ROUND_PACE);
}

#[test]
fn a_spare_takes_the_place_of_a_silent_peer() {
    let (mut turn, mut rounds) = (turn(), Rounds::default());
    let (values, work) = values_for(&turn, 2, 1);
    let (reason, spare) = (RenewReason::Republish, (contact(2), Known::default()));
    rounds.begin(&mut turn, reason, values.into_iter(), [work].into(), [spare].into());
    let mut asked = Vec::new();
    // A RENEW, and the STORE that a node of an older release would answer.
    for _ in 0..4 {
        let request = requests(&mut turn).pop().expect("one more");
        asked.push((request.addr, matches!(request.ask, Ask::Renew { .. })));
        settle_silent(&mut rounds, &mut turn, &request);
    }
    let [first, second] = [contact(1).addr, contact(2).addr];
    assert_eq!(asked, [(first, true), (first, false), (second, true), (second, false)]);
    assert_eq!(rounds.len(), 0);
}

/// How many STOREs of one value a peer is sent that lacks it and answers each with `code`.
fn stores_that_end_in(code: ErrorCode) -> usize {
    let (mut turn, mut rounds) = (turn(), Rounds::default());
    let (values, work) = values_for(&turn, 1, 1);
    let reason = RenewReason::Republish;
    rounds.begin(&mut turn, reason, values.into_iter(), [work].into(), Vec::new());
    let mut stores = 0;
    while let Some(request) = requests(&mut turn).pop() {
        let lacking = Body::Renewed(Renewed { answered: 1, lacking: 1 });
        let is_store = matches!(request.ask, Ask::Store { .. });
        stores += usize::from(is_store);
        let body = if is_store { Body::Error(code) } else { lacking };
        let answer = Answer::Reply { id: contact(1).id, role: Role::Peer, body };
        settle(&mut rounds, &mut turn, &request, answer);
    }
    assert_eq!(rounds.len(), 0);
    stores
}

#[test]
fn what_may_have_been_damaged_on_the_way_is_stored_once_more() {
    let all = 1 + usize::from(ROUND_STORES_AGAIN_MAX);
    for code in [ErrorCode::Token, ErrorCode::Mismatch, ErrorCode::TooLarge] {
        assert_eq!(stores_that_end_in(code), all, "{code:?}");
    }
    for code in [ErrorCode::Full, ErrorCode::Busy] {
        assert_eq!(stores_that_end_in(code), 1, "{code:?}");
    }
}

#[test]
fn a_value_whose_request_was_refused_is_renewed_once_more_soon() {
    let (mut turn, mut rounds) = (turn(), Rounds::default());
    let (values, work) = values_for(&turn, 1, 2);
    let reason = RenewReason::Republish;
    rounds.begin(&mut turn, reason, values.into_iter(), [work].into(), Vec::new());
    let requests = requests(&mut turn);
    let [Request { ask, purpose: Purpose::Round(peer), .. }] = &requests[..] else {
        panic!("{requests:?}");
    };
    rounds.refused(&mut turn, *peer, ask);
    let missed = effects(&mut turn, |effect| match effect {
        Effect::Missed { key } => Some(key),
        _ => None,
    });
    assert_eq!(missed, [id(0)]);
    assert_eq!(rounds.len(), 0);
}

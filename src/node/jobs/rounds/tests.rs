//! Rounds whose requests come to nothing.

use super::*;
use crate::node::Config;
use crate::node::request::{Purpose, Request};
use crate::node::samples::{contact, id};

/// What is pushed of the effects that `pick` takes.
fn effects<T>(turn: &mut Turn, pick: impl Fn(Effect) -> Option<T>) -> Vec<T> {
    let mut picked = Vec::new();
    while let Some(effect) = turn.pop() {
        picked.extend(pick(effect));
    }
    picked
}

#[test]
fn a_value_whose_request_was_refused_is_renewed_once_more_soon() {
    let mut turn = Turn::new(Config::new(id(0), [7; 32]), Instant::ZERO);
    let mut rounds = Rounds::default();
    let value = Renewable { key: id(1), value: [1][..].into(), expires: turn.now };
    let work = Work { contact: contact(2), known: Known::default(), values: [0].into() };
    let values = [(value, None)].into_iter();
    rounds.begin(&mut turn, RenewReason::Republish, values, [work].into(), Vec::new());
    let requests = effects(&mut turn, |effect| match effect {
        Effect::Request(request) => Some(request),
        _ => None,
    });
    let [Request { ask, purpose: Purpose::Round(peer), .. }] = &requests[..] else {
        panic!("{requests:?}");
    };
    rounds.refused(&mut turn, *peer, ask);
    let missed = effects(&mut turn, |effect| match effect {
        Effect::Missed { key } => Some(key),
        _ => None,
    });
    assert_eq!(missed, [id(1)]);
    assert_eq!(rounds.len(), 0);
}

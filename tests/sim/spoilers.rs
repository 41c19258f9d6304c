//! Honest nodes of which the network makes holders that spoil large values.

use std::collections::BTreeMap;
use std::time::Duration;

use kad_node::time::Instant;
use kad_node::wire::{self, Body};

use crate::peers::PeerIndex;
use crate::ratio::{Ratio, mix};

/// How long a piece of a dripping holder comes after the one before it.
const DRIP: Duration = Duration::from_secs(1);

/// Peers that spoil the large values that they send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoilers {
    pub(crate) share: Ratio,
    pub(crate) how: Spoiling,
}

/// How a peer spoils a large value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoiling {
    /// Its last byte is another.
    LastPiece,
    /// Its pieces come one a second, but for the first.
    Drip,
}

impl Spoilers {
    pub(crate) const NONE: Self = Self { share: Ratio::NEVER, how: Spoiling::LastPiece };

    /// What becomes of a datagram of `source`, if it is one to spoil.
    pub(crate) fn spoiling(&self, seed: u64, source: PeerIndex, bytes: &[u8]) -> Option<Spoiling> {
        if self.share.is_never() || !self.share.chooses(mix(seed ^ mix(source.as_u64()))) {
            return None;
        }
        let Body::Value(value) = wire::decode(bytes).ok()?.body else { return None };
        let is_last = value.offset as usize + value.value.len() == value.total as usize;
        let is_spoilt = value.offset > 0 && (self.how == Spoiling::Drip || is_last);
        is_spoilt.then_some(self.how)
    }
}

/// When the latest pieces of dripping holders arrive.
#[derive(Default)]
pub(crate) struct Drips(BTreeMap<PeerIndex, Instant>);

impl Drips {
    /// When a piece of `source` arrives that would do so at `at`.
    pub(crate) fn next(&mut self, source: PeerIndex, at: Instant) -> Instant {
        let latest = self.0.entry(source).or_insert(at);
        *latest = at.max(*latest + DRIP);
        *latest
    }
}

//! What the node knows of a peer beside its id and address.

use super::round_trip::RoundTrip;
use crate::limits::{TIMEOUT_MAX, TOKEN_EPOCH};
use crate::time::{Instant, Tick};
use crate::wire::Token;

/// A peer's round trip, and the token that it gave this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) round_trip: RoundTrip,
    pub(crate) token: PeerToken,
}

/// A peer's token with its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerToken {
    token: Token,
    given: Tick,
}

impl Default for PeerToken {
    /// None yet.
    fn default() -> Self {
        Self { token: Token::NONE, given: Tick::ZERO }
    }
}

impl PeerToken {
    pub(crate) fn new(token: Token, given: Instant) -> Self {
        Self { token, given: Tick::of(given) }
    }

    /// Whether the peer has given no token yet.
    pub(crate) fn is_none(self) -> bool {
        self.token == Token::NONE
    }

    /// The token, or none once the peer may cease to accept it before it arrives:
    /// it does so an epoch after it gave it at the earliest, and the two trips in
    /// between took less than [`TIMEOUT_MAX`].
    pub(crate) fn valid_at(self, now: Instant) -> Token {
        let age = now.since(self.given.start());
        if age + TIMEOUT_MAX < TOKEN_EPOCH { self.token } else { Token::NONE }
    }
}

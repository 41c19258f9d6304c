//! The token that a peer gave us, and when.

use super::table::compact::Tick;
use crate::limits::{TIMEOUT_MAX, TOKEN_EPOCH};
use crate::time::Instant;
use crate::wire::Token;

/// A peer's token with its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    token: Token,
    given: Tick,
}

impl Credential {
    /// None has been given yet.
    pub(super) const NONE: Self = Self { token: Token::NONE, given: Tick::ZERO };

    pub(super) fn new(token: Token, given: Instant) -> Self {
        Self { token, given: Tick::of(given) }
    }

    /// The token, or none once the peer may cease to accept it before it arrives:
    /// it does so an epoch after it gave it at the earliest, and the two trips in
    /// between took less than [`TIMEOUT_MAX`].
    pub(super) fn token(self, now: Instant) -> Token {
        let age = now.since(self.given.start());
        if age + TIMEOUT_MAX < TOKEN_EPOCH { self.token } else { Token::NONE }
    }
}

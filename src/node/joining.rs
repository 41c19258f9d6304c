//! How a node comes into the network, and back into it: whom to knock at, and
//! when.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::limits::{BOOTSTRAP_ADDRESSES_MAX, BOOTSTRAP_WAIT_MAX, BOOTSTRAP_WAIT_MIN};
use crate::rng::Rng;
use crate::time::Instant;

/// The addresses to join by, and when to try them next: while we have no good
/// contact, after waits that double, for ever.
#[derive(Debug)]
pub(super) struct Joining {
    addresses: Vec<SocketAddr>,
    wait: Duration,
    next: Option<Instant>,
}

impl Joining {
    pub(super) const fn new() -> Self {
        Self { addresses: Vec::new(), wait: BOOTSTRAP_WAIT_MIN, next: None }
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes new addresses, to be tried at once.
    pub(super) fn start(&mut self, now: Instant, mut addresses: Vec<SocketAddr>) {
        addresses.truncate(BOOTSTRAP_ADDRESSES_MAX);
        self.addresses = addresses;
        self.restart(now);
    }

    /// Tries again at once, and then after the shortest wait: every good contact
    /// has been lost.
    pub(super) fn restart(&mut self, now: Instant) {
        self.wait = BOOTSTRAP_WAIT_MIN;
        self.next = Some(now);
    }

    /// Stops trying: there is a good contact.
    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    /// Whether it is trying.
    pub(super) const fn is_trying(&self) -> bool {
        self.next.is_some()
    }

    /// When to try next.
    pub(super) const fn next_attempt(&self) -> Option<Instant> {
        self.next
    }

    /// Whether an attempt is due at `now`; if so, the next one comes after the
    /// current wait, shortened by jitter.
    pub(super) fn take_attempt(&mut self, now: Instant, rng: &mut Rng) -> bool {
        if self.next.is_none_or(|next| next > now) {
            return false;
        }
        self.next = Some(now + rng.jitter(self.wait));
        self.wait = (self.wait * 2).min(BOOTSTRAP_WAIT_MAX);
        true
    }
}

#[cfg(test)]
mod tests;

//! Tokens: proof that a sender receives what is sent to its address (BEP 5).

use core::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::limits::TOKEN_EPOCH;
use crate::time::Instant;
use crate::wire::Token;

/// Gives and checks tokens: a keyed hash of the address and of the epoch, so
/// that nothing is remembered per sender.
#[derive(Clone)]
pub(super) struct Tokens {
    secret: [u8; 16],
    /// The one made last: datagrams of one sender come one after another, and the
    /// hash is a fifth of the instructions of a `FIND_VALUE`.
    latest: Option<Issue>,
}

/// A token, and what it is the hash of.
#[derive(Clone, Copy)]
struct Issue {
    epoch: u64,
    ip: IpAddr,
    token: Token,
}

/// What a sender's token was worth, and the one that its reply carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) proof: Proof,
    pub(super) fresh: Token,
}

/// Whether a sender has shown that it receives at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Valid,
    Missing,
}

impl Tokens {
    pub(super) const fn new(secret: [u8; 16]) -> Self {
        Self { secret, latest: None }
    }

    /// Checks the token of a sender at `ip`, and makes the one that is valid in
    /// this epoch and in the next. Most senders show that very one: then one hash
    /// is all it takes.
    pub(super) fn check(&mut self, now: Instant, ip: IpAddr, token: Token) -> Checked {
        let epoch = epoch(now);
        let fresh = self.fresh(epoch, ip);
        let is_valid = token == fresh
            || token != Token::NONE && epoch > 0 && token == self.of_epoch(epoch - 1, ip);
        Checked { proof: if is_valid { Proof::Valid } else { Proof::Missing }, fresh }
    }

    /// The token of this epoch.
    fn fresh(&mut self, epoch: u64, ip: IpAddr) -> Token {
        if let Some(latest) = self.latest
            && (latest.epoch, latest.ip) == (epoch, ip)
        {
            return latest.token;
        }
        let token = self.of_epoch(epoch, ip);
        self.latest = Some(Issue { epoch, ip, token });
        token
    }

    fn of_epoch(&self, epoch: u64, ip: IpAddr) -> Token {
        let mut bytes = [0; 8 + 16];
        bytes[..8].copy_from_slice(&epoch.to_le_bytes());
        let length = match ip {
            IpAddr::V4(ip) => {
                bytes[8..12].copy_from_slice(&ip.octets());
                12
            }
            IpAddr::V6(ip) => {
                bytes[8..].copy_from_slice(&ip.octets());
                24
            }
        };
        let hash = SipHasher24::new_with_key(&self.secret).hash(&bytes[..length]);
        // Zero means no token, so it is not given to anyone.
        Token::new(hash.max(1).to_be_bytes())
    }
}

const fn epoch(now: Instant) -> u64 {
    now.as_micros() / TOKEN_EPOCH.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    impl Tokens {
        fn issue(&mut self, now: Instant, ip: IpAddr) -> Token {
            self.check(now, ip, Token::NONE).fresh
        }

        fn proof(&mut self, now: Instant, ip: IpAddr, token: Token) -> Proof {
            self.check(now, ip, token).proof
        }
    }

    #[test]
    fn a_token_is_valid_for_two_epochs_and_one_address() {
        let mut tokens = Tokens::new([7; 16]);
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let other = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let start = Instant::ZERO + TOKEN_EPOCH * 3;
        let token = tokens.issue(start, ip);
        assert_eq!(tokens.proof(start, ip, token), Proof::Valid);
        assert_eq!(tokens.proof(start + TOKEN_EPOCH, ip, token), Proof::Valid);
        assert_eq!(tokens.proof(start + TOKEN_EPOCH * 2, ip, token), Proof::Missing);
        assert_eq!(tokens.proof(start, other, token), Proof::Missing);
        assert_eq!(Tokens::new([8; 16]).proof(start, ip, token), Proof::Missing);
        assert_eq!(tokens.proof(start, ip, Token::NONE), Proof::Missing);
    }

    proptest::proptest! {
        #[test]
        fn a_token_proves_one_address_for_at_least_one_epoch_and_less_than_two(
            secret: [u8; 16], issued_us: u64, later_us in 0..TOKEN_EPOCH.as_micros() as u64 * 3,
            ip: IpAddr, other: IpAddr,
        ) {
            let mut tokens = Tokens::new(secret);
            let issued = Instant::from_micros(issued_us);
            let later = Instant::from_micros(issued_us.saturating_add(later_us));
            let token = tokens.issue(issued, ip);
            let age = later.since(issued);
            if age <= TOKEN_EPOCH {
                proptest::prop_assert_eq!(tokens.proof(later, ip, token), Proof::Valid);
            } else if age >= TOKEN_EPOCH * 2 {
                proptest::prop_assert_eq!(tokens.proof(later, ip, token), Proof::Missing);
            }
            if other != ip {
                proptest::prop_assert_eq!(tokens.proof(issued, other, token), Proof::Missing);
            }
            // What will be given in a later epoch is not valid yet.
            let future = issued + TOKEN_EPOCH;
            if future > issued && tokens.issue(future, ip) != token {
                let future = tokens.issue(future, ip);
                proptest::prop_assert_eq!(tokens.proof(issued, ip, future), Proof::Missing);
            }
        }
    }
}

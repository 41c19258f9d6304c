//! Tokens: proof that a sender receives what is sent to its address (BEP 5).

use core::hash::Hasher;
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
}

/// Whether a sender has shown that it receives at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Valid,
    Missing,
}

impl Tokens {
    pub(super) const fn new(secret: [u8; 16]) -> Self {
        Self { secret }
    }

    /// The token for a sender at `ip`, valid in this epoch and in the next.
    pub(super) fn issue(&self, now: Instant, ip: IpAddr) -> Token {
        self.of_epoch(epoch(now), ip)
    }

    pub(super) fn check(&self, now: Instant, ip: IpAddr, token: Token) -> Proof {
        let epoch = epoch(now);
        let valid = token != Token::NONE
            && (token == self.of_epoch(epoch, ip)
                || epoch > 0 && token == self.of_epoch(epoch - 1, ip));
        if valid { Proof::Valid } else { Proof::Missing }
    }

    fn of_epoch(&self, epoch: u64, ip: IpAddr) -> Token {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        hasher.write_u64(epoch);
        match ip {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        // Zero means no token, so it is not given to anyone.
        Token::new(hasher.finish().max(1).to_be_bytes())
    }
}

const fn epoch(now: Instant) -> u64 {
    now.as_micros() / TOKEN_EPOCH.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn a_token_is_valid_for_two_epochs_and_one_address() {
        let tokens = Tokens::new([7; 16]);
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let other = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let start = Instant::ZERO + TOKEN_EPOCH * 3;
        let token = tokens.issue(start, ip);
        assert_eq!(tokens.check(start, ip, token), Proof::Valid);
        assert_eq!(tokens.check(start + TOKEN_EPOCH, ip, token), Proof::Valid);
        assert_eq!(tokens.check(start + TOKEN_EPOCH * 2, ip, token), Proof::Missing);
        assert_eq!(tokens.check(start, other, token), Proof::Missing);
        assert_eq!(Tokens::new([8; 16]).check(start, ip, token), Proof::Missing);
        assert_eq!(tokens.check(start, ip, Token::NONE), Proof::Missing);
    }

    proptest::proptest! {
        #[test]
        fn a_token_proves_one_address_for_at_least_one_epoch_and_less_than_two(
            secret: [u8; 16], issued_us: u64, later_us in 0..TOKEN_EPOCH.as_micros() as u64 * 3,
            ip: IpAddr, other: IpAddr,
        ) {
            let tokens = Tokens::new(secret);
            let issued = Instant::from_micros(issued_us);
            let later = Instant::from_micros(issued_us.saturating_add(later_us));
            let token = tokens.issue(issued, ip);
            let age = later.since(issued);
            if age <= TOKEN_EPOCH {
                proptest::prop_assert_eq!(tokens.check(later, ip, token), Proof::Valid);
            } else if age >= TOKEN_EPOCH * 2 {
                proptest::prop_assert_eq!(tokens.check(later, ip, token), Proof::Missing);
            }
            if other != ip {
                proptest::prop_assert_eq!(tokens.check(issued, other, token), Proof::Missing);
            }
            // What will be given in a later epoch is not valid yet.
            let future = issued + TOKEN_EPOCH;
            if future > issued && tokens.issue(future, ip) != token {
                let future = tokens.issue(future, ip);
                proptest::prop_assert_eq!(tokens.check(issued, ip, future), Proof::Missing);
            }
        }
    }
}

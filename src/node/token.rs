//! Tokens: proof that a sender receives what is sent to its address (BEP 5).

use alloc::boxed::Box;
use alloc::vec;
use core::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::limits::TOKEN_EPOCH;
use crate::time::Instant;
use crate::wire::Token;

/// Gives and checks tokens: a keyed hash of the address and of the epoch, so
/// that nothing must be remembered per sender.
///
/// What was made is remembered all the same, for the hash is some 240 instructions,
/// beside the 571 of a `FIND_VALUE`: the token made last, since datagrams of one
/// sender come one after another; and by a busy node those of some hundred senders.
#[derive(Clone)]
pub(super) struct Tokens {
    secret: [u8; 16],
    /// How senders are spread over the table: a secret as well.
    spread: u64,
    epoch: u64,
    latest: Option<Issue>,
    /// Hashes made in this epoch.
    made: u32,
    /// Of this epoch, by the senders' addresses; empty while the node is not busy.
    table: Box<[Option<Issue>]>,
}

/// Places of the table. With so many the busiest 64 senders find theirs in four of
/// five cases, and it takes as much memory as a hundred contacts do.
const PLACES: usize = 256;
/// Hashes in an epoch from which on the table is worth its memory: three a second.
const BUSY: u32 = 1024;

const _: () = assert!(PLACES.is_power_of_two());
const _: () = assert!(size_of::<Option<Issue>>() * PLACES <= 8 << 10);

/// A token of this epoch, and its sender's address.
#[derive(Clone, Copy)]
struct Issue {
    ip: IpAddr,
    token: Token,
}

/// What a sender's token was worth, and the one that its reply carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// Whether it shows that the sender receives at its address.
    pub(super) is_valid: bool,
    pub(super) fresh: Token,
}

impl Tokens {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        // No token is a hash of so few bytes.
        let spread = SipHasher24::new_with_key(&secret).hash(b"place");
        Self { secret, spread, epoch: 0, latest: None, made: 0, table: Box::default() }
    }

    /// Checks the token of a sender at `ip`, and makes the one that is valid in
    /// this epoch and in the next. Most senders show that very one: then one hash
    /// is all it takes.
    #[inline]
    pub(super) fn check(&mut self, now: Instant, ip: IpAddr, token: Token) -> Checked {
        let epoch = epoch(now);
        let fresh = self.fresh(epoch, ip);
        let is_valid = token == fresh
            || token != Token::NONE && epoch > 0 && token == self.of_epoch(epoch - 1, ip);
        Checked { is_valid, fresh }
    }

    /// The token that a peer at `ip` is given now.
    pub(super) fn given(&mut self, now: Instant, ip: IpAddr) -> Token {
        self.fresh(epoch(now), ip)
    }

    /// The token of this epoch.
    #[inline]
    fn fresh(&mut self, epoch: u64, ip: IpAddr) -> Token {
        match self.latest {
            Some(latest) if latest.ip == ip && epoch == self.epoch => latest.token,
            _ => self.issue(epoch, ip),
        }
    }

    /// The same for another sender than the last, or of another epoch. Apart, so that the
    /// rest is small enough to stand where it is called: 16 instructions less for a hit.
    #[inline(never)]
    fn issue(&mut self, epoch: u64, ip: IpAddr) -> Token {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.forget();
        }
        let issue = self.find_or_make(ip);
        self.latest = Some(issue);
        issue.token
    }

    fn forget(&mut self) {
        self.latest = None;
        self.made = 0;
        self.table.fill(None);
    }

    /// The token of this epoch out of the table, if it is there; if not it is, from
    /// then on, in place of another.
    fn find_or_make(&mut self, ip: IpAddr) -> Issue {
        let place = self.place(ip);
        if let Some(Some(known)) = self.table.get(place)
            && known.ip == ip
        {
            return *known;
        }
        let issue = Issue { ip, token: self.of_epoch(self.epoch, ip) };
        self.made = self.made.saturating_add(1);
        if self.table.is_empty() && self.made == BUSY {
            self.table = vec![None; PLACES].into_boxed_slice();
        }
        if let Some(known) = self.table.get_mut(place) {
            *known = Some(issue);
        }
        issue
    }

    /// The place of a sender in the table. It depends on a secret, or an attacker could
    /// send from addresses of one place, and each datagram would cost a hash.
    fn place(&self, ip: IpAddr) -> usize {
        let bits = match ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                (bits >> 64) as u64 ^ bits as u64
            }
        };
        // Twice a Fibonacci hash, whose factor is 2^64 divided by the golden ratio:
        // once would leave neighbours at distances that an address tells.
        let once = (bits ^ self.spread).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let twice = (once ^ once >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (twice >> (u64::BITS - PLACES.ilog2())) as usize
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
        // Zero means no token, so no sender is given it.
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
        fn of(&mut self, now: Instant, ip: IpAddr) -> Token {
            self.check(now, ip, Token::NONE).fresh
        }

        fn is_valid(&mut self, now: Instant, ip: IpAddr, token: Token) -> bool {
            self.check(now, ip, token).is_valid
        }
    }

    #[test]
    fn a_token_is_valid_for_two_epochs_and_one_address() {
        let mut tokens = Tokens::new([7; 16]);
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let other = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let start = Instant::ZERO + TOKEN_EPOCH * 3;
        let token = tokens.of(start, ip);
        assert!(tokens.is_valid(start, ip, token));
        assert!(tokens.is_valid(start + TOKEN_EPOCH, ip, token));
        assert!(!tokens.is_valid(start + TOKEN_EPOCH * 2, ip, token));
        assert!(!tokens.is_valid(start, other, token));
        assert!(!Tokens::new([8; 16]).is_valid(start, ip, token));
        assert!(!tokens.is_valid(start, ip, Token::NONE));
    }

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
    }

    #[test]
    fn what_is_remembered_is_what_would_be_made() {
        let mut tokens = Tokens::new([7; 16]);
        let mut now = Instant::ZERO;
        for epoch in 0..3 {
            // So many senders that most push another out of its place.
            for number in 0..3 * BUSY {
                let sender = ip(number % (4 * PLACES as u32));
                assert_eq!(tokens.of(now, sender), tokens.of_epoch(epoch, sender));
            }
            assert_eq!(tokens.table.len(), PLACES);
            now = now + TOKEN_EPOCH;
        }
    }

    #[test]
    fn senders_are_spread_over_the_table_whatever_the_secret() {
        for secret in 0..100 {
            let tokens = Tokens::new([secret; 16]);
            let used = |sender: &dyn Fn(u32) -> IpAddr| {
                let mut used = [false; PLACES];
                (0..64).for_each(|number| used[tokens.place(sender(number))] = true);
                used.iter().filter(|used| **used).count()
            };
            // 57 is what chance leaves of 64.
            assert!(used(&ip) > 48, "neighbours: {}", used(&ip));
            let far = |number: u32| IpAddr::V4(Ipv4Addr::from_bits(number << 24));
            assert!(used(&far) > 48, "networks: {}", used(&far));
        }
    }

    #[test]
    fn a_busy_node_makes_the_tokens_of_some_hundred_senders_once() {
        let mut tokens = Tokens::new([7; 16]);
        let round = |tokens: &mut Tokens| {
            let before = tokens.made;
            (0..64).for_each(|number| _ = tokens.of(Instant::ZERO, ip(number)));
            tokens.made - before
        };
        assert_eq!(round(&mut tokens), 64);
        assert_eq!(round(&mut tokens), 64, "it is not busy yet");
        assert!(tokens.table.is_empty());
        while tokens.table.is_empty() {
            round(&mut tokens);
        }
        round(&mut tokens);
        assert!(round(&mut tokens) <= 32, "those that share a place");
        tokens.of(Instant::ZERO + TOKEN_EPOCH, ip(0));
        assert_eq!(tokens.made, 1, "another epoch");
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
            let token = tokens.of(issued, ip);
            let age = later.since(issued);
            if age <= TOKEN_EPOCH {
                proptest::prop_assert!(tokens.is_valid(later, ip, token));
            } else if age >= TOKEN_EPOCH * 2 {
                proptest::prop_assert!(!tokens.is_valid(later, ip, token));
            }
            if other != ip {
                proptest::prop_assert!(!tokens.is_valid(issued, other, token));
            }
            // What will be given in a later epoch is not valid yet.
            let future = issued + TOKEN_EPOCH;
            if future > issued && tokens.of(future, ip) != token {
                let future = tokens.of(future, ip);
                proptest::prop_assert!(!tokens.is_valid(issued, ip, future));
            }
        }
    }
}

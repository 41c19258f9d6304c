//! Packet loss on purpose: a datapath around another that drops datagrams, each
//! way, with an exact chance and by a seed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use udp::LocalAddresses;

use super::faults::Faults;
use super::io::Datapath;
use super::stats::DriverStats;
use crate::quantity::Percent;
use crate::rng::Rng;

/// How many datagrams are dropped, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The chance of each datagram, each way.
    pub chance: Percent,
    /// Fixes which of the datagrams, by their order, are dropped.
    pub seed: u64,
}

impl Loss {
    /// The same chance for each of `count` shards, by a seed of its own.
    pub(super) fn shards(self, count: usize) -> Vec<Self> {
        let mut rng = Rng::from_u64(self.seed);
        let mut shard = || Self { seed: rng.u64(), ..self };
        (0..count).map(|_| shard()).collect()
    }
}

/// The faults around the node at an address.
pub(super) struct FaultsAt {
    pub(super) faults: Faults,
    pub(super) address: SocketAddr,
}

impl FaultsAt {
    fn cuts_off(&self, peer: SocketAddr) -> bool {
        self.faults.parts(self.address, peer)
    }
}

/// One way's fate, drawn from a stream of its own, so that what is dropped on
/// one way does not depend on what passes on the other.
struct Dice {
    rng: Rng,
    loss: Loss,
}

impl Dice {
    fn drops(&mut self, faults: Option<&Faults>) -> bool {
        let parts = faults.map_or_else(|| self.loss.chance.parts(), Faults::loss_parts);
        self.rng.ratio(parts, Percent::WHOLE)
    }
}

/// The datapath `D`, with losses.
pub(super) struct Lossy<D> {
    inner: D,
    at: Option<FaultsAt>,
    received: Dice,
    sent: Dice,
}

impl<D: Datapath> Lossy<D> {
    /// Drops by `loss`; where there are faults that may change, with their chance.
    pub(super) fn new(inner: D, loss: Loss, at: Option<FaultsAt>) -> Self {
        let mut rng = Rng::from_u64(loss.seed);
        let mut dice = || Dice { rng: Rng::from_seed(rng.seed()), loss };
        Self { inner, at, received: dice(), sent: dice() }
    }
}

impl<D: Datapath> Datapath for Lossy<D> {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.wait(timeout)
    }

    fn advance(&mut self) -> io::Result<bool> {
        while self.inner.advance()? {
            let at = self.at.as_ref();
            let is_lost = self.received.drops(at.map(|at| &at.faults))
                || at.is_some_and(|at| at.cuts_off(self.inner.datagram().0));
            if !is_lost {
                return Ok(true);
            }
            self.inner.stats().drops_received += 1;
        }
        Ok(false)
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        self.inner.datagram()
    }

    fn local(&self) -> Option<IpAddr> {
        self.inner.local()
    }

    fn locals(&mut self) -> Option<&mut LocalAddresses> {
        self.inner.locals()
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        let mut dropped = 0;
        let (sent, at) = (&mut self.sent, self.at.as_ref());
        self.inner.submit(datagrams.filter(|(peer, _)| {
            let drops =
                sent.drops(at.map(|at| &at.faults)) || at.is_some_and(|at| at.cuts_off(*peer));
            dropped += u64::from(drops);
            !drops
        }));
        self.inner.stats().drops_sent += dropped;
    }

    fn stats(&mut self) -> &mut DriverStats {
        self.inner.stats()
    }

    fn measure(&mut self) {
        self.inner.measure();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SHARDS_MAX;

    /// Brings `incoming` datagrams, numbered, and keeps what is sent.
    #[derive(Default)]
    struct Numbered {
        incoming: u32,
        current: [u8; 4],
        sent: Vec<u8>,
        stats: DriverStats,
    }

    const PEER: SocketAddr =
        SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 1));

    impl Datapath for Numbered {
        fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<()> {
            Ok(())
        }

        fn advance(&mut self) -> io::Result<bool> {
            let Some(left) = self.incoming.checked_sub(1) else {
                return Ok(false);
            };
            self.incoming = left;
            self.current = left.to_be_bytes();
            Ok(true)
        }

        fn datagram(&self) -> (SocketAddr, &[u8]) {
            (PEER, &self.current)
        }

        fn local(&self) -> Option<IpAddr> {
            None
        }

        fn locals(&mut self) -> Option<&mut LocalAddresses> {
            None
        }

        fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
            self.sent.extend(datagrams.flat_map(|(_, bytes)| bytes));
        }

        fn stats(&mut self) -> &mut DriverStats {
            &mut self.stats
        }

        fn measure(&mut self) {}
    }

    /// What passes each way of 10 000 datagrams.
    fn passed(loss: Loss) -> (Vec<u8>, Vec<u8>, DriverStats) {
        passed_at(loss, None)
    }

    fn passed_at(loss: Loss, at: Option<FaultsAt>) -> (Vec<u8>, Vec<u8>, DriverStats) {
        let numbered = Numbered { incoming: 10_000, ..Numbered::default() };
        let mut lossy = Lossy::new(numbered, loss, at);
        let mut received = Vec::new();
        while lossy.advance().expect("never fails") {
            received.extend(lossy.datagram().1);
        }
        let outgoing: Vec<_> = (0..10_000u32).map(u32::to_be_bytes).collect();
        lossy.submit(outgoing.iter().map(|bytes| (PEER, &bytes[..])));
        (received, lossy.inner.sent, lossy.inner.stats)
    }

    #[test]
    fn a_seed_fixes_which_datagrams_are_dropped() {
        let loss = Loss { chance: Percent::new(30), seed: 7 };
        assert_eq!(passed(loss), passed(loss));
        assert_ne!(passed(loss).0, passed(Loss { seed: 8, ..loss }).0);
    }

    #[test]
    fn every_datagram_passes_or_is_counted_and_the_chance_is_met() {
        let (received, sent, stats) = passed(Loss { chance: Percent::new(30), seed: 7 });
        for (passed, dropped) in [(received, stats.drops_received), (sent, stats.drops_sent)] {
            assert_eq!(passed.len() as u64 / 4 + dropped, 10_000);
            // Within 6 standard deviations of 46.
            assert!((2724..=3276).contains(&dropped), "{dropped} dropped");
        }
    }

    #[test]
    fn the_chances_0_and_1_are_exact() {
        let none = passed(Loss { chance: Percent::ZERO, seed: 1 }).2;
        assert_eq!((none.drops_received, none.drops_sent), (0, 0));
        let all = passed(Loss { chance: Percent::ALL, seed: 1 }).2;
        assert_eq!((all.drops_received, all.drops_sent), (10_000, 10_000));
    }

    #[test]
    fn faults_that_change_beat_the_chance_and_a_cut_drops_all_between_its_sides() {
        let loss = Loss { chance: Percent::ALL, seed: 1 };
        let faults = Faults::new(Percent::ZERO);
        let dropped = |port| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let at = FaultsAt { faults: faults.clone(), address };
            let stats = passed_at(loss, Some(at)).2;
            (stats.drops_received, stats.drops_sent)
        };
        assert_eq!(dropped(2), (0, 0));
        faults.cut([PEER.port()]);
        assert_eq!(dropped(2), (10_000, 10_000), "the peer is on the other side");
        faults.cut([PEER.port(), 2]);
        assert_eq!(dropped(2), (0, 0), "both are on one side");
        faults.cut([2]);
        faults.heal();
        assert_eq!(dropped(2), (0, 0));
        faults.set_loss(Percent::ALL);
        assert_eq!(dropped(2), (10_000, 10_000));
    }

    #[test]
    fn each_shard_has_the_chance_and_a_seed_of_its_own() {
        let loss = Loss { chance: Percent::new(30), seed: 7 };
        let shards = loss.shards(SHARDS_MAX);
        assert_eq!(shards.len(), SHARDS_MAX);
        assert!(shards.iter().all(|shard| shard.chance == loss.chance));
        let seeds: std::collections::BTreeSet<_> = shards.iter().map(|shard| shard.seed).collect();
        assert_eq!(seeds.len(), shards.len());
        assert_eq!(shards, loss.shards(SHARDS_MAX));
    }
}

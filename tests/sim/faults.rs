//! What the network does to datagrams, and how hard.

use std::fmt;
use std::time::Duration;

use kad_node::rng::Rng;

use crate::peers::PeerIndex;
use crate::ratio::{Ratio, mix};
use crate::spoilers::Spoilers;

/// The faults of a network. Reordering has no setting of its own: it follows
/// from delays that differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Datagrams lost on each leg.
    pub(crate) loss: Ratio,
    /// Datagrams that arrive twice, each time with a delay of its own.
    pub(crate) duplicate: Ratio,
    /// Datagrams whose bits are flipped, or that are cut short or padded.
    pub(crate) corrupt: Ratio,
    /// Peers whose outgoing leg loses [`weak_loss`](Self::weak_loss) besides.
    pub(crate) weak_uplinks: Ratio,
    /// What a weak uplink loses.
    pub(crate) weak_loss: Ratio,
    /// Ordered pairs of peers between which nothing passes in that direction.
    pub(crate) one_way: Ratio,
    /// Peers that spoil large values.
    pub(crate) spoilers: Spoilers,
    /// How long a datagram is under way.
    pub(crate) delay: Delay,
    /// Datagrams under way at once; what is sent beyond that is dropped.
    pub(crate) in_flight_max: usize,
}

/// More than is ever under way where no link is narrow: a hundred datagrams of each
/// of 10 000 nodes.
pub(crate) const ROOMY: usize = 1 << 20;

impl Faults {
    /// A network that loses nothing and delays everything.
    pub(crate) const NONE: Self = Self {
        loss: Ratio::NEVER,
        duplicate: Ratio::NEVER,
        corrupt: Ratio::NEVER,
        weak_uplinks: Ratio::NEVER,
        weak_loss: Ratio::NEVER,
        one_way: Ratio::NEVER,
        spoilers: Spoilers::NONE,
        delay: Delay::WIDE_AREA,
        in_flight_max: ROOMY,
    };

    /// A network that loses `percent` of what passes each leg.
    pub(crate) const fn loss(percent: u64) -> Self {
        Self { loss: Ratio::percent(percent), ..Self::NONE }
    }

    /// Whether there is room for everything that nodes send.
    pub(crate) const fn is_roomy(&self) -> bool {
        self.in_flight_max >= ROOMY
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {}", self.loss)?;
        for (name, ratio) in
            [("duplicates", self.duplicate), ("corrupt", self.corrupt), ("one-way", self.one_way)]
        {
            if !ratio.is_never() {
                write!(f, ", {name} {ratio}")?;
            }
        }
        if !self.weak_uplinks.is_never() && !self.weak_loss.is_never() {
            write!(f, ", weak uplinks {} at {}", self.weak_uplinks, self.weak_loss)?;
        }
        if !self.spoilers.share.is_never() {
            write!(f, ", spoilers {} by {:?}", self.spoilers.share, self.spoilers.how)?;
        }
        if !self.is_roomy() {
            write!(f, ", room for {}", self.in_flight_max)?;
        }
        write!(f, ", delay {}", self.delay)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How long a datagram is under way: a floor, a part that belongs to the pair of
/// peers as their distance does, and a long-tailed part drawn anew each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) floor: Duration,
    /// The pair's part is uniform up to this.
    pub(crate) distance_max: Duration,
    /// The drawn part is uniform up to this, doubled each time a fair coin says
    /// so, [`DOUBLINGS_MAX`] times at most.
    pub(crate) jitter: Duration,
}

/// Doublings of the drawn part of a delay: one datagram in 64 has all of them.
const DOUBLINGS_MAX: u32 = 6;

impl Delay {
    /// Hosts all over a continent.
    pub(crate) const WIDE_AREA: Self = Self {
        floor: Duration::from_millis(5),
        distance_max: Duration::from_millis(60),
        jitter: Duration::from_millis(3),
    };
    /// Hosts of one machine room.
    pub(crate) const LOCAL: Self = Self {
        floor: Duration::from_micros(50),
        distance_max: Duration::from_micros(200),
        jitter: Duration::from_micros(50),
    };
    /// Overloaded links: round trips beyond the first time-out are common.
    pub(crate) const CONGESTED: Self = Self {
        floor: Duration::from_millis(20),
        distance_max: Duration::from_millis(200),
        jitter: Duration::from_millis(60),
    };

    /// A delay between the two; the pair's part is the same in both directions.
    pub(crate) fn draw(&self, a: PeerIndex, b: PeerIndex, rng: &mut Rng) -> Duration {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        let pair = mix((low.as_u64() << 32) | high.as_u64());
        let distance = (u128::from(pair) * self.distance_max.as_micros()) >> 64;
        let draw = rng.u64();
        let doublings = draw.trailing_zeros().min(DOUBLINGS_MAX);
        let jitter = ((u128::from(draw) * self.jitter.as_micros()) >> 64) << doublings;
        self.floor + Duration::from_micros((distance + jitter) as u64)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} + up to {:?} + {:?} tailed", self.floor, self.distance_max, self.jitter)
    }
}

//! The peers of a world: what they are, where they are, and what each costs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use kad_node::id::{Distance, Id};
use kad_node::limits::TIMEOUT_MAX;
use kad_node::time::Instant;

use crate::ahead::Places;
use crate::attacker::Attacker;
use crate::departing::Departing;
use crate::disks::Disk;
use crate::shards::Shards;

/// Names a peer: its place in the order of joining.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerIndex(pub(crate) u32);

/// The peer whose address every other is told, as the seed of a deployment is: no
/// draw picks it to crash, and its links are not one-way. Without one, nodes
/// whose every address to join by is cut off, and parts that lost each other
/// while they were divided, could not be expected to come together.
pub(crate) const WELL_KNOWN: PeerIndex = PeerIndex(0);

impl PeerIndex {
    pub(crate) const fn as_u64(self) -> u64 {
        self.0 as u64
    }

    pub(crate) const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PeerIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Peers live at 64.0.0.0/4, each in a /24 of its own, as the hosts of many parties do.
const NETWORK: u32 = 64 << 24;
const NETWORK_MASK: u32 = 0xf000_0000;
const HOST: u32 = 1;
const PORT: u16 = 9001;

/// Peers that a world has at most: the first half of the network, so that the second half
/// is there for contacts that a liar made up.
pub(crate) const PEERS_MAX: u32 = 1 << 19;

pub(crate) fn address_of(peer: PeerIndex) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(NETWORK | peer.0 << 8 | HOST)), PORT)
}

/// The peer that may live at `address`, where one may.
pub(crate) fn peer_at(address: SocketAddr) -> Option<PeerIndex> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    let (bits, host) = (ip.to_bits(), ip.to_bits() & 0xff);
    let number = (bits & !NETWORK_MASK) >> 8;
    let ours = bits & NETWORK_MASK == NETWORK && host == HOST && address.port() == PORT;
    (ours && number < PEERS_MAX).then_some(PeerIndex(number))
}

/// An address at which no peer lives, one for each `number`.
pub(crate) fn empty_address(number: u32) -> SocketAddr {
    address_of(PeerIndex(PEERS_MAX | (number % PEERS_MAX)))
}

/// From one moment to another, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

/// What runs at a peer's address.
pub(crate) enum Being {
    /// Nothing: it crashed, or left.
    Absent,
    Honest(Box<Shards>),
    /// The same, and its node runs [ahead](crate::ahead) just now.
    Ahead,
    Attacker(Box<Attacker>),
}

/// A peer, through all its lives.
pub(crate) struct Peer {
    pub(crate) id: Id,
    pub(crate) being: Being,
    /// There once its node has written something to keep.
    pub(crate) disk: Option<Disk>,
    pub(crate) timer: Timer,
    /// Its places among the nodes that run ahead.
    pub(crate) runs: Places,
    /// Shards of its node.
    pub(crate) shards: usize,
    /// Whether it has said, in this life, that it joined.
    pub(crate) has_joined: bool,
    /// There while it leaves.
    pub(crate) departing: Option<Departing>,
    /// How often it was started.
    pub(crate) lives: u32,
    /// When it was last started: its own clock begins there, as that of a process
    /// does, so that no two nodes agree on the time.
    pub(crate) born: Instant,
    /// Heap bytes that the node holds, as the allocator counts them.
    pub(crate) heap_bytes: isize,
    /// Heap bytes that it may hold, as far as it was last looked how many values it has.
    pub(crate) heap_bytes_allowed: isize,
    /// Bytes of the values that were put at it.
    pub(crate) put_bytes: isize,
    /// Operations in progress at it.
    pub(crate) operations: u64,
    /// Whether it was said, in this life, that it exceeds a limit.
    pub(crate) is_over: bool,
    /// Requests, which it sends of its own accord; replies are as many as others ask.
    pub(crate) requests: Rate,
}

impl Peer {
    pub(crate) fn new(id: Id) -> Self {
        Self {
            id,
            being: Being::Absent,
            disk: None,
            timer: Timer::default(),
            runs: Places::default(),
            shards: 1,
            has_joined: false,
            departing: None,
            lives: 0,
            born: Instant::ZERO,
            heap_bytes: 0,
            heap_bytes_allowed: 0,
            put_bytes: 0,
            operations: 0,
            is_over: false,
            requests: Rate::default(),
        }
    }

    pub(crate) fn node(&self) -> Option<&Shards> {
        match &self.being {
            Being::Honest(node) => Some(node),
            Being::Absent | Being::Ahead | Being::Attacker(_) => None,
        }
    }

    /// How far it is from `target`: under the closest of its names, where it has gone
    /// by several in `period`.
    pub(crate) fn distance(&self, target: Id, period: Period) -> Distance {
        let own = self.id ^ target;
        match &self.being {
            Being::Attacker(attacker) => {
                let names = attacker.names_during(period).map(|name| name ^ target);
                names.min().unwrap_or(own)
            }
            Being::Honest(_) | Being::Ahead | Being::Absent => own,
        }
    }

    /// Whether its life has begun before `now`.
    pub(crate) fn is_born(&self, now: Instant) -> bool {
        self.born < now || self.lives == 0
    }

    pub(crate) const fn is_live(&self) -> bool {
        !matches!(self.being, Being::Absent)
    }

    /// The world's time `now` as the peer's own clock shows it.
    pub(crate) fn own_time(&self, now: Instant) -> Instant {
        own_time(self.born, now)
    }

    /// When its node wants to be woken next, in the world's time.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match &self.being {
            Being::Honest(node) => {
                let due = next_timeout(node, self.born);
                let kept = self.disk.as_ref().and_then(Disk::next_kept);
                due.into_iter().chain(kept).min()
            }
            Being::Attacker(attacker) => Some(attacker.next_timeout()),
            Being::Absent | Being::Ahead => None,
        }
    }

    pub(crate) fn account(&mut self, bytes: isize) {
        self.heap_bytes += bytes;
    }

    /// A new life begins: what is counted of a life begins anew.
    pub(crate) fn begin_life(&mut self, now: Instant, shards: usize) {
        self.lives += 1;
        self.born = now;
        self.shards = shards;
        self.heap_bytes_allowed = 0;
        self.is_over = false;
        self.requests = Rate::default();
    }

    pub(crate) fn stop(&mut self) {
        self.being = Being::Absent;
        self.timer = Timer::default();
        self.has_joined = false;
        self.departing = None;
        self.heap_bytes = 0;
        self.operations = 0;
    }
}

/// The world's time `now` on a clock that began at `born`.
pub(crate) fn own_time(born: Instant, now: Instant) -> Instant {
    Instant::ZERO + now.since(born)
}

/// When a node whose clock began at `born` wants to be woken next, in the world's time.
pub(crate) fn next_timeout(node: &Shards, born: Instant) -> Option<Instant> {
    node.next_timeout().map(|due| born + due.since(Instant::ZERO))
}

/// When a peer wants to be woken, and when it will be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timer {
    /// When something was due next, when that was last looked at.
    due: Option<Instant>,
    /// When its pending wake comes.
    armed: Option<Instant>,
}

/// What a wake comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// An earlier one has taken its place.
    Stale,
    /// The time-out has moved, as most do: answers came in.
    Early,
    Due,
}

impl Timer {
    /// A wake comes.
    pub(crate) fn ring(&mut self, now: Instant) -> Wake {
        if self.armed != Some(now) {
            return Wake::Stale;
        }
        self.armed = None;
        if self.due.is_none_or(|due| due > now) { Wake::Early } else { Wake::Due }
    }

    /// Something is due at `due`. Returns when to schedule a wake, unless one is pending
    /// that comes before it.
    pub(crate) fn set(&mut self, now: Instant, due: Option<Instant>) -> Option<Instant> {
        self.due = due;
        self.arm(now)
    }

    /// As [`set`](Self::set), with what is due as it was.
    pub(crate) fn arm(&mut self, now: Instant) -> Option<Instant> {
        // A time-out that is due now is called in the next microsecond, so that
        // even a node that never stops asking cannot stop the clock.
        let due = self.due?.max(now + Duration::from_micros(1));
        if self.armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        self.armed = Some(due);
        Some(due)
    }
}

/// The kind of a `FIND_RANGE`: the window of its transfer bounds how many a node sends.
const FIND_RANGE: u8 = 0x05;

/// Whether a datagram of ours is a request but for a part of a value: the top bit of its
/// kind says that it is a reply.
pub(crate) fn is_request(bytes: &[u8]) -> bool {
    bytes.get(2).is_some_and(|kind| kind & 0x80 == 0 && *kind != FIND_RANGE)
}

/// Seconds that a request may wait for its last time-out, the current one among them.
const SECONDS: usize = 1 + TIMEOUT_MAX.as_secs() as usize;

/// Requests in the current second, and in those before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    second: u64,
    counts: [u64; SECONDS],
}

impl Rate {
    /// Counts so many, and says how many they are in this second.
    pub(crate) fn add(&mut self, now: Instant, count: usize) -> u64 {
        let second = now.since(Instant::ZERO).as_secs();
        let passed = (second - self.second).min(SECONDS as u64) as usize;
        self.counts.rotate_right(passed % SECONDS);
        self.counts[..passed].fill(0);
        self.second = second;
        self.counts[0] += count as u64;
        self.counts[0]
    }

    /// How many they were within the longest time-out.
    pub(crate) fn of_late(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Virtual time as people read it.
pub(crate) fn clock(now: Instant) -> Duration {
    now.since(Instant::ZERO)
}

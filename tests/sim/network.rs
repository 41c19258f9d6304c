//! The network between the peers: it loses, delays, doubles and damages
//! datagrams as the [`Faults`] say, and counts each thing that it does.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::rng::Rng;
use kad_node::time::Instant;

use crate::crowd::{Crowd, VICTIM};
use crate::faults::Faults;
use crate::payload::Payload;
use crate::peers::{PeerIndex, WELL_KNOWN};
use crate::queue::{Happening, Queue};
use crate::ratio::mix;
use crate::spoilers::{Drips, Spoiling};

/// Buffers that wait for a datagram, where no node runs ahead: more than are under way mostly.
const BUFFERS_MAX: usize = 1 << 13;

/// Names a datagram under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlightIndex(u32);

/// A datagram under way.
pub(crate) struct Flight {
    pub(crate) source: PeerIndex,
    pub(crate) destination: PeerIndex,
    pub(crate) payload: Payload,
}

/// What became of a datagram that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered {
        at: Instant,
    },
    Corrupted {
        at: Instant,
    },
    Lost,
    /// Between two parts of a divided network, or against a one-way link.
    Cut,
    /// To an address where no peer ever was.
    Unreachable,
    /// Too much was under way.
    Overflow,
}

/// What the network has done so far, in datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) bytes: u64,
    pub(crate) arrived: u64,
    pub(crate) lost: u64,
    pub(crate) cut: u64,
    pub(crate) duplicated: u64,
    pub(crate) corrupted: u64,
    pub(crate) unreachable: u64,
    pub(crate) overflowed: u64,
    pub(crate) in_flight_peak: usize,
    /// Bytes sent to the host that attackers name.
    pub(crate) victim_bytes: u64,
}

/// The network.
pub(crate) struct Network {
    faults: Faults,
    rng: Rng,
    /// Fixes which links are weak or one-way.
    link_seed: u64,
    /// Parts into which the network is divided; 1 when it is whole.
    parts: u64,
    /// Fixes which peer is in which part.
    part_seed: u64,
    /// Whether it has ever had room for less than nodes send.
    was_narrow: bool,
    pub(crate) crowd: Crowd,
    drips: Drips,
    flights: Vec<Option<Flight>>,
    free: Vec<FlightIndex>,
    /// Of datagrams that are no longer under way.
    buffers: Vec<Vec<u8>>,
    tally: Tally,
}

impl Network {
    pub(crate) fn new(faults: Faults, mut rng: Rng) -> Self {
        let link_seed = rng.u64();
        Self {
            faults,
            rng,
            link_seed,
            parts: 1,
            part_seed: 0,
            was_narrow: !faults.is_roomy(),
            crowd: Crowd::default(),
            drips: Drips::default(),
            flights: Vec::new(),
            free: Vec::new(),
            buffers: Vec::new(),
            tally: Tally::default(),
        }
    }

    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.was_narrow |= !faults.is_roomy();
    }

    pub(crate) const fn was_narrow(&self) -> bool {
        self.was_narrow
    }

    /// Divides the network into `parts` between which nothing passes, each time
    /// along other lines; 1 heals it.
    pub(crate) fn divide(&mut self, parts: u64) {
        assert!(parts > 0, "a network has at least one part");
        self.parts = parts;
        self.part_seed = self.rng.u64();
    }

    pub(crate) const fn is_divided(&self) -> bool {
        self.parts > 1
    }

    /// In which part `peer` is.
    pub(crate) fn part_of(&self, peer: PeerIndex) -> u64 {
        mix(self.part_seed ^ peer.as_u64()) % self.parts
    }

    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// No datagram that is sent now arrives sooner.
    pub(crate) const fn delay_min(&self) -> Duration {
        self.faults.delay.floor
    }

    /// A datagram under way.
    pub(crate) fn flight(&self, index: FlightIndex) -> &Flight {
        self.flights[index.0 as usize].as_ref().expect("it is under way")
    }

    /// The address from which a datagram came.
    pub(crate) fn source_address(&self, flight: &Flight) -> SocketAddr {
        self.crowd.address_of(flight.source)
    }

    /// The bytes of a datagram under way, and the address from which it comes: they are taken in
    /// before it arrives.
    pub(crate) fn take_payload(&mut self, index: FlightIndex) -> (SocketAddr, Payload) {
        let flight = self.flights[index.0 as usize].as_mut().expect("it is under way");
        (self.crowd.address_of(flight.source), flight.payload.take())
    }

    /// Datagrams under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    /// Takes a datagram from `source`, schedules its arrival where it has one, and
    /// says what becomes of it, and of its copy where it is doubled.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        source: PeerIndex,
        destination: SocketAddr,
        payload: Payload,
        queue: &mut Queue,
    ) -> (Fate, Option<Fate>) {
        let bytes = payload.bytes().len() as u64;
        self.tally.sent += 1;
        self.tally.bytes += bytes;
        if destination.ip() == VICTIM {
            self.tally.victim_bytes += bytes;
        }
        let destination = match self.passes(source, destination) {
            Ok(destination) => destination,
            Err(fate) => {
                self.keep_buffer(payload);
                return (fate, None);
            }
        };
        let copy = self.faults.duplicate.draw(&mut self.rng).then(|| {
            self.tally.duplicated += 1;
            self.launch(now, source, destination, payload.clone(), queue)
        });
        (self.launch(now, source, destination, payload, queue), copy)
    }

    /// The peer that a datagram is for; or what becomes of one that does not get there.
    fn passes(&mut self, source: PeerIndex, destination: SocketAddr) -> Result<PeerIndex, Fate> {
        let Some(destination) = self.crowd.peer_at(destination) else {
            self.tally.unreachable += 1;
            return Err(Fate::Unreachable);
        };
        if self.is_cut(source, destination) {
            self.tally.cut += 1;
            return Err(Fate::Cut);
        }
        if self.is_lost(source) {
            self.tally.lost += 1;
            return Err(Fate::Lost);
        }
        Ok(destination)
    }

    fn is_cut(&self, source: PeerIndex, destination: PeerIndex) -> bool {
        let pair = (source.as_u64() << 32) | destination.as_u64();
        let is_one_way = self.faults.one_way.chooses(mix(self.link_seed ^ pair))
            && source != WELL_KNOWN
            && destination != WELL_KNOWN;
        is_one_way || (self.is_divided() && self.part_of(source) != self.part_of(destination))
    }

    fn is_lost(&mut self, source: PeerIndex) -> bool {
        let weak = self.faults.weak_uplinks.chooses(mix(!self.link_seed ^ source.as_u64()));
        self.faults.loss.draw(&mut self.rng) || (weak && self.faults.weak_loss.draw(&mut self.rng))
    }

    fn launch(
        &mut self,
        now: Instant,
        source: PeerIndex,
        destination: PeerIndex,
        mut payload: Payload,
        queue: &mut Queue,
    ) -> Fate {
        let Some(index) = self.room() else {
            self.tally.overflowed += 1;
            self.keep_buffer(payload);
            return Fate::Overflow;
        };
        let mut at = now + self.faults.delay.draw(source, destination, &mut self.rng);
        match self.faults.spoilers.spoiling(self.link_seed, source, payload.bytes()) {
            None => {}
            Some(Spoiling::LastPiece) => {
                payload = payload.changed(|bytes| *bytes.last_mut().expect("a piece") ^= 1);
            }
            Some(Spoiling::Drip) => at = self.drips.next(source, at),
        }
        queue.schedule(at, Happening::Arrival(index));
        let is_corrupt = self.faults.corrupt.draw(&mut self.rng);
        if is_corrupt {
            payload = payload.changed(|bytes| corrupt(bytes, &mut self.rng));
            self.tally.corrupted += 1;
        }
        self.flights[index.0 as usize] = Some(Flight { source, destination, payload });
        if is_corrupt { Fate::Corrupted { at } } else { Fate::Delivered { at } }
    }

    fn room(&mut self) -> Option<FlightIndex> {
        if self.in_flight() >= self.faults.in_flight_max {
            return None;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.flights.push(None);
            FlightIndex(self.flights.len() as u32 - 1)
        });
        self.tally.in_flight_peak = self.tally.in_flight_peak.max(self.in_flight());
        Some(index)
    }

    /// Removes a datagram that has arrived; [`recycle`](Self::recycle) its payload.
    pub(crate) fn land(&mut self, index: FlightIndex) -> Flight {
        self.tally.arrived += 1;
        self.flights[index.0 as usize].take().expect("it is under way")
    }

    /// Gives a landed datagram's place, and its buffer, to later ones.
    pub(crate) fn recycle(&mut self, index: FlightIndex, payload: Payload) {
        self.free.push(index);
        self.keep_buffer(payload);
    }

    fn keep_buffer(&mut self, payload: Payload) {
        let buffer = payload.into_buffer();
        if buffer.capacity() > 0 && self.buffers.len() < BUFFERS_MAX {
            self.buffers.push(buffer);
        }
    }

    /// A buffer for a datagram that is to be sent.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }
}

/// Damages `bytes`: flips a few bits, cuts the end off, or adds to it.
fn corrupt(bytes: &mut Vec<u8>, rng: &mut Rng) {
    match rng.below(4) {
        0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
        1 => {
            let length = bytes.len() as u64 + 1 + rng.below(DATAGRAM_BYTES_MAX as u64);
            bytes.resize_with(length as usize, || rng.u32() as u8);
        }
        _ if bytes.is_empty() => {}
        _ => {
            for _ in 0..=rng.below(4) {
                let bit = rng.below(bytes.len() as u64 * 8);
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { at } => write!(f, "arrives {at:?}"),
            Self::Corrupted { at } => write!(f, "arrives damaged {at:?}"),
            Self::Lost => f.write_str("lost"),
            Self::Cut => f.write_str("cut off"),
            Self::Unreachable => f.write_str("to no peer"),
            Self::Overflow => f.write_str("dropped: too much under way"),
        }
    }
}

//! The loops: the same for every peer. One socket, system calls of many datagrams, none of
//! them segmented, since most peers know nothing of that.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use udp::{
    BATCH_DATAGRAMS_MAX, Batch, BufferSize, Coalescing, ConnectedSender, Receiver, SocketBuffers,
    UdpSocket,
};

use crate::wire::{Answer, Wire};

/// How long a request waits for its answer.
const TIMEOUT: Duration = Duration::from_millis(250);
const BUFFERS: SocketBuffers = SocketBuffers { receive_bytes: 4 << 20, send_bytes: 4 << 20 };

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As answers come, so many in flight.
    Closed { window: usize },
    /// So many a second, whatever comes.
    Open { rate: u32 },
}

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) wrong: u64,
    pub(crate) elapsed: Duration,
    /// From when a request was due until its answer.
    pub(crate) latency_ns: Histogram<u64>,
}

/// A request in flight.
#[derive(Clone, Copy)]
struct Pending {
    due: Instant,
}

/// Requests in flight, by their number, which is used again after all others.
struct InFlight {
    by_number: Vec<Option<Pending>>,
    in_order: VecDeque<u16>,
    next: u16,
    count: usize,
}

impl InFlight {
    fn new() -> Self {
        let by_number = vec![None; usize::from(u16::MAX) + 1];
        Self { by_number, in_order: VecDeque::new(), next: 0, count: 0 }
    }

    /// The number of a request that is due at `due`.
    fn begin(&mut self, due: Instant) -> u16 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.by_number[usize::from(number)] = Some(Pending { due });
        self.in_order.push_back(number);
        self.count += 1;
        number
    }

    fn end(&mut self, number: u16) -> Option<Pending> {
        let ended = self.by_number[usize::from(number)].take();
        self.count -= usize::from(ended.is_some());
        ended
    }

    /// Gives up what has waited in vain; says how many requests that were.
    fn give_up(&mut self, now: Instant) -> u64 {
        let mut lost = 0;
        while let Some(&number) = self.in_order.front() {
            match self.by_number[usize::from(number)] {
                Some(Pending { due }) if now.saturating_duration_since(due) < TIMEOUT => break,
                Some(_) => lost += u64::from(self.end(number).is_some()),
                None => {}
            }
            self.in_order.pop_front();
        }
        lost
    }
}

/// A connection to one peer.
pub(crate) struct Load {
    socket: UdpSocket,
    sender: ConnectedSender,
    receiver: Receiver,
    batch: Batch,
}

impl Load {
    pub(crate) fn new(peer: SocketAddr) -> Result<Self, String> {
        let socket = UdpSocket::connect(peer, BUFFERS).map_err(|error| error.to_string())?;
        Ok(Self {
            socket,
            sender: ConnectedSender::new(Coalescing::Off),
            receiver: Receiver::new(BufferSize::Datagram, BATCH_DATAGRAMS_MAX),
            batch: Batch::new(),
        })
    }

    /// Has the values stored, through the same socket: what some peers hand out is good for
    /// one address and port alone.
    pub(crate) fn prepare(&self, wire: &mut dyn Wire) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
        let socket = self.socket.duplicate().map_err(failed)?;
        socket.set_nonblocking(false).map_err(failed)?;
        wire.prepare(&socket)?;
        socket.set_nonblocking(true).map_err(failed)
    }

    /// Sends for `duration`, and waits for the last answers.
    pub(crate) fn run(
        &mut self,
        wire: &mut dyn Wire,
        pace: Pace,
        duration: Duration,
    ) -> Result<Outcome, String> {
        let mut in_flight = InFlight::new();
        let latency_ns = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds");
        let (answered, lost, wrong) = (0, 0, 0);
        let mut outcome = Outcome { answered, lost, wrong, elapsed: duration, latency_ns };
        let start = Instant::now();
        let mut sent: u32 = 0;
        loop {
            let now = Instant::now();
            let next = match pace {
                Pace::Closed { .. } => now,
                Pace::Open { rate } => start + Duration::from_secs(1) * sent / rate,
            };
            let is_over = next - start >= duration;
            while !is_over && !self.batch.is_full() {
                let due = match pace {
                    Pace::Closed { window } if in_flight.count < window => now,
                    Pace::Open { rate } => start + Duration::from_secs(1) * sent / rate,
                    Pace::Closed { .. } => break,
                };
                if due > now {
                    break;
                }
                let number = in_flight.begin(due);
                self.batch.push(|room| wire.write(number, room));
                sent += 1;
            }
            if !self.batch.is_empty() {
                // What the kernel refuses is lost, and counted at its time-out.
                self.sender.send(&self.socket, &self.batch, |_| {});
                self.batch.clear();
            }
            self.receive(wire, &mut in_flight, &mut outcome)?;
            outcome.lost += in_flight.give_up(Instant::now());
            if is_over && in_flight.count == 0 {
                return Ok(outcome);
            }
        }
    }

    fn receive(
        &mut self,
        wire: &mut dyn Wire,
        in_flight: &mut InFlight,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let failed = |error| format!("receiving failed: {error}");
        self.receiver.receive(&self.socket, &mut ()).map_err(failed)?;
        let now = Instant::now();
        while self.receiver.advance(&mut ()) {
            let (number, is_right) = match wire.read(self.receiver.datagram().1) {
                Answer::Right(number) => (number, true),
                Answer::Wrong(number) => (number, false),
                Answer::Strange => continue,
            };
            if let Some(Pending { due }) = in_flight.end(number) {
                outcome.answered += 1;
                outcome.wrong += u64::from(!is_right);
                outcome.latency_ns.saturating_record((now - due).as_nanos() as u64);
            }
        }
        Ok(())
    }
}

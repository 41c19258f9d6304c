//! Nodes that run ahead of the world, on several threads.
//!
//! No datagram arrives sooner than the network's least delay. In a window shorter than
//! that, what a node does follows from what is under way when the window begins, and from
//! nothing that another node does in it. So the threads compute every node's turns, each
//! node's in their order; then the world goes through them in the order in which a single
//! thread would have taken them, and draws what becomes of each datagram. A run is the same,
//! datagram for datagram, for any number of threads.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::sync::Mutex;

use kad_node::node::Outbox;
use kad_node::time::Instant;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::network::{FlightIndex, Network};
use crate::payload::Payload;
use crate::peers::{Being, Peer, PeerIndex, Timer, Wake, next_timeout, own_time};
use crate::queue::Happening;
use crate::shards::Shards;
use crate::turn::Turn;

/// A window of fewer events is not worth the threads' while: waking one costs as much as
/// some ten turns.
const EVENTS_MIN: usize = 32;
/// Nodes that a thread runs before it takes others: some 50 us.
const RUNS_TAKEN: usize = 8;

thread_local! {
    static OUTBOX: RefCell<Outbox> = RefCell::new(Outbox::new());
}

/// The threads, and the nodes that they run ahead in the current window.
pub(crate) struct Ahead {
    pool: ThreadPool,
    runs: Vec<Run>,
    /// Of the runs, those of this window; the others' memory is there for later ones.
    used: usize,
}

/// What one node does in a window.
struct Run {
    peer: PeerIndex,
    node: Option<Box<Shards>>,
    born: Instant,
    timer: Timer,
    /// What was scheduled for it when the window began: a datagram's arrival, or a wake.
    scheduled: VecDeque<(Instant, Option<FlightIndex>)>,
    /// Wakes that it has asked for since.
    wakes: BinaryHeap<Reverse<Instant>>,
    turns: VecDeque<Turn>,
    /// The datagrams of all turns.
    datagrams: VecDeque<(SocketAddr, Payload)>,
    /// For more of them.
    buffers: Vec<Vec<u8>>,
}

impl Ahead {
    /// With so many threads, two at least, the caller's among them.
    pub(crate) fn new(threads: usize) -> Self {
        let pool = ThreadPoolBuilder::new().num_threads(threads - 1).build();
        let pool = pool.expect("the operating system gives as many threads");
        Self { pool, runs: Vec::new(), used: 0 }
    }

    /// Runs the nodes for which anything of `scheduled` is, until `end`.
    pub(crate) fn compute(
        &mut self,
        scheduled: impl ExactSizeIterator<Item = (Instant, Happening)>,
        end: Instant,
        peers: &mut [Peer],
        network: &mut Network,
    ) {
        if scheduled.len() < EVENTS_MIN {
            return;
        }
        for (at, happening) in scheduled {
            let (peer, flight) = match happening {
                Happening::Arrival(flight) => (network.flight(flight).destination, Some(flight)),
                Happening::Wake(peer) => (peer, None),
            };
            if let Some(run) = peers.get_mut(peer.as_usize()).and_then(|slot| self.run(peer, slot))
            {
                run.scheduled.push_back((at, flight));
                run.provide(network);
            }
        }
        self.run_all(end, network);
        for run in &mut self.runs[..self.used] {
            if let Some(node) = run.node.take() {
                peers[run.peer.as_usize()].being = Being::Honest(node);
            }
        }
    }

    /// Runs all of this window: the other threads and this one take some of those that are
    /// left, again and again.
    fn run_all(&mut self, end: Instant, network: &Network) {
        let left = Mutex::new(self.runs[..self.used].chunks_mut(RUNS_TAKEN));
        let take = || left.lock().expect("no thread has panicked").next();
        let work = || {
            while let Some(runs) = take() {
                for run in runs {
                    run.compute(end, network);
                }
            }
        };
        self.pool.in_place_scope(|scope| {
            for _ in 0..self.pool.current_num_threads() {
                scope.spawn(|_| work());
            }
            work();
        });
    }

    /// The run of a peer that is a node.
    fn run(&mut self, peer: PeerIndex, slot: &mut Peer) -> Option<&mut Run> {
        if slot.ahead.is_none() && matches!(slot.being, Being::Honest(_)) {
            if self.used == self.runs.len() {
                self.runs.push(Run::new());
            }
            self.runs[self.used].begin(peer, slot);
            slot.ahead = Some(self.used);
            self.used += 1;
        }
        self.runs.get_mut(slot.ahead?)
    }

    /// The next turn of run number `run`, and what it sends.
    pub(crate) fn take_turn(
        &mut self,
        run: usize,
    ) -> (Turn, impl Iterator<Item = (SocketAddr, Payload)>) {
        let Run { turns, datagrams, .. } = &mut self.runs[run];
        let turn = turns.pop_front().expect("the world asks for the turns that were computed");
        let sent = datagrams.drain(..turn.datagrams);
        (turn, sent)
    }

    /// Ends the window.
    pub(crate) fn finish(&mut self, peers: &mut [Peer]) {
        for run in &mut self.runs[..self.used] {
            peers[run.peer.as_usize()].ahead = None;
        }
        self.used = 0;
    }
}

impl Run {
    fn new() -> Self {
        Self {
            peer: PeerIndex(0),
            node: None,
            born: Instant::ZERO,
            timer: Timer::default(),
            scheduled: VecDeque::new(),
            wakes: BinaryHeap::new(),
            turns: VecDeque::new(),
            datagrams: VecDeque::new(),
            buffers: Vec::new(),
        }
    }

    /// Sees to it that there is a buffer for each datagram that is to arrive, since it is
    /// answered mostly.
    fn provide(&mut self, network: &mut Network) {
        if self.buffers.len() < self.scheduled.len() {
            self.buffers.push(network.buffer());
        }
    }

    /// Takes the node of `slot` out, to run it on any thread.
    fn begin(&mut self, peer: PeerIndex, slot: &mut Peer) {
        self.peer = peer;
        (self.born, self.timer) = (slot.born, slot.timer);
        if let Being::Honest(node) = std::mem::replace(&mut slot.being, Being::Absent) {
            self.node = Some(node);
        }
        self.scheduled.clear();
        self.wakes.clear();
        self.turns.clear();
        self.datagrams.clear();
    }

    fn compute(&mut self, end: Instant, network: &Network) {
        OUTBOX.with_borrow_mut(|outbox| {
            while let Some((at, flight)) = self.next(end) {
                match flight {
                    Some(flight) => self.deliver(at, flight, network, outbox),
                    None => self.wake(at, outbox),
                }
            }
        });
    }

    /// What comes next: of the same moment, what was scheduled first.
    fn next(&mut self, end: Instant) -> Option<(Instant, Option<FlightIndex>)> {
        let scheduled = self.scheduled.front().map(|(at, _)| *at);
        let wake = self.wakes.peek().map(|Reverse(at)| *at).filter(|at| *at <= end);
        match (scheduled, wake) {
            (Some(at), Some(wake)) if at <= wake => self.scheduled.pop_front(),
            (_, Some(wake)) => {
                self.wakes.pop();
                Some((wake, None))
            }
            (_, None) => self.scheduled.pop_front(),
        }
    }

    fn deliver(
        &mut self,
        at: Instant,
        flight: FlightIndex,
        network: &Network,
        outbox: &mut Outbox,
    ) {
        let flight = network.flight(flight);
        let source = network.source_address(flight);
        self.turn(at, outbox, |node, now, outbox| {
            node.handle_datagram(now, source, flight.payload.bytes(), outbox);
        });
    }

    fn wake(&mut self, at: Instant, outbox: &mut Outbox) {
        match self.timer.ring(at) {
            Wake::Stale => {}
            Wake::Early => self.wakes.extend(self.timer.arm(at).map(Reverse)),
            Wake::Due => self.turn(at, outbox, Shards::handle_due),
        }
    }

    fn turn(
        &mut self,
        at: Instant,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut Shards, Instant, &mut Outbox),
    ) {
        let Some(node) = &mut self.node else { return };
        let turn = Turn::take(node, own_time(self.born, at), outbox, act);
        let turn = Turn { due: next_timeout(node, self.born), ..turn };
        self.wakes.extend(self.timer.set(at, turn.due).map(Reverse));
        for (to, bytes) in outbox.datagrams() {
            let buffer = self.buffers.pop().unwrap_or_default();
            self.datagrams.push_back((to, Payload::new(buffer, bytes)));
        }
        outbox.clear();
        self.turns.push_back(turn);
    }
}

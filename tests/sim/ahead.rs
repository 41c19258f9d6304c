//! Nodes that run ahead of the world, on several threads.
//!
//! No datagram arrives sooner than the network's least delay, and a window lasts half of that: what
//! is sent in one arrives after the next. So what a node does in a window follows from what was
//! under way before the window before it, and from what the node itself has done in both. The
//! threads compute the turns of every node, each node's in their order; meanwhile the world goes
//! through the window before, in the order in which a single thread would have taken its events,
//! and draws what becomes of each datagram. A run is the same, datagram for datagram, for any
//! number of threads.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::{array, mem};

use kad_node::node::{Command, Outbox};
use kad_node::time::Instant;

use crate::crew::Crew;
use crate::payload::Payload;
use crate::peers::{Being, Peer, PeerIndex, Timer, Wake, next_timeout, own_time};
use crate::shards::Shards;
use crate::turn::Turn;

/// A window of fewer events is not worth the threads' while: to hand over what is to be done, and
/// to take it back, costs as much as some turns.
pub(crate) const EVENTS_MIN: usize = 8;
/// Nodes of a batch, which a thread runs one after another: some 50 us.
const BATCH_RUNS: usize = 8;
/// Buffers that a run keeps for datagrams.
const BUFFERS_MAX: usize = 16;

thread_local! {
    static OUTBOX: RefCell<Outbox> = RefCell::new(Outbox::new());
}

/// The threads, and three windows, one after another.
pub(crate) struct Ahead {
    /// Those but for the world's own.
    pub(crate) crew: Crew<Batch>,
    /// The window that the world goes through: it is computed.
    pub(crate) current: Window,
    /// The one that is computed meanwhile.
    pub(crate) next: Window,
    /// The one that is filled meanwhile.
    pub(crate) last: Window,
    /// Windows that were computed.
    pub(crate) windows: u64,
}

impl Ahead {
    /// With so many threads, two at least, the caller's among them.
    pub(crate) fn new(threads: usize) -> Self {
        let crew = Crew::new(threads - 1, Batch::compute);
        let [current, next, last] = [Place(0), Place(1), Place(2)].map(Window::new);
        Self { crew, current, next, last, windows: 0 }
    }

    /// Whether any window is open.
    pub(crate) const fn is_busy(&self) -> bool {
        self.current.end.is_some() || self.next.end.is_some()
    }
}

/// Which of three windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(usize);

const PLACES: usize = 3;

/// The nodes that run in a window.
pub(crate) struct Window {
    place: Place,
    /// When it ends, where it is open.
    end: Option<Instant>,
    batches: Vec<Batch>,
    /// Of the runs, those of this window; the others' memory is there for later ones.
    used: usize,
}

/// Some of the runs of a window.
pub(crate) struct Batch {
    number: usize,
    end: Instant,
    runs: [Run; BATCH_RUNS],
    used: usize,
}

/// What one node does in a window.
struct Run {
    peer: PeerIndex,
    node: Option<Box<Shards>>,
    born: Instant,
    timer: Timer,
    /// What was scheduled for it when the window was opened.
    scheduled: VecDeque<(Instant, Due)>,
    /// Wakes that it has asked for since.
    wakes: BinaryHeap<Reverse<Instant>>,
    turns: VecDeque<Turn>,
    /// The datagrams of all turns.
    datagrams: VecDeque<(SocketAddr, Payload)>,
    /// For more of them.
    buffers: Vec<Vec<u8>>,
}

/// What a node is to do at a moment.
pub(crate) enum Due {
    /// To take in a datagram from this address.
    Arrival(SocketAddr, Payload),
    Wake,
    /// To join by these addresses.
    Join(Vec<SocketAddr>),
}

impl Window {
    const fn new(place: Place) -> Self {
        Self { place, end: None, batches: Vec::new(), used: 0 }
    }

    pub(crate) const fn end(&self) -> Option<Instant> {
        self.end
    }

    fn run_at(&mut self, index: usize) -> &mut Run {
        &mut self.batches[index / BATCH_RUNS].runs[index % BATCH_RUNS]
    }

    fn runs(&mut self) -> impl Iterator<Item = &mut Run> {
        self.batches.iter_mut().flat_map(|batch| &mut batch.runs).take(self.used)
    }

    /// Opens the window, which ends at `end`.
    pub(crate) const fn open(&mut self, end: Instant) {
        self.end = Some(end);
    }

    /// Has a node do something in this window. Nothing where there is no node: what is due then
    /// is for the world to see to.
    pub(crate) fn schedule(
        &mut self,
        peer: PeerIndex,
        slot: &mut Peer,
        at: Instant,
        due: impl FnOnce() -> Due,
    ) {
        if matches!(slot.being, Being::Honest(_) | Being::Ahead) {
            self.run(peer, slot).scheduled.push_back((at, due()));
        }
    }

    /// The run of a peer that is a node.
    fn run(&mut self, peer: PeerIndex, slot: &mut Peer) -> &mut Run {
        let index = slot.runs.of(self.place).unwrap_or(self.used);
        if index == self.used {
            if index / BATCH_RUNS == self.batches.len() {
                self.batches.push(Batch::new(self.batches.len()));
            }
            self.used += 1;
            slot.runs.set(self.place, Some(index));
            self.run_at(index).begin(peer, slot.born);
        }
        self.run_at(index)
    }

    /// Takes the nodes that run in this window out of `peers`, once the window `before` is
    /// computed: each goes on from where it was in that, and one that has asked there for a wake
    /// in this one runs too.
    pub(crate) fn take_nodes(&mut self, before: &mut Self, peers: &mut [Peer]) {
        let Some(end) = self.end else { return };
        for index in 0..before.used {
            let Run { peer, wakes, .. } = before.run_at(index);
            if wakes.peek().is_some_and(|Reverse(at)| *at <= end) {
                let slot = &mut peers[peer.as_usize()];
                self.run(*peer, slot);
            }
        }
        for run in self.runs() {
            let slot = &mut peers[run.peer.as_usize()];
            if let Being::Honest(_) = slot.being
                && let Being::Honest(node) = mem::replace(&mut slot.being, Being::Ahead)
            {
                run.node = Some(node);
                run.timer = slot.timer;
            }
            if let Some(earlier) = slot.runs.of(before.place) {
                run.go_on(before.run_at(earlier));
            }
        }
    }

    /// Has all of the window computed, by the caller too once it has done `first`.
    pub(crate) fn compute(&mut self, crew: &Crew<Batch>, first: impl FnOnce()) {
        let Some(end) = self.end else { return first() };
        let unused = self.batches.split_off(self.used.div_ceil(BATCH_RUNS));
        for (number, batch) in self.batches.iter_mut().enumerate() {
            batch.end = end;
            batch.used = (self.used - number * BATCH_RUNS).min(BATCH_RUNS);
        }
        crew.work_on(&mut self.batches, first);
        self.batches.sort_unstable_by_key(|batch| batch.number);
        self.batches.extend(unused);
    }

    /// Gives the nodes that have run back to those of `peers` that are still there.
    pub(crate) fn give_back(&mut self, peers: &mut [Peer]) {
        for run in self.runs() {
            let being = &mut peers[run.peer.as_usize()].being;
            if let Some(node) = run.node.take()
                && matches!(being, Being::Ahead)
            {
                *being = Being::Honest(node);
            }
        }
    }

    /// The next turn of a peer, and what it sends, where its node has run in this window.
    pub(crate) fn take_turn(
        &mut self,
        places: Places,
    ) -> Option<(Turn, impl Iterator<Item = (SocketAddr, Payload)>)> {
        let Run { turns, datagrams, .. } = self.run_at(places.of(self.place)?);
        let turn = turns.pop_front().expect("the world asks for the turns that were computed");
        let sent = datagrams.drain(..turn.datagrams);
        Some((turn, sent))
    }

    /// Ends the window.
    pub(crate) fn close(&mut self, peers: &mut [Peer]) {
        let place = self.place;
        for run in self.runs() {
            peers[run.peer.as_usize()].runs.set(place, None);
        }
        (self.used, self.end) = (0, None);
    }
}

/// A peer's places among the runs of each window, where it is in them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places([Option<usize>; PLACES]);

impl Places {
    const fn of(self, place: Place) -> Option<usize> {
        self.0[place.0]
    }

    const fn set(&mut self, place: Place, run: Option<usize>) {
        self.0[place.0] = run;
    }
}

impl Batch {
    fn new(number: usize) -> Self {
        Self { number, end: Instant::ZERO, runs: array::from_fn(|_| Run::new()), used: 0 }
    }

    fn compute(&mut self) {
        for run in &mut self.runs[..self.used] {
            run.compute(self.end);
        }
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

    fn begin(&mut self, peer: PeerIndex, born: Instant) {
        (self.peer, self.born, self.timer) = (peer, born, Timer::default());
        self.scheduled.clear();
        self.wakes.clear();
        self.turns.clear();
        self.datagrams.clear();
    }

    /// Goes on from an earlier run, which the world has not gone through yet.
    fn go_on(&mut self, earlier: &mut Self) {
        self.timer = earlier.timer;
        mem::swap(&mut self.wakes, &mut earlier.wakes);
    }

    fn compute(&mut self, end: Instant) {
        OUTBOX.with_borrow_mut(|outbox| {
            while let Some((at, due)) = self.next(end) {
                match due {
                    Due::Arrival(source, payload) => self.deliver(at, source, payload, outbox),
                    Due::Wake => self.wake(at, outbox),
                    Due::Join(addresses) => self.turn(at, outbox, |node, now, outbox| {
                        node.handle_command(now, Command::Bootstrap { addresses }, outbox);
                    }),
                }
            }
        });
    }

    /// What comes next: of the same moment, what was scheduled first.
    fn next(&mut self, end: Instant) -> Option<(Instant, Due)> {
        let scheduled = self.scheduled.front().map(|(at, _)| *at);
        let wake = self.wakes.peek().map(|Reverse(at)| *at).filter(|at| *at <= end);
        match (scheduled, wake) {
            (Some(at), Some(wake)) if at <= wake => self.scheduled.pop_front(),
            (_, Some(wake)) => {
                self.wakes.pop();
                Some((wake, Due::Wake))
            }
            (_, None) => self.scheduled.pop_front(),
        }
    }

    fn deliver(&mut self, at: Instant, source: SocketAddr, payload: Payload, outbox: &mut Outbox) {
        self.turn(at, outbox, |node, now, outbox| {
            node.handle_datagram(now, source, payload.bytes(), outbox);
        });
        if self.buffers.len() < BUFFERS_MAX {
            self.buffers.push(payload.into_buffer());
        }
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

//! A world: peers that run the production node, a network between them, and a
//! clock that moves from one event to the next.
//!
//! A world draws everything from one seed and does one thing after another, so that the
//! same seed and the same script give the same run, datagram for datagram.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use kad_node::id::Id;
use kad_node::node::{BucketView, Command, Config, Event, OperationId, Outbox};
use kad_node::rng::Rng;
use kad_node::time::Instant;

use crate::ahead::{Ahead, Window};
use crate::checks::Peaks;
use crate::network::{FlightIndex, Network};
use crate::operations::Operations;
use crate::oracle::Oracle;
use crate::payload::Payload;
use crate::peers::{Being, Peer, PeerIndex, WELL_KNOWN, Wake, clock, own_time};
use crate::queue::{Happening, Queue};
use crate::scenario::Scenario;
use crate::shards::{Layout, Shards};
use crate::trace::{Subject, Trace};
use crate::turn::Turn;
use crate::upkeep::Upkeep;
use crate::violation::{Violation, Wrong};

/// Makes a peer's configuration from its id and seed.
pub(crate) type Configure = fn(&mut Config);

/// A simulated network of nodes.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) peers: Vec<Peer>,
    /// Honest peers that are up, in no order that means anything.
    pub(crate) honest: Vec<PeerIndex>,
    pub(crate) network: Network,
    pub(crate) operations: Operations,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    /// What the script draws from; the network and each node have their own.
    pub(crate) rng: Rng,
    pub(crate) violations: Vec<Violation>,
    pub(crate) peaks: Peaks,
    /// What was measured of the upkeep of values.
    pub(crate) upkeep: Vec<Upkeep>,
    /// Datagrams that may be sent in all, so that no run goes on for ever.
    datagrams_max: u64,
    /// The routing table that a node was last asked to show.
    shown: Vec<BucketView>,
    pub(crate) queue: Queue,
    outbox: Outbox,
    /// There where several threads run, and no window is gone through.
    pub(crate) ahead: Option<Ahead>,
    /// The window that is gone through, where the nodes have run ahead in it.
    pub(crate) current: Option<Window>,
    /// Nodes that were made before their time, to run ahead, and by what addresses they join.
    pub(crate) made: VecDeque<(PeerIndex, Vec<SocketAddr>)>,
    /// Nodes that have held so many heap bytes, more than they might.
    pub(crate) heavy: Vec<(PeerIndex, isize)>,
    configure: Configure,
    pub(crate) layout: Layout,
}

impl World {
    /// A world without peers, as `scenario` wants it.
    pub(crate) fn new(scenario: &Scenario, seed: u64, subject: Option<Subject>) -> Self {
        let Scenario { faults, configure, layout, datagrams_max, .. } = *scenario;
        let mut rng = Rng::from_u64(seed);
        Self {
            now: Instant::ZERO,
            peers: Vec::new(),
            honest: Vec::new(),
            network: Network::new(faults, Rng::from_seed(rng.seed())),
            operations: Operations::default(),
            oracle: Oracle::default(),
            trace: Trace::new(subject),
            violations: Vec::new(),
            peaks: Peaks::default(),
            upkeep: Vec::new(),
            datagrams_max,
            shown: Vec::new(),
            queue: Queue::default(),
            outbox: Outbox::new(),
            ahead: None,
            current: None,
            made: VecDeque::new(),
            heavy: Vec::new(),
            configure,
            layout,
            rng,
        }
    }

    /// The settings of every node of this world, as a node called `id` has them.
    pub(crate) fn config(&self, id: Id, seed: [u8; kad_node::rng::SEED_BYTES]) -> Config {
        let mut config = Config::new(id, seed);
        (self.configure)(&mut config);
        config
    }

    /// Any honest peer that is up.
    pub(crate) fn any_honest(&mut self) -> PeerIndex {
        let index = self.rng.below(self.honest.len() as u64) as usize;
        self.honest[index]
    }

    /// Any honest peer that is up and may crash.
    pub(crate) fn any_mortal(&mut self) -> Option<PeerIndex> {
        let mortal: Vec<_> = self.honest.iter().filter(|peer| **peer != WELL_KNOWN).collect();
        if mortal.is_empty() {
            return None;
        }
        let index = self.rng.below(mortal.len() as u64) as usize;
        Some(*mortal[index])
    }

    /// Stops `peer` at once; no other is told.
    pub(crate) fn crash(&mut self, peer: PeerIndex) {
        self.check_books(peer);
        self.peers[peer.as_usize()].stop();
        self.honest.retain(|other| *other != peer);
        self.operations.abandon(peer);
        self.trace.note(self.now, peer, None, || "crashes".to_owned());
    }

    /// Hands `command` to `peer`.
    pub(crate) fn command(&mut self, peer: PeerIndex, command: Command) {
        if let Command::Put { value, .. } = &command {
            self.peers[peer.as_usize()].account(value.bytes().len() as isize);
            self.peers[peer.as_usize()].put_bytes += value.bytes().len() as isize;
        }
        self.turn(peer, |node, now, outbox| node.handle_command(now, command, outbox));
    }

    /// The routing table of `peer`, as it shows it to its user.
    pub(crate) fn show_peers(&mut self, peer: PeerIndex) -> Vec<BucketView> {
        let (held, peaks) = (self.peers[peer.as_usize()].heap_bytes, self.peaks);
        self.command(peer, Command::Peers { operation: OperationId(u64::MAX) });
        // What is shown leaves the node: it does not count as the node's memory.
        self.peers[peer.as_usize()].heap_bytes = held;
        self.peaks = peaks;
        std::mem::take(&mut self.shown)
    }

    /// Whether it has sent as much as it may: nothing happens in it any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.network.tally().sent >= self.datagrams_max
    }

    pub(crate) fn violate(&mut self, wrong: Wrong, what: String) {
        self.violations.push(Violation { at: clock(self.now), wrong, what });
    }

    pub(crate) fn deliver(&mut self, index: FlightIndex) {
        let flight = self.network.land(index);
        let peer = flight.destination;
        self.trace.arrived(self.now, flight.source, peer, flight.payload.hash());
        let source = self.network.source_address(&flight);
        // One that joins later may have been made.
        let slot = self.peers.get_mut(peer.as_usize()).filter(|slot| slot.is_born(self.now));
        match slot.map(|slot| (&mut slot.being, &mut slot.departing)) {
            Some((Being::Honest(_) | Being::Ahead, departing)) => {
                if let Some(departing) = departing {
                    departing.datagrams += 1;
                }
                self.turn(peer, |node, now, outbox| {
                    node.handle_datagram(now, source, flight.payload.bytes(), outbox);
                });
            }
            Some((Being::Attacker(attacker), _)) => {
                attacker.handle_datagram(source, flight.payload.bytes(), &mut self.outbox);
                self.send_outbox(peer);
            }
            Some((Being::Absent, _)) | None => {}
        }
        self.network.recycle(index, flight.payload);
    }

    pub(crate) fn wake(&mut self, peer: PeerIndex) {
        let slot = &mut self.peers[peer.as_usize()];
        match slot.timer.ring(self.now) {
            Wake::Stale => return,
            Wake::Early => return schedule_wake(&mut self.queue, peer, slot.timer.arm(self.now)),
            Wake::Due => {}
        }
        match &mut slot.being {
            Being::Honest(_) | Being::Ahead => {
                self.tell_kept(peer);
                self.turn(peer, Shards::handle_due);
            }
            Being::Attacker(attacker) => {
                attacker.handle_timeout(self.now, &mut self.outbox);
                let due = Some(attacker.next_timeout());
                self.send_attack(peer);
                self.arm(peer, due);
            }
            Being::Absent => {}
        }
    }

    /// One call into a node, and what follows from it. Where the node has run ahead, the
    /// call was made before.
    pub(crate) fn turn(
        &mut self,
        peer: PeerIndex,
        act: impl FnOnce(&mut Shards, Instant, &mut Outbox),
    ) {
        let slot = &mut self.peers[peer.as_usize()];
        let turn = if let Some((turn, datagrams)) =
            self.current.as_mut().and_then(|window| window.take_turn(slot.runs))
        {
            let Self { now, network, queue, trace, .. } = self;
            for (to, payload) in datagrams {
                send(*now, peer, to, payload, network, queue, trace);
            }
            turn
        } else {
            let Being::Honest(node) = &mut slot.being else { return };
            let turn = Turn::take(node, own_time(slot.born, self.now), &mut self.outbox, act);
            self.write_disk(peer);
            self.send_outbox(peer);
            Turn { due: self.peers[peer.as_usize()].next_timeout(), ..turn }
        };
        let slot = &mut self.peers[peer.as_usize()];
        slot.account(turn.heap_bytes);
        if let Some(departing) = &mut slot.departing {
            departing.datagrams += turn.datagrams as u64;
        }
        self.watch(peer, turn.requests, turn.load);
        self.arm(peer, turn.due);
        for event in turn.events {
            self.take_event(peer, event);
        }
    }

    /// Sends what a peer has written.
    fn send_outbox(&mut self, peer: PeerIndex) {
        let Self { now, outbox, network, queue, trace, .. } = self;
        for (to, bytes) in outbox.datagrams() {
            let payload = Payload::new(network.buffer(), bytes);
            send(*now, peer, to, payload, network, queue, trace);
        }
        self.outbox.clear();
    }

    /// Sends what an attacker has written unasked, in its own name or in another.
    fn send_attack(&mut self, peer: PeerIndex) {
        let Being::Attacker(attacker) = &mut self.peers[peer.as_usize()].being else { return };
        for (to, bytes) in self.outbox.datagrams() {
            let source = attacker.forged_source().unwrap_or(peer);
            let Self { now, network, queue, trace, .. } = self;
            let payload = Payload::new(network.buffer(), bytes);
            send(*now, source, to, payload, network, queue, trace);
        }
        self.outbox.clear();
    }

    /// Schedules the peer's next wake, unless one is pending that comes before it.
    pub(crate) fn arm(&mut self, peer: PeerIndex, due: Option<Instant>) {
        let wake = self.peers[peer.as_usize()].timer.set(self.now, due);
        schedule_wake(&mut self.queue, peer, wake);
    }

    fn take_event(&mut self, peer: PeerIndex, event: Event) {
        match event {
            Event::Joined { contacts } => {
                self.peers[peer.as_usize()].has_joined = true;
                self.trace.note(self.now, peer, None, || format!("joined, {contacts} contacts"));
            }
            Event::BadId { id, fault, replaced_by } => {
                self.trace.note(self.now, peer, None, || format!("{id}: {fault}"));
                let slot = &mut self.peers[peer.as_usize()];
                slot.id = replaced_by.unwrap_or(id);
            }
            Event::Put { operation, key, outcome, elapsed } => {
                self.trace.note(self.now, peer, Some(key), || {
                    format!("put {key}: {outcome:?} after {elapsed:?}")
                });
                self.end_put(operation, outcome, elapsed);
            }
            Event::Get { operation, key, outcome, asked, elapsed } => {
                self.trace.note(self.now, peer, Some(key), || {
                    format!("get {key}: {outcome:?}, asked {asked}, after {elapsed:?}")
                });
                if let Ok(Some(found)) = &outcome
                    && Arc::strong_count(&found.value) == 1
                {
                    // The value was allocated within the node and leaves it here: the node
                    // keeps no copy.
                    self.peers[peer.as_usize()].account(-(found.value.len() as isize));
                }
                self.end_get(operation, key, outcome, asked, elapsed);
            }
            // Each shard shows the buckets that it owns.
            Event::Peers { buckets, .. } => self.shown.extend(buckets),
            Event::Departed { handed_off, failed, .. } => {
                self.note_departed(peer, handed_off, failed);
            }
            Event::Hop { .. }
            | Event::Pending { .. }
            | Event::Progress { .. }
            | Event::Range { .. }
            | Event::Forget { .. }
            | Event::Stats { .. }
            | Event::Values { .. }
            | Event::Log { .. } => {}
        }
    }
}

/// Sends one datagram of `peer`.
fn send(
    now: Instant,
    peer: PeerIndex,
    to: SocketAddr,
    payload: Payload,
    network: &mut Network,
    queue: &mut Queue,
    trace: &mut Trace,
) {
    let shown = trace.is_on().then(|| payload.bytes().to_vec());
    let (fate, copy) = network.send(now, peer, to, payload, queue);
    if let Some(bytes) = shown {
        for fate in copy.into_iter().chain([fate]) {
            trace.sent(now, peer, to, &bytes, fate);
        }
    }
}

fn schedule_wake(queue: &mut Queue, peer: PeerIndex, at: Option<Instant>) {
    if let Some(at) = at {
        queue.schedule(at, Happening::Wake(peer));
    }
}

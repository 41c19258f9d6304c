//! Nodes that go for good, politely or not.

use std::time::Duration;

use kad_node::node::{Command, OperationId};
use kad_node::time::Instant;

use crate::peers::PeerIndex;
use crate::ratio::Ratio;
use crate::scenario::Going;
use crate::shards::Shards;
use crate::world::World;

/// How long a node has to leave: as the program gives it.
const DEPART_MAX: Duration = Duration::from_secs(5);
/// How often, in virtual time, it is looked which node has had that time.
const GLANCE: Duration = Duration::from_millis(100);

/// A peer that has been told to leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departing {
    /// Of its shards, those that have not left yet.
    shards: usize,
    /// When it was told so, and when it is stopped, whatever is left to do.
    begun: Instant,
    deadline: Instant,
    handed_off: u64,
    /// The values that it had, to be handed off.
    pub(crate) values: u64,
    /// Datagrams that it has sent and received since.
    pub(crate) datagrams: u64,
}

impl World {
    /// A share of the nodes goes, evenly spread; ends when all of them are gone.
    pub(crate) fn shrink(&mut self, share: Ratio, over: Duration, going: Going) {
        self.check_kept();
        let chosen = self.draw_share(share);
        let start = self.now;
        for (index, &peer) in chosen.iter().enumerate() {
            let micros = over.as_micros() as u64 * index as u64 / chosen.len() as u64;
            let turn = start + Duration::from_micros(micros);
            while self.now < turn {
                self.run_until(turn.min(self.now + GLANCE));
                self.stop_late(&chosen);
            }
            match going {
                Going::Politely => self.depart(peer),
                Going::Crashing => self.crash(peer),
            }
        }
        self.run_until(start + over);
        while chosen.iter().any(|peer| self.peers[peer.as_usize()].departing.is_some()) {
            self.run_for(GLANCE);
            self.stop_late(&chosen);
        }
        self.write_off_lost_values();
    }

    /// Stops those of `departing` that have had their time.
    fn stop_late(&mut self, departing: &[PeerIndex]) {
        for &peer in departing {
            let departing = self.peers[peer.as_usize()].departing;
            if departing.is_some_and(|departing| departing.deadline <= self.now) {
                self.note_departure(peer);
                self.crash(peer);
            }
        }
    }

    /// Has `peer` leave: nothing more is asked of it, and it is stopped as soon as
    /// all its shards have departed, or has had [`DEPART_MAX`].
    fn depart(&mut self, peer: PeerIndex) {
        self.honest.retain(|other| *other != peer);
        let slot = &mut self.peers[peer.as_usize()];
        let (shards, datagrams) = (slot.shards, 0);
        let (begun, deadline) = (self.now, self.now + DEPART_MAX);
        let stats = slot.node().map(Shards::stats).unwrap_or_default();
        let (values, handed_off) = (stats.values + stats.values_published, 0);
        slot.departing = Some(Departing { shards, begun, deadline, handed_off, values, datagrams });
        self.trace.note(self.now, peer, None, || "leaves".to_owned());
        self.command(peer, Command::Depart { operation: OperationId(u64::MAX) });
    }

    /// Takes in that one shard of `peer` has left.
    pub(crate) fn note_departed(&mut self, peer: PeerIndex, handed_off: usize, failed: usize) {
        self.trace.note(self.now, peer, None, || {
            format!("a shard has departed; {handed_off} values handed off, {failed} not")
        });
        let slot = &mut self.peers[peer.as_usize()];
        let Some(departing) = &mut slot.departing else { return };
        departing.shards -= 1;
        departing.handed_off += handed_off as u64;
        if departing.shards == 0 {
            self.note_departure(peer);
            self.peers[peer.as_usize()].stop();
            self.operations.abandon(peer);
        }
    }

    /// Takes in what the departure of `peer` has cost, which ends.
    fn note_departure(&mut self, peer: PeerIndex) {
        let slot = &self.peers[peer.as_usize()];
        let (Some(departing), tally) = (slot.departing, &mut self.operations.tally) else { return };
        tally.handed_off.add(departing.handed_off);
        tally.departure_datagrams.add(departing.datagrams);
        tally.departure_us.add(self.now.since(departing.begun).as_micros() as u64);
    }
}

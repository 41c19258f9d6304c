//! The loop of a shard: the node's protocol state, run over a datapath.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::time::Duration;

use udp::Noted;

use super::clock::Clock;
use super::disk::DiskLink;
use super::events::{EventSender, ShardEvent};
use super::io::Datapath;
use super::mailbox::Links;
use super::mailbox::inbox::Inbox;
use super::mailbox::peers::Peers;
use super::put_off::{Admission, PutOff, PutOffs};
use super::stats::{DriverStats, ShardStats};
use crate::node::{Event, Node, Outbox};
use crate::time::Instant;
use crate::wire::{self, Costly};

/// Longest wait. The kernel does not count the time in which the machine sleeps into a
/// wait, so that a shard sees so much later at most that it has slept past a deadline. An
/// idle shard wakes twice a minute for it.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// One shard: everything that its thread owns.
pub(super) struct Shard<D> {
    node: Node,
    outbox: Outbox,
    inbox: Inbox,
    outlet: Outlet<D>,
    put_offs: PutOffs,
    disk: Option<DiskLink>,
    clock: Clock,
    /// The moment of the turn.
    now: Instant,
}

impl<D: Datapath> Shard<D> {
    pub(super) fn new(
        node: Node,
        datapath: D,
        links: Links,
        events: EventSender,
        clock: Clock,
    ) -> Self {
        let Links { inbox, peers, disk } = links;
        let outlet = Outlet { datapath, peers, events };
        let (outbox, put_offs, now) = (Outbox::new(), PutOffs::new(), clock.now());
        Self { node, outbox, inbox, outlet, put_offs, disk, clock, now }
    }

    /// Turns until it is told to stop, or the datapath fails.
    pub(super) fn run(mut self) -> io::Result<ShardStats> {
        while self.turn()?.is_continue() {}
        if let Some(disk) = &mut self.disk {
            disk.finish(self.now, &mut self.node, &mut self.outbox);
        }
        let histograms = self.node.histograms().clone();
        Ok(ShardStats { node: self.node.stats(), driver: self.outlet.measured(), histograms })
    }

    fn turn(&mut self) -> io::Result<ControlFlow<()>> {
        self.wait()?;
        self.outlet.stats().turns += 1;
        let flow = self.inbox.flow();
        self.take_datagrams()?;
        self.take_messages();
        self.node.handle_timeout(self.now, &mut self.outbox);
        self.write_disk();
        self.outlet.flush(&mut self.outbox);
        self.outlet.finish(&mut self.outbox);
        Ok(flow)
    }

    /// Waits until there is something to do. Takes the time of the turn before,
    /// and begins the next one.
    fn wait(&mut self) -> io::Result<()> {
        let begun = self.clock.now();
        self.outlet.stats().busy_us += begun.as_micros() - self.now.as_micros();
        if self.put_offs.is_empty() && self.inbox.begin_wait() {
            let due = self.node.next_timeout().map(|due| due.since(begun));
            let disk = self.disk.as_ref().and_then(|disk| disk.wait(begun));
            let timeout = [due, disk, self.outlet.peers.retry(), Some(WAIT_MAX)];
            let timeout = timeout.into_iter().flatten().min();
            self.outlet.datapath.wait(timeout)?;
            self.inbox.end_wait();
        } else {
            self.outlet.datapath.wait(Some(Duration::ZERO))?;
            self.inbox.end_wait();
        }
        self.now = self.clock.now();
        self.outlet.stats().waiting_us += self.now.as_micros() - begun.as_micros();
        Ok(())
    }

    /// Takes in the costly requests that have waited, as many as a turn may, and what has
    /// come.
    fn take_datagrams(&mut self) -> io::Result<()> {
        let Self { node, outbox, outlet, put_offs, now, .. } = self;
        put_offs.begin_turn();
        while let Some(PutOff { source, local, bytes }) = put_offs.take() {
            if let Some(local) = local {
                outlet.note_local(source, local, outbox);
            }
            node.handle_datagram(*now, source, &bytes, outbox);
            outlet.relieve(outbox);
        }
        while outlet.datapath.advance()? {
            let (source, bytes) = outlet.datapath.datagram();
            if let Some(kind) = wire::costly(bytes)
                && outlet.puts_off(put_offs, kind)
            {
                continue;
            }
            if let Some(local) = outlet.datapath.local() {
                outlet.note_local(source, local, outbox);
            }
            let (source, bytes) = outlet.datapath.datagram();
            node.handle_datagram(*now, source, bytes, outbox);
            outlet.relieve(outbox);
        }
        Ok(())
    }

    /// Hands what the turn has changed to the disk.
    fn write_disk(&mut self) {
        if let Some(disk) = &mut self.disk {
            disk.write(self.now, &mut self.node, &mut self.outbox);
        }
    }

    /// Takes in what other threads have for the shard: what the disk has kept, handoffs, then
    /// commands. The commands are looked at first, so that whatever was passed on before the
    /// user sent one is known when it is carried out.
    fn take_messages(&mut self) {
        let Self { node, outbox, inbox, outlet, now, .. } = self;
        if !inbox.take_signal() {
            return;
        }
        for (number, kept) in inbox.kept.iter_mut().flat_map(|ring| ring.drain()) {
            node.handle_kept(*now, number, kept, outbox);
            outlet.relieve(outbox);
        }
        let commands = inbox.commands.drain();
        for handoff in inbox.handoffs.iter_mut().flat_map(|ring| ring.drain()) {
            if let Some((source, local)) = handoff.local() {
                outlet.note_local(source, local, outbox);
            }
            node.handle_handoff(*now, handoff, outbox);
            outlet.relieve(outbox);
        }
        for command in commands {
            outlet.stats().commands += 1;
            node.handle_command(*now, command, outbox);
            outlet.relieve(outbox);
        }
    }
}

/// Where what a shard makes goes: to the network, to its peers, to its user.
struct Outlet<D> {
    datapath: D,
    peers: Peers,
    events: EventSender,
}

impl<D: Datapath> Outlet<D> {
    /// Passes on what a call into the node has written for others, and makes room
    /// for what another may write. Datagrams wait, to be sent many at a time; messages
    /// do not, so that a peer works on a turn's first while its last are read.
    fn relieve(&mut self, outbox: &mut Outbox) {
        self.pass_handoffs(outbox);
        if outbox.is_low() {
            self.send(outbox);
        }
    }

    /// Passes on and sends what the outbox holds.
    fn flush(&mut self, outbox: &mut Outbox) {
        self.pass_handoffs(outbox);
        self.send(outbox);
    }

    /// Whether the costly request that has just come is not for this turn.
    fn puts_off(&mut self, put_offs: &mut PutOffs, kind: Costly) -> bool {
        let admission = put_offs.admit(kind);
        let (source, bytes) = self.datapath.datagram();
        if admission == Admission::Later {
            let local = self.datapath.local();
            put_offs.put_off(kind, PutOff { source, local, bytes: bytes.into() });
        }
        let stats = self.stats();
        let counter = match (admission, kind) {
            (Admission::Now, _) => return false,
            (Admission::Later, Costly::Store | Costly::Renew { .. }) => &mut stats.stores_put_off,
            (Admission::Later, Costly::FindRange) => &mut stats.ranges_put_off,
            (Admission::Dropped, Costly::Store | Costly::Renew { .. }) => &mut stats.stores_dropped,
            (Admission::Dropped, Costly::FindRange) => &mut stats.ranges_dropped,
        };
        *counter += 1;
        true
    }

    /// Notes that `peer` has asked `local`. Replies that wait are sent before that, where
    /// they may be to leave from another address.
    fn note_local(&mut self, peer: SocketAddr, local: IpAddr, outbox: &mut Outbox) {
        let mut noted = self.try_note_local(peer, local);
        if noted == Noted::SendFirst {
            self.send(outbox);
            noted = self.try_note_local(peer, local);
        }
        self.stats().sources_displaced += u64::from(noted == Noted::Displaced);
    }

    fn try_note_local(&mut self, peer: SocketAddr, local: IpAddr) -> Noted {
        self.datapath.locals().map_or(Noted::Done, |locals| locals.note(peer, local))
    }

    fn pass_handoffs(&mut self, outbox: &mut Outbox) {
        for (shard, mut handoff) in outbox.take_handoffs() {
            if let Some(locals) = self.datapath.locals() {
                // Noted just now, with the datagram that is passed on.
                handoff.set_local(|source| locals.find(source));
            }
            self.peers.pass(shard, handoff, self.datapath.stats());
        }
    }

    fn send(&mut self, outbox: &mut Outbox) {
        if outbox.datagrams().len() > 0 {
            self.datapath.submit(outbox.datagrams());
        }
        outbox.clear();
        if let Some(locals) = self.datapath.locals() {
            locals.all_sent();
        }
    }

    /// Shows the peers what the turn has for them, and after that tells the user:
    /// what an event tells is then under way to every shard.
    fn finish(&mut self, outbox: &mut Outbox) {
        self.peers.publish(self.datapath.stats());
        for event in outbox.take_events() {
            self.deliver(event);
        }
    }

    fn deliver(&mut self, event: Event) {
        self.stats().events += 1;
        let event = match event {
            Event::Stats { operation, stats, histograms } => {
                let (node, driver, histograms) = (*stats, self.measured(), *histograms);
                let stats = Box::new(ShardStats { node, driver, histograms });
                ShardEvent::Stats { operation, stats }
            }
            event => ShardEvent::Node(event),
        };
        self.events.send(event);
    }

    fn stats(&mut self) -> &mut DriverStats {
        self.datapath.stats()
    }

    /// The counters, with the gauges of this moment.
    fn measured(&mut self) -> DriverStats {
        self.datapath.measure();
        self.datapath.stats().clone()
    }
}

//! The loop of a shard: the node's protocol state, run over a datapath.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::mpsc::Sender;

use super::clock::Clock;
use super::datapath::{Advance, Datapath};
use super::mailbox::{COMMANDS_MAX, Mailbox, Order};
use super::stats::DriverStats;
use super::{DriverEvent, Stopped};
use crate::node::{Event, Node, Outbox};
use crate::time::Instant;

/// One shard: everything that its thread owns.
pub(super) struct Shard<D> {
    node: Node,
    datapath: D,
    outbox: Outbox,
    mailbox: Mailbox,
    events: Sender<DriverEvent>,
    clock: Clock,
    /// The moment of the turn.
    now: Instant,
}

impl<D: Datapath> Shard<D> {
    pub(super) fn new(
        node: Node,
        datapath: D,
        mailbox: Mailbox,
        events: Sender<DriverEvent>,
        clock: Clock,
    ) -> Self {
        Self { node, datapath, outbox: Outbox::new(), mailbox, events, clock, now: clock.now() }
    }

    /// Turns until it is told to stop, or the datapath fails.
    pub(super) fn run(mut self) -> io::Result<Stopped> {
        while self.turn()? == Order::Run {}
        let driver = self.driver_stats();
        Ok(Stopped { node: self.node.stats(), driver })
    }

    /// One turn. The clock is read once, so a time-out counts from the beginning
    /// of the turn before: it comes late by that turn's work, which is well below
    /// the shortest time-out, and never early.
    fn turn(&mut self) -> io::Result<Order> {
        let timeout = self.node.next_timeout().map(|due| due.since(self.now));
        self.datapath.wait(timeout)?;
        self.now = self.clock.now();
        self.datapath.stats().turns += 1;
        let order = self.mailbox.order();

        while self.datapath.advance()? == Advance::Datagram {
            let (source, bytes) = self.datapath.datagram();
            self.node.handle_datagram(self.now, source, bytes, &mut self.outbox);
            self.flush_if_low();
        }
        for _ in 0..COMMANDS_MAX {
            let Some(command) = self.mailbox.take() else { break };
            self.datapath.stats().commands += 1;
            self.node.handle_command(self.now, command, &mut self.outbox);
            self.flush_if_low();
        }
        self.node.handle_timeout(self.now, &mut self.outbox);
        self.flush();
        Ok(order)
    }

    /// Makes room for what another call into the node may write.
    fn flush_if_low(&mut self) {
        if self.outbox.is_low() {
            self.flush();
        }
    }

    /// Sends what the outbox holds, and delivers its events.
    fn flush(&mut self) {
        if self.outbox.datagrams().len() > 0 {
            self.datapath.submit(self.outbox.datagrams());
        }
        self.outbox.clear();
        self.deliver();
    }

    fn deliver(&mut self) {
        let Self { outbox, datapath, events, .. } = self;
        for event in outbox.take_events() {
            datapath.stats().events += 1;
            let event = match event {
                Event::Stats { operation, stats } => {
                    datapath.measure();
                    let driver = Box::new(datapath.stats().clone());
                    DriverEvent::Stats { operation, node: stats, driver }
                }
                event => DriverEvent::Node(event),
            };
            // Nobody listens any more: then nobody misses it.
            let _ = events.send(event);
        }
    }

    fn driver_stats(&mut self) -> DriverStats {
        self.datapath.measure();
        self.datapath.stats().clone()
    }
}

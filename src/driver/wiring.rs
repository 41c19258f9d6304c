//! The rings between the shards of a node, and from the control side to each.

use std::io;
use std::sync::Arc;

use super::bell::{Alarm, Bell};
use super::commander::{COMMANDS_MAX, Commander};
use super::halt::Halt;
use super::inbox::Inbox;
use super::peers::{Peer, Peers, ring_capacity};
use super::settings::ShardCount;
use crate::handoff::{Waiter, ring, waker};

/// What a shard is joined to others by.
pub(super) struct Links {
    pub(super) inbox: Inbox,
    pub(super) peers: Peers,
}

/// All that joins the shards of a node.
pub(super) struct Wiring {
    pub(super) commander: Commander,
    pub(super) halt: Arc<Halt>,
    /// Each shard's, in their order.
    pub(super) links: Vec<Links>,
}

/// The wiring of `shards`.
pub(super) fn wire(shards: ShardCount) -> io::Result<Wiring> {
    let count = shards.get();
    let (waiters, alarms): (Vec<Waiter>, Vec<Alarm>) = (0..count)
        .map(|_| {
            let (waiter, waker) = waker();
            Ok((waiter, Alarm { waker, bell: Arc::new(Bell::new()?) }))
        })
        .collect::<io::Result<_>>()?;
    let halt = Arc::new(Halt::new(alarms));
    let mut command_rings = Vec::with_capacity(count);
    let mut links: Vec<Links> = waiters
        .into_iter()
        .zip(halt.alarms())
        .map(|(waiter, alarm)| {
            let (producer, commands) = ring(COMMANDS_MAX);
            command_rings.push(producer);
            let (bell, halt) = (Arc::clone(&alarm.bell), Arc::clone(&halt));
            let inbox = Inbox { commands, handoffs: Vec::new(), waiter, bell, halt };
            Links { inbox, peers: Peers::new(Vec::new()) }
        })
        .collect();
    for from in 0..count {
        let peers = (0..count).map(|to| {
            (to != from).then(|| {
                let (producer, consumer) = ring(ring_capacity(count));
                links[to].inbox.handoffs.push(consumer);
                Peer::new(producer, halt.alarms()[to].clone())
            })
        });
        let peers = peers.collect();
        links[from].peers = Peers::new(peers);
    }
    let commander = Commander::new(command_rings, Arc::clone(&halt));
    Ok(Wiring { commander, halt, links })
}

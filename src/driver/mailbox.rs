//! What joins the shards of a node: the rings between them and from the control side to
//! each, how a shard is woken, and the request to stop.

pub(super) mod commander;
pub(super) mod inbox;
pub(super) mod peers;
pub(super) mod shutdown;
pub(super) mod wake;

use std::io;
use std::sync::Arc;

use self::commander::{COMMANDS_MAX, Commander};
use self::inbox::Inbox;
use self::peers::{Peer, Peers, ring_capacity};
use self::shutdown::Shutdown;
use self::wake::{WakeFd, WakeHandle};
use super::disk::DiskLink;
use super::settings::ShardCount;
use crate::handoff::{Waiter, ring, waker};

/// What a shard is joined to others by, and to the disk.
pub(super) struct Links {
    pub(super) inbox: Inbox,
    pub(super) peers: Peers,
    /// There once the node's folder is attached.
    pub(super) disk: Option<DiskLink>,
}

/// All mailboxes of a node.
pub(super) struct Mailboxes {
    pub(super) commander: Commander,
    pub(super) shutdown: Arc<Shutdown>,
    /// Each shard's, in their order.
    pub(super) links: Vec<Links>,
}

/// Joins `shards`.
pub(super) fn join(shards: ShardCount) -> io::Result<Mailboxes> {
    let count = shards.get();
    let (waiters, wake_handles): (Vec<Waiter>, Vec<WakeHandle>) = (0..count)
        .map(|_| {
            let (waiter, waker) = waker();
            Ok((waiter, WakeHandle { waker, wake_fd: Arc::new(WakeFd::new()?) }))
        })
        .collect::<io::Result<_>>()?;
    let shutdown = Arc::new(Shutdown::new(wake_handles));
    let mut command_rings = Vec::with_capacity(count);
    let mut links: Vec<Links> = waiters
        .into_iter()
        .zip(shutdown.wake_handles())
        .map(|(waiter, wake_handle)| {
            let (producer, commands) = ring(COMMANDS_MAX);
            command_rings.push(producer);
            let (wake_fd, shutdown) = (Arc::clone(&wake_handle.wake_fd), Arc::clone(&shutdown));
            let (handoffs, kept) = (Vec::new(), None);
            let inbox = Inbox { commands, handoffs, kept, waiter, wake_fd, shutdown };
            Links { inbox, peers: Peers::new(Vec::new()), disk: None }
        })
        .collect();
    for from in 0..count {
        let peers = (0..count).map(|to| {
            (to != from).then(|| {
                let (producer, consumer) = ring(ring_capacity(count));
                links[to].inbox.handoffs.push(consumer);
                Peer::new(producer, shutdown.wake_handles()[to].clone())
            })
        });
        let peers = peers.collect();
        links[from].peers = Peers::new(peers);
    }
    let commander = Commander::new(command_rings, Arc::clone(&shutdown));
    Ok(Mailboxes { commander, shutdown, links })
}

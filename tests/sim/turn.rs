//! One call into a node, and what it came to.

use kad_node::node::{Event, Load, Outbox};
use kad_node::time::Instant;

use crate::allocator::held_bytes;
use crate::peers::is_request;
use crate::shards::Shards;

/// What one call into a node came to.
pub(crate) struct Turn {
    /// Datagrams that it sends.
    pub(crate) datagrams: usize,
    /// Of them, those that are requests.
    pub(crate) requests: usize,
    pub(crate) events: Vec<Event>,
    /// Heap bytes that the node took, less those that it gave back.
    pub(crate) heap_bytes: isize,
    /// When the node wants to be woken next, in the world's time.
    pub(crate) due: Option<Instant>,
    /// What was in progress at it afterwards, where it has sent requests: it is as much as
    /// before where it has sent none.
    pub(crate) load: Option<Load>,
}

impl Turn {
    /// Calls `node` when its own clock shows `now`. What it sends stays in `outbox`; when
    /// it is due next is for the caller to say.
    pub(crate) fn take(
        node: &mut Shards,
        now: Instant,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut Shards, Instant, &mut Outbox),
    ) -> Self {
        let before = held_bytes();
        act(node, now, outbox);
        let heap_bytes = held_bytes() - before;
        let datagrams = outbox.datagrams().len();
        let requests = outbox.datagrams().filter(|(_, bytes)| is_request(bytes)).count();
        let load = (requests > 0).then(|| node.load());
        let events = outbox.take_events().collect();
        Self { datagrams, requests, events, heap_bytes, due: None, load }
    }
}

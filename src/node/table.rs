//! What the node knows of other nodes.

pub(super) mod bucket;
pub(super) mod compact;
pub(super) mod routing_table;

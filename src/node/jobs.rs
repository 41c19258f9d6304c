//! What the node does on its own account.

pub(super) mod join;

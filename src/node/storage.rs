//! The values that the node holds.

pub(super) mod keyed_map;
pub(super) mod published;
pub(super) mod store;

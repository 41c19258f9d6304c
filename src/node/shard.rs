//! The shards of one node: which of them owns what, and what becomes of a message from
//! one to another that finds no room.

mod backlog;
mod position;

pub use backlog::{Backlog, HANDOFF_SLOTS, Outcome, Weight};
pub use position::{Route, ShardIndex, ShardPosition};

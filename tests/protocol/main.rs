//! The protocol seen from outside, through the node's public calls only: each
//! test is named after the behaviour that it protects.

#[path = "../harness/datagram.rs"]
mod datagram;
mod departing;
#[path = "../harness/disk.rs"]
mod disk;
mod durable;
mod identity;
mod joining;
mod keeping;
mod large;
mod large_bounds;
mod large_events;
mod large_paths;
mod load;
mod lookups;
mod manners;
mod net;
mod proofs;
mod regions;
mod renewing;
mod renewing_far;
mod sharded;
mod shards;
mod sparing;
mod stores;
mod tables;
mod watching;

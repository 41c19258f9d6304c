//! A Kademlia distributed key-value store: the protocol core, the drivers that
//! run it over UDP, and what the `kad-node` program is made of.
//!
//! Data goes one way: a datagram comes in, is decoded, dispatched, acted upon,
//! and what follows is encoded straight into the send buffer.
//!
//! ```text
//! id  <-  limits  rng  time  <-  wire  <-  node  <-  driver  <-  bin/kad-node
//! ```
//!
//! Without any feature the library is the core alone (everything left of
//! `driver`), built as `no_std`: that build is the proof that the core reaches
//! no socket, clock, thread or environment.
#![cfg_attr(not(feature = "handoff"), no_std)]

extern crate alloc;

#[cfg(feature = "std")]
pub mod driver;
#[cfg(feature = "handoff")]
pub mod handoff;
pub mod id;
pub mod limits;
pub mod node;
#[cfg(feature = "std")]
pub mod printable;
#[cfg(feature = "std")]
pub mod program;
#[cfg(feature = "std")]
pub mod quantity;
pub mod rng;
pub mod time;
#[cfg(feature = "std")]
pub mod uplot;
pub mod wire;

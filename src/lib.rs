//! A Kademlia distributed key-value store, for Linux.
//!
//! [`Client`] puts and gets values of a network, and [`Builder`] starts a node inside another
//! program. These, and what they take and give, are what other programs build on:
//!
//! ```no_run
//! # fn main() -> Result<(), kad_node::ClientError> {
//! let client = kad_node::Client::join(&["127.0.0.1:9001".parse().expect("an address")])?;
//! let stored = client.put("some text").wait()?; // or .await, in any runtime
//! let fetched = client.get(stored.key).wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! `tests/public_api.txt` lists all of that. The modules are what the programs of this
//! repository are made of, the protocol core and the drivers that run it over UDP. They may
//! change with any version, and are not shown here; read them in the sources, by
//! `ARCHITECTURE.md`. Data goes one way: a datagram comes in, is decoded, dispatched, acted
//! upon, and what follows is encoded straight into the send buffer.
//!
//! ```text
//! id  <-  limits  rng  time  <-  wire  <-  node  <-  driver  <-  bin/kad-node
//! ```
//!
//! Without any feature the library is the core alone (everything left of `driver`), built as
//! `no_std`: that build is the proof that the core reaches no socket, clock, thread or
//! environment. With `std` it has the drivers and the client; with `program`, which is on by
//! default, also what the program `kad-node` needs.
#![cfg_attr(not(feature = "handoff"), no_std)]

extern crate alloc;

#[cfg(feature = "std")]
mod client;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod driver;
#[cfg(feature = "handoff")]
#[doc(hidden)]
pub mod handoff;
#[doc(hidden)]
pub mod id;
#[doc(hidden)]
pub mod limits;
#[doc(hidden)]
pub mod node;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod printable;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod program;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod quantity;
#[doc(hidden)]
pub mod rng;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod seal;
#[doc(hidden)]
pub mod time;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod uplot;
#[doc(hidden)]
pub mod wire;

#[cfg(feature = "std")]
pub use client::{Answer, Builder, Client, ClientError, Fetched, Stored, Traced};
#[cfg(feature = "std")]
pub use driver::{ShardCount, StartError};
pub use id::{Id, ParseIdError};
pub use node::{Hop, HopAnswer, Refusal};
#[cfg(feature = "std")]
pub use seal::{NetworkKey, NetworkKeys};
pub use wire::Contact;

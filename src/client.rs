//! A client of a network, or a node of it, inside another program.
//!
//! ```no_run
//! use kad_node::Client;
//!
//! # fn main() -> Result<(), kad_node::ClientError> {
//! let client = Client::join(&["127.0.0.1:9001".parse().expect("an address")])?;
//! let stored = client.put(b"hello".to_vec()).wait()?;
//! println!("{} is held by {} nodes", stored.key, stored.holders);
//! let fetched = client.get(stored.key).wait()?;
//! assert_eq!(fetched.expect("it was just stored").value, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::put`], [`get`](Client::get) and [`trace`](Client::trace) return an [`Answer`] at
//! once. It is a [`Future`] that needs no runtime of a certain kind, and a thread may
//! [`wait`](Answer::wait) for it instead. An answer that is dropped abandons its operation.
//!
//! [`Builder`] starts a client with other settings, or a node that serves others.

mod answer;
mod builder;
mod error;
mod router;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use self::answer::Answer;
pub use self::builder::Builder;
pub use self::error::ClientError;
use self::router::{Reply, Router};
use crate::driver::Running;
use crate::id::Id;
use crate::node::{Command, Hop, HopAnswer, KeyedValue, Trace};

/// A put that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The value's key: its SHA-1 hash.
    pub key: Id,
    /// How many other nodes said that they hold the value. A node without contacts holds it
    /// alone, and has none.
    pub holders: usize,
    /// How many of the nodes closest to the key were asked to hold it.
    pub asked: usize,
    /// How far away the farthest of the nodes that were asked is: 1 for a contact of the own
    /// table, 2 for a contact of a contact.
    pub hops: u8,
    /// Time since the put.
    pub elapsed: Duration,
}

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The value. It hashes to the key.
    pub value: Vec<u8>,
    /// The node that sent it; none where it was here.
    pub from: Option<SocketAddr>,
    /// Hops to that node: 0 here, 1 a contact of the own table, 2 a contact of a contact.
    pub hops: u8,
    /// How many nodes were asked.
    pub asked: usize,
    /// Time since the get.
    pub elapsed: Duration,
}

/// A get that has ended, with its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The value, if it was found.
    pub fetched: Option<Fetched>,
    /// Each node that was asked, in the order of their answers.
    pub hops: Vec<Hop>,
}

/// A node that runs in this process and asks its network. As [`Client::join`] starts it no
/// node adds it to a routing table, and it serves none; a [`Builder`] makes it a full node.
///
/// It can be shared by threads. When it is dropped, the node is stopped at once.
#[derive(Debug)]
pub struct Client {
    router: Arc<Router>,
    /// There until it is dropped. The lock is only for sharing.
    running: Mutex<Option<Running>>,
    address: SocketAddr,
    id: Id,
}

impl Client {
    /// Joins the network of the nodes at `bootstrap`, at most ten seconds long.
    ///
    /// # Errors
    /// [`ClientError::NotJoined`] when none of them answers in that time;
    /// [`ClientError::Setting`] when none of them can be the address of a node;
    /// [`ClientError::Start`] when the system gives no socket or thread.
    pub fn join(bootstrap: &[SocketAddr]) -> Result<Self, ClientError> {
        Builder::client().bootstrap(bootstrap).start()
    }

    /// The address that it is bound to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its id in the network.
    pub const fn id(&self) -> Id {
        self.id
    }

    /// Stores `value` on the closest nodes to its key. A full node goes on republishing it.
    ///
    /// # Errors
    /// The answer is an error where the node is busy or has stopped, or the value is empty or
    /// larger than [`Builder::value_bytes_max`]. That no other node stores it is none: then
    /// [`Stored::holders`] is 0.
    pub fn put(&self, value: impl Into<Vec<u8>>) -> Answer<Stored> {
        let value = KeyedValue::new(value.into());
        let key = value.key();
        self.router.ask(key, |operation| Command::Put { operation, value }, stored)
    }

    /// Finds the value of `key`; none where the network has none.
    ///
    /// # Errors
    /// The answer is an error where the node is busy or has stopped, where the value is larger
    /// than [`Builder::value_bytes_max`], and where none of the nodes that were asked has
    /// answered: then the value may exist.
    pub fn get(&self, key: Id) -> Answer<Option<Fetched>> {
        self.router.ask(key, |operation| traced_get(operation, key), fetched)
    }

    /// Finds the value of `key`, and shows how.
    ///
    /// # Errors
    /// As [`get`](Self::get), but for silence, which the hops show.
    pub fn trace(&self, key: Id) -> Answer<Traced> {
        self.router.ask(key, |operation| traced_get(operation, key), traced)
    }

    /// Waits until the node has joined its network, at most `timeout`. Returns whether it
    /// has. A node without bootstrap addresses never does.
    pub fn wait_joined(&self, timeout: Duration) -> bool {
        self.router.wait_joined(timeout)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // Its events end with it, and so do the answers that are waited for.
        drop(running);
    }
}

fn traced_get(operation: crate::node::OperationId, key: Id) -> Command {
    Command::Get { operation, key, trace: Trace::Hops }
}

#[expect(clippy::needless_pass_by_value)] // as the other readers of replies
fn stored(reply: Reply) -> Result<Stored, ClientError> {
    let Reply::Put { key, outcome, elapsed } = reply else { return Err(ClientError::Stopped) };
    let stored = outcome?;
    let crate::node::Stored { holders, asked, hops, .. } = stored;
    Ok(Stored { key, holders, asked, hops, elapsed })
}

fn fetched(reply: Reply) -> Result<Option<Fetched>, ClientError> {
    let asked = if let Reply::Get { asked, .. } = &reply { *asked } else { 0 };
    let Traced { fetched, hops } = traced(reply)?;
    let is_silent = hops.iter().all(|hop| hop.answer == HopAnswer::TimedOut);
    if fetched.is_none() && is_silent && !hops.is_empty() {
        return Err(ClientError::NoAnswer { asked });
    }
    Ok(fetched)
}

fn traced(reply: Reply) -> Result<Traced, ClientError> {
    let Reply::Get { outcome, asked, elapsed, hops } = reply else {
        return Err(ClientError::Stopped);
    };
    let fetched = outcome?.map(|found| Fetched {
        value: found.value.to_vec(),
        from: found.from.map(|contact| contact.addr),
        hops: found.hops,
        asked,
        elapsed,
    });
    Ok(Traced { fetched, hops })
}

#[cfg(test)]
mod tests;

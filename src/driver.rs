//! Drivers: what runs a [`Node`](crate::node::Node) over real sockets, each of
//! its shards on a thread of its own.
//!
//! ```text
//!                    +-------- handoffs -------+
//!                    v                         v
//! Commander ->    inbox -> shard 0          inbox -> shard 1 ...   -> Events
//!                          (node, outbox)
//!                            |  ^
//!             io: uring, tokio-uring or mmsg, over one socket
//! ```
//!
//! [`start`] binds a group of sockets to one address, makes the kernel steer each
//! datagram to the shard that acts on it, and starts the shards' threads.
//! Everything else of a shard (its ring, its buffers, its node) is made on its
//! thread, after it has been pinned (where there are several), so that its memory
//! is local to its core. Shards share nothing but the rings through which they
//! hand messages to each other: one for each ordered pair, without a lock,
//! checked by loom. When one shard fails, the whole node ends.
//!
//! Within a turn, what goes to the same peer leaves as one message, and what a
//! peer has sent so comes in whole (crate `udp`): most of the cost is per message, not
//! per datagram.
//!
//! The drivers do the same by other system calls: `uring` waits once for
//! datagrams, deadlines and wake-ups together; `mmsg` needs nothing that
//! containers forbid. Neither is faster by much: most of a datagram's cost is
//! the kernel's UDP path. `tokio-uring`, the library of that name, is there to be
//! compared with them, and costs more than either.

mod bind;
mod choice;
mod clock;
mod descriptors;
mod disk;
mod error;
mod events;
mod faults;
mod io;
mod launch;
mod loss;
mod mailbox;
mod put_off;
mod sealed;
mod settings;
mod shard;
mod stats;
mod steering;
mod sys;
#[cfg(test)]
mod tests;

use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use kad_durable::Counters;
use udp::UdpSocket;

use self::clock::Clock;
use self::disk::DiskWriter;
use self::launch::{Core, Ready, ShardPlan, Threads};
use self::loss::FaultsAt;
use self::mailbox::Mailboxes;
use crate::node::Persistence;
use crate::seal::SEALED_BYTES_MAX;

pub use choice::{Io, IoChoice, ParseIoError};
pub use descriptors::{DescriptorLimit, TooFewDescriptors, raise_descriptor_limit};
pub use disk::{Data, IdKeeper};
pub use error::{ShardError, StartError};
pub use events::{DriverEvent, Events};
pub use faults::Faults;
pub use kad_durable::SyncPolicy;
pub use loss::Loss;
pub use mailbox::commander::{COMMANDS_MAX, Commander, SendError};
pub use settings::{Pin, Settings, ShardCount, Steering};
pub use stats::{DriverStats, ShardStats, Stopped};
pub use sys::{give_way, join_freed_memory};
pub use udp::{Coalescing, canonical};

const _: () = assert!(udp::DATAGRAM_BYTES_MAX == SEALED_BYTES_MAX, "one limit on both sides");

/// Address space that a shard takes at most: its receive buffers, 34 MiB under `uring` and
/// as many under `mmsg`, and what it begins with beside them.
const SHARD_BYTES_MAX: usize = 40 << 20;

/// A node that runs. When it is dropped it is stopped, and waited for.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    ready: Ready,
    steering: Steering,
    shards: ShardCount,
    commander: Commander,
    events: Events,
    /// There until they are joined.
    threads: Option<Threads>,
    /// Of the node's folder: it ends after the threads, when all is written.
    disk: Option<DiskWriter>,
}

/// Starts a node.
///
/// # Errors
/// See [`StartError`]. Nothing is left behind: the address is free again.
pub fn start(settings: Settings) -> Result<Running, StartError> {
    start_by(Clock::start(), settings)
}

fn start_by(clock: Clock, settings: Settings) -> Result<Running, StartError> {
    let Settings {
        listen,
        io,
        shards,
        steering,
        pin,
        coalescing,
        loss,
        faults,
        keys,
        data,
        mut node,
    } = settings;
    let pin = if shards == ShardCount::ONE { Pin::Free } else { pin };
    let bytes = shards.get() * SHARD_BYTES_MAX;
    sys::check_memory(bytes).map_err(|error| StartError::Memory { shards, bytes, error })?;
    let sockets = bind::when_free(listen, shards);
    let sockets = sockets.map_err(|error| StartError::Bind { listen, error })?;
    let steering = steer(&sockets, shards, steering);
    let address = sockets[0].address();
    if let Some(announce) = node.announce.as_mut() {
        *announce = canonical(*announce);
        if announce.port() == 0 {
            announce.set_port(address.port());
        }
    }
    if data.is_some() {
        node.persistence = Persistence::Journal;
    }
    let Mailboxes { commander, shutdown, mut links } =
        mailbox::join(shards).map_err(StartError::System)?;
    let disk = data.map(|data| DiskWriter::start(data, &mut links, &shutdown, clock));
    let disk = disk.transpose().map_err(StartError::System)?;
    let configs: Vec<_> = node.shards(shards.get()).collect();
    let numbers = configs.iter().map(|config| config.position.index());
    let (senders, events) = events::events(shards, numbers);
    let losses = loss.map(|loss| loss.shards(shards.get()));
    let mut plans = Vec::with_capacity(shards.get());
    for (index, (((socket, node), links), events)) in
        sockets.into_iter().zip(configs).zip(links).zip(senders).enumerate()
    {
        let loss = losses.as_ref().map(|losses| losses[index]);
        let faults = faults.clone().map(|faults| FaultsAt { faults, address });
        let core = Core { loss, faults, keys: keys.clone(), node, links, events, clock };
        let plan = ShardPlan { pin, io, coalescing, socket, core };
        plans.push(|starter| launch::run(plan, starter));
    }
    let (threads, ready) = Threads::start(plans, &shutdown)?;
    // The one that fell back, where any did.
    let ready = ready.into_iter().max_by_key(|ready| ready.fallback.is_some());
    let ready = ready.expect("a node has a shard");
    let threads = Some(threads);
    Ok(Running { address, ready, steering, shards, commander, events, threads, disk })
}

/// Makes the kernel steer, where it is asked to and there is a choice; returns what has
/// come of it.
fn steer(sockets: &[UdpSocket], shards: ShardCount, steering: Steering) -> Steering {
    if steering == Steering::Off || shards == ShardCount::ONE {
        return steering;
    }
    match steering::attach(&sockets[0], shards) {
        Ok(()) => Steering::Kernel,
        Err(error) => {
            tracing::warn!(%error, "the kernel does not steer: shards hand datagrams over instead");
            Steering::Off
        }
    }
}

impl Running {
    /// The address that it is bound to, with the port that the system chose.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The driver that runs.
    pub const fn io(&self) -> Io {
        self.ready.io
    }

    /// Why [`IoChoice::Auto`] did not take `uring`; none where it did, or was not
    /// asked.
    pub fn fallback(&self) -> Option<&str> {
        self.ready.fallback.as_deref()
    }

    /// How many shards it has.
    pub const fn shards(&self) -> ShardCount {
        self.shards
    }

    /// What steers datagrams to the shards: [`Steering::Off`] where the kernel was asked to
    /// and would not.
    pub const fn steering(&self) -> Steering {
        self.steering
    }

    /// What its folder counts, where it has one.
    pub fn disk_counters(&self) -> Option<Arc<Counters>> {
        self.disk.as_ref().map(DiskWriter::counters)
    }

    /// Keeps another id of the node in its folder, where it has one.
    pub fn id_keeper(&self) -> Option<IdKeeper> {
        self.disk.as_ref().map(DiskWriter::id_keeper)
    }

    /// Hands commands to the node; any number of these may be about.
    pub fn commander(&self) -> Commander {
        self.commander.clone()
    }

    /// What the node tells. It is disconnected once the node has ended, by itself
    /// or because it was told to.
    pub const fn events(&self) -> &Events {
        &self.events
    }

    /// Moves the events out, for a thread that waits for them; from then on
    /// [`events`](Self::events) is disconnected.
    pub fn take_events(&mut self) -> Events {
        mem::replace(&mut self.events, Events::none())
    }

    /// Stops the node, after the commands sent so far were begun, and waits for
    /// its threads.
    ///
    /// # Errors
    /// When the node had ended by itself: why.
    pub fn stop(mut self) -> Result<Stopped, ShardError> {
        self.shutdown()
    }

    fn shutdown(&mut self) -> Result<Stopped, ShardError> {
        self.commander.stop();
        let threads = self.threads.take();
        let ended = threads.expect("joined once: by `stop`, or when dropped").join();
        if let Some(disk) = self.disk.take() {
            disk.stop();
        }
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.threads.is_some() {
            // A caller that drops it does not ask how it ended.
            let _ = self.shutdown();
        }
    }
}

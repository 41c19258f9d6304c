//! Drivers: what runs a [`Node`](crate::node::Node) over a real socket, on a
//! thread of its own.
//!
//! ```text
//! Commander -> mailbox -> shard (node, outbox) -> events
//!                           |  ^
//!                     datapath: uring or mmsg, over one socket
//! ```
//!
//! [`start`] binds the socket and starts the shard's thread. Everything else of
//! the shard (its ring, its buffers, its node) is made on that thread, after it
//! has been pinned, so that its memory is local to its core; nothing of it is
//! shared. The thread takes commands by a [`Commander`] and answers by events.
//!
//! The drivers do the same by other system calls: `uring` waits once for
//! datagrams, deadlines and wake-ups together; `mmsg` needs nothing that
//! containers forbid. Neither is faster by much: most of a datagram's cost is
//! the kernel's UDP path.

mod address;
mod choice;
mod clock;
mod datapath;
mod error;
mod launch;
mod loss;
mod mailbox;
mod mmsg;
mod send;
mod shard;
mod socket;
mod stats;
mod sys;
mod uring;

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use self::clock::Clock;
use self::launch::{Core, Ready, ShardPlan};
use self::mailbox::mailbox;
use self::socket::UdpSocket;
use crate::node::{Config, Event, OperationId, Stats};

pub use choice::{Io, IoChoice, ParseIoError};
pub use error::{ShardError, StartError};
pub use loss::Loss;
pub use mailbox::{COMMANDS_MAX, Commander, SendError};
pub use stats::DriverStats;

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The UDP address to bind; port 0 lets the system choose. `[::]` takes IPv4
    /// peers as well.
    pub listen: SocketAddr,
    /// The driver.
    pub io: IoChoice,
    /// Whether the shard's thread stays on one core.
    pub pin: Pin,
    /// Datagrams that are dropped on purpose, each way.
    pub loss: Option<Loss>,
    /// The protocol's settings. An announced address with port 0 is given the
    /// port that is bound.
    pub node: Config,
}

/// Whether a shard's thread stays on one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// On the core of its number, among those that the process may use.
    Pinned,
    /// Wherever the system puts it.
    Free,
}

/// What a running node tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverEvent {
    /// An event of the node; never [`Event::Stats`].
    Node(Event),
    /// The counters, the node's and the driver's: what [`Event::Stats`] becomes.
    Stats {
        /// The command's.
        operation: OperationId,
        /// The node's.
        node: Box<Stats>,
        /// The driver's.
        driver: Box<DriverStats>,
    },
}

/// The last counters of a node that was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The node's.
    pub node: Stats,
    /// The driver's.
    pub driver: DriverStats,
}

/// A node that runs. When it is dropped it is stopped, and waited for.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    ready: Ready,
    commander: Commander,
    events: mpsc::Receiver<DriverEvent>,
    /// There until it is joined.
    thread: Option<JoinHandle<io::Result<Stopped>>>,
}

/// Starts a node.
///
/// # Errors
/// See [`StartError`]. Nothing is left behind: the address is free again.
pub fn start(settings: Settings) -> Result<Running, StartError> {
    let Settings { listen, io, pin, loss, mut node } = settings;
    if let Some(loss) = loss.filter(|loss| !loss.is_valid()) {
        return Err(StartError::Loss(loss));
    }
    let socket = UdpSocket::bind(listen).map_err(|error| StartError::Bind { listen, error })?;
    let address = socket.address();
    if let Some(announce) = node.announce.as_mut().filter(|announce| announce.port() == 0) {
        announce.set_port(address.port());
    }
    let (commander, mailbox) = mailbox().map_err(StartError::System)?;
    let (event_sender, events) = mpsc::channel();
    let core = Core { loss, node, mailbox, events: event_sender, clock: Clock::start() };
    let plan = ShardPlan { index: 0, pin, io, socket, core };

    let (ready_sender, ready) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("shard-0".into())
        .spawn(move || launch::run(plan, &ready_sender))
        .map_err(StartError::System)?;
    match ready.recv() {
        Ok(Ok(ready)) => Ok(Running { address, ready, commander, events, thread: Some(thread) }),
        // It is joined, so that the address is free again by now.
        Ok(Err(error)) => thread.join().map_or(Err(StartError::Panicked), |_| Err(error)),
        // It always tells, unless it panics.
        Err(mpsc::RecvError) => Err(StartError::Panicked),
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

    /// Hands commands to the node; any number of these may be about.
    pub fn commander(&self) -> Commander {
        self.commander.clone()
    }

    /// What the node tells. It is disconnected once the shard has ended, by itself
    /// or because it was told to.
    pub const fn events(&self) -> &mpsc::Receiver<DriverEvent> {
        &self.events
    }

    /// Moves the events out, for a thread that waits for them; from then on
    /// [`events`](Self::events) is disconnected.
    pub fn take_events(&mut self) -> mpsc::Receiver<DriverEvent> {
        mem::replace(&mut self.events, mpsc::channel().1)
    }

    /// Stops the node, after the commands sent so far were begun, and waits for
    /// its thread.
    ///
    /// # Errors
    /// When the shard had ended by itself: why.
    pub fn stop(mut self) -> Result<Stopped, ShardError> {
        self.halt()
    }

    fn halt(&mut self) -> Result<Stopped, ShardError> {
        self.commander.stop();
        let thread = self.thread.take().expect("joined once: by `stop`, or when dropped");
        match thread.join() {
            Ok(Ok(stopped)) => Ok(stopped),
            Ok(Err(error)) => Err(ShardError::Io(error)),
            Err(_) => Err(ShardError::Panicked),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Whoever drops it does not ask how it ended.
            let _ = self.halt();
        }
    }
}

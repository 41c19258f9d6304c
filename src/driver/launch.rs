//! How shards begin: each on its own thread is pinned, takes its datapath, makes
//! its node, says that it is ready, and runs.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use udp::{Coalescing, UdpSocket};

use super::choice::{Io, IoChoice};
use super::clock::Clock;
use super::error::{ShardError, StartError, uring_reason};
use super::events::EventSender;
use super::io::Datapath;
use super::io::mmsg::Mmsg;
use super::io::tokio_uring::TokioUring;
use super::io::uring::{self, Uring};
use super::loss::{FaultsAt, Loss, Lossy};
use super::mailbox::Links;
use super::mailbox::shutdown::{Shutdown, ShutdownGuard};
use super::sealed::Sealed;
use super::settings::Pin;
use super::shard::Shard;
use super::stats::{ShardStats, Stopped};
use super::sys;
use crate::node::{Config, Node};
use crate::quantity::Percent;
use crate::seal::NetworkKeys;

/// What a shard is made from; it goes to the shard's thread.
pub(super) struct ShardPlan {
    pub(super) pin: Pin,
    pub(super) io: IoChoice,
    pub(super) coalescing: Coalescing,
    pub(super) socket: UdpSocket,
    pub(super) core: Core,
}

/// The part of a plan that does not depend on the driver.
pub(super) struct Core {
    pub(super) loss: Option<Loss>,
    pub(super) faults: Option<FaultsAt>,
    pub(super) keys: Option<NetworkKeys>,
    pub(super) node: Config,
    pub(super) links: Links,
    pub(super) events: EventSender,
    pub(super) clock: Clock,
}

/// How a shard came up.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) io: Io,
    /// Why it is not `uring`, where that was left to it.
    pub(super) fallback: Option<String>,
}

/// Tells the starting thread once how a shard has come up.
pub(super) type Starter = SyncSender<Result<Ready, StartError>>;

/// The threads of a node's shards, in their order.
#[derive(Debug, Default)]
pub(super) struct Threads(Vec<JoinHandle<io::Result<ShardStats>>>);

impl Threads {
    /// Runs each of `shards` on a thread of its own, and waits until all are
    /// ready. When one ends, all are told to by `shutdown`.
    ///
    /// # Errors
    /// Why the first of them that failed did; by then all have ended.
    pub(super) fn start<F>(
        shards: Vec<F>,
        shutdown: &Arc<Shutdown>,
    ) -> Result<(Self, Vec<Ready>), StartError>
    where
        F: FnOnce(Starter) -> io::Result<ShardStats> + Send + 'static,
    {
        let count = shards.len();
        let (starter, told) = mpsc::sync_channel(count);
        let mut threads = Self(Vec::with_capacity(count));
        for (index, shard) in shards.into_iter().enumerate() {
            let (starter, guard) = (starter.clone(), ShutdownGuard(Arc::clone(shutdown)));
            let thread = thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
                let _guard = guard;
                shard(starter)
            });
            match thread {
                Ok(thread) => threads.0.push(thread),
                Err(error) => return threads.fail(StartError::System(error)),
            }
        }
        drop(starter);
        let mut ready = Vec::with_capacity(count);
        while ready.len() < count {
            match told.recv() {
                Ok(Ok(one)) => ready.push(one),
                Ok(Err(error)) => return threads.fail(error),
                // Each tells, unless it panics.
                Err(mpsc::RecvError) => return threads.fail(StartError::Panicked),
            }
        }
        Ok((threads, ready))
    }

    /// Waits for those that run: one has ended, and with it all do. Afterwards the
    /// address is free again.
    fn fail<T>(self, error: StartError) -> Result<T, StartError> {
        match self.join() {
            Err(ShardError::Panicked) => Err(StartError::Panicked),
            _ => Err(error),
        }
    }

    /// Waits for all of them, and gives their last counters.
    ///
    /// # Errors
    /// When one had ended by itself: why.
    pub(super) fn join(self) -> Result<Stopped, ShardError> {
        let mut shards = Vec::with_capacity(self.0.len());
        let mut failure = None;
        for thread in self.0 {
            match thread.join() {
                Ok(Ok(stats)) => shards.push(stats),
                Ok(Err(error)) => failure = failure.or(Some(ShardError::Io(error))),
                Err(_) => failure = failure.or(Some(ShardError::Panicked)),
            }
        }
        failure.map_or(Ok(Stopped { shards }), Err)
    }
}

/// Runs a shard on the calling thread until it stops.
pub(super) fn run(plan: ShardPlan, starter: Starter) -> io::Result<ShardStats> {
    let ShardPlan { pin, io, coalescing, socket, core } = plan;
    let index = core.node.position.index().as_usize();
    if pin == Pin::Pinned
        && let Err(error) = sys::pin(index)
    {
        // It serves all the same, if less evenly.
        tracing::warn!(shard = index, %error, "the shard's thread is not pinned to a core");
    }
    let wake_fd = Arc::clone(&core.links.inbox.wake_fd);
    let fallback = match io {
        IoChoice::Mmsg => None,
        IoChoice::TokioUring => {
            let ready = Ready { io: Io::TokioUring, fallback: None };
            return match TokioUring::open(socket, wake_fd, coalescing) {
                Ok(datapath) => run_over(datapath, core, ready, starter),
                Err(error) => refuse(Io::TokioUring, error, &starter),
            };
        }
        IoChoice::Auto | IoChoice::Uring => {
            match uring::open(&socket, socket.coalesce_receives(coalescing)) {
                Ok(ring) => {
                    let ready = Ready { io: Io::Uring, fallback: None };
                    let datapath = Uring::new(ring, socket, wake_fd, coalescing);
                    return run_over(datapath, core, ready, starter);
                }
                Err(error) if io == IoChoice::Uring => return refuse(Io::Uring, error, &starter),
                Err(error) => Some(uring_reason(&error)),
            }
        }
    };
    let ready = Ready { io: Io::Mmsg, fallback };
    run_over(Mmsg::new(socket, wake_fd, coalescing), core, ready, starter)
}

/// Tells that there is no ring for the driver that was asked for by name.
fn refuse(io: Io, error: io::Error, starter: &Starter) -> io::Result<ShardStats> {
    tell(starter, Err(StartError::Uring { io, reason: uring_reason(&error) }));
    Err(error)
}

fn run_over(
    datapath: impl Datapath,
    mut core: Core,
    ready: Ready,
    starter: Starter,
) -> io::Result<ShardStats> {
    match (core.loss, core.faults.take()) {
        (None, None) => run_sealed(datapath, core, ready, starter),
        (loss, faults) => {
            let loss = loss.unwrap_or(Loss { chance: Percent::ZERO, seed: 0 });
            run_sealed(Lossy::new(datapath, loss, faults), core, ready, starter)
        }
    }
}

fn run_sealed(
    datapath: impl Datapath,
    mut core: Core,
    ready: Ready,
    starter: Starter,
) -> io::Result<ShardStats> {
    let Some(keys) = core.keys.take() else {
        return run_shard(datapath, core, ready, starter);
    };
    match Sealed::new(datapath, &keys) {
        Ok(datapath) => run_shard(datapath, core, ready, starter),
        Err(error) => {
            tell(&starter, Err(StartError::System(io::Error::other(error))));
            Err(io::Error::other(error))
        }
    }
}

fn run_shard(
    datapath: impl Datapath,
    core: Core,
    ready: Ready,
    starter: Starter,
) -> io::Result<ShardStats> {
    let Core { node, mut links, events, clock, .. } = core;
    let mut node = Node::new(node, clock.now());
    if let Some(disk) = &mut links.disk {
        disk.restore(&mut node);
    }
    let shard = Shard::new(node, datapath, links, events, clock);
    tell(&starter, Ok(ready));
    // The starter hears of a shard that never tells by its end going away.
    drop(starter);
    shard.run()
}

fn tell(starter: &Starter, outcome: Result<Ready, StartError>) {
    // The starter waits for just this; if it is gone, nothing is to be told.
    let _ = starter.send(outcome);
}

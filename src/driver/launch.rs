//! How a shard begins: on its own thread, it is pinned, takes its datapath, makes
//! its node, says that it is ready, and runs.

use std::io;
use std::sync::mpsc::{Sender, SyncSender};

use super::choice::{Io, IoChoice};
use super::clock::Clock;
use super::datapath::Datapath;
use super::error::{StartError, uring_reason};
use super::loss::{Loss, Lossy};
use super::mailbox::Mailbox;
use super::mmsg::Mmsg;
use super::shard::Shard;
use super::socket::UdpSocket;
use super::uring::{self, Uring};
use super::{DriverEvent, Pin, Stopped, sys};
use crate::node::{Config, Node};

/// What a shard is made from; it goes to the shard's thread.
pub(super) struct ShardPlan {
    /// The shard's number.
    pub(super) index: usize,
    pub(super) pin: Pin,
    pub(super) io: IoChoice,
    pub(super) socket: UdpSocket,
    pub(super) core: Core,
}

/// The part of a plan that does not depend on the driver.
pub(super) struct Core {
    pub(super) loss: Option<Loss>,
    pub(super) node: Config,
    pub(super) mailbox: Mailbox,
    pub(super) events: Sender<DriverEvent>,
    pub(super) clock: Clock,
}

/// How a shard came up.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) io: Io,
    /// Why it is not `uring`, where that was left to it.
    pub(super) fallback: Option<String>,
}

/// Who waits for a shard to come up.
pub(super) type Starter = SyncSender<Result<Ready, StartError>>;

/// Runs a shard on the calling thread until it stops.
pub(super) fn run(plan: ShardPlan, starter: &Starter) -> io::Result<Stopped> {
    let ShardPlan { index, pin, io, socket, core } = plan;
    if pin == Pin::Pinned
        && let Err(error) = sys::pin(index)
    {
        // It serves all the same, if less evenly.
        tracing::warn!(shard = index, %error, "the shard's thread is not pinned to a core");
    }
    let bell = core.mailbox.bell();
    let ring = match io {
        IoChoice::Mmsg => None,
        IoChoice::Auto | IoChoice::Uring => Some(uring::open()),
    };
    let fallback = match ring {
        Some(Ok(ring)) => {
            let ready = Ready { io: Io::Uring, fallback: None };
            return run_over(Uring::new(ring, socket, bell), core, ready, starter);
        }
        Some(Err(error)) if io == IoChoice::Uring => {
            tell(starter, Err(StartError::Uring { reason: uring_reason(&error) }));
            return Err(error);
        }
        Some(Err(error)) => Some(uring_reason(&error)),
        None => None,
    };
    run_over(Mmsg::new(socket, bell), core, Ready { io: Io::Mmsg, fallback }, starter)
}

fn run_over(
    datapath: impl Datapath,
    core: Core,
    ready: Ready,
    starter: &Starter,
) -> io::Result<Stopped> {
    match core.loss {
        None => run_shard(datapath, core, ready, starter),
        Some(loss) => run_shard(Lossy::new(datapath, loss), core, ready, starter),
    }
}

fn run_shard(
    datapath: impl Datapath,
    core: Core,
    ready: Ready,
    starter: &Starter,
) -> io::Result<Stopped> {
    let Core { node, mailbox, events, clock, .. } = core;
    let node = Node::new(node, clock.now());
    let shard = Shard::new(node, datapath, mailbox, events, clock);
    tell(starter, Ok(ready));
    shard.run()
}

fn tell(starter: &Starter, outcome: Result<Ready, StartError>) {
    // The starter waits for just this; if it is gone, so is who would listen.
    let _ = starter.send(outcome);
}

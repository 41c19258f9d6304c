//! The driver `tokio-uring`: the library of that name, as good as it permits.
//!
//! A wait runs the library's runtime until a datagram has come, the shard is woken
//! or the time is over. Datagrams come by a pool of receives ([`receive_pool`]), a task
//! each: the library has neither multishot requests nor buffer rings. Its own receives
//! bring no control messages, so the driver makes the request itself ([`receive`]); there
//! is no room for a segmented message, so `UDP_GRO` must never be on for this socket.
//!
//! Its limits:
//! - an allocation for each receive, and the library's own;
//! - a turn of at least one `io_uring_enter` and one `epoll_wait`, since the runtime
//!   waits for its ring by epoll. It never enters the ring for completions, without
//!   which one with `DEFER_TASKRUN` completes nothing: it hangs;
//! - deadlines in whole milliseconds: measured 1.1 ms late in the median. The
//!   node's shortest time-out of a request is 20 ms; a wait of no time at all, which
//!   a shard asks for that has something to do, takes none.
//!
//! Sends are one `sendmmsg` a turn, as under the other drivers. Measured with each
//! reply a message of its own, CPU for each request of a whole node, medians of 7
//! interleaved runs on a busy machine of two cores: the library's own sends, a copy
//! and a task each, cost 8.9 us where `sendmmsg` costs 7.4 at 20 000 requests a
//! second, and 3.8 us where it costs 3.1 in a closed loop with 512 in flight.
//! `COOP_TASKRUN` changed nothing that could be told from noise, and is off.
#![allow(unsafe_code)] // A descriptor is registered by its number.

mod receive;
mod receive_pool;
#[cfg(test)]
mod tests;

use std::future::{Future as _, poll_fn};
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio_uring::Runtime;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{self, Instant, Sleep};
use udp::{Coalescing, LocalAddresses, Sender, UdpSocket};

use self::receive::Received;
use self::receive_pool::{Completed, ReceivePool};
use super::{Datapath, survive};
use crate::driver::mailbox::wake::WakeFd;
use crate::driver::stats::DriverStats;
use crate::wire::STEER_OFFSET;

/// One more than a datagram of ours has, so that an oversized one shows.
const BUFFER_BYTES: usize = udp::VISIBLE_BYTES;
/// Requests that wait to be submitted at most: a receive each of the pool, and
/// one that ends a wait or cancels the others.
const SUBMISSIONS: u32 = 2 * receive_pool::SIZE_MAX as u32;
/// Datagrams for which a turn of a shard that is behind refills its pool again and
/// again: about as many as the other drivers bring.
const TURN_DATAGRAMS_MIN: usize = 512 - receive_pool::SIZE_MAX;
/// Time that cancelling all requests may take: it takes microseconds.
const CANCEL_MAX: Duration = Duration::from_secs(1);

/// A socket that is read through the library's runtime.
pub(in crate::driver) struct TokioUring {
    // The first fields, so that they are dropped before the runtime that they are
    // registered with.
    wake_fd: AsyncFd<Arc<WakeFd>>,
    timer: Timer,
    runtime: Rc<Runtime>,
    pool: ReceivePool,
    socket: UdpSocket,
    current: Option<Current>,
    turn: Turn,
    sender: Sender,
    stats: DriverStats,
}

/// What a turn has brought.
#[derive(Default)]
struct Turn {
    datagrams: usize,
    /// Where the first one came from.
    source: Option<SocketAddr>,
    /// Whether another came from elsewhere.
    is_mixed: bool,
}

impl Turn {
    fn add(&mut self, source: SocketAddr) {
        self.datagrams += 1;
        self.is_mixed |= *self.source.get_or_insert(source) != source;
    }

    /// Whether more answers would go together if it brought more: those to one peer do
    /// so already.
    const fn is_short(&self) -> bool {
        self.is_mixed && self.datagrams < TURN_DATAGRAMS_MIN
    }
}

/// The datagram that is visited, and its buffer, which is ours meanwhile.
struct Current {
    buffer: Vec<u8>,
    length: usize,
    source: SocketAddr,
    local: Option<IpAddr>,
}

impl TokioUring {
    /// Reads `socket` by a runtime for the calling thread.
    ///
    /// # Errors
    /// When the kernel, or what guards it, has no ring to give.
    pub(in crate::driver) fn open(
        socket: UdpSocket,
        wake_fd: Arc<WakeFd>,
        coalescing: Coalescing,
    ) -> io::Result<Self> {
        let runtime = runtime()?;
        let receiving = ::tokio_uring::net::UdpSocket::from_std(socket.duplicate()?);
        let control_bytes = socket.control_bytes();
        let (wake_fd, timer, pool) = runtime.block_on(async {
            // SAFETY: it owns one eventfd as long as it lives, and this keeps it.
            let wake_fd = unsafe { AsyncFd::register_with_interest(wake_fd, Interest::READABLE) }?;
            io::Result::Ok((wake_fd, Timer::new(), ReceivePool::spawn(receiving, control_bytes)))
        })?;
        let sender = Sender::new(&socket, coalescing, STEER_OFFSET);
        Ok(Self {
            wake_fd,
            timer,
            runtime: Rc::new(runtime),
            pool,
            socket,
            current: None,
            turn: Turn::default(),
            sender,
            stats: DriverStats::default(),
        })
    }

    /// Makes the pool bring what is there already.
    fn gather(&mut self) -> io::Result<()> {
        self.stats.waits += 1;
        let Self { runtime, pool, .. } = self;
        runtime.block_on(async {
            pool.refill();
            ::tokio_uring::no_op().await
        })
    }

    /// Takes in a receive that has completed.
    fn completed(&mut self, completed: Completed) -> io::Result<()> {
        let Completed { outcome, buffer } = completed;
        match outcome {
            Ok(Received { length, source, local }) => {
                self.stats.receives_truncated += u64::from(length > BUFFER_BYTES);
                let length = length.min(BUFFER_BYTES);
                self.stats.datagrams_received += 1;
                self.stats.bytes_received += length as u64;
                self.current = Some(Current { buffer, length, source, local });
                Ok(())
            }
            Err(error) => {
                self.pool.give_back(buffer);
                self.stats.receives_failed += 1;
                survive(error)
            }
        }
    }

    /// Hands back the buffer of the datagram that was visited.
    fn release(&mut self) {
        if let Some(current) = self.current.take() {
            self.pool.give_back(current.buffer);
        }
    }
}

/// A runtime, once it is sure that its ring can be used.
fn runtime() -> io::Result<Runtime> {
    let mut ring = ::tokio_uring::uring_builder();
    ring.setup_single_issuer();
    // A filter may let a ring be made and not be used, of which the runtime would
    // never tell: it passes over the errors of submitting, and waits.
    ring.build(1)?.submit()?;
    Runtime::new(::tokio_uring::builder().entries(SUBMISSIONS).uring_builder(&ring))
}

impl Datapath for TokioUring {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.release();
        self.turn = Turn::default();
        if timeout == Some(Duration::ZERO) {
            return self.gather();
        }
        self.stats.waits += 1;
        let Self { wake_fd, timer, runtime, pool, stats, .. } = self;
        runtime.block_on(async {
            pool.refill();
            timer.set(timeout);
            poll_fn(|context| {
                let woken = poll_wake_fd(wake_fd, context)?;
                stats.wakes_received += u64::from(woken.is_ready());
                let ended = [woken, pool.poll_completed(context), timer.poll(context)];
                if ended.iter().any(Poll::is_ready) { Poll::Ready(Ok(())) } else { Poll::Pending }
            })
            .await
        })
    }

    fn advance(&mut self) -> io::Result<bool> {
        self.release();
        loop {
            while let Some(completed) = self.pool.take() {
                self.completed(completed)?;
                if let Some(Current { source, .. }) = &self.current {
                    self.turn.add(*source);
                    return Ok(true);
                }
            }
            if !self.turn.is_short() || !self.pool.is_behind() {
                return Ok(false);
            }
            self.gather()?;
        }
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        let current = self.current.as_ref().expect("advance has gone to a datagram");
        (current.source, &current.buffer[..current.length])
    }

    fn local(&self) -> Option<IpAddr> {
        self.current.as_ref().and_then(|current| current.local)
    }

    fn locals(&mut self) -> Option<&mut LocalAddresses> {
        self.sender.locals()
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.sender.send(&self.socket, datagrams, &mut self.stats);
    }

    fn stats(&mut self) -> &mut DriverStats {
        &mut self.stats
    }

    fn measure(&mut self) {
        self.stats.kernel_drops = self.socket.receive_drops().unwrap_or(0);
    }
}

impl Drop for TokioUring {
    fn drop(&mut self) {
        // The library frees the memory of its requests first and cancels them
        // afterwards: a datagram that arrives between would be written to what is
        // no longer theirs. So none may be left when it goes.
        let pool = &self.pool;
        let cancelled =
            self.runtime.block_on(async { time::timeout(CANCEL_MAX, pool.cancel()).await });
        if cancelled.is_err() {
            // Requests may live on: then their memory must, too.
            mem::forget(Rc::clone(&self.runtime));
        }
    }
}

/// Whether the shard has been woken; the eventfd is clear then.
fn poll_wake_fd(wake_fd: &AsyncFd<Arc<WakeFd>>, context: &mut Context<'_>) -> io::Result<Poll<()>> {
    match wake_fd.poll_read_ready(context) {
        Poll::Ready(guard) => {
            wake_fd.get_ref().clear();
            guard?.clear_ready();
            Ok(Poll::Ready(()))
        }
        Poll::Pending => Ok(Poll::Pending),
    }
}

/// The deadline of a wait. Setting the runtime's timer costs more than to look at
/// the clock, and a node's deadlines move little from turn to turn: one that goes
/// off earlier than asked is left alone, and brings an early return once.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// When it goes off, unless it has.
    due: Option<Instant>,
}

impl Timer {
    /// To be called within the runtime.
    fn new() -> Self {
        Self { sleep: Box::pin(time::sleep(Duration::ZERO)), due: None }
    }

    /// Has it go off in `timeout` or earlier.
    fn set(&mut self, timeout: Option<Duration>) {
        let Some(due) = timeout.and_then(|timeout| Instant::now().checked_add(timeout)) else {
            return;
        };
        if self.due.is_none_or(|earlier| due < earlier) {
            self.sleep.as_mut().reset(due);
            self.due = Some(due);
        }
    }

    /// Whether it has gone off.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.due.is_none() || self.sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.due = None;
        Poll::Ready(())
    }
}

//! The receives that are with the kernel, a task each, and what they have brought.
//!
//! A datagram that comes while receives wait wakes them all: one has it, and the others wait
//! again. So a large pool wastes CPU at low load; but a turn brings no more datagrams than
//! there are receives, so a small one wastes it at high load. Therefore the pool grows while
//! a turn completes all of it, and shrinks while a turn completes few. Measured as in [the
//! driver's own docs](super), CPU us for each request, at a rate of 20 000 a second and in a
//! closed loop with 512 in flight from 64 peers:
//!
//! | receives | 20 000/s | closed loop |
//! |---|---|---|
//! | 1 | 6.9 | 5.0 |
//! | 8 | 9.2 | 3.4 |
//! | 64 | 14.5 | 3.8 |
//! | **1 to 64, as needed** | 7.4 | 3.1 |
//! | driver `uring` | 4.3 | 2.7 |
//! | driver `mmsg` | 4.9 | 2.8 |
//!
//! The runtime polls some sixty tasks before the one that waits for them, so that a pool
//! brings 41 datagrams at most, fewer than there are peers to group by. A larger one would
//! not do: with 256 receives, and a turn that waits for all that have something, a request
//! costs 7.3 us one by one instead of 5.2, and at 100 000 a second the median latency is
//! milliseconds instead of 0.1 ms, since every datagram wakes the pool. So a turn that is
//! [behind](ReceivePool::is_behind) refills the same pool again and again: a request of 64
//! peers that alternate costs 0.74 of what it did, of a backlog 0.50, of one peer as much as
//! before, in seven interleaved rounds.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd as _;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::tokio_uring::net::UdpSocket;
use ::tokio_uring::{OneshotOutputTransform, UnsubmittedOneshot};
use io_uring_0_6::types::CancelBuilder;
use io_uring_0_6::{cqueue, opcode};

use super::BUFFER_BYTES;
use super::receive::{Received, receive};

/// Receives with the kernel at least.
const SIZE_MIN: usize = 1;
/// Receives with the kernel at most.
pub(super) const SIZE_MAX: usize = 64;

/// Datagrams that the largest pool brings at least where more than that are there.
const FULL: usize = 40;

const _: () = assert!(FULL < SIZE_MAX);

/// A receive that has completed, and its buffer.
pub(super) struct Completed {
    pub(super) outcome: io::Result<Received>,
    pub(super) buffer: Vec<u8>,
}

/// The tasks' common state. It is the thread's own, as they are.
#[derive(Clone)]
pub(super) struct ReceivePool(Rc<RefCell<State>>);

struct State {
    /// Whether the tasks are to end.
    is_closed: bool,
    /// Receives that there should be.
    size: usize,
    /// Receives that are with the kernel, or that a task may begin.
    pending: usize,
    /// Those of them that a task may begin.
    released: usize,
    /// Tasks that wait for a release.
    idle: Vec<Waker>,
    buffers: Vec<Vec<u8>>,
    completed: VecDeque<Completed>,
    /// The task that waits for an arrival.
    waiting: Option<Waker>,
}

impl ReceivePool {
    /// Spawns the tasks, which receive from `socket` when they are released, with
    /// `control_bytes` of control messages. To be called within the runtime.
    pub(super) fn spawn(socket: UdpSocket, control_bytes: usize) -> Self {
        let pool = Self(Rc::new(RefCell::new(State {
            is_closed: false,
            size: SIZE_MIN,
            pending: 0,
            released: 0,
            idle: Vec::with_capacity(SIZE_MAX),
            // One byte more than is handed on, so that what is longer shows.
            buffers: (0..SIZE_MAX).map(|_| Vec::with_capacity(BUFFER_BYTES + 1)).collect(),
            completed: VecDeque::with_capacity(SIZE_MAX),
            waiting: None,
        })));
        let socket = Rc::new(socket);
        for _ in 0..SIZE_MAX {
            ::tokio_uring::spawn(pool.clone().receive(Rc::clone(&socket), control_bytes));
        }
        pool
    }

    /// What each task does.
    async fn receive(self, socket: Rc<UdpSocket>, control_bytes: usize) {
        while let Some(buffer) = poll_fn(|context| self.poll_released(context)).await {
            let (outcome, buffer) = receive(socket.as_raw_fd(), buffer, control_bytes).await;
            self.complete(Completed { outcome, buffer });
        }
    }

    /// A buffer to receive into, or none when the task is to end.
    fn poll_released(&self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut state = self.0.borrow_mut();
        if state.is_closed {
            return Poll::Ready(None);
        }
        if state.released == 0 {
            state.idle.push(context.waker().clone());
            return Poll::Pending;
        }
        state.released -= 1;
        let buffer = state.buffers.pop();
        Poll::Ready(Some(buffer.expect("as many buffers as receives, and none is with the shard")))
    }

    fn complete(&self, completed: Completed) {
        let mut state = self.0.borrow_mut();
        state.pending -= 1;
        state.completed.push_back(completed);
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }

    /// Releases as many receives as are missing. To be called within the runtime, and when
    /// all that has completed was taken.
    pub(super) fn refill(&self) {
        let mut state = self.0.borrow_mut();
        state.resize();
        let missing = state.size.saturating_sub(state.pending);
        state.pending += missing;
        state.released += missing;
        let first = state.idle.len().saturating_sub(missing);
        state.idle.drain(first..).for_each(Waker::wake);
    }

    /// Whether it has brought as much as a pool can, so that more is likely to be there.
    pub(super) fn is_behind(&self) -> bool {
        let state = self.0.borrow();
        state.size == SIZE_MAX && state.pending + FULL <= SIZE_MAX
    }

    /// Whether a receive has completed; where not, the context is woken when one has.
    pub(super) fn poll_completed(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.completed.is_empty() {
            state.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Takes what has completed first.
    pub(super) fn take(&self) -> Option<Completed> {
        self.0.borrow_mut().completed.pop_front()
    }

    /// Receives that are with the kernel, or are about to be.
    #[cfg(test)]
    pub(super) fn pending(&self) -> usize {
        self.0.borrow().pending
    }

    /// Takes back a buffer, to be received into again.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        self.0.borrow_mut().buffers.push(buffer);
    }

    /// Cancels all receives, and waits until the kernel has let go of each.
    pub(super) async fn cancel(&self) {
        self.close();
        let any = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        UnsubmittedOneshot::new((), Cancel, any).submit().await;
        poll_fn(|context| {
            let mut state = self.0.borrow_mut();
            if state.pending == 0 {
                return Poll::Ready(());
            }
            state.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the tasks that receive nothing, and the others when they have.
    fn close(&self) {
        let mut state = self.0.borrow_mut();
        state.is_closed = true;
        state.pending -= state.released;
        state.released = 0;
        state.idle.drain(..).for_each(Waker::wake);
    }
}

impl State {
    /// Twice as many when all have come back, half as many when few have.
    fn resize(&mut self) {
        let back = self.size.saturating_sub(self.pending);
        if self.pending == 0 {
            self.size = (2 * self.size).min(SIZE_MAX);
        } else if 4 * back <= self.size {
            self.size = (self.size / 2).max(SIZE_MIN);
        }
    }
}

/// The request to cancel all others. What it answers shows in these.
struct Cancel;

impl OneshotOutputTransform for Cancel {
    type Output = ();
    type StoredData = ();

    fn transform_oneshot_output(self, (): (), _: cqueue::Entry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(size: usize, pending: usize) -> State {
        State {
            is_closed: false,
            size,
            pending,
            released: 0,
            idle: Vec::new(),
            buffers: Vec::new(),
            completed: VecDeque::new(),
            waiting: None,
        }
    }

    #[test]
    fn the_pool_grows_while_all_complete_and_shrinks_while_few_do() {
        for (size, pending, expected) in [
            (1, 0, 2),
            (32, 0, 64),
            (64, 0, 64),
            (64, 47, 64),
            (64, 48, 32),
            (64, 64, 32),
            (4, 3, 2),
            (2, 1, 2),
            (2, 2, 1),
            (1, 1, 1),
            (4, 40, 2),
        ] {
            let mut state = state(size, pending);
            state.resize();
            assert_eq!(state.size, expected, "{pending} of {size} pending");
        }
    }
}

//! The herd: receives that are with the kernel, a task each, and what they have
//! brought.
//!
//! A datagram that comes while receives wait wakes them all: one has it, and the
//! others wait again. So a large herd wastes CPU at low load; but a turn brings no
//! more datagrams than there are receives, so a small one wastes it at high load.
//! Therefore the herd grows while a turn brings back all of it, and shrinks while a
//! turn brings back few. Measured as in [the driver's own docs](super), CPU us for
//! each request, at a rate of 20 000 a second and in a closed loop with 512 in flight
//! from 64 peers:
//!
//! | herd | 20 000/s | closed loop |
//! |---|---|---|
//! | 1 | 6.9 | 5.0 |
//! | 8 | 9.2 | 3.4 |
//! | 64 | 14.5 | 3.8 |
//! | **1 to 64, as needed** | 7.4 | 3.1 |
//! | driver `uring` | 4.3 | 2.7 |
//! | driver `mmsg` | 4.9 | 2.8 |
//!
//! The runtime polls some sixty tasks before whoever waits for them, so that a herd
//! brings 41 datagrams at most, fewer than there are peers to group for. A larger one
//! would not do: with 256 receives, and a turn that waits for all who have something, a
//! request costs 7.3 us one by one instead of 5.2, and at 100 000 a second the median
//! latency is milliseconds instead of 0.1 ms, since every datagram wakes the herd. So a
//! turn that is [behind](Herd::is_behind) calls the same herd again and again: a request
//! of 64 peers that alternate costs 0.74 of what it did, of a backlog 0.50, of one peer
//! as much as before (seven interleaved rounds).

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

/// Datagrams that the largest herd brings at least where more than that are there.
const FULL: usize = 40;

const _: () = assert!(FULL < SIZE_MAX);

/// What a receive has come to, and its buffer.
pub(super) struct Arrival {
    pub(super) outcome: io::Result<Received>,
    pub(super) buffer: Vec<u8>,
}

/// The tasks' common state. It is the thread's own, as they are.
#[derive(Clone)]
pub(super) struct Herd(Rc<RefCell<State>>);

struct State {
    order: Order,
    /// Receives that there should be.
    size: usize,
    /// Receives that are with the kernel, or that a task may begin.
    pending: usize,
    /// Those of them that a task may begin.
    leaves: usize,
    /// Tasks that wait for leave.
    idle: Vec<Waker>,
    buffers: Vec<Vec<u8>>,
    arrived: VecDeque<Arrival>,
    /// Who waits for an arrival.
    waiting: Option<Waker>,
}

/// What a task does that has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    AwaitLeave,
    End,
}

impl Herd {
    /// Spawns the tasks, which receive from `socket` when they are given leave, with
    /// `control_bytes` of control messages. To be called within the runtime.
    pub(super) fn spawn(socket: UdpSocket, control_bytes: usize) -> Self {
        let herd = Self(Rc::new(RefCell::new(State {
            order: Order::AwaitLeave,
            size: SIZE_MIN,
            pending: 0,
            leaves: 0,
            idle: Vec::with_capacity(SIZE_MAX),
            // One byte more than is handed on, so that what is longer shows.
            buffers: (0..SIZE_MAX).map(|_| Vec::with_capacity(BUFFER_BYTES + 1)).collect(),
            arrived: VecDeque::with_capacity(SIZE_MAX),
            waiting: None,
        })));
        let socket = Rc::new(socket);
        for _ in 0..SIZE_MAX {
            ::tokio_uring::spawn(herd.clone().receive(Rc::clone(&socket), control_bytes));
        }
        herd
    }

    /// What each task does.
    async fn receive(self, socket: Rc<UdpSocket>, control_bytes: usize) {
        while let Some(buffer) = poll_fn(|context| self.poll_leave(context)).await {
            let (outcome, buffer) = receive(socket.as_raw_fd(), buffer, control_bytes).await;
            self.arrive(Arrival { outcome, buffer });
        }
    }

    /// A buffer to receive into, or none when the task is to end.
    fn poll_leave(&self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut state = self.0.borrow_mut();
        if state.order == Order::End {
            return Poll::Ready(None);
        }
        if state.leaves == 0 {
            state.idle.push(context.waker().clone());
            return Poll::Pending;
        }
        state.leaves -= 1;
        let buffer = state.buffers.pop();
        Poll::Ready(Some(buffer.expect("as many buffers as receives, and none is visited")))
    }

    fn arrive(&self, arrival: Arrival) {
        let mut state = self.0.borrow_mut();
        state.pending -= 1;
        state.arrived.push_back(arrival);
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }

    /// Gives leave for as many receives as are missing. To be called within the
    /// runtime, and when all that has arrived was taken.
    pub(super) fn muster(&self) {
        let mut state = self.0.borrow_mut();
        state.resize();
        let missing = state.size.saturating_sub(state.pending);
        state.pending += missing;
        state.leaves += missing;
        let called = state.idle.len().saturating_sub(missing);
        state.idle.drain(called..).for_each(Waker::wake);
    }

    /// Whether it has brought as much as a herd does, so that more is likely to be there.
    pub(super) fn is_behind(&self) -> bool {
        let state = self.0.borrow();
        state.size == SIZE_MAX && state.pending + FULL <= SIZE_MAX
    }

    /// Whether something has arrived; where not, the context is woken when it has.
    pub(super) fn poll_arrived(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.arrived.is_empty() {
            state.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Takes what has arrived first.
    pub(super) fn take(&self) -> Option<Arrival> {
        self.0.borrow_mut().arrived.pop_front()
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
    pub(super) async fn disband(&self) {
        self.end();
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

    /// Has the tasks end that receive nothing, and the others when they have.
    fn end(&self) {
        let mut state = self.0.borrow_mut();
        state.order = Order::End;
        state.pending -= state.leaves;
        state.leaves = 0;
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
            order: Order::AwaitLeave,
            size,
            pending,
            leaves: 0,
            idle: Vec::new(),
            buffers: Vec::new(),
            arrived: VecDeque::new(),
            waiting: None,
        }
    }

    #[test]
    fn the_herd_grows_while_all_come_back_and_shrinks_while_few_do() {
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

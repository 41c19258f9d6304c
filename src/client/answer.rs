//! What an operation comes to: a future, or something to wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::error::ClientError;
use super::router::{Reply, Router};
use crate::id::Id;
use crate::node::OperationId;

/// The answer to a put, a get or a trace, which may still be to come. Dropped before it has
/// come, it abandons the operation: of a put, the value stays published by a full node.
#[must_use = "an answer that is dropped abandons its operation"]
#[derive(Debug)]
pub struct Answer<T> {
    state: State,
    read: fn(Reply) -> Result<T, ClientError>,
}

#[derive(Debug)]
enum State {
    /// The command was not taken, or the answer has been given.
    Refused(Option<ClientError>),
    Asked {
        router: Arc<Router>,
        operation: OperationId,
        key: Id,
        slot: Arc<Slot>,
    },
}

/// Where the router puts a reply.
#[derive(Debug, Default)]
pub(super) struct Slot {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    reply: Option<Reply>,
    waker: Option<Waker>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fill(&self, reply: Reply) {
        let mut content = self.lock();
        content.reply = Some(reply);
        let waker = content.waker.take();
        drop(content);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Answer<T> {
    pub(super) const fn refused(
        error: ClientError,
        read: fn(Reply) -> Result<T, ClientError>,
    ) -> Self {
        Self { state: State::Refused(Some(error)), read }
    }

    pub(super) const fn asked(
        router: Arc<Router>,
        (operation, key): (OperationId, Id),
        slot: Arc<Slot>,
        read: fn(Reply) -> Result<T, ClientError>,
    ) -> Self {
        Self { state: State::Asked { router, operation, key, slot }, read }
    }

    /// Waits for the answer. It comes within some seconds: each request has a time-out, and a
    /// lookup a bound of requests.
    ///
    /// # Errors
    /// As the operation says.
    pub fn wait(self) -> Result<T, ClientError> {
        self.wait_until(None).expect("without a deadline there is an answer")
    }

    /// Waits for the answer, at most `timeout`; then abandons the operation.
    ///
    /// # Errors
    /// [`ClientError::Late`] when the time has passed; else as the operation says.
    pub fn wait_timeout(self, timeout: Duration) -> Result<T, ClientError> {
        let deadline = Instant::now().checked_add(timeout);
        self.wait_until(deadline).unwrap_or(Err(ClientError::Late { after: timeout }))
    }

    fn wait_until(mut self, deadline: Option<Instant>) -> Option<Result<T, ClientError>> {
        let slot = match &mut self.state {
            State::Refused(error) => {
                return Some(Err(error.take().unwrap_or(ClientError::Stopped)));
            }
            State::Asked { slot, .. } => Arc::clone(slot),
        };
        let mut content = slot.lock();
        loop {
            if let Some(reply) = content.reply.take() {
                drop(content);
                self.state = State::Refused(None);
                return Some((self.read)(reply));
            }
            content = match deadline {
                None => slot.changed.wait(content).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let waited = slot.changed.wait_timeout(content, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, ClientError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = match &mut self.state {
            State::Refused(error) => {
                return Poll::Ready(Err(error.take().unwrap_or(ClientError::Stopped)));
            }
            State::Asked { slot, .. } => Arc::clone(slot),
        };
        let mut content = slot.lock();
        let Some(reply) = content.reply.take() else {
            content.waker = Some(task.waker().clone());
            return Poll::Pending;
        };
        drop(content);
        self.state = State::Refused(None);
        Poll::Ready((self.read)(reply))
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let State::Asked { router, operation, key, .. } = &self.state {
            router.abandon(*operation, *key);
        }
    }
}

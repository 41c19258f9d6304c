//! Brings each reply of the node to the answer that waits for it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::answer::{Answer, Slot};
use super::error::ClientError;
use crate::driver::{Commander, DriverEvent, Events, SendError};
use crate::id::Id;
use crate::node::{Command, Event, Found, Hop, OperationId, Refusal, Stored};

/// What the node says to an operation.
#[derive(Debug)]
pub(super) enum Reply {
    Put {
        key: Id,
        outcome: Result<Stored, Refusal>,
        elapsed: Duration,
    },
    Get {
        outcome: Result<Option<Found>, Refusal>,
        asked: usize,
        elapsed: Duration,
        hops: Vec<Hop>,
    },
    /// The node has stopped.
    Stopped,
}

/// Sends commands, and knows which answers are waited for.
#[derive(Debug)]
pub(super) struct Router {
    commander: Commander,
    last_operation: AtomicU64,
    /// None once the node has stopped.
    waiting: Mutex<Option<HashMap<OperationId, Waiting>>>,
    has_joined: Mutex<bool>,
    joined: Condvar,
}

#[derive(Debug)]
struct Waiting {
    slot: Arc<Slot>,
    hops: Vec<Hop>,
}

impl Router {
    /// Reads `events` on a thread of its own, which ends with the node.
    pub(super) fn start(commander: Commander, events: Events) -> std::io::Result<Arc<Self>> {
        let router = Arc::new(Self {
            commander,
            last_operation: AtomicU64::new(0),
            waiting: Mutex::new(Some(HashMap::new())),
            has_joined: Mutex::new(false),
            joined: Condvar::new(),
        });
        let reader = Arc::clone(&router);
        thread::Builder::new().name("kad-client".into()).spawn(move || {
            for event in events.iter() {
                reader.take(event);
            }
            reader.close();
        })?;
        Ok(router)
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<OperationId, Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a command, and returns its answer to come.
    pub(super) fn ask<T>(
        self: &Arc<Self>,
        key: Id,
        command: impl FnOnce(OperationId) -> Command,
        read: fn(Reply) -> Result<T, ClientError>,
    ) -> Answer<T> {
        let operation = OperationId(self.last_operation.fetch_add(1, Ordering::Relaxed) + 1);
        let slot = Arc::new(Slot::default());
        match &mut *self.lock() {
            None => return Answer::refused(ClientError::Stopped, read),
            Some(waiting) => {
                let slot = Arc::clone(&slot);
                waiting.insert(operation, Waiting { slot, hops: Vec::new() });
            }
        }
        match self.commander.send(command(operation)) {
            Ok(()) => Answer::asked(Arc::clone(self), (operation, key), slot, read),
            Err(error) => {
                self.forget(operation);
                let error = match error {
                    SendError::Full(_) => ClientError::Busy,
                    SendError::Stopped(_) => ClientError::Stopped,
                };
                Answer::refused(error, read)
            }
        }
    }

    fn forget(&self, operation: OperationId) -> Option<Waiting> {
        self.lock().as_mut()?.remove(&operation)
    }

    /// Has the node join by these addresses.
    pub(super) fn bootstrap(&self, addresses: Vec<SocketAddr>) -> Result<(), ClientError> {
        let sent = self.commander.send(Command::Bootstrap { addresses });
        sent.map_err(|_| ClientError::Stopped)
    }

    /// Ends an operation whose answer is no longer waited for.
    pub(super) fn abandon(&self, operation: OperationId, key: Id) {
        if self.forget(operation).is_some() {
            // A node that is too busy to hear of it ends the operation itself.
            let _ = self.commander.send(Command::Abandon { operation, key });
        }
    }

    fn take(&self, event: DriverEvent) {
        let DriverEvent::Node(event) = event else { return };
        match event {
            Event::Joined { contacts } if contacts > 0 => {
                *self.has_joined.lock().unwrap_or_else(PoisonError::into_inner) = true;
                self.joined.notify_all();
            }
            Event::Hop { operation, hop } => {
                if let Some(waiting) = self.lock().as_mut().and_then(|all| all.get_mut(&operation))
                {
                    waiting.hops.push(hop);
                }
            }
            Event::Put { operation, key, outcome, elapsed } => {
                if let Some(waiting) = self.forget(operation) {
                    waiting.slot.fill(Reply::Put { key, outcome, elapsed });
                }
            }
            Event::Get { operation, outcome, asked, elapsed, .. } => {
                if let Some(Waiting { slot, hops }) = self.forget(operation) {
                    slot.fill(Reply::Get { outcome, asked, elapsed, hops });
                }
            }
            _ => {}
        }
    }

    /// Tells all answers that none will come any more.
    fn close(&self) {
        for (_, waiting) in self.lock().take().into_iter().flatten() {
            waiting.slot.fill(Reply::Stopped);
        }
    }

    /// Waits until the node has joined; returns whether it has.
    pub(super) fn wait_joined(&self, timeout: Duration) -> bool {
        let has_joined = self.has_joined.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.joined.wait_timeout_while(has_joined, timeout, |joined| !*joined);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

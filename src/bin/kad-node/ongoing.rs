//! What the prompt on a terminal is doing, for the one who interrupts it.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use kad_node::driver::Commander;
use kad_node::id::Id;
use kad_node::node::{Command, OperationId};

/// What SIGINT has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// The command that runs, which ends soon.
    Operation,
    /// Nothing: no command runs, or it was interrupted before.
    Nothing,
}

/// The command that runs at the prompt, if one does.
#[derive(Clone)]
pub(crate) struct Ongoing {
    commander: Commander,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy)]
enum State {
    /// A line is being edited: then Ctrl-C is a key. Or there is no terminal.
    Idle,
    /// A command runs.
    Running {
        /// The put or the get that it waits for.
        operation: Option<(OperationId, Id)>,
    },
    /// The command that runs was interrupted.
    Interrupted,
}

impl Ongoing {
    /// Nothing, at the prompt of the node behind `commander`.
    pub(crate) fn new(commander: Commander) -> Self {
        Self { commander, state: Arc::new(Mutex::new(State::Idle)) }
    }

    /// A command of a person at a terminal begins.
    pub(crate) fn begin(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::Running { operation: None };
    }

    /// The command has ended; whether it was interrupted.
    pub(crate) fn end(&self) -> Interrupted {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let interrupted = matches!(mem::replace(&mut *state, State::Idle), State::Interrupted);
        if interrupted { Interrupted::Operation } else { Interrupted::Nothing }
    }

    /// The command that runs waits for a put or a get.
    pub(crate) fn await_operation(&self, operation: OperationId, key: Id) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Idle => {}
            State::Running { .. } => {
                *state = State::Running { operation: Some((operation, key)) };
            }
            State::Interrupted => self.abandon(operation, key),
        }
    }

    /// Ends the command that runs, the first time.
    pub(crate) fn interrupt(&self) -> Interrupted {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Running { operation } = *state else {
            return Interrupted::Nothing;
        };
        *state = State::Interrupted;
        if let Some((operation, key)) = operation {
            self.abandon(operation, key);
        }
        Interrupted::Operation
    }

    fn abandon(&self, operation: OperationId, key: Id) {
        // A node that is gone answers nothing, and the prompt sees that.
        let _ = self.commander.send(Command::Abandon { operation, key });
    }
}

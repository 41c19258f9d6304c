//! The command that runs at a terminal's prompt, so that Ctrl-C can interrupt it.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use kad_node::driver::Commander;
use kad_node::id::Id;
use kad_node::node::{Command, OperationId};

use crate::job_control;

/// The command that runs at the prompt, if any.
#[derive(Clone)]
pub(crate) struct Ongoing {
    commander: Commander,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy)]
enum State {
    /// There is no terminal.
    Idle,
    /// A line is being edited. Ctrl-C is a key then, but for the moments before the line
    /// editor takes the terminal over and after it gives it back.
    Editing,
    /// A command runs.
    Running {
        /// The put or get that the command waits for.
        operation: Option<(OperationId, Id)>,
    },
    /// The running command was interrupted.
    Interrupted,
}

impl Ongoing {
    /// An idle prompt of the node behind `commander`.
    pub(crate) fn new(commander: Commander) -> Self {
        Self { commander, state: Arc::new(Mutex::new(State::Idle)) }
    }

    /// Records that lines are edited on a terminal from now on.
    pub(crate) fn edit(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Editing;
    }

    /// Records that a command typed at a terminal begins. Ctrl-C may have come first.
    pub(crate) fn begin(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Interrupted) {
            *state = State::Running { operation: None };
        }
    }

    /// Records that the command has ended. Returns whether it was interrupted.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(mem::replace(&mut *state, State::Editing), State::Interrupted)
    }

    /// Records that the running command waits for a put or a get.
    pub(crate) fn await_operation(&self, operation: OperationId, key: Id) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Idle | State::Editing => {}
            State::Running { .. } => {
                *state = State::Running { operation: Some((operation, key)) };
            }
            State::Interrupted => self.abandon(operation, key),
        }
    }

    /// Interrupts the running command, so that it ends soon. Returns false when none runs, or
    /// it was already interrupted.
    pub(crate) fn interrupt(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let operation = match *state {
            State::Running { operation } => operation,
            State::Editing if job_control::keys_raise_signals() => None,
            State::Idle | State::Editing | State::Interrupted => return false,
        };
        *state = State::Interrupted;
        if let Some((operation, key)) = operation {
            self.abandon(operation, key);
        }
        true
    }

    /// Whether the running command was interrupted.
    pub(crate) fn is_interrupted(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Interrupted)
    }

    fn abandon(&self, operation: OperationId, key: Id) {
        // If the node has stopped, the prompt sees that itself.
        let _ = self.commander.send(Command::Abandon { operation, key });
    }
}

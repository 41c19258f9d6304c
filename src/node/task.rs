//! Tasks: what lookups are made for, and what an RPC in flight is part of.

use alloc::sync::Arc;
use core::time::Duration;

use super::command::{OperationId, Trace};
use super::query::lookup::Lookup;
use crate::id::Id;
use crate::time::Instant;
use crate::wire::{Purpose, Token};

/// A lookup in progress, or the STOREs that follow it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) generation: u32,
    pub(super) errand: Errand,
    pub(super) lookup: Lookup,
    pub(super) phase: Phase,
    pub(super) started: Instant,
    /// How often contacts of the table were offered to the lookup.
    pub(super) seedings: usize,
    /// Candidates that could not be asked, since too much was in flight.
    pub(super) unasked: usize,
}

/// What a lookup is made for.
#[derive(Clone, Debug)]
pub(super) enum Errand {
    /// To find one's neighbours, and be found: the last step of joining. A client
    /// finds some nodes, whoever they are.
    Join,
    /// To keep one's own neighbourhood, or a bucket, fresh.
    Refresh,
    /// To find a value.
    Get { operation: OperationId, trace: Trace },
    /// To store a value on the K closest nodes.
    Place { value: Arc<[u8]>, life: Duration, reason: Reason },
}

/// Why a value is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The user has just put it.
    Put(OperationId),
    /// It was put here a while ago.
    Republish,
    /// It is held for others, and nobody has stored it anew.
    Replicate,
    /// The node leaves; `attempt` counts from 1.
    HandOver { attempt: u8 },
}

impl Errand {
    /// The user's operation that it carries out, where it does.
    pub(super) const fn operation(&self) -> Option<OperationId> {
        match self {
            Self::Get { operation, .. } | Self::Place { reason: Reason::Put(operation), .. } => {
                Some(*operation)
            }
            Self::Join | Self::Refresh | Self::Place { .. } => None,
        }
    }

    /// Whether it is maintenance, which is paced, rather than the user's.
    pub(super) const fn is_maintenance(&self) -> bool {
        match self {
            Self::Join | Self::Get { .. } => false,
            Self::Refresh => true,
            Self::Place { reason, .. } => !matches!(reason, Reason::Put(_)),
        }
    }
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It looks for the closest nodes.
    Looking,
    /// It has sent STOREs to them.
    Placing {
        /// STOREs without an outcome yet.
        outstanding: usize,
        /// STOREs in all.
        asked: usize,
        /// Nodes that said that they hold the value.
        holders: usize,
        /// Nodes that said that they leave.
        leaving: usize,
    },
}

/// Names a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskId {
    pub(super) slot: usize,
    pub(super) generation: u32,
}

/// A request as it stays in flight, to be sent again and to be made sense of
/// when its answer comes.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The id of the node asked, unless it is known by its address only.
    pub(super) expected: Option<Id>,
    pub(super) token: Token,
    pub(super) ask: Ask,
    pub(super) owner: Owner,
    pub(super) renewal: Renewal,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Ping,
    FindNode { target: Id },
    FindValue { key: Id },
    Store { key: Id, value: Arc<[u8]>, life: Duration, purpose: Purpose },
}

/// What the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// An address to join by.
    Join,
    /// To settle whether a contact lives.
    Probe,
    /// To settle whether a stranger is where it seems to be.
    Introduction,
    /// To say that the node leaves.
    Farewell,
    /// One step of a lookup.
    Lookup(TaskId),
    /// One of the STOREs that place a value.
    Placement(TaskId),
    /// A copy left on the path of a get.
    PathCache,
}

/// Whether a request was already sent anew because its token was refused: it is
/// so once, with the token that came with the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    Unused,
    Used,
}

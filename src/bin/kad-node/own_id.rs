//! The id of the node, which may take another while it runs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use kad_node::driver::IdKeeper;
use kad_node::id::Id;

/// The node's id, for all that show it.
#[derive(Clone, Debug)]
pub(crate) struct OwnId {
    id: Arc<Mutex<Id>>,
    /// Writes it into the node's folder, where it has one.
    keeper: Option<IdKeeper>,
}

impl OwnId {
    pub(crate) fn new(id: Id, keeper: Option<IdKeeper>) -> Self {
        Self { id: Arc::new(Mutex::new(id)), keeper }
    }

    pub(crate) fn id(&self) -> Id {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node has taken another.
    pub(crate) fn replace(&self, id: Id) {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = id;
        match self.keeper.as_ref().map(|keeper| keeper.keep(id)) {
            None => {}
            Some(Ok(())) => tracing::info!(%id, "the new id is kept in --data"),
            Some(Err(error)) => tracing::error!(%id, "the new id is not kept in --data: {error}"),
        }
    }
}

impl fmt::Display for OwnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

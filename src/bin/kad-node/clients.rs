//! The clients of one running node: the prompt, the HTTP API and the service send commands
//! at the same time, and each answer finds its way back by its operation.
//!
//! The upper 16 bits of an [`OperationId`] name the client, so that clients number their
//! operations without asking each other.

use std::sync::atomic::{AtomicU64, Ordering};

use kad_node::driver::DriverEvent;
use kad_node::node::OperationId;

const CLIENT_SHIFT: u32 = 48;

/// Who sends commands to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// The program itself; it waits for no answer but by the kind of the event.
    Program = 0,
    Prompt = 1,
    Http = 2,
    Supervisor = 3,
}

impl Client {
    /// The client that an event is for; none of an event that comes unasked.
    pub(crate) const fn of(event: &DriverEvent) -> Option<Self> {
        let Some(OperationId(number)) = event.operation() else { return None };
        match number >> CLIENT_SHIFT {
            1 => Some(Self::Prompt),
            2 => Some(Self::Http),
            3 => Some(Self::Supervisor),
            _ => Some(Self::Program),
        }
    }
}

/// Numbers the operations of one client.
#[derive(Debug)]
pub(crate) struct OperationIds {
    client: Client,
    last: AtomicU64,
}

impl OperationIds {
    pub(crate) const fn of(client: Client) -> Self {
        Self { client, last: AtomicU64::new(0) }
    }

    /// An id that no earlier operation of any client has.
    pub(crate) fn next(&self) -> OperationId {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        debug_assert!(number < 1 << CLIENT_SHIFT, "centuries of operations");
        OperationId((self.client as u64) << CLIENT_SHIFT | number)
    }
}

#[cfg(test)]
mod tests {
    use kad_node::node::Event;

    use super::*;

    #[test]
    fn an_answer_finds_its_client_by_its_operation() {
        for client in [Client::Program, Client::Prompt, Client::Http, Client::Supervisor] {
            let ids = OperationIds::of(client);
            let (first, second) = (ids.next(), ids.next());
            assert_ne!(first, second);
            for operation in [first, second] {
                let stats = DriverEvent::Stats { operation, shards: Vec::new() };
                assert_eq!(Client::of(&stats), Some(client));
            }
        }
        let joined = DriverEvent::Node(Event::Joined { contacts: 1 });
        assert_eq!(Client::of(&joined), None);
    }
}

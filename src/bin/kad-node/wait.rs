//! What a put or a get waits for, as its node tells. The node is asked again and again, once
//! it takes long.

use std::fmt;
use std::time::{Duration, Instant};

use kad_node::id::Id;
use kad_node::node::{Command, OperationId, Pending};

use crate::progress::Progress;

/// How long a put waits for a disk, when for nothing else. A disk that is busy, not hung,
/// answers within a second or two.
pub(crate) const DISK_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often the node is asked what it waits for: first before anything is shown.
const QUESTION_PERIOD: Duration = Duration::from_millis(400);

/// A put or a get that is waited for.
pub(crate) struct Wait {
    operation: OperationId,
    key: Id,
    progress: Progress,
    /// Whether a question has no answer yet.
    is_asking: bool,
    asked_at: Instant,
    pending: Option<Pending>,
    /// Since when it waits for no node: a put then waits for the disk alone.
    disk_since: Option<Instant>,
}

impl Wait {
    /// A wait that begins now.
    pub(crate) fn begin(operation: OperationId, key: Id) -> Self {
        Self {
            operation,
            key,
            progress: Progress::begin(),
            is_asking: false,
            asked_at: Instant::now(),
            pending: None,
            disk_since: None,
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.progress.elapsed()
    }

    /// The next question to the node, if it is time for one.
    pub(crate) fn question(&mut self) -> Option<Command> {
        if self.is_asking || self.asked_at.elapsed() < QUESTION_PERIOD {
            return None;
        }
        self.asked_at = Instant::now();
        self.is_asking = true;
        Some(Command::Pending { operation: self.operation, key: self.key })
    }

    /// Takes in the answer to a question.
    pub(crate) fn take(&mut self, operation: OperationId, pending: Option<Pending>) {
        if operation != self.operation {
            return;
        }
        self.is_asking = false;
        self.pending = pending;
        let is_of_disk = pending.is_none();
        self.disk_since = self.disk_since.or(Some(self.asked_at)).filter(|_| is_of_disk);
    }

    pub(crate) fn show(&mut self) {
        let what = What { pending: self.pending };
        match self.disk_since {
            Some(_) => self.progress.show("waiting for the disk"),
            None => self.progress.show(what),
        }
    }

    /// Clears what is shown, for a result that comes in its place.
    pub(crate) fn hide(&mut self) {
        self.progress.hide();
    }

    /// Whether a put waits for a disk that does not answer.
    pub(crate) fn is_of_a_hung_disk(&self) -> bool {
        self.disk_since.is_some_and(|since| since.elapsed() > DISK_WAIT_MAX)
    }
}

/// What is shown of it.
struct What {
    pending: Option<Pending>,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pending {
            Some(Pending { asked, waiting }) => write!(f, "asked {asked}, waiting for {waiting}"),
            None => f.write_str("waiting for the node"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_says_how_many_it_asked_and_waits_for() {
        let pending = Some(Pending { asked: 12, waiting: 3 });
        assert_eq!(What { pending }.to_string(), "asked 12, waiting for 3");
        assert_eq!(What { pending: None }.to_string(), "waiting for the node");
    }

    #[test]
    fn a_put_that_waits_for_no_node_waits_for_the_disk() {
        let (put, other) = (OperationId(1), OperationId(2));
        let mut wait = Wait::begin(put, Id::of_value(b"put"));
        assert!(wait.question().is_none(), "it does not take long yet");
        wait.asked_at = Instant::now().checked_sub(QUESTION_PERIOD).expect("since the start");
        assert!(
            matches!(wait.question(), Some(Command::Pending { operation, .. }) if operation == put)
        );
        wait.take(other, None);
        assert!(wait.is_asking && wait.disk_since.is_none(), "that was no answer to it");
        wait.take(put, None);
        assert!(wait.disk_since.is_some() && !wait.is_of_a_hung_disk());
        wait.disk_since = Instant::now().checked_sub(DISK_WAIT_MAX * 2);
        assert!(wait.is_of_a_hung_disk());
    }
}

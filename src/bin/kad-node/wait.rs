//! What a put or a get waits for, as its node tells. The node is asked again and again, once
//! it takes long.

use std::fmt;
use std::time::{Duration, Instant};

use kad_node::id::Id;
use kad_node::node::{Command, OperationId, Pending, Progress as Transfer};

use crate::figures;
use crate::progress::Progress;
use crate::reply;

/// How long a put waits for a disk, when for nothing else. A disk that is busy, not hung,
/// answers within a second or two.
pub(crate) const DISK_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often the node is asked what it waits for: first before anything is shown.
const QUESTION_PERIOD: Duration = Duration::from_millis(400);
/// From when on the rate of a transfer tells something.
const RATE_AFTER: Duration = Duration::from_secs(1);

/// A put or a get that is waited for.
pub(crate) struct Wait {
    operation: OperationId,
    key: Id,
    progress: Progress,
    /// Whether a question has no answer yet.
    is_asking: bool,
    asked_at: Instant,
    pending: Option<Pending>,
    transfer: Option<Transfer>,
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
            transfer: None,
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

    /// Takes in how far its value is.
    pub(crate) fn moved(&mut self, operation: OperationId, transfer: Transfer) {
        if operation == self.operation {
            self.transfer = Some(transfer);
        }
    }

    pub(crate) fn show(&mut self) {
        let what = What { pending: self.pending, transfer: self.transfer };
        match self.disk_since {
            Some(_) => self.progress.show("waiting for the disk"),
            None => self.progress.show(what),
        }
    }

    /// Clears what is shown, for a result that comes in its place.
    pub(crate) fn hide(&mut self) {
        self.progress.hide();
    }

    /// Whether a put waits for a disk alone.
    pub(crate) const fn is_of_a_disk(&self) -> bool {
        self.disk_since.is_some()
    }

    /// Whether a put waits for a disk that does not answer.
    pub(crate) fn is_of_a_hung_disk(&self) -> bool {
        self.disk_since.is_some_and(|since| since.elapsed() > DISK_WAIT_MAX)
    }
}

/// What is shown of it.
struct What {
    pending: Option<Pending>,
    transfer: Option<Transfer>,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transfer) = self.transfer {
            return moved(transfer, f);
        }
        match self.pending {
            Some(Pending { asked, waiting }) => write!(f, "asked {asked}, waiting for {waiting}"),
            None => f.write_str("waiting for the node"),
        }
    }
}

/// Writes how much of a value has come, and, when that tells something, how fast and how long
/// the rest will take.
fn moved(transfer: Transfer, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Transfer { bytes_done, bytes_total, holders, elapsed } = transfer;
    let size = |bytes: usize| figures::size(bytes as u64);
    write!(f, "{} of {}, ", size(bytes_done), size(bytes_total))?;
    if elapsed >= RATE_AFTER && bytes_done > 0 {
        let rate = figures::rate(bytes_done as u64, elapsed);
        let left_ms = 1000 * bytes_total.saturating_sub(bytes_done) as u64 / rate.max(1);
        let left = reply::time(Duration::from_millis(left_ms));
        write!(f, "{} a second, {left} left, ", figures::size(rate))?;
    }
    f.write_str(&reply::counted(holders, "holder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_says_how_many_it_asked_and_a_transfer_how_fast_it_is() {
        let pending = Some(Pending { asked: 12, waiting: 3 });
        let said = |pending, transfer| What { pending, transfer }.to_string();
        assert_eq!(said(pending, None), "asked 12, waiting for 3");
        assert_eq!(said(None, None), "waiting for the node");
        let transfer = |millis, bytes_done| {
            let elapsed = Duration::from_millis(millis);
            Some(Transfer { bytes_done, bytes_total: 16 << 20, holders: 1, elapsed })
        };
        assert_eq!(said(pending, transfer(600, 1 << 20)), "1.0 MiB of 16.0 MiB, 1 holder");
        assert_eq!(
            said(pending, transfer(2000, 4 << 20)),
            "4.0 MiB of 16.0 MiB, 2.0 MiB a second, 6.0 s left, 1 holder"
        );
        assert_eq!(said(pending, transfer(2000, 0)), "0 B of 16.0 MiB, 1 holder");
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

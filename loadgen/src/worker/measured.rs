//! What one thread of the generator has measured, and the sum of several.

use udp::Coalescing;

use crate::cpu::ThreadTime;
use crate::record::Record;

/// Which way datagrams cross the kernel as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalesced {
    /// To the target.
    pub sends: Coalescing,
    /// From it.
    pub receives: Coalescing,
}

impl Coalesced {
    /// Of two threads: what both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |one, other| if one == other { one } else { Coalescing::Off };
        Self { sends: both(self.sends, other.sends), receives: both(self.receives, other.receives) }
    }
}

/// What a thread has measured.
#[derive(Debug)]
pub struct Measured {
    /// Requests and their latency.
    pub record: Record,
    /// Datagrams received that were no replies.
    pub strange: u64,
    /// Replies that the kernel dropped since our receive buffer was full, from the
    /// end of the warm-up on.
    pub receive_drops: u64,
    /// What crossed the kernel as one message at the end.
    pub coalescing: Coalesced,
    /// The thread's time, of the measured time.
    pub time: ThreadTime,
    /// Time in turns that had something to do, of the measured time.
    pub busy_ns: u64,
}

impl Measured {
    /// Adds what another thread has measured.
    pub fn merge(&mut self, other: &Self) {
        self.record.merge(&other.record);
        self.strange += other.strange;
        self.receive_drops += other.receive_drops;
        self.coalescing = self.coalescing.and(other.coalescing);
        self.time.cpu_ns += other.time.cpu_ns;
        self.time.queued_ns += other.time.queued_ns;
        self.busy_ns += other.busy_ns;
    }
}

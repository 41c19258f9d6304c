//! The driver's counters: what crossed the edge between the kernel and the node.

use std::io;

use udp::{Observer, Received, Sent};

use crate::node::{Histograms, Stats, counters};

counters! {
    /// Counters of one shard's driver since it was started.
    pub struct DriverStats {
        /// Turns of the shard's loop.
        turns,
        /// System calls that may wait: `io_uring_enter`, or `ppoll`. Under
        /// `tokio-uring` waits, whatever the library makes of one.
        waits,
        /// Calls of `recvmmsg`: none under the other drivers.
        receive_calls,
        /// Calls of `sendmmsg`.
        send_calls,
        /// Datagrams received, those that loss injection dropped among them.
        datagrams_received,
        /// Bytes of them, without those that were not looked at.
        bytes_received,
        /// Datagrams sent.
        datagrams_sent,
        /// Bytes of them.
        bytes_sent,
        /// Messages received that were several datagrams (`UDP_GRO`).
        segmented_received,
        /// Datagrams of them.
        segments_received,
        /// Messages sent that were several datagrams (`UDP_SEGMENT`).
        segmented_sent,
        /// Datagrams of them.
        segments_sent,
        /// Messages of several datagrams that the kernel or the device refused; their
        /// datagrams were then sent one by one.
        segmented_refused,
        /// Messages that could not leave from the address that their peer has asked, and
        /// were sent from the kernel's choice.
        sources_refused,
        /// Peers whose asked address was forgotten to remember another peer's.
        sources_displaced,
        /// Datagrams received that were so long that not all of them was looked at.
        receives_truncated,
        /// Receives that failed for a reason that passes, such as an ICMP error, or
        /// that brought what cannot be read.
        receives_failed,
        /// Datagrams received whose source was no IP address.
        receives_sourceless,
        /// STOREs and RENEWs that waited for a later turn: one takes up a bounded number of
        /// values.
        stores_put_off,
        /// STOREs and RENEWs dropped, to be sent again: as many waited as may.
        stores_dropped,
        /// Requests for parts of large values that waited for a later turn, since one takes
        /// up a bounded number.
        ranges_put_off,
        /// Requests for parts of large values dropped, to be sent again: as many waited as
        /// may.
        ranges_dropped,
        /// Times that the multishot receive ended and was begun again.
        receives_rearmed,
        /// Of these, for want of a free buffer (ENOBUFS).
        buffers_exhausted,
        /// Turns that found that completions had overflowed their queue.
        completions_overflowed,
        /// Datagrams not sent: the socket's or the device's queue was full.
        sends_full,
        /// Datagrams not sent: nothing listens there (ECONNREFUSED).
        sends_refused,
        /// Datagrams not sent: no route, or no such host.
        sends_unreachable,
        /// Datagrams not sent: a firewall, or no right to broadcast.
        sends_forbidden,
        /// Datagrams not sent: an IPv6 destination and an IPv4 socket, or the
        /// other way round.
        sends_other_family,
        /// Datagrams not sent for any other reason.
        sends_failed,
        /// Datagrams received and dropped by loss injection.
        drops_received,
        /// Datagrams to be sent and dropped by loss injection.
        drops_sent,
        /// Datagrams received and ignored since the network has a key, and they were not
        /// sealed.
        unsealed_received,
        /// Datagrams received and ignored since no key of the network opens them: they were
        /// sealed by another, or altered.
        seals_refused,
        /// Commands handed to the node.
        commands,
        /// Events delivered.
        events,
        /// Messages passed to other shards.
        handoffs_sent,
        /// Bytes of them: of their slots in the rings, and of what these own.
        handoff_bytes,
        /// Messages for other shards dropped: too many waited for that one.
        handoffs_dropped,
        /// Messages for other shards that had to wait for room, and were not dropped.
        handoffs_waited,
        /// Other shards woken: those that waited when something was there for them.
        wakes_sent,
        /// Waits that ended since the shard was woken.
        wakes_received,
        /// Microseconds in which the shard worked.
        busy_us,
        /// Microseconds in which the shard waited, or asked whether it had to.
        waiting_us,
        /// Gauge: datagrams that the kernel dropped for want of room in the
        /// socket's receive buffer.
        kernel_drops,
    }
}

impl Observer for DriverStats {
    fn send_called(&mut self) {
        self.send_calls += 1;
    }

    fn sent(&mut self, sent: Sent) {
        self.datagrams_sent += sent.datagrams;
        self.bytes_sent += sent.bytes;
        self.segmented_sent += sent.segmented;
        self.segments_sent += sent.segments;
    }

    fn unsent(&mut self, error: &io::Error, datagrams: u64) {
        let counter = match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => &mut self.sends_full,
            Some(libc::ECONNREFUSED) => &mut self.sends_refused,
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN) => {
                &mut self.sends_unreachable
            }
            Some(libc::EPERM | libc::EACCES) => &mut self.sends_forbidden,
            Some(libc::EAFNOSUPPORT) => &mut self.sends_other_family,
            _ => &mut self.sends_failed,
        };
        *counter += datagrams;
    }

    fn unreachable_family(&mut self) {
        self.sends_other_family += 1;
    }

    fn segments_refused(&mut self) {
        self.segmented_refused += 1;
    }

    fn source_refused(&mut self) {
        self.sources_refused += 1;
    }

    fn receive_called(&mut self) {
        self.receive_calls += 1;
    }

    fn received(&mut self, received: Received) {
        self.datagrams_received += received.datagrams;
        self.bytes_received += received.bytes;
        self.receives_truncated += received.truncated;
        if received.datagrams > 1 {
            self.segmented_received += 1;
            self.segments_received += received.datagrams;
        }
    }

    fn received_from_nowhere(&mut self) {
        self.receives_sourceless += 1;
    }
}

/// The counters of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// Its node's.
    pub node: Stats,
    /// Its driver's.
    pub driver: DriverStats,
    /// How long what its node does takes.
    pub histograms: Histograms,
}

impl ShardStats {
    /// The sums of all `shards`' counters.
    pub fn total(shards: &[Self]) -> Self {
        shards.iter().fold(Self::default(), |mut total, shard| {
            total.node += &shard.node;
            total.driver += &shard.driver;
            total.histograms += &shard.histograms;
            total
        })
    }
}

/// The last counters of a node that was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Each shard's, in their order.
    pub shards: Vec<ShardStats>,
}

impl Stopped {
    /// The sums of all shards' counters.
    pub fn total(&self) -> ShardStats {
        ShardStats::total(&self.shards)
    }
}

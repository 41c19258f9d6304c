//! What senders and receivers tell, to be counted.

use std::io;
use std::ops::AddAssign;

/// Told what crosses the edge between the kernel and the program. Each method does
/// nothing unless it is implemented, and costs nothing then.
pub trait Observer {
    /// A `sendmmsg` is called.
    fn send_called(&mut self) {}
    /// Messages were taken by the kernel.
    fn sent(&mut self, _sent: Sent) {}
    /// `datagrams` were not taken by the kernel, and are not tried again.
    fn unsent(&mut self, _error: &io::Error, _datagrams: u64) {}
    /// A datagram was not sent: the socket cannot reach its destination's family.
    fn unreachable_family(&mut self) {}
    /// The kernel or the device refused a segmented message, whose datagrams are sent one
    /// by one instead.
    fn segments_refused(&mut self) {}
    /// A message could not leave from the address that its peer has asked, and is sent from
    /// the kernel's choice instead.
    fn source_refused(&mut self) {}
    /// A `recvmmsg` is called.
    fn receive_called(&mut self) {}
    /// A message was received.
    fn received(&mut self, _received: Received) {}
    /// A message was received whose source is no IP address.
    fn received_from_nowhere(&mut self) {}
}

impl Observer for () {}

/// Messages that the kernel has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Their datagrams.
    pub datagrams: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Those of several segments.
    pub segmented: u64,
    /// Segments of those.
    pub segments: u64,
}

/// A message that has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Its datagrams.
    pub datagrams: u64,
    /// Bytes of them that are looked at.
    pub bytes: u64,
    /// Those of which not all bytes are looked at.
    pub truncated: u64,
}

impl AddAssign for Sent {
    fn add_assign(&mut self, other: Self) {
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.segmented += other.segmented;
        self.segments += other.segments;
    }
}

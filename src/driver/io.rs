//! What a shard asks of its driver, and the three drivers.

pub(super) mod mmsg;
pub(super) mod tokio_uring;
pub(super) mod uring;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use udp::LocalAddresses;

use super::stats::DriverStats;

/// One socket's datagrams, in and out. The shard's loop is compiled for each
/// implementation, so that a call costs nothing by itself.
pub(super) trait Datapath {
    /// Waits until a datagram is there, the shard is woken, or `timeout` is over;
    /// none is for ever. It may return early, with nothing.
    ///
    /// # Errors
    /// When the socket or the ring cannot be used any more.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Goes to the next datagram that the last wait has brought; whether there is one. There
    /// is an end to them, however quickly others follow.
    ///
    /// # Errors
    /// When the socket or the ring cannot be used any more.
    fn advance(&mut self) -> io::Result<bool>;

    /// The datagram that [`advance`](Self::advance) went to: its source and its
    /// bytes, of an oversized one the first
    /// [`SEALED_BYTES_MAX`](crate::seal::SEALED_BYTES_MAX) and one more.
    fn datagram(&self) -> (SocketAddr, &[u8]);

    /// The address of this host that the datagram came to, where the socket is bound to a
    /// wildcard and told one to reply from.
    fn local(&self) -> Option<IpAddr>;

    /// Where what is sent is to come from, for a socket bound to a wildcard.
    fn locals(&mut self) -> Option<&mut LocalAddresses>;

    /// Sends `datagrams`: those to one destination that have the same steer byte in
    /// their order. What cannot be sent is dropped and counted, as a network would.
    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>);

    /// The counters.
    fn stats(&mut self) -> &mut DriverStats;

    /// Reads the gauges among the counters anew.
    fn measure(&mut self);
}

/// Passes over an error of receiving that passes, and fails for one that does
/// not. Peers cause errors at will, by ICMP; only those that tell of a mistake
/// of our own would come back at once and for ever.
fn survive(error: io::Error) -> io::Result<()> {
    match error.raw_os_error() {
        Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EINVAL) => Err(error),
        _ => Ok(()),
    }
}

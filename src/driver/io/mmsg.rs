//! The driver `mmsg`: `recvmmsg` and `sendmmsg`, and `ppoll` to wait. For kernels
//! and containers where `io_uring` is forbidden; measured to be as fast.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use udp::{Coalescing, LocalAddresses, Receiver, Sender, UdpSocket};

use super::{Datapath, survive};
use crate::driver::mailbox::wake::WakeFd;
use crate::driver::stats::DriverStats;
use crate::wire::STEER_OFFSET;

/// Messages that come with one call at most: as many as `uring` has buffers for.
const MESSAGES_MAX: usize = 512;

/// A socket that is read and written in batches.
pub(in crate::driver) struct Mmsg {
    socket: UdpSocket,
    wake_fd: Arc<WakeFd>,
    receiver: Receiver,
    sender: Sender,
    stats: DriverStats,
}

impl Mmsg {
    pub(in crate::driver) fn new(
        socket: UdpSocket,
        wake_fd: Arc<WakeFd>,
        coalescing: Coalescing,
    ) -> Self {
        let receiver = Receiver::new(socket.coalesce_receives(coalescing), MESSAGES_MAX);
        let sender = Sender::new(&socket, coalescing, STEER_OFFSET);
        Self { socket, wake_fd, receiver, sender, stats: DriverStats::default() }
    }

    /// Receives what is there, up to a batch; how many messages.
    fn receive(&mut self) -> io::Result<usize> {
        self.receiver.receive(&self.socket, &mut self.stats).or_else(|error| {
            self.stats.receives_failed += 1;
            survive(error).map(|()| 0)
        })
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut descriptors = [udp::readable(&self.socket), udp::readable(&*self.wake_fd)];
        self.stats.waits += 1;
        udp::poll(&mut descriptors, timeout)?;
        let [socket, wake_fd] = descriptors;
        if wake_fd.revents != 0 {
            self.wake_fd.clear();
            self.stats.wakes_received += 1;
        }
        if socket.revents != 0 { self.receive().map(drop) } else { Ok(()) }
    }
}

impl Datapath for Mmsg {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // A full batch says that more is there: then asking first would be a system call
        // too many. Commands are taken every turn, whether they woke the shard or not.
        if self.receiver.is_full() && self.receive()? > 0 {
            return Ok(());
        }
        self.receiver.forget();
        self.poll(timeout)
    }

    fn advance(&mut self) -> io::Result<bool> {
        Ok(self.receiver.advance(&mut self.stats))
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        self.receiver.datagram()
    }

    fn local(&self) -> Option<IpAddr> {
        self.receiver.local()
    }

    fn locals(&mut self) -> Option<&mut LocalAddresses> {
        self.sender.locals()
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.sender.send(&self.socket, datagrams, &mut self.stats);
    }

    fn stats(&mut self) -> &mut DriverStats {
        &mut self.stats
    }

    fn measure(&mut self) {
        self.stats.kernel_drops = self.socket.receive_drops().unwrap_or(0);
    }
}

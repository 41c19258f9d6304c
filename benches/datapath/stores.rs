//! STOREs of new values beside the requests that are measured: each is sent at its time,
//! whatever became of those before it, or as many as the server takes.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use kad_node::wire::Token;
use nix::sys::socket::{setsockopt, sockopt};

use crate::client::{PATIENCE, get_token};
use crate::failure::Failure;
use crate::kernel::Receiver;
use crate::load::Storing;
use crate::request::{self, STORE_BYTES, is_stored};
use crate::server::Server;
use crate::subject::Grouping;

/// Replies that wait to be read: a durable node answers a group at once.
const BUFFER_BYTES: usize = 4 << 20;
/// STOREs that are sent before the requests that are measured are looked at again.
const BURST_MAX: u64 = 32;
/// The same under a flood, as one segmented message: to make and to send it takes a tenth of
/// the latencies that are measured.
const FLOOD_BURST: u64 = 16;
/// STOREs under a flood are lost when for so long none of them is answered.
const FLOOD_PATIENCE: Duration = Duration::from_millis(20);

/// Stores values of which no two are the same.
pub(crate) struct Stores {
    socket: UdpSocket,
    token: Token,
    storing: Storing,
    receiver: Receiver,
    /// Of the next value.
    number: u64,
    /// Under a flood, those that may still be answered.
    waiting: u64,
    /// When one was last answered, since the load began.
    answered: Duration,
    /// Since the load began.
    pub(crate) sent: u64,
    pub(crate) stored: u64,
}

impl Stores {
    pub(crate) fn connect(server: &Server, storing: Storing) -> Result<Self, Failure> {
        let connect = || {
            // A host that none of the other sockets is.
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 200), 0))?;
            socket.connect(server.address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES)?;
            Ok(socket)
        };
        let socket = connect().map_err(Failure::io("connecting the client that stores"))?;
        let token = get_token(&socket, None)?;
        let segment = || {
            setsockopt(&socket, sockopt::UdpGsoSegment, &i32::from(STORE_BYTES as u16))?;
            setsockopt(&socket, sockopt::UdpGroSegment, &true)
        };
        let doing = Failure::io("setting UDP_SEGMENT and UDP_GRO");
        segment().map_err(|errno| doing(errno.into()))?;
        socket.set_nonblocking(true).map_err(Failure::io("making a socket not wait"))?;
        Ok(Self {
            socket,
            token,
            storing,
            receiver: Receiver::new(Grouping::On, 16),
            number: 0,
            waiting: 0,
            answered: Duration::ZERO,
            sent: 0,
            stored: 0,
        })
    }

    /// Begins a load.
    pub(crate) const fn begin(&mut self) {
        self.answered = Duration::ZERO;
        self.waiting = 0;
        self.sent = 0;
        self.stored = 0;
    }

    /// Sends what is due at `now` of a load that takes `time`, and takes in the replies.
    pub(crate) fn turn(&mut self, now: Duration, time: Duration) -> Result<(), Failure> {
        match self.storing {
            Storing::Rate(rate) => {
                let due = now.min(time).as_nanos() * u128::from(rate) / 1_000_000_000;
                for _ in 0..(due as u64).saturating_sub(self.sent).min(BURST_MAX) {
                    self.send(1)?;
                }
            }
            Storing::Window(window) => {
                if now > self.answered + FLOOD_PATIENCE {
                    (self.waiting, self.answered) = (0, now);
                }
                if now < time && self.waiting + FLOOD_BURST <= window {
                    self.send(FLOOD_BURST)?;
                }
            }
        }
        self.receive(now)
    }

    fn send(&mut self, count: u64) -> Result<(), Failure> {
        let mut buffer = [0; FLOOD_BURST as usize * STORE_BYTES];
        for store in buffer.chunks_exact_mut(STORE_BYTES).take(count as usize) {
            request::write_store(self.number, self.token, store);
            self.number += 1;
        }
        match self.socket.send(&buffer[..count as usize * STORE_BYTES]) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                return Err(Failure::io("storing a value")(error));
            }
            // One for which there is no room is lost, as in any network.
            _ => self.sent += count,
        }
        self.waiting += count;
        Ok(())
    }

    fn receive(&mut self, now: Duration) -> Result<(), Failure> {
        let received = self.receiver.receive(&self.socket);
        if received.map_err(Failure::io("receiving a reply to a STORE"))? > 0 {
            self.answered = now;
        }
        for (_, reply) in self.receiver.datagrams() {
            self.stored += u64::from(is_stored(reply));
            self.waiting = self.waiting.saturating_sub(1);
        }
        Ok(())
    }
}

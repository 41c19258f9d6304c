//! STOREs of new values beside the requests that are measured: each is sent at its time,
//! whatever became of those before it.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire::Token;
use nix::sys::socket::{setsockopt, sockopt};

use crate::client::{PATIENCE, get_token};
use crate::failure::Failure;
use crate::load::WRITE_RATE;
use crate::request::{self, STORE_BYTES, is_stored};
use crate::server::Server;

/// Replies that wait to be read: a durable node answers a group at once.
const BUFFER_BYTES: usize = 4 << 20;
/// STOREs that are sent before the requests that are measured are looked at again.
const BURST_MAX: u64 = 32;

/// Stores values of which no two are the same.
pub(crate) struct Stores {
    socket: UdpSocket,
    token: Token,
    /// Of the next value.
    number: u64,
    /// Since the load began.
    pub(crate) sent: u64,
    pub(crate) stored: u64,
}

impl Stores {
    pub(crate) fn connect(server: &Server) -> Result<Self, Failure> {
        let connect = || {
            // A host that none of the other sockets is.
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 200), 0))?;
            socket.connect(server.address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES)?;
            Ok(socket)
        };
        let socket = connect().map_err(Failure::io("connecting the client that stores"))?;
        let token = get_token(&socket)?;
        socket.set_nonblocking(true).map_err(Failure::io("making a socket not wait"))?;
        Ok(Self { socket, token, number: 0, sent: 0, stored: 0 })
    }

    /// Begins a load.
    pub(crate) const fn begin(&mut self) {
        self.sent = 0;
        self.stored = 0;
    }

    /// Sends what is due at `now` of a load that takes `time`, and takes in the replies.
    pub(crate) fn turn(&mut self, now: Duration, time: Duration) -> Result<(), Failure> {
        let due = (now.min(time).as_nanos() * u128::from(WRITE_RATE) / 1_000_000_000) as u64;
        for _ in 0..due.saturating_sub(self.sent).min(BURST_MAX) {
            let mut buffer = [0; STORE_BYTES];
            request::write_store(self.number, self.token, &mut buffer);
            self.number += 1;
            match self.socket.send(&buffer) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    return Err(Failure::io("storing a value")(error));
                }
                // One for which there is no room is lost, as in any network.
                _ => self.sent += 1,
            }
        }
        let mut reply = [0; DATAGRAM_BYTES_MAX];
        loop {
            match self.socket.recv(&mut reply) {
                Ok(length) => self.stored += u64::from(is_stored(&reply[..length])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Failure::io("receiving a reply to a STORE")(error)),
            }
        }
    }
}

//! Private networks: a datapath around another that seals what is sent, and lets nothing in
//! that was not sealed by a key of the network.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use udp::LocalAddresses;

use super::io::Datapath;
use super::stats::DriverStats;
use crate::seal::{NetworkKeys, Opener, SEALED_BYTES_MAX, SEALED_OUTBOX_BYTES, Sealer, Unopened};

/// The datapath `D`, whose datagrams are sealed.
pub(super) struct Sealed<D> {
    inner: D,
    sealer: Sealer,
    opener: Opener,
    /// The datagram that [`advance`](Datapath::advance) went to, opened.
    opened: Box<[u8; SEALED_BYTES_MAX]>,
    length: usize,
    outgoing: Outgoing,
}

impl<D: Datapath> Sealed<D> {
    /// Seals by the first of `keys`, and opens by each.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(super) fn new(inner: D, keys: &NetworkKeys) -> Result<Self, getrandom::Error> {
        Ok(Self {
            inner,
            sealer: Sealer::new(keys)?,
            opener: Opener::new(keys),
            opened: Box::new([0; SEALED_BYTES_MAX]),
            length: 0,
            outgoing: Outgoing::new(),
        })
    }
}

impl<D: Datapath> Datapath for Sealed<D> {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.wait(timeout)
    }

    fn advance(&mut self) -> io::Result<bool> {
        while self.inner.advance()? {
            let (_, bytes) = self.inner.datagram();
            match self.opener.open(bytes, &mut self.opened) {
                Ok(datagram) => {
                    self.length = datagram.len();
                    return Ok(true);
                }
                Err(Unopened::Clear) => self.inner.stats().unsealed_received += 1,
                Err(Unopened::Refused) => self.inner.stats().seals_refused += 1,
            }
        }
        Ok(false)
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        let (source, _) = self.inner.datagram();
        (source, &self.opened[..self.length])
    }

    fn local(&self) -> Option<IpAddr> {
        self.inner.local()
    }

    fn locals(&mut self) -> Option<&mut LocalAddresses> {
        self.inner.locals()
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.outgoing.clear();
        for (destination, bytes) in datagrams {
            self.outgoing.push(destination, |room| self.sealer.seal(bytes, room));
        }
        self.inner.submit(self.outgoing.datagrams());
    }

    fn stats(&mut self) -> &mut DriverStats {
        self.inner.stats()
    }

    fn measure(&mut self) {
        self.inner.measure();
    }
}

/// The datagrams of one outbox, sealed, one behind the other: so that equal ones to one peer
/// are one piece of memory.
struct Outgoing {
    buffer: Box<[u8]>,
    used: usize,
    /// Each destination, and where its datagram ends.
    ends: Vec<(SocketAddr, usize)>,
}

impl Outgoing {
    fn new() -> Self {
        let buffer = vec![0; SEALED_OUTBOX_BYTES].into_boxed_slice();
        Self { buffer, used: 0, ends: Vec::new() }
    }

    fn push(
        &mut self,
        destination: SocketAddr,
        seal: impl FnOnce(&mut [u8; SEALED_BYTES_MAX]) -> usize,
    ) {
        let room = self.buffer[self.used..].first_chunk_mut();
        self.used += seal(room.expect("room for all that an outbox holds"));
        self.ends.push((destination, self.used));
    }

    fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.ends.iter().scan(0, |start, &(destination, end)| {
            let bytes = &self.buffer[*start..end];
            *start = end;
            Some((destination, bytes))
        })
    }

    fn clear(&mut self) {
        self.used = 0;
        self.ends.clear();
    }
}

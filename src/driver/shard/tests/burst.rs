//! A datapath that is made up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use udp::LocalAddresses;

use crate::driver::io::Datapath;
use crate::driver::mailbox::wake::WakeFd;
use crate::driver::stats::DriverStats;
use crate::handoff::Consumer;
use crate::id::Id;
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::node::Handoff;
use crate::wire::{self, Body, Datagram, NetworkId, Role, Token, TransactionId};

/// Brings `datagrams` with the first wait, all alike, and ends in its own way.
pub(super) struct Burst {
    pub(super) datagrams: usize,
    pub(super) waits: usize,
    pub(super) longest: Option<Duration>,
    pub(super) end: Ending,
    pub(super) wake_fd: Option<Arc<WakeFd>>,
    pub(super) bytes: Vec<u8>,
    pub(super) answered: usize,
    pub(super) submissions: usize,
    pub(super) stats: DriverStats,
    pub(super) neighbour: Option<Neighbour>,
    /// The addresses that the datagrams come to in turn, at a wildcard.
    pub(super) asked: Vec<IpAddr>,
    pub(super) locals: Option<LocalAddresses>,
    /// The address that each answer leaves from, where it is not the kernel's choice.
    pub(super) sources: Vec<Option<IpAddr>>,
}

/// Another shard, which takes what it is handed while the first one reads.
pub(super) struct Neighbour {
    pub(super) ring: Consumer<Handoff>,
    pub(super) taken: usize,
}

/// What the second wait of a [`Burst`] comes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Fails,
    Panics,
    /// It goes on for ever, until it is woken.
    Never,
}

impl Burst {
    /// PINGs.
    pub(super) fn new(pings: usize, end: Ending) -> Self {
        Self::of(pings, Body::Ping, end)
    }

    pub(super) fn of(datagrams: usize, body: Body<'_>, end: Ending) -> Self {
        let datagram = Datagram {
            network: NetworkId::of_name("default"),
            transaction: TransactionId::new([1; 8]),
            sender: Id::of_value(b"peer"),
            role: Role::Client,
            announce: None,
            asks_proof: false,
            token: Token::NONE,
            body,
        };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&datagram, &mut buffer);
        let bytes = buffer[..length].to_vec();
        let stats = DriverStats::default();
        Self {
            datagrams,
            waits: 0,
            longest: Some(Duration::ZERO),
            end,
            wake_fd: None,
            bytes,
            answered: 0,
            submissions: 0,
            stats,
            neighbour: None,
            asked: Vec::new(),
            locals: None,
            sources: Vec::new(),
        }
    }

    /// The same at a wildcard, where the datagrams come to these addresses of 127.0.0.0/24
    /// in turn.
    pub(super) fn at_wildcard(self, asked: &[u8]) -> Self {
        let asked = asked.iter().map(|&last| IpAddr::from([127, 0, 0, last])).collect();
        Self { asked, locals: Some(LocalAddresses::new()), ..self }
    }

    fn await_wake(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let wake_fd = self.wake_fd.as_ref().expect("it waits, so it has one");
        udp::poll(&mut [udp::readable(&**wake_fd)], timeout)?;
        wake_fd.clear();
        Ok(())
    }
}

impl Datapath for Burst {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.waits += 1;
        // None is for ever.
        self.longest = self.longest.zip(timeout).map(|(one, other)| one.max(other));
        match self.end {
            _ if self.waits == 1 => Ok(()),
            Ending::Fails => Err(io::Error::from_raw_os_error(libc::EBADF)),
            Ending::Panics => panic!("on purpose"),
            Ending::Never => self.await_wake(timeout),
        }
    }

    fn advance(&mut self) -> io::Result<bool> {
        if let Some(Neighbour { ring, taken }) = &mut self.neighbour {
            *taken += ring.drain().count();
        }
        let Some(left) = self.datagrams.checked_sub(1) else {
            return Ok(false);
        };
        self.datagrams = left;
        Ok(true)
    }

    fn datagram(&self) -> (SocketAddr, &[u8]) {
        ((Ipv4Addr::LOCALHOST, 9).into(), &self.bytes)
    }

    fn local(&self) -> Option<IpAddr> {
        let number = self.datagrams.checked_rem(self.asked.len())?;
        Some(self.asked[number])
    }

    fn locals(&mut self) -> Option<&mut LocalAddresses> {
        self.locals.as_mut()
    }

    fn submit<'a>(&mut self, datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.submissions += 1;
        let locals = self.locals.as_ref();
        self.sources.extend(datagrams.map(|(to, _)| locals?.find(to)));
        self.answered = self.sources.len();
    }

    fn stats(&mut self) -> &mut DriverStats {
        &mut self.stats
    }

    fn measure(&mut self) {}
}

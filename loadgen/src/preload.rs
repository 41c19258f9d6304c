//! Before a run: a token from each target, and the values that will be asked for.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::seal::{Channel, SEALED_BYTES_MAX};
use kad_node::wire::{self, Body, Datagram, ErrorCode, NetworkId, Role, Token, TransactionId};
use nix::sys::socket::{setsockopt, sockopt};

use crate::corpus::{Corpus, KeyIndex};
use crate::engine::store;
use crate::membership::Membership;
use crate::memory::OutOfMemory;
use crate::value_sizes::ValueSizes;

/// Requests in flight: what the smallest receive buffer of a target holds.
const WINDOW: usize = 64;
/// How long each send waits for its answer.
const TIMEOUT: Duration = Duration::from_millis(250);
/// Sends of each request: a live target on a bad line is still reached.
pub const SENDS_MAX: u32 = 12;

/// Why a target is not fit for a run.
#[derive(Debug)]
pub enum PreloadError {
    /// There is no memory for what is to be asked.
    Memory(OutOfMemory),
    /// The socket failed.
    Socket(SocketAddr, io::Error),
    /// No answer came. With it, what the kernel last said of a send.
    Silent(SocketAddr, Option<io::Error>),
    /// Its system says that nothing listens there.
    Closed(SocketAddr),
    /// A request was refused.
    Refused(SocketAddr, ErrorCode),
    /// Not all values that it said it had stored came back.
    Missing(SocketAddr, usize),
}

impl fmt::Display for PreloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(error) => error.fmt(f),
            Self::Socket(target, error) => write!(f, "no way to {target}: {error}"),
            Self::Silent(target, None) => write!(
                f,
                "no node of this network answers at {target}: start one, check --network-name and \
                 --network-key, or leave --target out to load a node of loadgen's own"
            ),
            Self::Silent(target, Some(error)) => {
                write!(f, "no node answers at {target}, and the kernel says: {error}")?;
                f.write_str(remedy(error))
            }
            Self::Closed(target) => write!(
                f,
                "nothing listens at {target} (the kernel says: connection refused): start a node \
                 there, or leave --target out to load a node of loadgen's own"
            ),
            Self::Refused(target, code) => write!(
                f,
                "{target} refuses a value ({code:?}): use fewer --keys or a smaller --value-size"
            ),
            Self::Missing(target, count) => write!(
                f,
                "{target} does not give back {count} of the values that it has stored: \
                 use fewer --keys"
            ),
        }
    }
}

impl std::error::Error for PreloadError {}

/// What helps against an error of a send.
fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        // A new neighbour finds no place in the table (ARP) that all containers share.
        Some(libc::ENOBUFS) => {
            "; the table of neighbours may be full: raise net.ipv4.neigh.default.gc_thresh3"
        }
        Some(libc::EHOSTUNREACH) => "; its host is down, or in another network",
        Some(libc::ENETUNREACH) => "; this machine has no route there",
        Some(libc::EPERM | libc::EACCES) => "; a firewall forbids it",
        _ => "",
    }
}

/// A conversation with one target.
pub struct Preloader {
    target: SocketAddr,
    network: NetworkId,
    sender: Id,
    socket: UdpSocket,
    channel: Channel,
    token: Token,
    /// Sends of each request at most.
    sends_max: u32,
    /// What the kernel last said of a send.
    trouble: Option<io::Error>,
}

/// Has the kernel tell of every send that fails: by default it keeps to itself that it had
/// no room for one (`ENOBUFS`).
fn report_errors(socket: &UdpSocket, target: SocketAddr) -> io::Result<()> {
    match target {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
    }
    Ok(())
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Fulfilled,
    Missing,
    Refused(ErrorCode),
}

/// What is asked about each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Greet,
    Store,
    Verify,
}

impl Preloader {
    /// Greets the target, for a token, `sends_max` times at most.
    pub fn greet(
        target: SocketAddr,
        membership: &Membership,
        sends_max: u32,
    ) -> Result<Self, PreloadError> {
        let failed = |error| PreloadError::Socket(target, error);
        let any = match target {
            SocketAddr::V4(_) => "0.0.0.0:0",
            SocketAddr::V6(_) => "[::]:0",
        };
        let socket = UdpSocket::bind(any).map_err(failed)?;
        socket.connect(target).map_err(failed)?;
        let sender = Id::of_value(b"loadgen");
        report_errors(&socket, target).map_err(failed)?;
        let channel = membership.channel().map_err(|error| failed(io::Error::other(error)))?;
        let mut preloader = Self {
            target,
            network: membership.network,
            sender,
            socket,
            channel,
            token: Token::NONE,
            sends_max,
            trouble: None,
        };
        let corpus = Corpus::new(1, &ValueSizes::all(1), 0).map_err(PreloadError::Memory)?;
        preloader.ask_all(&corpus, Task::Greet, &mut |_| {})?;
        preloader.sends_max = SENDS_MAX;
        Ok(preloader)
    }

    /// The latest token that the target gave.
    pub const fn token(&self) -> Token {
        self.token
    }

    /// Stores every value on the target, then asks for each to see that it is
    /// there. Calls `progress` with the share that is done, from 0 to 1.
    pub fn fill(
        &mut self,
        corpus: &Corpus,
        progress: &mut impl FnMut(f64),
    ) -> Result<(), PreloadError> {
        let all = corpus.len() as f64 * 2.0;
        self.ask_all(corpus, Task::Store, &mut |done| progress(done as f64 / all))?;
        let missing =
            self.ask_all(corpus, Task::Verify, &mut |done| progress(0.5 + done as f64 / all))?;
        if missing == 0 { Ok(()) } else { Err(PreloadError::Missing(self.target, missing)) }
    }

    /// Asks about every key, and says how many values are missing.
    fn ask_all(
        &mut self,
        corpus: &Corpus,
        task: Task,
        progress: &mut impl FnMut(usize),
    ) -> Result<usize, PreloadError> {
        let mut waiting: VecDeque<(u32, u32)> = VecDeque::new();
        let mut fresh = 0..corpus.len() as u32;
        let mut in_flight: HashMap<u32, (u32, Instant)> = HashMap::new();
        let (mut done, mut missing) = (0, 0);
        // What was not answered goes first, so that a target that is gone is given up
        // after a few seconds, however many keys there are.
        while done < corpus.len() {
            while in_flight.len() < WINDOW
                && let Some((index, send)) =
                    waiting.pop_front().or_else(|| Some((fresh.next()?, 1)))
            {
                if send > self.sends_max {
                    return Err(PreloadError::Silent(self.target, self.trouble.take()));
                }
                self.send(corpus, task, index);
                in_flight.insert(index, (send, Instant::now() + TIMEOUT));
            }
            if let Some((index, outcome)) = self.receive(corpus, task)?
                && let Some((send, _)) = in_flight.remove(&index)
            {
                match outcome {
                    Outcome::Fulfilled => done += 1,
                    Outcome::Missing => (done, missing) = (done + 1, missing + 1),
                    Outcome::Refused(ErrorCode::Token) => waiting.push_back((index, send + 1)),
                    Outcome::Refused(code) => {
                        return Err(PreloadError::Refused(self.target, code));
                    }
                }
                progress(done);
            } else {
                let now = Instant::now();
                in_flight.retain(|&index, &mut (send, deadline)| {
                    let waits = deadline > now;
                    if !waits {
                        waiting.push_front((index, send + 1));
                    }
                    waits
                });
            }
        }
        Ok(missing)
    }

    fn send(&mut self, corpus: &Corpus, task: Task, index: u32) {
        let key = corpus.key(KeyIndex(index));
        let body = match task {
            Task::Greet => Body::Ping,
            Task::Store => Body::Store(store(key, corpus.value(KeyIndex(index)))),
            Task::Verify => Body::FindValue { key, offset: 0 },
        };
        let datagram = Datagram {
            network: self.network,
            transaction: TransactionId::new(u64::from(index).to_be_bytes()),
            sender: self.sender,
            role: Role::Client,
            announce: None,
            asks_proof: false,
            token: self.token,
            body,
        };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&datagram, &mut buffer);
        let mut room = [0; SEALED_BYTES_MAX];
        let length = self.channel.seal(&buffer[..length], &mut room);
        // What the kernel refuses is lost, and sent again in time.
        if let Err(error) = self.socket.send(&room[..length]) {
            self.trouble = Some(error);
        }
    }

    /// The next reply; none when nothing came for a while.
    fn receive(
        &mut self,
        corpus: &Corpus,
        task: Task,
    ) -> Result<Option<(u32, Outcome)>, PreloadError> {
        let (mut buffer, mut room) = ([0; SEALED_BYTES_MAX + 1], [0; SEALED_BYTES_MAX]);
        let wait = self.socket.set_read_timeout(Some(TIMEOUT));
        wait.map_err(|error| PreloadError::Socket(self.target, error))?;
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            // An ICMP error of an earlier send is told like this.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Err(PreloadError::Closed(self.target));
            }
            Err(error) => {
                let is_wait_over =
                    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
                if !is_wait_over {
                    self.trouble = Some(error);
                }
                return Ok(None);
            }
        };
        let reply = self.channel.open(&buffer[..length], &mut room).unwrap_or_default();
        let reply = wire::decode(reply).ok();
        let reply = reply.filter(|reply| reply.network == self.network);
        Ok(reply.and_then(|reply| {
            let index = u64::from_be_bytes(*reply.transaction.as_bytes());
            let index = u32::try_from(index).ok().filter(|&i| (i as usize) < corpus.len())?;
            self.token = reply.token;
            let expected = corpus.value(KeyIndex(index));
            let outcome = match (task, reply.body) {
                (_, Body::Error(code)) => Outcome::Refused(code),
                (Task::Greet, Body::Pong) | (Task::Store, Body::Stored) => Outcome::Fulfilled,
                (Task::Verify, Body::Value(value)) if value.value == expected => Outcome::Fulfilled,
                (Task::Verify, Body::Value(_) | Body::Nodes(_)) => Outcome::Missing,
                // Of an earlier round.
                _ => return None,
            };
            Some((index, outcome))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_kernel_comes_with_its_remedy() {
        let target = SocketAddr::from(([192, 0, 2, 1], 9001));
        for (number, said, remedy) in [
            (libc::ENOBUFS, "No buffer space", "gc_thresh3"),
            (libc::EHOSTUNREACH, "No route to host", "is down"),
            (libc::ENETUNREACH, "Network is unreachable", "no route"),
            (libc::EPERM, "not permitted", "firewall"),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let text = PreloadError::Silent(target, Some(error)).to_string();
            assert!(text.contains("192.0.2.1:9001") && !text.contains('\n'), "{text}");
            assert!(text.contains(said) && text.contains(remedy), "{text}");
        }
    }
}

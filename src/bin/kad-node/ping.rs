//! Checks that one node answers: a health check that needs no shell and no fixed port, and
//! that no node adds to its routing table.

use std::io::{self, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::rng::Rng;
use kad_node::seal::{Channel, SEALED_BYTES_MAX};
use kad_node::wire::{self, Body, Datagram, NetworkId, Role, Token, TransactionId};
use serde_json::json;

use crate::args::{Format, HostPort, PingArgs};
use crate::bootstrap::{self, Reach};
use crate::failure::Failure;
use crate::http::micros;
use crate::launch;
use crate::membership::Membership;
use crate::output::{print, print_json};
use crate::reply;

/// PINGs sent to an address before it counts as silent. When one datagram in ten is lost
/// each way, one exchange in five fails, and all three fail once in 150 times.
pub(crate) const SENDS_MAX: u32 = 3;

/// Prints the node's id and how long it took to answer.
pub(crate) fn run(args: &PingArgs) -> Result<(), Failure> {
    let deadline = Instant::now() + args.timeout;
    let addresses = bootstrap::resolve_within(std::slice::from_ref(&args.node), args.timeout)
        .map_err(Failure::Failed)?;
    let network = Membership::new(&args.network, &args.network_key)?;
    let answer = first_answer(&addresses, &network, &mut launch::rng()?, deadline);
    let Answer { peer, pong } = answer.map_err(|reason| absent(&args.node, &network, &reason))?;
    match args.output.output {
        Format::Text => {
            print(|out, _| writeln!(out, "{} at {peer} in {}", pong.id, reply::time(pong.elapsed)))
        }
        Format::Json => print_json(&json!({
            "id": pong.id.to_string(),
            "address": peer.to_string(),
            "elapsed_us": micros(pong.elapsed),
        })),
    }
}

fn absent(node: &HostPort, network: &Membership, reason: &str) -> Failure {
    let (name, doubt) = (&network.name, network.doubt());
    Failure::Failed(format!(
        "no node of network '{name}' at {node}: {reason}: check the address, the network's name, \
         and {doubt}"
    ))
}

/// The first answer.
#[derive(Debug)]
struct Answer {
    peer: SocketAddr,
    pong: Pong,
}

/// A PONG: the node's id and the round trip.
#[derive(Debug)]
struct Pong {
    id: Id,
    elapsed: Duration,
}

/// Asks one address after another until one answers. Each gets an equal part of the time
/// that remains until `deadline`. The error says why there is no answer.
fn first_answer(
    addresses: &[SocketAddr],
    network: &Membership,
    rng: &mut Rng,
    deadline: Instant,
) -> Result<Answer, String> {
    let mut reason = "it has no address".to_owned();
    for (&peer, untried) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let patience = remaining / u32::try_from(untried).unwrap_or(u32::MAX);
        reason = match ask(peer, launch::any_like(peer), network, rng, patience) {
            Ok(Some(pong)) => return Ok(Answer { peer, pong }),
            Ok(None) => format!("no answer within {}", reply::time(patience)),
            Err(error) => unsent(peer, &error),
        };
        if addresses.len() > 1 {
            reason = format!(
                "none of {} addresses answers, the last of them {peer}: {reason}",
                addresses.len()
            );
        }
    }
    Err(reason)
}

/// The id of the node at `peer`, asked from `local` within `patience`. The error says why
/// there is none.
pub(crate) fn id_at(
    peer: SocketAddr,
    local: SocketAddr,
    network: &Membership,
    patience: Duration,
) -> Result<Id, String> {
    let mut rng = launch::rng().map_err(|_| "not asked".to_owned())?;
    match ask(peer, local, network, &mut rng, patience) {
        Ok(Some(pong)) => Ok(pong.id),
        Ok(None) => Err("no answer".into()),
        Err(error) => Err(unsent(peer, &error)),
    }
}

/// Why a PING could not be sent to `peer`, in words.
fn unsent(peer: SocketAddr, error: &io::Error) -> String {
    match (error.kind(), Reach::of(launch::any_like(peer)).obstacle(peer)) {
        (io::ErrorKind::ConnectionRefused, _) => "refused: nothing listens there".into(),
        (_, Some(obstacle)) => obstacle.to_string(),
        _ => error.to_string(),
    }
}

/// Sends `peer` up to [`SENDS_MAX`] PINGs from `local` within `patience`, and waits for a
/// PONG to any of them.
fn ask(
    peer: SocketAddr,
    local: SocketAddr,
    network: &Membership,
    rng: &mut Rng,
    patience: Duration,
) -> io::Result<Option<Pong>> {
    // A connected socket receives nothing from other addresses, and reports a closed port
    // immediately.
    let socket = UdpSocket::bind(local)?;
    socket.connect(peer)?;
    let mut channel = Channel::new(network.keys.as_ref()).map_err(io::Error::other)?;
    let mut pings = Pings { network: network.id(), sender: rng.id(), sent: Vec::new() };
    for _ in 0..SENDS_MAX {
        let transaction = TransactionId::new(*rng.id().to_bytes().first_chunk().expect("20 bytes"));
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&pings.ping(transaction), &mut buffer);
        let sent = Instant::now();
        pings.sent.push((transaction, sent));
        let mut room = [0; SEALED_BYTES_MAX];
        let length = channel.seal(&buffer[..length], &mut room);
        socket.send(&room[..length])?;
        let until = sent + patience / SENDS_MAX;
        if let Some(pong) = pings.receive(&socket, &mut channel, until)? {
            return Ok(Some(pong));
        }
    }
    Ok(None)
}

/// The PINGs sent to one address. Each has its own transaction id, so that a late PONG is
/// timed from the PING that it answers.
struct Pings {
    network: NetworkId,
    sender: Id,
    sent: Vec<(TransactionId, Instant)>,
}

impl Pings {
    const fn ping(&self, transaction: TransactionId) -> Datagram<'static> {
        Datagram {
            network: self.network,
            transaction,
            sender: self.sender,
            role: Role::Client,
            announce: None,
            asks_proof: false,
            token: Token::NONE,
            body: Body::Ping,
        }
    }

    /// Waits for a PONG until `until`, and ignores everything else.
    fn receive(
        &self,
        socket: &UdpSocket,
        channel: &mut Channel,
        until: Instant,
    ) -> io::Result<Option<Pong>> {
        let (mut buffer, mut room) = ([0; SEALED_BYTES_MAX], [0; SEALED_BYTES_MAX]);
        loop {
            let remaining = until.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return Ok(None);
            }
            socket.set_read_timeout(Some(remaining))?;
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    let datagram = channel.open(&buffer[..length], &mut room).unwrap_or_default();
                    if let Some((id, sent)) = self.answered_by(datagram) {
                        return Ok(Some(Pong { id, elapsed: sent.elapsed() }));
                    }
                }
                Err(error) if is_retried(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The id of the sender and when its PING was sent, if `bytes` are a PONG to one of
    /// these PINGs.
    fn answered_by(&self, bytes: &[u8]) -> Option<(Id, Instant)> {
        let datagram = wire::decode(bytes).ok()?;
        if datagram.body != Body::Pong || datagram.network != self.network {
            return None;
        }
        let answered =
            |(transaction, _): &&(TransactionId, Instant)| *transaction == datagram.transaction;
        let (_, sent) = self.sent.iter().find(answered)?;
        Some((datagram.sender, *sent))
    }
}

const fn is_retried(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;

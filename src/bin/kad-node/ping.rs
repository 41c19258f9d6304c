//! Asks one node whether it is there: a health check that needs no shell, no
//! port of its own and no place in anybody's routing table.

use std::io::{self, Write as _};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::rng::Rng;
use kad_node::wire::{self, Body, Datagram, NetworkId, Role, Token, TransactionId};

use crate::args::PingArgs;
use crate::bootstrap;
use crate::failure::Failure;
use crate::launch;
use crate::reply;

/// PINGs sent before the node counts as absent: where one datagram in ten is lost,
/// each way, one exchange in five fails, and all three of them one time in 150.
const SENDS_MAX: u32 = 3;

/// Prints the node's id and how long it took to answer.
pub(crate) fn run(args: &PingArgs) -> Result<(), Failure> {
    let deadline = Instant::now() + args.timeout;
    let addresses = bootstrap::resolve_within(std::slice::from_ref(&args.node), args.timeout)
        .map_err(Failure::Failed)?;
    let peer = *addresses.first().ok_or_else(|| absent(args, "it has no address"))?;
    // Connected: datagrams from elsewhere are not received, and a closed port is
    // told at once.
    let socket = UdpSocket::bind(launch::any_like(peer))
        .and_then(|socket| socket.connect(peer).map(|()| socket))
        .map_err(|error| absent(args, &error.to_string()))?;
    let ping = Ping::new(&mut launch::rng()?, NetworkId::of_name(&args.network));
    match ping.exchange(&socket, args.timeout / SENDS_MAX, deadline) {
        Ok(Some(pong)) => {
            // A reader that closed its pipe has the exit status.
            let _ =
                writeln!(io::stdout(), "{} at {peer} in {}", pong.id, reply::time(pong.elapsed));
            Ok(())
        }
        Ok(None) => Err(absent(args, &format!("no answer within {:?}", args.timeout))),
        Err(error) => Err(absent(args, &error.to_string())),
    }
}

fn absent(args: &PingArgs, reason: &str) -> Failure {
    let PingArgs { node, network, .. } = args;
    Failure::Failed(format!(
        "no node of network '{network}' at {node}: {reason}: check the address and the network's name"
    ))
}

/// One PING, told apart from all others.
struct Ping {
    network: NetworkId,
    transaction: TransactionId,
    sender: Id,
}

/// What came back.
struct Pong {
    id: Id,
    elapsed: Duration,
}

impl Ping {
    fn new(rng: &mut Rng, network: NetworkId) -> Self {
        let transaction = TransactionId::new(*rng.id().as_bytes().first_chunk().expect("20 bytes"));
        Self { network, transaction, sender: rng.id() }
    }

    /// Sends it up to [`SENDS_MAX`] times, `interval` apart, and waits for its
    /// PONG until `deadline`.
    fn exchange(
        &self,
        socket: &UdpSocket,
        interval: Duration,
        deadline: Instant,
    ) -> io::Result<Option<Pong>> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..SENDS_MAX {
            let length = wire::encode(&self.datagram(), &mut buffer);
            let sent = Instant::now();
            socket.send(&buffer[..length])?;
            let patience = deadline.min(sent + interval);
            if let Some(id) = self.receive(socket, patience)? {
                return Ok(Some(Pong { id, elapsed: sent.elapsed() }));
            }
        }
        Ok(None)
    }

    const fn datagram(&self) -> Datagram<'static> {
        Datagram {
            network: self.network,
            transaction: self.transaction,
            sender: self.sender,
            role: Role::Client,
            announce: None,
            token: Token::NONE,
            body: Body::Ping,
        }
    }

    /// Waits for the PONG until `patience`, passing over everything else.
    fn receive(&self, socket: &UdpSocket, patience: Instant) -> io::Result<Option<Id>> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        loop {
            let remaining = patience.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return Ok(None);
            }
            socket.set_read_timeout(Some(remaining))?;
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    if let Some(id) = self.answered_by(&buffer[..length]) {
                        return Ok(Some(id));
                    }
                }
                Err(error) if is_retried(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Who answered, if `bytes` are the PONG of this PING.
    fn answered_by(&self, bytes: &[u8]) -> Option<Id> {
        let datagram = wire::decode(bytes).ok()?;
        let answers = datagram.body == Body::Pong
            && datagram.transaction == self.transaction
            && datagram.network == self.network;
        answers.then_some(datagram.sender)
    }
}

const fn is_retried(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use kad_node::rng::SEED_BYTES;

    use super::*;

    fn ping() -> Ping {
        Ping::new(&mut Rng::from_seed([7; SEED_BYTES]), NetworkId::of_name("default"))
    }

    fn answered_by(datagram: &Datagram<'_>) -> Option<Id> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(datagram, &mut buffer);
        ping().answered_by(&buffer[..length])
    }

    #[test]
    fn only_the_pong_of_this_ping_and_network_answers_it() {
        let pong = Datagram { sender: Id::of_value(b"it"), body: Body::Pong, ..ping().datagram() };
        assert_eq!(answered_by(&pong), Some(Id::of_value(b"it")));
        assert_eq!(answered_by(&Datagram { body: Body::Ping, ..pong }), None);
        let other = NetworkId::of_name("other");
        assert_eq!(answered_by(&Datagram { network: other, ..pong }), None);
        let transaction = TransactionId::new([0; 8]);
        assert_eq!(answered_by(&Datagram { transaction, ..pong }), None);
        assert_eq!(ping().answered_by(b"noise"), None);
    }
}

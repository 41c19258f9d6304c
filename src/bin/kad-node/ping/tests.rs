//! Tests of which PONG counts as the answer, and from when it is timed.

use std::thread;

use super::*;

/// Far longer than an answer takes: no outcome depends on it.
const PATIENCE: Duration = Duration::from_mins(3);

fn membership() -> Membership {
    Membership { name: "default".into(), keys: None }
}

fn transaction(number: u8) -> TransactionId {
    TransactionId::new([number; 8])
}

/// A new socket and its address.
fn listening() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

/// Answers the first PING that `socket` receives, as the node with this `id`.
fn answer_one(socket: &UdpSocket, id: Id) {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let (length, from) = socket.recv_from(&mut buffer).expect("a PING");
    let asked = wire::decode(&buffer[..length]).expect("a PING");
    let pong = Datagram {
        network: asked.network,
        transaction: asked.transaction,
        sender: id,
        role: Role::Peer,
        announce: None,
        asks_proof: false,
        token: Token::NONE,
        body: Body::Pong,
    };
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(&pong, &mut buffer);
    socket.send_to(&buffer[..length], from).expect("loopback takes it");
}

#[test]
fn only_a_pong_to_a_sent_ping_in_the_same_network_is_an_answer() {
    let sent = Instant::now();
    let sender = Id::of_value(b"me");
    let pings = Pings { network: membership().id(), sender, sent: vec![(transaction(1), sent)] };
    let answered_by = |datagram: &Datagram<'_>| {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(datagram, &mut buffer);
        pings.answered_by(&buffer[..length])
    };
    let id = Id::of_value(b"it");
    let pong = Datagram { sender: id, body: Body::Pong, ..pings.ping(transaction(1)) };
    assert_eq!(answered_by(&pong), Some((id, sent)));
    assert_eq!(answered_by(&Datagram { body: Body::Ping, ..pong }), None);
    assert_eq!(answered_by(&Datagram { network: NetworkId::of_name("other"), ..pong }), None);
    assert_eq!(answered_by(&Datagram { transaction: transaction(2), ..pong }), None);
    assert_eq!(pings.answered_by(b"noise"), None);
}

#[test]
fn a_late_pong_is_timed_from_the_ping_that_it_answers() {
    let first = Instant::now();
    let second = first + Duration::from_secs(1);
    let pings = Pings {
        network: membership().id(),
        sender: Id::of_value(b"me"),
        sent: vec![(transaction(1), first), (transaction(2), second)],
    };
    for (number, sent) in [(1, first), (2, second)] {
        let pong = Datagram { body: Body::Pong, ..pings.ping(transaction(number)) };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&pong, &mut buffer);
        let (_, from) = pings.answered_by(&buffer[..length]).expect("an answer");
        assert_eq!(from, sent, "of PING {number}");
    }
}

#[test]
fn each_ping_to_one_address_has_its_own_transaction() {
    let (silent, address) = listening();
    let mut rng = Rng::from_u64(7);
    let asked =
        ask(address, launch::any_like(address), &membership(), &mut rng, Duration::from_millis(3));
    assert!(asked.expect("loopback takes it").is_none());
    let mut transactions = Vec::new();
    for _ in 0..SENDS_MAX {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = silent.recv(&mut buffer).expect("each PING was sent");
        transactions.push(wire::decode(&buffer[..length]).expect("a PING").transaction);
    }
    transactions.dedup();
    assert_eq!(transactions.len(), SENDS_MAX as usize);
}

#[test]
fn each_address_of_a_name_is_asked_until_one_answers() {
    // A closed port, reported immediately. The socket hears only itself, and keeps the
    // port from other tests.
    let (closed, closed_address) = listening();
    closed.connect(closed_address).expect("no packet is sent");
    let (live, live_address) = listening();
    let id = Id::of_value(b"it");
    let answering = thread::spawn(move || answer_one(&live, id));
    let addresses = [closed_address, live_address];
    let mut rng = Rng::from_u64(7);
    let deadline = Instant::now() + PATIENCE;
    let answer = first_answer(&addresses, &membership(), &mut rng, deadline);
    let answer = answer.expect("the second answers");
    assert_eq!((answer.peer, answer.pong.id), (live_address, id));
    answering.join().expect("it has answered");
}

#[test]
fn a_silent_address_leaves_the_next_one_its_part_of_the_time() {
    let (_silent, silent_address) = listening();
    let (live, live_address) = listening();
    let id = Id::of_value(b"it");
    let answering = thread::spawn(move || answer_one(&live, id));
    let addresses = [silent_address, live_address];
    let mut rng = Rng::from_u64(7);
    // Half of it passes in silence; the other half is more than an answer takes.
    let deadline = Instant::now() + Duration::from_secs(4);
    let answer = first_answer(&addresses, &membership(), &mut rng, deadline);
    assert_eq!(answer.expect("the second answers").peer, live_address);
    answering.join().expect("it has answered");
}

#[test]
fn when_no_address_answers_the_last_reason_is_reported() {
    let (closed, address) = listening();
    closed.connect(address).expect("no packet is sent");
    let mut rng = Rng::from_u64(7);
    let mut reason = |addresses: &[SocketAddr]| {
        let deadline = Instant::now() + PATIENCE;
        first_answer(addresses, &membership(), &mut rng, deadline).expect_err("closed")
    };
    assert!(reason(&[address]).contains("refused"));
    let of_two = reason(&[address, address]);
    assert!(of_two.contains("none of 2 addresses") && of_two.contains("refused"), "{of_two}");
    assert_eq!(reason(&[]), "it has no address");
}

//! Tests with bad datagrams: the node counts them and keeps serving.

use std::net::UdpSocket;

use kad_node::driver::DriverStats;
use kad_node::id::{ID_BYTES, Id};
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::Stats;
use kad_node::rng::Rng;
use kad_node::wire::{self, Body, HEADER_BYTES, MAGIC};

use crate::Io;
use crate::child::{DEADLINE, Node};
use crate::datagram::{number_of, request};
use crate::under_each_driver;

/// A sender of arbitrary datagrams.
pub(crate) struct RawClient(UdpSocket);

impl RawClient {
    pub(crate) fn facing(node: &Node) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(node.addr).expect("loopback");
        socket.set_read_timeout(Some(DEADLINE)).expect("a time-out above zero");
        Self(socket)
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        self.0.send(bytes).expect("loopback takes it");
    }

    /// Waits until the node has answered a PING: then it has received everything sent
    /// before.
    fn await_pong(&self) {
        self.await_answer(Body::Ping);
    }

    /// Sends a request, and waits for the answer.
    pub(crate) fn await_answer(&self, body: Body<'_>) {
        const NUMBER: u64 = 7;
        self.send(&request(NUMBER, body));
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        loop {
            let length = self.0.recv(&mut buffer).expect("the node answers");
            let reply = wire::decode(&buffer[..length]);
            if reply.is_ok_and(|reply| number_of(&reply) == NUMBER) {
                return;
            }
        }
    }
}

under_each_driver! {
    fn bad_datagrams_are_counted_and_the_node_keeps_serving(io: Io) {
        const EACH: u64 = 20;
        let mut header_cut_short = [0; HEADER_BYTES - 1];
        header_cut_short[..3].copy_from_slice(&[MAGIC, wire::VERSION, 1]);
        // With one shard a PONG proves that all datagrams before it were received.
        let mut node = Node::start(io, &["--cores", "1"]);
        let client = RawClient::facing(&node);
        client.await_pong();
        for _ in 0..EACH {
            client.send(b"");
            client.send(&header_cut_short);
            client.send(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
            client.send(&[MAGIC; DATAGRAM_BYTES_MAX + 1]);
            client.send(&vec![0; 60_000]);
            client.await_pong();
        }
        for (counter, expected) in [
            ("datagrams_truncated", 2 * EACH),
            ("datagrams_foreign", EACH),
            ("datagrams_oversized", 2 * EACH),
        ] {
            assert_eq!(node.counter(counter), expected, "{counter}");
        }
        node.put("serving on");
    }

    fn noise_harms_nothing(io: Io) {
        // With one shard a PONG proves that all datagrams before it were received.
        let mut node = Node::start(io, &["--cores", "1"]);
        let client = RawClient::facing(&node);
        let mut rng = Rng::from_u64(1337);
        for _ in 0..50 {
            for _ in 0..20 {
                let mut noise = rng.bytes::<DATAGRAM_BYTES_MAX>();
                if rng.ratio(1, 2) {
                    // Passes the first checks and reaches the decoding of bodies.
                    [noise[0], noise[1]] = [MAGIC, wire::VERSION];
                    noise[2] &= 0x8f;
                }
                let length = rng.below(noise.len() as u64) as usize;
                client.send(&noise[..length]);
            }
            client.await_pong();
        }
        let turned_away: u64 = ["truncated", "foreign", "malformed", "other_network"]
            .iter()
            .map(|reason| node.counter(&format!("datagrams_{reason}")))
            .sum();
        assert_eq!(turned_away, 1000);
        node.put("serving on");
    }
}

/// Asserts that each of `names` begins exactly one of `lines`.
fn assert_once<'a>(names: impl Iterator<Item = &'a str>, lines: &[String]) {
    for name in names {
        let shown = lines.iter().filter(|line| line.split_whitespace().next() == Some(name));
        assert_eq!(shown.count(), 1, "{name}: {lines:?}");
    }
}

#[test]
fn stats_show_every_counter_once_and_a_line_for_each_shard() {
    const EACH: u64 = 20;
    let mut node = Node::start(Io::Mmsg, &["--cores", "2", "--steering", "off"]);
    let client = RawClient::facing(&node);
    // All land on one shard; the other owns half of them.
    for _ in 0..EACH {
        for key in [[0; ID_BYTES], [0xff; ID_BYTES]] {
            client.await_answer(Body::FindValue { key: Id::new(key), offset: 0 });
        }
    }
    node.type_line("stats");
    let lines: Vec<_> = std::iter::repeat_with(|| node.line())
        .take_while(|line| line != "latencies of this session:")
        .collect();
    let place = |title: &str| lines.iter().position(|line| line.starts_with(title));
    let (driver, shards) = (place("driver:").expect("a title"), place("shards:").expect("a title"));
    assert_once(Stats::default().iter().map(|(name, _)| name), &lines[..driver]);
    assert_once(DriverStats::default().iter().map(|(name, _)| name), &lines[driver..shards]);

    let table: Vec<Vec<_>> =
        lines[shards..].iter().map(|line| line.split_whitespace().collect()).collect();
    let head = "shards: load datagrams mis-steered handoffs wakes each dropped waited";
    assert_eq!(table[0].join(" "), head);
    let mut foreign = Vec::new();
    for (index, row) in table[1..].iter().enumerate() {
        let &[shard, load, "%", datagrams, missteered, handoffs, wakes, "0", "0"] = &row[..] else {
            panic!("{row:?}");
        };
        assert_eq!(shard, index.to_string());
        let load: f64 = load.parse().expect("a number");
        assert!((0.0..=100.0).contains(&load), "{load}");
        assert_eq!(handoffs, missteered, "nothing else is passed to another shard");
        let missteered = missteered.parse().expect("a number");
        match missteered {
            0 => assert_eq!((datagrams, wakes), ("0", "-")),
            EACH => {
                assert_eq!(datagrams, (2 * EACH).to_string());
                let wakes: f64 = wakes.parse().expect("a number");
                assert!(0.0 < wakes && wakes <= 1.0, "{wakes}");
            }
            other => panic!("{other} is not half"),
        }
        foreign.push(missteered);
    }
    foreign.sort_unstable();
    assert_eq!(foreign, [0, EACH]);
}

//! Datagrams from anyone: they are counted, and the node serves on.

use std::net::UdpSocket;

use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::Stats;
use kad_node::rng::Rng;
use kad_node::wire::{
    self, Body, Datagram, HEADER_BYTES, MAGIC, NetworkId, Role, Token, TransactionId,
};

use crate::Io;
use crate::child::{DEADLINE, Node};
use crate::under_each_driver;

/// Someone who sends what he likes.
struct Stranger(UdpSocket);

impl Stranger {
    fn facing(node: &Node) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(node.addr).expect("loopback");
        socket.set_read_timeout(Some(DEADLINE)).expect("a time-out above zero");
        Self(socket)
    }

    fn send(&self, bytes: &[u8]) {
        self.0.send(bytes).expect("loopback takes it");
    }

    /// Waits until the node has answered a PING, and so has taken in all that
    /// was sent before it.
    fn await_pong(&self) {
        let transaction = TransactionId::new(*b"\x01pingpng");
        let ping = Datagram {
            network: NetworkId::of_name("default"),
            transaction,
            sender: Rng::from_u64(7).id(),
            role: Role::Client,
            announce: None,
            token: Token::NONE,
            body: Body::Ping,
        };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&ping, &mut buffer);
        self.send(&buffer[..length]);
        loop {
            let length = self.0.recv(&mut buffer).expect("the node answers");
            if let Ok(reply) = wire::decode(&buffer[..length])
                && (reply.body, reply.transaction) == (Body::Pong, transaction)
            {
                return;
            }
        }
    }
}

under_each_driver! {
    fn bad_datagrams_are_counted_and_the_node_serves_on(io: Io) {
        const EACH: u64 = 20;
        let mut header_cut_short = [0; HEADER_BYTES - 1];
        header_cut_short[..3].copy_from_slice(&[MAGIC, wire::VERSION, 1]);
        // One shard, so that a PONG tells of all that was sent before.
        let mut node = Node::start(io, &["--cores", "1"]);
        let stranger = Stranger::facing(&node);
        stranger.await_pong();
        for _ in 0..EACH {
            stranger.send(b"");
            stranger.send(&header_cut_short);
            stranger.send(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
            stranger.send(&[MAGIC; DATAGRAM_BYTES_MAX + 1]);
            stranger.send(&vec![0; 60_000]);
            stranger.await_pong();
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
        // One shard, so that a PONG tells of all that was sent before.
        let mut node = Node::start(io, &["--cores", "1"]);
        let stranger = Stranger::facing(&node);
        let mut rng = Rng::from_u64(1337);
        for _ in 0..50 {
            for _ in 0..20 {
                let mut noise = rng.bytes::<DATAGRAM_BYTES_MAX>();
                if rng.ratio(1, 2) {
                    // Past the first checks, into the bodies.
                    [noise[0], noise[1]] = [MAGIC, wire::VERSION];
                    noise[2] &= 0x8f;
                }
                let length = rng.below(noise.len() as u64) as usize;
                stranger.send(&noise[..length]);
            }
            stranger.await_pong();
        }
        let turned_away: u64 = ["truncated", "foreign", "malformed", "other_network"]
            .iter()
            .map(|reason| node.counter(&format!("datagrams_{reason}")))
            .sum();
        assert_eq!(turned_away, 1000);
        node.put("serving on");
    }
}

#[test]
fn stats_show_every_counter_once() {
    let mut node = Node::start(Io::Mmsg, &[]);
    node.tell("stats");
    let lines: Vec<_> = std::iter::repeat_with(|| node.line())
        .take_while(|line| line != "driver:")
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    for (name, _) in Stats::default().iter() {
        assert_eq!(lines.iter().filter(|line| *line == name).count(), 1, "{name}");
    }
}

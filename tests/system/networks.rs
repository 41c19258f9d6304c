//! Tests of networks of processes: a value put at one node is found by any other.

use std::time::Instant;

use kad_node::id::Id;

use crate::Io;
use crate::child::{DEADLINE, Node, program};
use crate::under_each_driver;

/// A network of `count` nodes, each with `arguments`. All have joined.
fn network(io: Io, count: usize, arguments: &[&str]) -> Vec<Node> {
    let mut nodes = vec![Node::start(io, arguments)];
    for _ in 1..count {
        let node = Node::start_joining(io, &nodes[0], arguments);
        nodes.push(node);
    }
    for node in &mut nodes[1..] {
        node.await_log(" joined contacts=");
    }
    nodes
}

under_each_driver! {
    fn two_nodes_store_and_find(io: Io) {
        let mut first = Node::start(io, &[]);
        let mut second = Node::join(io, &first, &[]);
        // A newcomer gets no values until it has answered.
        first.await_contact(&mut second);
        let key = first.put("hello from the first");
        assert_eq!(second.ask(format!("get {key}")), "hello from the first");
        // The STORE of the put left a copy there.
        assert_eq!(second.line(), "from local");
        let key = second.put("hello from the second");
        first.found(&key, "hello from the second");
    }

    fn each_of_ten_nodes_gets_what_every_other_has_put(io: Io) {
        // With K below the number of nodes, most gets go over the network.
        let mut nodes = network(io, 10, &["--k", "3"]);
        let texts: Vec<_> = (0..nodes.len()).map(|node| format!("text {node}")).collect();
        let keys: Vec<_> =
            nodes.iter_mut().zip(&texts).map(|(node, text)| node.put(text)).collect();
        let mut remote = 0;
        for node in &mut nodes {
            for (key, text) in keys.iter().zip(&texts) {
                remote += usize::from(node.found(key, text) != "local");
            }
        }
        assert!(remote > 0, "no get went over the network");
    }

    fn a_node_that_joins_after_the_put_finds_the_value(io: Io) {
        let mut first = Node::start(io, &[]);
        let key = first.put("early");
        let mut second = Node::join(io, &first, &[]);
        let from = second.found(&key, "early");
        assert_eq!(from, first.addr.to_string());
        assert_eq!(second.found(&key, "early"), "local", "a get keeps a copy");
    }

    fn values_outlive_nodes_that_crash(io: Io) {
        // Four holders and the origin: three crashes leave at least one.
        let mut nodes = network(io, 12, &["--k", "4"]);
        let texts: Vec<_> = (0..4).map(|index| format!("lasting {index}")).collect();
        let origin = &mut nodes[11];
        let keys: Vec<_> = texts.iter().map(|text| origin.put(text)).collect();
        for node in nodes.drain(9..) {
            node.crash();
        }
        for node in &mut nodes {
            for (key, text) in keys.iter().zip(&texts) {
                node.found(key, text);
            }
        }
    }

    fn every_get_succeeds_when_each_node_drops_30_percent_each_way(io: Io) {
        // A request and its reply are each sent and received: 0.7 to the 4th, so one
        // request in four is answered.
        let mut nodes = network(io, 40, &["--drop", "30"]);
        for origin in 0..4 {
            let text = format!("against the odds {origin}");
            let key = nodes[origin * 9].put(&text);
            for getter in 0..4 {
                nodes[getter * 9 + 5].found(&key, &text);
            }
        }
        assert!(nodes[0].counter("requests_retransmitted") > 0, "nothing was dropped");
    }

    fn a_demo_whose_buckets_overflow_puts_and_gets(io: Io) {
        // Half of the other 59 ids fall into the first bucket, which holds four.
        let mut demo = demo(io, &["--nodes", "60", "--k", "4"]);
        assert!(demo.counter("replacements") > 0, "no bucket is full");
        assert_eq!(demo.counter("contacts_evicted"), 0, "a live contact was evicted");
        put_and_get(&mut demo);
    }

    fn a_demo_that_drops_30_percent_puts_and_gets(io: Io) {
        let mut demo = demo(io, &["--nodes", "60", "--drop", "30"]);
        put_and_get(&mut demo);
    }
}

fn demo(io: Io, arguments: &[&str]) -> Node {
    Node::start_by(program().args(["demo", "--io", io.flag()]).args(arguments))
}

fn put_and_get(demo: &mut Node) {
    for index in 0..5 {
        let text = format!("shown {index}");
        let key = demo.put(&text);
        assert_eq!(demo.found(&key, &text), "local");
        let absent = Id::of_value(format!("absent {index}").as_bytes());
        assert_eq!(demo.ask(format!("get {absent}")), "NOTFOUND");
    }
}

#[test]
fn a_subnet_has_so_many_contacts_in_a_bucket_as_the_flag_says() {
    // All others are in the seed's farthest bucket.
    let id = |first: char| first.to_string().repeat(40);
    let flags = ["--id", &id('0'), "--peers-per-subnet", "1"];
    let mut seed = Node::start(Io::Mmsg, &flags);
    let hosts = [("127.0.1.1:0", 'd'), ("127.0.1.2:0", 'e'), ("127.0.2.1:0", 'f')];
    let mut nodes = Vec::new();
    for (host, first) in hosts {
        let mut node = Node::join(Io::Mmsg, &seed, &["--listen", host, "--id", &id(first)]);
        // It shows the seed its token, where that wants it.
        for _ in 0..3 {
            assert_eq!(node.ask(format!("get {}", id('7'))), "NOTFOUND");
        }
        nodes.push(node);
    }
    let begun = Instant::now();
    while seed.counter("contacts") < 2 {
        assert!(begun.elapsed() < DEADLINE, "{seed}");
        assert_eq!(nodes[2].ask(format!("get {}", id('7'))), "NOTFOUND");
    }
    assert_eq!(seed.counter("contacts"), 2, "one of each subnet");
}

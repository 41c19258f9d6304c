//! Tests of the commands that ask a running node over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::Value;

use crate::Io;
use crate::child::{Ended, Node, field, run};

const ABSENT: &str = "0000000000000000000000000000000000000000";

/// A node that serves HTTP, its address there, and a peer that holds the value of the key.
fn network() -> (Node, String, Node, String) {
    let mut peer = Node::start(Io::Mmsg, &["--cores", "1"]);
    let key = peer.put("traced");
    let mut node = Node::join(Io::Mmsg, &peer, &["--http", "127.0.0.1:0", "--cores", "2"]);
    node.put("put here");
    let http = field(node.logged(" http: "), "address").to_owned();
    (node, http, peer, key)
}

/// A server of HTTP that is no node, for one connection.
fn another_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    address
}

fn object(ended: &Ended) -> Value {
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1, "one line: {ended:?}");
    serde_json::from_str(&ended.stdout).expect("an object")
}

#[test]
fn a_running_node_is_asked_for_what_its_prompt_shows() {
    let (node, http, peer, key) = network();
    let stats = run(&["stats", "--http", &http], b"");
    assert_eq!((stats.status, stats.stderr.as_str()), (Some(0), ""), "{stats:?}");
    let address = format!("address   {}, network default", node.addr);
    assert!(stats.stdout.lines().any(|line| line == address), "{stats:?}");
    assert!(stats.stdout.contains(", mmsg, 2 shards\n"), "{stats:?}");
    assert!(stats.stdout.contains("holds     1 put here, "), "{stats:?}");
    assert!(stats.stdout.contains("\nshards: "), "{stats:?}");
    assert!(!stats.stdout.contains("datagrams_malformed"), "zeros are folded: {stats:?}");
    let all = run(&["stats", "--all", "--http", &http], b"");
    assert!(all.stdout.contains("datagrams_malformed"), "{all:?}");

    let peers = run(&["peers", "--http", &http], b"");
    assert_eq!(peers.status, Some(0), "{peers:?}");
    assert!(peers.stdout.contains(&peer.addr.to_string()), "{peers:?}");
    assert!(peers.stdout.ends_with("1 contact in 1 bucket\n"), "{peers:?}");

    let trace = run(&["trace", "--http", &http, &key], b"");
    assert_eq!((trace.status, trace.stderr.as_str()), (Some(0), ""), "{trace:?}");
    assert!(trace.stdout.starts_with("hop 1  "), "{trace:?}");
    assert!(trace.stdout.contains("the value, 6 bytes\n"), "{trace:?}");
    assert!(trace.stdout.ends_with(&format!("from {}\n", peer.addr)), "{trace:?}");
    let trace = run(&["trace", "--http", &http, &key, ABSENT], b"");
    assert_eq!(trace.status, Some(1), "{trace:?}");
    assert!(trace.stdout.starts_with("from local\n"), "it keeps a copy: {trace:?}");
    assert!(trace.stdout.ends_with("NOTFOUND\n"), "{trace:?}");
}

#[test]
fn the_answers_are_objects_for_programs() {
    let (node, http, peer, key) = network();
    let json = ["--output", "json", "--http", &http];
    let stats = object(&run(&[&["stats"], &json[..]].concat(), b""));
    assert_eq!(stats["node"]["address"], node.addr.to_string());
    assert_eq!(stats["total"]["node"]["values_published"], 1);
    let peers = object(&run(&[&["peers"], &json[..]].concat(), b""));
    assert_eq!(peers["buckets"][0]["contacts"][0]["address"], peer.addr.to_string());
    let trace = object(&run(&[&["trace"], &json[..], &[&key]].concat(), b""));
    assert_eq!((&trace["key"], &trace["hops"][0]["bytes"]), (&key.into(), &6.into()));
}

#[test]
fn the_exit_status_says_why_there_is_no_answer() {
    let (_node, http, _peer, _key) = network();
    let bad_key = run(&["trace", "--http", &http, "12"], b"");
    assert_eq!(bad_key.status, Some(2), "{bad_key:?}");
    assert!(bad_key.error().contains("'12'"), "{bad_key:?}");

    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("it is bound").to_string();
    // It takes connections and answers nothing.
    let silent = run(&["stats", "--http", &address, "--timeout", "200ms"], b"");
    assert_eq!(silent.status, Some(4), "{silent:?}");
    assert!(silent.error().contains("within 200 ms"), "{silent:?}");
    drop(closed);
    let refused = run(&["peers", "--http", &address], b"");
    assert_eq!(refused.status, Some(4), "{refused:?}");
    assert!(refused.error().contains(&address), "{refused:?}");

    let token = run(&["stats", "--http", &http, "--http-token-file", "/dev/null"], b"");
    assert_eq!(token.status, Some(2), "{token:?}");
    assert!(token.error().contains("'/dev/null' holds no token"), "{token:?}");
    let other = another_server();
    let other = run(&["stats", "--http", &other], b"");
    assert_eq!(other.status, Some(3), "{other:?}");
    assert!(other.error().contains("404") && other.error().contains("not as a node"), "{other:?}");
}

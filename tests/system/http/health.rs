//! What probes say: `/healthz` of a node whose shard is silent, `/readyz` of one that joins,
//! has joined, and stops.

use std::net::UdpSocket;

use nix::sys::signal::Signal;

use super::client::{await_status, get};
use super::serving;
use crate::Io;
use crate::child::Node;
use crate::stuck::Stuck;

#[test]
fn a_silent_shard_makes_the_node_unhealthy_until_it_answers_again() {
    let (node, http) = serving(&["--cores", "2"]);
    assert_eq!(get(&http, "/healthz").status, 200, "to be alone is no fault");
    let threads = node.shard_threads();
    assert_eq!(threads.len(), 2);
    let Some(stuck) = Stuck::hold(&threads[1]) else { return };
    let sick = get(&http, "/healthz");
    assert_eq!(sick.status, 503, "{}", sick.text());
    assert!(sick.text().contains("a shard has not answered within 2 s"), "{}", sick.text());
    assert_eq!(get(&http, "/metrics").status, 503, "no scrape waits for ever");
    drop(stuck);
    await_status(&http, "/healthz", 200);
    assert_eq!(get(&http, "/metrics").status, 200);
}

#[test]
fn a_node_is_ready_once_it_has_joined_and_until_it_stops() {
    // What takes the address of the bootstrap node at first does not answer.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let by = silent.local_addr().expect("an address").to_string();
    let (mut node, http) = serving(&["--bootstrap", &by, "--leave", "1m"]);
    let joining = get(&http, "/readyz");
    assert_eq!(joining.status, 503);
    assert!(joining.text().contains("the node is joining"), "{}", joining.text());
    assert_eq!(get(&http, "/healthz").status, 200);
    drop(silent);
    let first = Node::start(Io::Mmsg, &["--listen", &by]);
    node.await_log(" joined contacts=");
    await_status(&http, "/readyz", 200);
    // The other no longer answers, so that handing off takes its time.
    node.put("to be handed off");
    first.freeze();
    node.signal(Signal::SIGTERM);
    node.await_log("stopping on SIGTERM");
    let stopping = await_status(&http, "/readyz", 503);
    assert!(stopping.text().contains("the node is stopping"), "{}", stopping.text());
    node.signal(Signal::SIGTERM);
}

#[test]
fn a_node_without_bootstrap_addresses_is_ready_at_once() {
    let (_node, http) = serving(&[]);
    assert_eq!(get(&http, "/readyz").status, 200);
}

//! Tests of how a node starts, becomes ready, and stops.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::Io;
use crate::child::{Node, field, run};
use crate::under_each_driver;

under_each_driver! {
    fn a_wildcard_node_serves_at_another_address_than_the_kernel_would_choose(io: Io) {
        let mut first = Node::start(io, &["--listen", "0.0.0.0:0", "--cores", "2"]);
        let asked = format!("127.0.0.2:{}", first.addr.port());
        let ping = run(&["ping", &asked], b"");
        assert_eq!(ping.status, Some(0), "{ping:?}");
        let client = |subcommand, argument| {
            let network = ["--bootstrap", &asked, "--io", io.flag(), "--log", "warn"];
            run(&[&[subcommand], &network[..], &[argument]].concat(), b"")
        };
        let put = client("put", "there");
        assert_eq!(put.status, Some(0), "{put:?}");
        let key = put.stdout.trim_end();
        let get = client("get", key);
        assert_eq!((get.status, get.stdout.trim_end()), (Some(0), "there"), "{get:?}");
        let mut second = Node::start(io, &["--bootstrap", &asked]);
        second.await_log(" joined contacts=");
        assert_eq!(second.found(key, "there"), asked);
        let key = second.put("back");
        first.found(&key, "back");
    }

    fn sigint_ends_it_cleanly(io: Io) {
        ends_cleanly_on(io, Signal::SIGINT);
    }

    fn sigterm_ends_it_cleanly(io: Io) {
        ends_cleanly_on(io, Signal::SIGTERM);
    }

    fn exit_ends_it_cleanly(io: Io) {
        let mut node = Node::start(io, &[]);
        node.type_line("exit");
        let (status, log) = node.end();
        assert_eq!(status.code(), Some(0), "{log}");
    }

    fn a_node_of_sixty_four_shards_serves_on_any_number_of_cores(io: Io) {
        let mut node = Node::start(io, &["--cores", "64"]);
        assert_eq!(node.shard_threads().len(), 64);
        let mut peer = Node::join(io, &node, &["--cores", "1"]);
        for number in 0..16 {
            let text = format!("text {number}");
            let key = peer.put(&text);
            node.found(&key, &text);
        }
        let counters = ["datagrams_missteered", "handoffs_dropped", "kernel_drops"];
        assert_eq!(counters.map(|name| node.counter(name)), [0; 3]);
        let (status, log) = node.stop();
        assert_eq!(status.code(), Some(0), "{log}");
    }

    fn a_value_outlives_nodes_that_depart_one_after_another(io: Io) {
        let mut node = Node::start(io, &["--cores", "2"]);
        let key = node.put("passed on");
        // Each newcomer knows only the node before it, and holds none of its values.
        for number in 0..4 {
            let mut newcomer = Node::join(io, &node, &["--cores", "2"]);
            node.await_contact(&mut newcomer);
            if number % 2 == 0 {
                node.signal(Signal::SIGTERM);
            } else {
                node.type_line("exit");
            }
            let (status, log) = node.end();
            assert_eq!(status.code(), Some(0), "{log}");
            assert_eq!(field(departed(&log), "handed_off"), "1", "{log}");
            assert_eq!(newcomer.found(&key, "passed on"), "local");
            node = newcomer;
        }
    }

    fn a_second_signal_stops_a_departing_node_at_once(io: Io) {
        let mut node = Node::start(io, &["--leave", "1h"]);
        node.put("held");
        let mut peer = Node::join(io, &node, &[]);
        node.await_contact(&mut peer);
        // No peer answers, so departing would take seconds. The second signal is pending
        // before the node acts on the first.
        peer.freeze();
        node.freeze();
        node.signal(Signal::SIGTERM);
        node.signal(Signal::SIGINT);
        node.signal(Signal::SIGCONT);
        let (status, log) = node.end();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("stopping at once on SIG"), "{log}");
        assert_eq!(field(departed(&log), "not_handed_off"), "1", "{log}");
    }

    fn a_killed_node_starts_again_at_its_address(io: Io) {
        let mut node = Node::start(io, &["--cores", "2"]);
        for _ in 0..8 {
            let listen = node.addr.to_string();
            node.crash();
            node = Node::start(io, &["--cores", "2", "--listen", &listen]);
            assert_eq!(node.addr.to_string(), listen);
        }
    }

    fn the_end_of_input_on_a_pipe_leaves_it_serving(io: Io) {
        let mut first = Node::start(io, &[]);
        let key = first.put("kept");
        first.close_stdin();
        let mut second = Node::join(io, &first, &[]);
        second.found(&key, "kept");
        first.signal(Signal::SIGTERM);
        assert_eq!(first.end().0.code(), Some(0));
    }

    fn a_closed_standard_output_stops_it_quietly(io: Io) {
        let mut node = Node::start(io, &[]);
        node.close_stdout();
        let (status, log) = node.type_until_end("help");
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// The log line that says how many values other nodes took.
fn departed(log: &str) -> &str {
    log.lines()
        .find(|line| line.contains(" departed"))
        .unwrap_or_else(|| panic!("no such line: {log}"))
}

#[test]
fn a_value_is_lost_with_a_node_that_crashes_or_has_no_time_to_depart() {
    for stop in [
        |node: Node| node.crash(),
        |node: Node| {
            node.signal(Signal::SIGTERM);
            let (status, log) = node.end();
            assert_eq!(status.code(), Some(0), "{log}");
            assert!(!log.contains("hand"), "{log}");
        },
    ] {
        let mut node = Node::start(Io::Mmsg, &["--leave", "0s"]);
        let key = node.put("lost");
        let mut newcomer = Node::join(Io::Mmsg, &node, &[]);
        node.await_contact(&mut newcomer);
        stop(node);
        assert_eq!(newcomer.ask(format!("get {key}")), "NOTFOUND");
    }
}

#[test]
fn departing_takes_no_longer_than_the_leave_flag_allows() {
    let mut node = Node::start(Io::Mmsg, &["--leave", "1ms"]);
    node.put("held");
    let mut peer = Node::join(Io::Mmsg, &node, &[]);
    node.await_contact(&mut peer);
    peer.freeze();
    node.signal(Signal::SIGTERM);
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopping after 1.00 ms"), "{log}");
    assert_eq!(field(departed(&log), "not_handed_off"), "1", "{log}");
}

#[test]
fn a_node_without_contacts_does_not_wait_before_it_stops() {
    let mut node = Node::start(Io::Mmsg, &["--leave", "1h"]);
    node.put("held only here");
    node.signal(Signal::SIGTERM);
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(departed(&log).contains("no other node took any of the values"), "{log}");
    assert_eq!(field(departed(&log), "handed_off"), "0", "{log}");
    assert_eq!(field(departed(&log), "not_handed_off"), "1", "{log}");
}

fn ends_cleanly_on(io: Io, signal: Signal) {
    let mut node = Node::start(io, &[]);
    node.put("anything");
    node.signal(signal);
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains(signal.as_str()), "{log}");
}

#[test]
fn one_line_says_that_the_node_is_ready_and_what_its_id_is() {
    let id = "0123456789abcdef0123456789abcdef01234567";
    let node = Node::start(Io::Mmsg, &["--id", id, "--cores", "3"]);
    assert_ne!(node.addr.port(), 0, "the bound port");
    let addr = node.addr;
    node.signal(Signal::SIGTERM);
    let (_, log) = node.end();
    let ready: Vec<_> = log.lines().filter(|line| line.contains("ready")).collect();
    let [ready] = ready[..] else { panic!("one line: {log}") };
    assert_eq!(field(ready, "id"), id);
    assert_eq!(field(ready, "address"), addr.to_string());
    assert_eq!(field(ready, "shards"), "3");
    assert_eq!(field(ready, "io"), "mmsg");
}

#[test]
fn several_shards_are_pinned_to_a_core_each_and_a_single_one_is_not() {
    let cores = |thread: &Path| {
        let status = std::fs::read_to_string(thread.join("status")).expect("a thread");
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        allowed.expect("the kernel lists it").trim().to_owned()
    };
    let ours = cores(Path::new("/proc/thread-self"));
    let single = Node::start(Io::Mmsg, &["--cores", "1"]);
    assert_eq!(single.shard_threads().iter().map(|shard| cores(shard)).collect::<Vec<_>>(), [ours]);
    let pinned = Node::start(Io::Mmsg, &["--cores", "2"]);
    let shards = pinned.shard_threads();
    assert_eq!(shards.len(), 2);
    for shard in shards {
        let core = cores(&shard);
        assert!(core.parse::<u32>().is_ok(), "{} may use {core}", shard.display());
    }
}

#[test]
fn an_address_announced_without_a_port_gets_the_bound_port() {
    let arguments = ["--listen", "0.0.0.0:0", "--announce", "127.0.0.1"];
    let mut first = Node::start(Io::Mmsg, &arguments);
    assert_eq!(first.addr.ip().to_string(), "127.0.0.1");
    let mut second = Node::join(Io::Mmsg, &first, &arguments);
    // A newcomer enters the table once it has answered at the address that it announced.
    first.await_contact(&mut second);
    second.await_counter("contacts");
    let (first_addr, second_addr) = (first.addr, second.addr);
    for (node, peer) in [(&mut second, first_addr), (&mut first, second_addr)] {
        assert_eq!(node.ask("peers").split(':').nth(1), Some(" 1 contact"));
        let contact = node.line();
        assert!(contact.contains(&format!("  {peer}  ")), "{contact}");
        assert_eq!(node.line(), "1 contact in 1 bucket");
    }
}

#[test]
fn a_wildcard_is_shown_as_the_address_that_reaches_the_peer() {
    let first = Node::start(Io::Mmsg, &[]);
    let mut second = Node::start_joining(Io::Mmsg, &first, &["--listen", "0.0.0.0:0"]);
    assert_eq!(second.addr.ip(), first.addr.ip());
    second.await_log(" joined contacts=");
}

#[test]
fn nodes_join_over_ipv6() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no ::1");
        return;
    }
    let mut first = Node::start(Io::Mmsg, &["--listen", "[::1]:0"]);
    let key = first.put("six");
    let mut second = Node::join(Io::Mmsg, &first, &["--listen", "[::]:0"]);
    second.found(&key, "six");
}

#[test]
fn nodes_of_another_network_are_ignored() {
    let mut first = Node::start(Io::Mmsg, &["--network", "one"]);
    let mut second = Node::start_joining(Io::Mmsg, &first, &["--network", "two"]);
    first.await_counter("datagrams_other_network");
    assert_eq!(second.counter("contacts"), 0);
    assert_eq!(first.counter("contacts"), 0);
}

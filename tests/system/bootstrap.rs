//! Tests of joining a network, and of the warnings while a node has not joined.

use std::net::{SocketAddr, UdpSocket};

use rexpect::session::{PtySession, spawn_command};

use crate::Io;
use crate::child::{DEADLINE, Node, program, run};
use crate::under_each_driver;

const ID: &str = "00112233445566778899aabbccddeeff00112233";
/// Several shards: an address given to one of them concerns all.
const SHARDS: [&str; 2] = ["--cores", "2"];

/// `addr`, as an IPv6 socket sees it.
fn mapped(addr: SocketAddr) -> String {
    format!("[::ffff:{}]:{}", addr.ip(), addr.port())
}

/// A socket that never answers, and its address.
fn silent() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let addr = socket.local_addr().expect("it is bound").to_string();
    (socket, addr)
}

/// Whether this host has IPv6.
fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}

/// The addresses of its contacts.
fn contacts(node: &mut Node) -> Vec<String> {
    node.type_line("peers");
    let mut contacts = Vec::new();
    loop {
        let line = node.line();
        if line.contains(" in ") {
            return contacts;
        }
        if line.starts_with("  ") {
            contacts.push(line.split_whitespace().nth(1).expect("an address").to_owned());
        }
    }
}

under_each_driver! {
    fn an_ipv4_mapped_address_is_an_ipv4_address_in_every_option(io: Io) {
        let first = Node::start(io, &["--listen", "[::ffff:127.0.0.1]:0"]);
        assert!(first.addr.is_ipv4(), "{first}");
        let address = mapped(first.addr);
        let mut second = Node::start(
            io,
            &[&SHARDS[..], &["--bootstrap", &address, "--announce", "::ffff:127.0.0.1"]].concat(),
        );
        assert!(second.addr.is_ipv4(), "{second}");
        second.await_log(" joined contacts=");
        assert_eq!(contacts(&mut second), [first.addr.to_string()]);
        let client = ["--io", io.flag(), "--bootstrap", &address];
        let put = run(&[&["put"], &client[..], &["mapped"]].concat(), b"");
        assert_eq!(put.status, Some(0), "{put:?}");
        let get = run(&[&["get"], &client[..], &[put.stdout.trim_end()]].concat(), b"");
        assert_eq!((get.status, get.stdout.as_str()), (Some(0), "mapped\n"), "{get:?}");
        let ping = run(&["ping", &address], b"");
        assert!(ping.stdout.contains(&format!(" at {} in ", first.addr)), "{ping:?}");
    }

    fn a_dual_stack_node_shows_ipv4_addresses_as_such(io: Io) {
        if !has_ipv6() {
            return;
        }
        let first = Node::start(io, &[]);
        let peer = mapped(first.addr);
        let arguments = ["--listen", "[::]:0", "--bootstrap", &peer];
        let mut second = Node::start(io, &[&SHARDS[..], &arguments].concat());
        assert_eq!(second.addr.ip(), first.addr.ip(), "the interface that reaches the peer");
        second.await_log(" joined contacts=");
        assert_eq!(contacts(&mut second), [first.addr.to_string()]);
        let put = run(&["put", "--bootstrap", &mapped(second.addr), "dual"], b"");
        assert_eq!(put.status, Some(0), "{put:?}");
    }

    fn while_no_bootstrap_node_answers_the_log_says_so_and_then_that_it_joined(io: Io) {
        let (socket, addr) = silent();
        let arguments = ["--bootstrap", &addr, "--network", "ours"];
        let mut node = Node::start(io, &[&SHARDS[..], &arguments].concat());
        let notice = node.await_log("not joined yet");
        assert!(notice.contains("WARN") && notice.contains("'ours'"), "{notice}");
        assert!(notice.contains(&addr), "{notice}");
        drop(socket);
        let _first = Node::start(io, &["--listen", &addr, "--network", "ours"]);
        node.await_log(" joined contacts=");
    }

    fn a_bootstrap_node_of_the_same_id_is_named(io: Io) {
        let first = Node::start(io, &["--id", ID]);
        let peer = first.addr.to_string();
        let mut twin = Node::start(io, &["--id", ID, "--bootstrap", &peer]);
        let warning = twin.await_log("WARN");
        assert!(warning.contains(&peer) && warning.contains(ID), "{warning}");
        assert!(warning.contains("another --id"), "{warning}");
    }

    fn a_node_that_is_its_own_bootstrap_node_warns_and_serves(io: Io) {
        let (socket, addr) = silent();
        drop(socket);
        let mut node = Node::start(io, &["--listen", &addr, "--bootstrap", &addr]);
        let warning = node.await_log("WARN");
        assert!(warning.contains(&addr) && warning.contains("this node itself"), "{warning}");
        let mut other = Node::join(io, &node, &[]);
        other.put("served");
    }

    fn every_bootstrap_address_is_tried_when_there_are_more_than_a_node_keeps(io: Io) {
        // In sorted order, the node that answers comes last.
        let live = Node::start(io, &["--listen", "127.0.0.250:0"]);
        let dead: Vec<_> = (0..150).map(|last| format!("127.0.0.{last}:1")).collect();
        let dead = dead.iter().skip(1).flat_map(|addr| ["--bootstrap", addr]);
        let live = ["--bootstrap".to_owned(), live.addr.to_string()];
        let all: Vec<_> = dead.chain(live.iter().map(String::as_str)).collect();
        Node::start(io, &all).await_log(" joined contacts=");
        let client = ["--io", io.flag(), "--timeout", "1m", "reached"];
        let put = run(&[&["put"], &all[..], &client].concat(), b"");
        assert_eq!(put.status, Some(0), "{put:?}");
    }
}

#[test]
fn unreachable_addresses_are_refused_with_the_remedy() {
    // 192.0.2.0/24 and 2001:db8::/32 are reserved for documentation: no host has them.
    for (listen, bootstrap, remedy) in [
        ("127.0.0.1:0", &["192.0.2.1:9001"][..], "reaches only this host: listen on 0.0.0.0:0"),
        ("127.0.0.1:0", &["[::ffff:192.0.2.1]:9001"], "reaches only this host"),
        ("127.0.0.1:0", &["[2001:db8::1]:9001"], "has no IPv6: listen on [::]:0"),
        ("[::1]:0", &["192.0.2.1:9001"], "has no IPv4: listen on [::]:0"),
        ("0.0.0.0:0", &["[2001:db8::1]:9001"], "has no IPv6: listen on [::]:0"),
        ("[::]:0", &["[fe80::1]:9001"], "needs its interface"),
        ("0.0.0.0:0", &["0.0.0.0:9001"], "give the address of one node"),
        ("127.0.0.1:0", &["192.0.2.1:9001", "[::1]:9001"], "reaches only this host"),
    ] {
        let bootstrap_flags = bootstrap.iter().flat_map(|addr| ["--bootstrap", addr]);
        let arguments: Vec<_> = ["--listen", listen].into_iter().chain(bootstrap_flags).collect();
        let ended = run(&arguments, b"");
        assert_eq!(ended.status, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.error().contains(remedy), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn an_unreachable_address_beside_a_reachable_one_only_warns() {
    let first = Node::start(Io::Mmsg, &[]);
    let peer = first.addr.to_string();
    let arguments = ["--bootstrap", "192.0.2.1:9001", "--bootstrap", &peer];
    let mut second = Node::start(Io::Mmsg, &arguments);
    let warning = second.await_log("WARN");
    assert!(warning.contains("192.0.2.1:9001") && warning.contains("listen on"), "{warning}");
    second.await_log(" joined contacts=");
}

#[test]
fn a_node_joins_through_any_reachable_address_of_a_name() {
    // The name may resolve to ::1 first, which a node on 127.0.0.1 cannot use.
    let first = Node::start(Io::Mmsg, &[]);
    let name = format!("localhost:{}", first.addr.port());
    Node::start(Io::Mmsg, &["--bootstrap", &name, "--bootstrap", &name])
        .await_log(" joined contacts=");
}

#[test]
fn an_announced_address_that_contradicts_the_bound_one_is_warned_about() {
    for (announce, why) in
        [("192.0.2.1:9001", "reaches only this host"), ("2001:db8::1", "has no IPv6")]
    {
        let mut node = Node::start(Io::Mmsg, &["--announce", announce]);
        let warning = node.await_log("WARN");
        assert!(warning.contains("--announce") && warning.contains(why), "{warning}");
    }
}

/// Waits until `text` is shown.
fn expect(terminal: &mut PtySession, text: &str) {
    terminal.exp_string(text).unwrap_or_else(|error| panic!("{text}: {error}"));
}

#[test]
fn the_warning_that_no_bootstrap_node_answers_appears_above_the_prompt() {
    let (socket, addr) = silent();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--bootstrap", &addr]).env("TERM", "xterm");
    let timeout_ms = DEADLINE.as_millis().try_into().ok();
    let mut terminal = spawn_command(command, timeout_ms).expect("a pseudo-terminal");
    expect(&mut terminal, "kad> ");
    expect(&mut terminal, "not joined yet");
    expect(&mut terminal, "'default'");
    expect(&mut terminal, &addr);
    expect(&mut terminal, "kad> ");
    drop(socket);
    let _first = Node::start(Io::Mmsg, &["--listen", &addr]);
    expect(&mut terminal, "joined");
    expect(&mut terminal, "kad> ");
    terminal.send("exit\r").and_then(|_| terminal.flush()).expect("the terminal takes it");
    terminal.exp_eof().expect("the program ends");
}

//! Tests of `kad-node put` and `kad-node get`.

use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Output, Stdio};
use std::thread;

use kad_node::id::Id;
use kad_node::limits::{DATAGRAM_BYTES_MAX, VALUE_BYTES_DEFAULT};
use kad_node::wire::{self, Body, Contacts, Datagram, Role, Token};
use rexpect::session::spawn_command;

use crate::Io;
use crate::child::{DEADLINE, Ended, Node, program, run};
use crate::datagram::encoded;
use crate::seccomp::without_ipv6;
use crate::under_each_driver;

const ABSENT: &str = "0000000000000000000000000000000000000000";

/// Runs a one-shot client of `node`.
fn client(io: Io, node: &Node, subcommand: &str, argument: &str, input: &[u8]) -> Ended {
    let peer = node.addr.to_string();
    run(&[subcommand, "--bootstrap", &peer, "--io", io.flag(), "--log", "warn", argument], input)
}

/// Like [`client`], with exact bytes: `value` is the standard input.
fn exactly(io: Io, node: &Node, subcommand: &str, argument: &str, value: &[u8]) -> Output {
    let peer = node.addr.to_string();
    let arguments = ["--bootstrap", &peer, "--io", io.flag(), "--log", "warn", argument];
    let mut command = program();
    command.arg(subcommand).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(value).expect("it reads its input");
    child.wait_with_output().expect("it ends")
}

/// 600 bytes: every byte value, including line ends and zeros, and no line end at the end.
fn binary() -> Vec<u8> {
    (0..600_usize).map(|index| (index * 7 + index / 256) as u8).collect()
}

under_each_driver! {
    fn a_value_put_by_one_client_is_found_by_another(io: Io) {
        let mut node = Node::start(io, &[]);
        let put = client(io, &node, "put", "from a script", b"");
        let key = Id::of_value(b"from a script").to_string();
        assert_eq!((put.status, put.stdout.as_str()), (Some(0), format!("{key}\n").as_str()));
        assert_eq!(put.stderr, "", "a script gets only the key");
        let get = client(io, &node, "get", &key, b"");
        assert_eq!((get.status, get.stdout.trim_end()), (Some(0), "from a script"));
        assert_eq!(get.stderr, format!("from {}\n", node.addr));
        assert_eq!(node.found(&key, "from a script"), "local", "the node holds it");
        assert_eq!(node.ask("peers"), "0 contacts in 0 buckets", "a client is no contact");
    }

    fn a_value_of_the_largest_size_comes_back_byte_for_byte_from_every_shard(io: Io) {
        let node = Node::start(io, &["--cores", "2"]);
        let other = Node::join(io, &node, &["--cores", "2"]);
        for first in 0..4 {
            let bytes = binary().into_iter().cycle();
            let mut value: Vec<u8> = bytes.take(VALUE_BYTES_DEFAULT).collect();
            value[0] = first;
            let put = exactly(io, &node, "put", "-", &value);
            assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
            let key = Id::of_value(&value).to_string();
            assert_eq!(String::from_utf8_lossy(&put.stdout).trim_end(), key);
            let get = exactly(io, &other, "get", &key, b"");
            assert!(get.stdout == value, "{}", String::from_utf8_lossy(&get.stderr));
        }
    }

    fn a_binary_value_comes_back_byte_for_byte(io: Io) {
        let node = Node::start(io, &["--cores", "2"]);
        for value in [binary(), b"two lines\nand an end\n\n".to_vec(), vec![0], vec![b'\n']] {
            let key = Id::of_value(&value).to_string();
            let put = exactly(io, &node, "put", "-", &value);
            assert_eq!((put.status.code(), put.stdout), (Some(0), format!("{key}\n").into_bytes()));
            let get = exactly(io, &node, "get", &key, b"");
            assert_eq!((get.status.code(), get.stdout), (Some(0), value));
        }
    }

    fn an_absent_key_is_not_found(io: Io) {
        let node = Node::start(io, &[]);
        let get = client(io, &node, "get", ABSENT, b"");
        assert_eq!((get.status, get.stdout.as_str()), (Some(1), ""), "{get:?}");
        assert_eq!(get.stderr, "NOTFOUND\n");
    }

    fn the_status_is_4_when_no_node_answers(io: Io) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let silent = socket.local_addr().expect("it is bound").to_string();
        for (subcommand, argument) in [("put", "lost"), ("get", ABSENT)] {
            let client = ["--io", io.flag(), "--bootstrap", &silent, "--timeout", "500ms"];
            let ended = run(&[&[subcommand], &client[..], &[argument]].concat(), b"");
            assert_eq!(ended.status, Some(4), "{ended:?}");
            let error = ended.error();
            assert!(error.contains(&silent) && error.contains("within 500 ms"), "{error}");
        }
    }

    fn bootstrap_addresses_of_both_families_are_all_tried(io: Io) {
        // Nothing answers at [::1]:1 and 127.0.0.1:1.
        let v4 = Node::start(io, &[]);
        put_by(io, "[::1]:1", &v4.addr.to_string());
        put_by(io, &v4.addr.to_string(), "[::1]:1");
        if UdpSocket::bind("[::1]:0").is_ok() {
            let v6 = Node::start(io, &["--listen", "[::1]:0"]);
            put_by(io, "127.0.0.1:1", &v6.addr.to_string());
            put_by(io, &v6.addr.to_string(), "127.0.0.1:1");
        }
    }
}

/// A node through which a client can join, and that answers no `FIND_VALUE`.
fn deaf_to_gets() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let addr = socket.local_addr().expect("it is bound");
    socket.set_read_timeout(Some(DEADLINE)).expect("a time-out above zero");
    thread::spawn(move || {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let asked = wire::decode(&buffer[..length]).expect("a client's request");
            let body = match asked.body {
                Body::Ping => Body::Pong,
                Body::FindNode { .. } => Body::Nodes(Contacts::new(&[])),
                _ => continue,
            };
            let (sender, token) = (Id::of_value(b"deaf"), Token::NONE);
            let reply = Datagram { sender, role: Role::Peer, announce: None, token, body, ..asked };
            socket.send_to(&encoded(&reply), from).expect("loopback takes it");
        }
    });
    addr
}

#[test]
fn a_get_without_any_answer_does_not_report_the_value_as_absent() {
    let peer = deaf_to_gets().to_string();
    let get = run(&["get", "--bootstrap", &peer, "--timeout", "1m", ABSENT], b"");
    assert_eq!(get.status, Some(4), "{get:?}");
    assert!(get.error().contains("no answer from the"), "{get:?}");
    // The client's time-out ends before the RPC's.
    let get = run(&["get", "--bootstrap", &peer, "--timeout", "500ms", ABSENT], b"");
    assert_eq!(get.status, Some(4), "{get:?}");
    assert!(get.error().contains("within 500 ms"), "{get:?}");
}

/// Puts through two bootstrap addresses, of which one answers.
fn put_by(io: Io, first: &str, second: &str) {
    let bootstrap = ["--bootstrap", first, "--bootstrap", second];
    let client = ["--io", io.flag(), "--timeout", "1m", "reached"];
    let put = run(&[&["put"], &bootstrap[..], &client].concat(), b"");
    assert_eq!(put.status, Some(0), "{bootstrap:?}: {put:?}");
}

#[test]
fn ipv4_addresses_are_tried_on_a_host_without_ipv6() {
    let node = Node::start(Io::Mmsg, &[]);
    let peer = node.addr.to_string();
    let (put, hopeless) = without_ipv6(move || {
        let put = run(&["put", "--bootstrap", "[::1]:1", "--bootstrap", &peer, "reached"], b"");
        (put, run(&["put", "--bootstrap", "[::1]:1", "lost"], b""))
    });
    assert_eq!(put.status, Some(0), "{put:?}");
    assert_eq!(hopeless.status, Some(4), "{hopeless:?}");
    assert!(hopeless.error().contains("this host has no IPv6"), "{hopeless:?}");
}

#[test]
fn a_value_on_a_terminal_is_escaped_and_ends_with_a_line_end() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let key = node.put("\u{7}rings");
    let mut command = program();
    command.args(["get", "--bootstrap", &node.addr.to_string(), &key]);
    let timeout_ms = DEADLINE.as_millis().try_into().ok();
    let mut terminal = spawn_command(command, timeout_ms).expect("a pseudo-terminal");
    let shown = terminal.exp_eof().expect("the program ends");
    assert!(shown.contains("\\u{7}rings\r\n"), "{shown:?}");
    assert!(shown.contains(&format!("from {} (", node.addr)), "{shown:?}");
}

#[test]
fn a_text_that_begins_with_a_dash_comes_after_two_dashes() {
    let node = Node::start(Io::Mmsg, &[]);
    let peer = node.addr.to_string();
    for text in ["-5", "--help", "--", "-- x"] {
        let put = run(&["put", "--bootstrap", &peer, "--", text], b"");
        let key = Id::of_value(text.as_bytes()).to_string();
        assert_eq!((put.status, put.stdout.trim_end()), (Some(0), key.as_str()), "{put:?}");
    }
    let refused = run(&["put", "--bootstrap", &peer, "-5"], b"");
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.error().contains("'-- -5'"), "the remedy: {refused:?}");
}

#[test]
fn a_result_that_cannot_be_written_is_status_3() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let key = node.put("unwritten");
    for (subcommand, argument) in [("put", "unwritten"), ("get", &key)] {
        let full = File::options().write(true).open("/dev/full").expect("a full disk");
        let mut command = program();
        command.args([subcommand, "--bootstrap", &node.addr.to_string(), argument]).stdout(full);
        let ended = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(3), "{said}");
        assert!(said.contains("cannot write the result"), "{said}");
    }
}

#[test]
fn bad_usage_is_status_2() {
    let node = Node::start(Io::Mmsg, &[]);
    let too_large = vec![b'x'; VALUE_BYTES_DEFAULT + 7];
    let size_error = format!(
        "error: value too large ({} bytes, at most {VALUE_BYTES_DEFAULT}): \
         --value-max sets the limit",
        VALUE_BYTES_DEFAULT + 7
    );
    for (subcommand, argument, input, error) in [
        ("get", "12", &b""[..], "error: invalid key '12': a key is 40 hexadecimal digits"),
        ("get", "", b"", "error: invalid key '': a key is 40 hexadecimal digits"),
        ("put", "", b"", "error: the text is empty: there is nothing to put"),
        ("put", "-", b"", "error: standard input is empty: there is nothing to put"),
        ("put", "-", &too_large, &size_error),
    ] {
        let ended = client(Io::Mmsg, &node, subcommand, argument, input);
        assert_eq!((ended.status, ended.error()), (Some(2), error), "{subcommand} {argument}");
    }
}

#[test]
fn a_value_that_the_nodes_find_too_large_is_not_stored_and_says_so() {
    let node = Node::start(Io::Mmsg, &["--value-max", "2000"]);
    let said = "none of the 1 closest nodes stored it; too large for 1 of them: see their \
                --value-max";
    for subcommand in ["put", "import"] {
        let ended = client(Io::Mmsg, &node, subcommand, "-", &[b'x'; 2001]);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(said), "{subcommand}: {ended:?}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let ended = run(&["get", "--bootstrap", "no-such-host.invalid:1", ABSENT], b"");
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert!(ended.error().contains("'no-such-host.invalid:1'"), "{ended:?}");
}

#[test]
fn addresses_that_no_node_can_have_are_bad_usage() {
    for addr in ["0.0.0.0:9001", "[fe80::1]:9001", "224.0.0.1:9001"] {
        let ended = run(&["put", "--bootstrap", addr, "lost"], b"");
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.error().contains(addr), "{ended:?}");
    }
}

#[test]
fn a_network_without_an_answer_is_named() {
    let node = Node::start(Io::Mmsg, &["--network", "another"]);
    let peer = node.addr.to_string();
    let ended =
        run(&["put", "--bootstrap", &peer, "--log", "off", "--timeout", "500ms", "lost"], b"");
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert!(ended.error().contains(&peer) && ended.error().contains("'default'"), "{ended:?}");
}

//! `kad-node put` and `kad-node get`.

use kad_node::id::Id;
use kad_node::limits::VALUE_BYTES_MAX;

use crate::Io;
use crate::child::{Ended, Node, run};
use crate::under_each_driver;

/// Runs a one-shot client of `node`.
fn client(io: Io, node: &Node, subcommand: &str, argument: &str, input: &[u8]) -> Ended {
    let peer = node.addr.to_string();
    run(&[subcommand, "--bootstrap", &peer, "--io", io.flag(), "--log", "warn", argument], input)
}

under_each_driver! {
    fn what_one_puts_another_gets(io: Io) {
        let mut node = Node::start(io, &[]);
        let put = client(io, &node, "put", "from a script", b"");
        let key = Id::of_value(b"from a script").to_string();
        assert_eq!((put.status, put.stdout.as_str()), (Some(0), format!("{key}\n").as_str()));
        let get = client(io, &node, "get", &key, b"");
        let expected = format!("from a script\nfrom {}\n", node.addr);
        assert_eq!((get.status, get.stdout), (Some(0), expected));
        assert_eq!(node.found(&key, "from a script"), "local", "the node holds it");
        assert_eq!(node.ask("peers"), "0 contacts in 0 buckets", "a client is no contact");
    }

    fn a_key_that_no_one_has_is_not_found(io: Io) {
        let node = Node::start(io, &[]);
        let get = client(io, &node, "get", "0000000000000000000000000000000000000000", b"");
        assert_eq!((get.status, get.stdout.as_str()), (Some(1), "NOTFOUND\n"));
    }

    fn a_put_reads_standard_input_as_it_is(io: Io) {
        let mut node = Node::start(io, &[]);
        let value = b"two lines\nand \xff a byte that is not text\n";
        let put = client(io, &node, "put", "-", value);
        let key = Id::of_value(value).to_string();
        assert_eq!((put.status, put.stdout.trim_end()), (Some(0), key.as_str()), "{put:?}");
        assert_eq!(node.ask(format!("get {key}")), "two lines");
    }
}

#[test]
fn bad_usage_is_status_2() {
    let node = Node::start(Io::Mmsg, &[]);
    let too_large = vec![b'x'; VALUE_BYTES_MAX + 1];
    let text = String::from_utf8_lossy(&too_large);
    let size_error =
        format!("ERR value too large ({} bytes, at most {VALUE_BYTES_MAX})", VALUE_BYTES_MAX + 1);
    for (subcommand, argument, input, error) in [
        ("get", "12", &b""[..], "ERR invalid key '12': a key is 40 hexadecimal digits"),
        ("get", "", b"", "ERR missing argument: get KEY"),
        ("put", "", b"", "ERR missing argument: put TEXT"),
        ("put", "-", b"", "error: standard input is empty: there is nothing to put"),
        ("put", &text, b"", &size_error),
        ("put", "-", &too_large, &size_error),
    ] {
        let ended = client(Io::Mmsg, &node, subcommand, argument, input);
        assert_eq!((ended.status, ended.error()), (Some(2), error), "{subcommand} {argument}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let ended = run(&["get", "--bootstrap", "no-such-host.invalid:1", &"0".repeat(40)], b"");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.error().contains("'no-such-host.invalid:1'"), "{ended:?}");
}

#[test]
fn a_network_where_no_one_answers_is_named() {
    let node = Node::start(Io::Mmsg, &["--network", "another"]);
    let peer = node.addr.to_string();
    let ended = run(&["put", "--bootstrap", &peer, "--log", "off", "lost"], b"");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.error().contains(&peer) && ended.error().contains("'default'"), "{ended:?}");
}

//! Tests of private networks: `--network-key` and `kad-node keygen`.

use std::fs;

use tempfile::TempDir;

use crate::Io;
use crate::child::{Node, finish, program, run};
use crate::under_each_driver;

/// A folder with the keys `a` and `b`.
fn keys() -> (TempDir, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |name: &str| {
        let path = folder.path().join(name).to_str().expect("a path").to_owned();
        let ended = run(&["keygen", &path], b"");
        assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), (Some(0), "", ""));
        path
    };
    let (a, b) = (make("a"), make("b"));
    (folder, a, b)
}

under_each_driver! {
    fn members_of_a_private_network_put_and_get(io: Io) {
        let (_folder, key, _) = keys();
        let mut first = Node::start(io, &["--network-key", &key]);
        let mut second = Node::join(io, &first, &["--network-key", &key]);
        let text = second.put("between us");
        first.found(&text, "between us");
        let addr = first.addr.to_string();
        let client = ["--bootstrap", &addr, "--network-key", &key];
        let put = run(&[&["put"], &client[..], &["by a client"]].concat(), b"");
        assert_eq!(put.status, Some(0), "{put:?}");
        let get = run(&[&["get"], &client[..], &[put.stdout.trim_end()]].concat(), b"");
        assert_eq!((get.status, get.stdout.as_str()), (Some(0), "by a client\n"), "{get:?}");
        let ping = run(&["ping", "--network-key", &key, &addr], b"");
        assert_eq!(ping.status, Some(0), "{ping:?}");
        assert_eq!(second.counter("seals_refused"), 0);
    }

    fn a_node_with_another_key_or_none_is_told_what_to_check(io: Io) {
        let (_folder, key, other) = keys();
        let mut first = Node::start(io, &["--network-key", &key]);
        let mut outsider = Node::start_joining(io, &first, &[]);
        let notice = outsider.await_log("not joined yet");
        assert!(notice.contains("whether it needs a --network-key"), "{notice}");
        let mut stranded = Node::start_joining(io, &first, &["--network-key", &other]);
        let notice = stranded.await_log("not joined yet");
        assert!(notice.contains("whether its --network-key is another"), "{notice}");
        first.await_counter("unsealed_received");
        first.await_counter("seals_refused");
        assert_eq!(first.counter("datagrams_sent"), 0);
    }
}

#[test]
fn a_client_without_the_key_is_told_what_to_check() {
    let (_folder, key, other) = keys();
    let node = Node::start(Io::Mmsg, &["--network-key", &key]);
    let addr = node.addr.to_string();
    for (flags, doubt) in [
        (&[][..], "whether it needs a --network-key"),
        (&["--network-key", &other], "whether its --network-key is another"),
    ] {
        let put = ["put", "--bootstrap", &addr, "--log", "off", "--timeout", "500ms", "lost"];
        let put = run(&[&put[..], flags].concat(), b"");
        assert_eq!(put.status, Some(4), "{put:?}");
        assert!(put.error().contains(doubt) && put.error().contains(&addr), "{put:?}");
        let ping = run(&[&["ping", "--timeout", "500ms", &addr], flags].concat(), b"");
        assert_eq!(ping.status, Some(1), "{ping:?}");
        assert!(ping.error().contains(doubt), "{ping:?}");
    }
}

#[test]
fn a_key_is_changed_while_the_network_serves() {
    let (_folder, old, new) = keys();
    let mut first = Node::start(Io::Mmsg, &["--network-key", &old, "--network-key", &new]);
    let text = first.put("through the change");
    let mut old_alone = Node::join(Io::Mmsg, &first, &["--network-key", &old]);
    old_alone.found(&text, "through the change");
    let changed = ["--network-key", &new, "--network-key", &old];
    let mut changed = Node::join(Io::Mmsg, &first, &changed);
    changed.found(&text, "through the change");
}

#[test]
fn a_key_file_that_is_none_is_one_line_with_the_remedy() {
    let (folder, key, _) = keys();
    let short = folder.path().join("short");
    fs::write(&short, "abc").expect("it is written");
    let short = short.to_str().expect("a path");
    assert_eq!(run(&["keygen", &key], b"").status, Some(1), "a key is not overwritten");
    let (status, remedies) = (
        Some(2),
        [
            ("/nowhere/key", "No such file"),
            (short, "other users have access"),
            ("/dev/null", "64 hexadecimal digits"),
        ],
    );
    for (file, remedy) in remedies {
        for command in [&[][..], &["ping"], &["demo", "--nodes", "2"]] {
            let ended = run(&[command, &["--network-key", file]].concat(), b"");
            assert_eq!(ended.status, status, "{ended:?}");
            assert!(ended.error().contains(remedy) && ended.error().contains(file), "{ended:?}");
        }
    }
    let many: Vec<_> = std::iter::repeat_n(["--network-key", &key], 5).flatten().collect();
    let ended = run(&many, b"");
    assert_eq!(ended.status, status, "{ended:?}");
    assert!(ended.error().contains("5 keys: a network has 4 at most"), "{ended:?}");
}

#[test]
fn a_key_without_a_file_is_printed() {
    let [one, two] = [(); 2].map(|()| run(&["keygen"], b"").stdout);
    assert!(one.len() == 65 && one != two, "{one} {two}");
    assert!(one.trim_end().bytes().all(|digit| digit.is_ascii_hexdigit()), "{one}");
}

#[test]
fn the_key_may_stand_in_the_environment_and_so_may_two() {
    let (_folder, old, new) = keys();
    let mut command = program();
    command.env("KAD_NETWORK_KEY", format!("{old},{new}"));
    let node = Node::start_by(command.args(["--listen", "127.0.0.1:0"]));
    let addr = node.addr.to_string();
    let ping = run(&["ping", "--network-key", &old, &addr], b"");
    assert_eq!(ping.status, Some(0), "{ping:?}");
    let mut command = program();
    command.env("KAD_NETWORK_KEY", format!("{new},{old}"));
    let ping = finish(command.args(["ping", &addr]), b"");
    assert_eq!(ping.status, Some(0), "{ping:?}");
}

#[test]
fn a_demo_runs_under_a_key() {
    let (_folder, key, _) = keys();
    let demo = ["demo", "--nodes", "5", "--http", "127.0.0.1:0", "--network-key", &key];
    let ended = run(&demo, b"put sealed\nexit\n");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(&kad_node::id::Id::of_value(b"sealed").to_string()), "{ended:?}");
}

//! Tests of errors at the start: one line with the value and the remedy, and the exit
//! status that tells wrong usage from failure.

use std::net::UdpSocket;
use std::process::Command;

use crate::Io;
use crate::child::{self, Node, finish, program, run};
use crate::seccomp::without;
use crate::under_each_driver;

/// As in a container.
fn without_io_uring<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    without(libc::SYS_io_uring_setup, libc::EPERM, work)
}

under_each_driver! {
    fn an_address_in_use_is_named(io: Io) {
        let taken = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let addr = taken.local_addr().expect("it is bound").to_string();
        let ended = run(&["--listen", &addr, "--io", io.flag()], b"");
        assert_eq!(ended.status, Some(1), "{ended:?}");
        let lines: Vec<_> = ended.stderr.lines().collect();
        let [waits, error] = lines[..] else { panic!("a line of the log, and one: {ended:?}") };
        assert!(waits.contains("the address is in use: waiting for it"), "{waits}");
        assert!(error.contains(&addr) && error.contains("another port"), "{error}");
    }

    fn too_little_memory_is_one_line_with_the_limit_and_the_remedy(io: Io) {
        for (cores, limit_kib) in [("1", "40000"), ("2", "80000")] {
            let run = format!(r#"ulimit -v {limit_kib}; exec "$0" "$@""#);
            let mut shell = Command::new("sh");
            shell.args(["-c", &run, env!("CARGO_BIN_EXE_kad-node"), "--listen", "127.0.0.1:0"]);
            let ended = finish(shell.args(["--cores", cores, "--io", io.flag()]), b"");
            assert_eq!(ended.status, Some(1), "{ended:?}");
            let error = ended.error();
            assert!(error.contains("MiB of memory") && error.contains("ulimit -v"), "{error}");
        }
    }

    fn an_address_of_no_interface_is_named(io: Io) {
        // 192.0.2.0/24 is reserved for documentation: no interface has it.
        let ended = run(&["--listen", "192.0.2.1:0", "--io", io.flag()], b"");
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.error().contains("192.0.2.1:0"), "{ended:?}");
    }
}

#[test]
fn a_wrong_command_line_is_one_line_and_status_2() {
    for (arguments, value) in [
        (&["--listen", "9001"][..], "'9001'"),
        (&["--listen", "224.0.0.1:9001"], "'224.0.0.1:9001'"),
        (&["--bootstrap", "seed"], "'seed'"),
        (&["--id", "xyz"], "'xyz'"),
        (&["--io", "epoll"], "'epoll'"),
        (&["--k", "0"], "'0'"),
        (&["--drop", "130"], "'130'"),
        (&["--republish", "soon"], "'soon'"),
        (&["--store-bytes", "1KiB"], "'1KiB'"),
        (&["--verbose"], "'--verbose'"),
        (&["serve"], "'serve'"),
        (&["get"], "--bootstrap"),
        (&["put", "--bootstrap", "127.0.0.1:9001"], "<TEXT>"),
        (&["demo", "--nodes", "50", "--base-port", "65530"], "65530"),
    ] {
        let ended = run(arguments, b"");
        assert_eq!(ended.status, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.error().starts_with("error: "), "{ended:?}");
        assert!(ended.error().contains(value), "{arguments:?}: {ended:?}");
    }
}

/// Text that would end the line, turn the writing direction, hide itself or move the cursor.
const HOSTILE: &str = "x\nUsage: y\u{202e}\u{200b}\u{1b}[2J";
/// How it is shown.
const ESCAPED: &str = "x\\nUsage: y\\u{202e}\\u{200b}\\u{1b}[2J";

#[test]
fn what_an_error_says_of_arguments_and_files_is_escaped() {
    let node = Node::start(Io::Mmsg, &[]);
    let peer = node.addr.to_string();
    for arguments in [
        &["--listen", HOSTILE][..],
        &["--network", "a", HOSTILE],
        &["--config", HOSTILE],
        &["--data", &format!("/proc/{HOSTILE}")],
        &["--bootstrap", &format!("a:{HOSTILE}")],
        &["check", HOSTILE],
        &["man", HOSTILE],
        &["get", "--bootstrap", &peer, HOSTILE],
        &["ping", "--timeout", "1ms", "--network", HOSTILE, &peer],
    ] {
        let ended = run(arguments, b"");
        assert_ne!(ended.status, Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(ESCAPED), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn what_the_log_says_of_a_name_stays_on_its_line() {
    let name = "x\ny\u{202e}\u{200b}.invalid:9001";
    let mut node = Node::start(Io::Mmsg, &["--bootstrap", name]);
    let warning = node.await_log("WARN");
    assert!(warning.contains("'x\\ny\\u{202e}\\u{200b}.invalid:9001'"), "{warning}");
}

#[test]
fn a_wrong_rust_log_is_one_line_and_status_2() {
    let ended = finish(program().env("RUST_LOG", "kad_node=loud"), b"");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.error().contains("'kad_node=loud' for RUST_LOG"), "{ended:?}");
}

#[test]
fn help_and_version_are_results() {
    for flag in ["--help", "--version"] {
        let ended = run(&[flag], b"");
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
        assert!(ended.stdout.contains("kad-node"), "{ended:?}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_warned_about_and_the_node_serves() {
    let mut node = Node::start(Io::Mmsg, &["--bootstrap", "no-such-host.invalid:9001"]);
    let warning = node.await_log("WARN");
    assert!(warning.contains("'no-such-host.invalid:9001'"), "{warning}");
    let mut other = Node::join(Io::Mmsg, &node, &[]);
    other.put("served");
}

#[test]
fn auto_falls_back_and_says_why_when_io_uring_is_forbidden() {
    let arguments = ["--listen", "127.0.0.1:0", "--io", "auto"];
    let mut node = without_io_uring(|| Node::start_by(program().args(arguments)));
    node.put("over the other driver");
    node.type_line("exit");
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
    let warning = log.lines().find(|line| line.contains("WARN")).expect("a warning");
    assert!(warning.contains("mmsg") && warning.contains("io_uring"), "{warning}");
    assert!(log.contains("io=mmsg"), "{log}");
}

#[test]
fn asking_for_io_uring_fails_with_the_remedy_when_it_is_forbidden() {
    for io in ["uring", "tokio-uring"] {
        let arguments = ["--listen", "127.0.0.1:0", "--io", io];
        let ended = without_io_uring(|| child::run(&arguments, b""));
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.error().contains("io_uring"), "{ended:?}");
        assert!(
            ended.error().contains("--io mmsg") || ended.error().contains("--io auto"),
            "{ended:?}"
        );
    }
}

//! Tests of what signals do to a node.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::Io;
use crate::child::{Node, field};
use crate::under_each_driver;

under_each_driver! {
    fn each_stop_signal_makes_a_node_hand_off_its_values(io: Io) {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            let mut node = Node::start(io, &[]);
            node.put("passed on");
            let mut peer = Node::join(io, &node, &[]);
            node.await_contact(&mut peer);
            node.signal(signal);
            let (status, log) = node.end();
            assert_eq!(status.code(), Some(0), "{signal}: {log}");
            assert!(log.contains(signal.as_str()), "{log}");
            let departed = log.lines().find(|line| line.contains(" departed"));
            let departed = departed.expect("the line is logged");
            assert_eq!(field(departed, "handed_off"), "1", "{log}");
        }
    }

    fn a_closed_standard_output_raises_no_signal(io: Io) {
        let mut node = Node::start(io, &[]);
        node.signal(Signal::SIGPIPE);
        node.put("still there");
    }
}

#[test]
fn a_hangup_after_another_signal_does_not_stop_a_departing_node() {
    for first in [Signal::SIGHUP, Signal::SIGTERM] {
        let mut node = Node::start(Io::Mmsg, &["--leave", "1h"]);
        node.put("held");
        let mut peer = Node::join(Io::Mmsg, &node, &[]);
        node.await_contact(&mut peer);
        peer.freeze();
        node.signal(first);
        node.await_log("stopping on");
        node.signal(Signal::SIGHUP);
        // If SIGHUP counted, "stopping at once" would name it, not the next signal.
        node.signal(Signal::SIGQUIT);
        let (status, log) = node.end();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("stopping at once on SIGQUIT"), "{log}");
        assert!(!log.contains("at once on SIGHUP"), "{log}");
    }
}

#[test]
fn a_signal_that_is_ignored_at_the_start_stays_ignored() {
    let mut node = Node::start_by(
        Command::new("sh")
            .args(["-c", r#"trap '' HUP INT QUIT; exec "$0" "$@""#, env!("CARGO_BIN_EXE_kad-node")])
            .args(["--listen", "127.0.0.1:0", "--io", "mmsg"])
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1"),
    );
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        node.signal(signal);
    }
    node.put("still there");
    node.signal(Signal::SIGTERM);
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopping on SIGTERM") && !log.contains("SIGHUP"), "{log}");
}

#[test]
fn a_node_suspended_by_job_control_resumes() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let key = node.put("kept");
    node.freeze();
    node.signal(Signal::SIGCONT);
    assert_eq!(node.found(&key, "kept"), "local");
}

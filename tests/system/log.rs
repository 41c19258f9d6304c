//! Tests of what `--log` shows of a node's work.

use kad_node::id::Id;
use kad_node::wire::{Body, Purpose, Store};
use serde_json::Value;

use crate::Io;
use crate::child::{Node, field, run};
use crate::hostile::RawClient;
use crate::under_each_driver;

under_each_driver! {
    fn debug_shows_what_the_node_does_and_refuses(io: Io) {
        let mut first = Node::start(io, &["--log", "debug"]);
        let mut second = Node::join(io, &first, &["--log", "debug", "--cores", "2"]);
        assert!(second.logged(" bootstrap attempt").contains("addresses=1"));
        let inserted = second.logged(" contact inserted");
        assert_eq!(field(inserted, "address"), first.addr.to_string());
        assert_eq!(field(second.logged(" lookup ended"), "purpose"), "\"join\"");

        let key = second.put("shown");
        let ended = second.await_log("purpose=\"put\"");
        assert_eq!(field(&ended, "target"), key);
        assert_eq!(field(&ended, "outcome"), "\"stored\"");

        first.await_contact(&mut second);
        let inserted = first.await_log(" contact inserted");
        assert_eq!(field(&inserted, "address"), second.addr.to_string());
        let value = b"without a token";
        let key = Id::of_value(value);
        let (total, purpose) = (value.len() as u32, Purpose::Replica);
        let store = Store { key, offset: 0, total, life_s: 60, purpose, value };
        RawClient::facing(&first).await_answer(Body::Store(store));
        let refused = first.await_log(" STORE refused");
        assert_eq!(field(&refused, "code"), "Token");
        let (_, log) = second.stop();
        assert!(!log.contains("TRACE"), "{log}");
    }

    fn trace_shows_each_request_and_each_dropped_datagram(io: Io) {
        let mut first = Node::start(io, &["--log", "trace"]);
        let second = Node::join(io, &first, &["--log", "trace"]);
        let addr = first.addr.to_string();
        assert_eq!(field(second.logged(" sent request="), "peer"), addr);
        assert_eq!(field(second.logged(" answered request="), "peer"), addr);
        RawClient::facing(&first).send(b"no datagram of ours");
        let dropped = first.await_log(" datagram dropped");
        assert!(dropped.contains("reason="), "{dropped}");
    }
}

#[test]
fn the_default_level_shows_none_of_this() {
    let first = Node::start(Io::Mmsg, &[]);
    let mut second = Node::join(Io::Mmsg, &first, &["--cores", "1"]);
    second.put("quiet");
    let events = second.counter("events");
    second.put("quiet too");
    // One event for the stats before, one for the put.
    assert_eq!(second.counter("events"), events + 2);
    let (_, log) = second.stop();
    assert!(!log.contains("DEBUG") && !log.contains("lookup"), "{log}");
}

#[test]
fn with_json_each_line_of_the_log_is_an_object() {
    let json = ["--log-format", "json", "--io", "mmsg", "--cores", "1", "--listen"];
    let ended = run(&[&json[..], &["127.0.0.1:0"]].concat(), b"exit\n");
    let mut messages = Vec::new();
    for line in ended.stderr.lines() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"] == "INFO", "{line}");
        messages.push(line["message"].as_str().expect("a message").to_owned());
    }
    assert_eq!(messages[0], "ready", "{ended:?}");
    assert!(messages[1].starts_with("stopping: handing values off"), "{messages:?}");

    // An address of documentation (RFC 5737) is no host's own.
    let refused = run(&[&json[..], &["192.0.2.1:0"]].concat(), b"");
    let said: Value = serde_json::from_str(refused.error()).expect("an object");
    assert_eq!(said["level"], "ERROR");
}

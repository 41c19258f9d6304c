//! The stream of events: contacts, puts, gets, hops and rates, as they happen.

use serde_json::Value;

use super::client::{Connection, request};
use super::openapi::{check, description};
use super::serving;
use crate::Io;
use crate::child::{Node, field};

/// A client that listens.
fn listen(http: &str) -> Connection {
    let mut events = Connection::open(http);
    // Without chunks, lines are as they were sent.
    events.send("GET /v1/events HTTP/1.0\r\n\r\n");
    let head = events.head();
    assert_eq!((head.status, head.field("content-type")), (200, "text/event-stream"));
    events
}

/// The next event: its name, and its data.
fn next_of_all(events: &mut Connection) -> (String, Value) {
    loop {
        if let Some(name) = events.line().strip_prefix("event: ") {
            let data = events.line();
            let data = data.strip_prefix("data: ").expect("the event's data");
            return (name.to_owned(), serde_json::from_str(data).expect("JSON"));
        }
    }
}

/// The next event of this name.
fn next(events: &mut Connection, name: &str) -> Value {
    loop {
        let (called, data) = next_of_all(events);
        if called == name {
            return data;
        }
    }
}

/// The events up to the first one of this name.
fn up_to(events: &mut Connection, last: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    loop {
        let (name, data) = next_of_all(events);
        let is_last = name == last;
        all.push((name, data));
        if is_last {
            return all;
        }
    }
}

#[test]
fn those_that_listen_see_contacts_puts_gets_and_rates() {
    let (mut first, http) = serving(&["--cores", "2"]);
    let (mut one, mut another) = (listen(&http), listen(&http));
    let mut second = Node::join(Io::Mmsg, &first, &[]);
    first.await_contact(&mut second);
    let inserted = next(&mut one, "contact");
    assert_eq!(
        (&inserted["change"], &inserted["address"]),
        (&Value::from("inserted"), &Value::from(second.addr.to_string()),)
    );
    let put = request(&http, "POST /v1/values", &[], b"watched");
    let key = put.member("key");
    for events in [&mut one, &mut another] {
        let told = next(events, "put");
        assert_eq!((&told["key"], &told["holders"]), (&key, &1.into()));
    }
    // What is typed at the prompt is seen as well.
    let key = key.as_str().expect("a key").to_owned();
    first.found(&key, "watched");
    assert_eq!(next(&mut one, "get")["from"], Value::Null, "it was here");
    let rates = next(&mut another, "rates");
    assert_eq!(rates["shards"].as_array().map(Vec::len), Some(2));
    assert_eq!(rates["contacts"], 1);
}

#[test]
fn each_answer_to_a_put_and_to_a_plain_get_is_told_as_described() {
    let (mut first, http) = serving(&[]);
    let mut second = Node::join(Io::Mmsg, &first, &[]);
    first.await_contact(&mut second);
    let mut events = listen(&http);
    let key = request(&http, "POST /v1/values", &[], b"drawn").member("key");
    let mut all = up_to(&mut events, "put");
    let of = |all: &[(String, Value)], wanted: &str| -> Vec<Value> {
        let of = all.iter().filter(|(name, data)| name == wanted && !data["operation"].is_null());
        of.map(|(_, data)| data.clone()).collect()
    };
    let (hops, stores) = (of(&all, "hop"), of(&all, "stored"));
    assert_eq!((hops.len(), stores.len()), (1, 1), "{all:?}");
    assert_eq!((&hops[0]["purpose"], &hops[0]["target"]), (&"put".into(), &key));
    assert_eq!(hops[0]["hop"]["address"], second.addr.to_string());
    assert_eq!((&stores[0]["stored"], &stores[0]["key"]), (&true.into(), &key));
    // A get that asks for no trace.
    let absent = "0000000000000000000000000000000000000000";
    assert_eq!(request(&http, &format!("GET /v1/values/{absent}"), &[], b"").status, 404);
    let more = up_to(&mut events, "get");
    let hops = of(&more, "hop");
    assert_eq!((hops.len(), &hops[0]["target"]), (1, &absent.into()), "{more:?}");
    assert_eq!(hops[0]["hop"]["answer"], "contacts");
    // A traced one tells each hop once too.
    request(&http, &format!("GET /v1/trace/{absent}"), &[], b"");
    let traced = up_to(&mut events, "get");
    assert_eq!(of(&traced, "hop").len(), 1, "{traced:?}");
    all.extend(more.into_iter().chain(traced).chain(up_to(&mut events, "rates")));
    are_described(&http, &all);
}

fn are_described(http: &str, events: &[(String, Value)]) {
    let description = description(http);
    for (name, data) in events {
        let schema = &description["components"]["schemas"]["Events"]["properties"][name];
        assert!(schema.is_object(), "{name} is not described");
        check(&description, schema, data, name);
    }
}

#[test]
fn the_parts_of_a_large_value_are_told_as_they_come() {
    let mut peer = Node::start(Io::Mmsg, &[]);
    let key = peer.put(&"x".repeat(5000));
    let node = Node::join(Io::Mmsg, &peer, &["--http", "127.0.0.1:0"]);
    let http = field(node.logged(" http: "), "address").to_owned();
    let mut events = listen(&http);
    let parts = request(&http, &format!("GET /v1/trace/{key}"), &[], b"").member("ranges");
    assert_eq!(parts[0]["address"], peer.addr.to_string());
    let told = up_to(&mut events, "get");
    let ranges = told.iter().filter(|(name, _)| name == "range");
    let ranges: Vec<_> = ranges.map(|(_, data)| data["range"].clone()).collect();
    assert_eq!(Value::Array(ranges), parts, "{told:?}");
    are_described(&http, &told);
}

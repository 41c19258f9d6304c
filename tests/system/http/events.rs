//! The stream of events: contacts, puts, gets and rates, as they happen.

use serde_json::Value;

use super::client::{Connection, request};
use super::serving;
use crate::Io;
use crate::child::Node;

/// A client that listens.
fn listen(http: &str) -> Connection {
    let mut events = Connection::open(http);
    // Without chunks, lines are as they were sent.
    events.send("GET /v1/events HTTP/1.0\r\n\r\n");
    let head = events.head();
    assert_eq!((head.status, head.field("content-type")), (200, "text/event-stream"));
    events
}

/// The next event of this name.
fn next(events: &mut Connection, name: &str) -> Value {
    loop {
        if events.line() == format!("event: {name}") {
            let data = events.line();
            let data = data.strip_prefix("data: ").expect("the event's data");
            return serde_json::from_str(data).expect("JSON");
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

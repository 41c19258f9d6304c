//! Clients and nodes of real sockets on loopback.

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::*;
use crate::node::Refusal;

/// Guards against hanging for ever; no test's outcome depends on it.
const DEADLINE: Duration = Duration::from_mins(3);

fn node() -> Client {
    let node = Builder::node(SocketAddr::from(([127, 0, 0, 1], 0))).start();
    node.expect("a free port")
}

fn client_of(node: &Client) -> Client {
    let client = Builder::client().bootstrap(&[node.address()]).join_timeout(DEADLINE);
    client.start().expect("the node answers")
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future without any runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_value_put_by_one_client_is_found_by_another() {
    let node = node();
    let stored = client_of(&node).put(b"hello".to_vec()).wait().expect("the node stores it");
    assert_eq!((stored.key, stored.holders), (Id::of_value(b"hello"), 1));

    let client = client_of(&node);
    let fetched = client.get(stored.key).wait().expect("an answer").expect("it is there");
    assert_eq!((fetched.value.as_slice(), fetched.hops), (&b"hello"[..], 1));
    assert_eq!(fetched.from, Some(node.address()));
    assert_eq!(client.get(Id::of_value(b"absent")).wait().expect("an answer"), None);

    let traced = client_of(&node).trace(stored.key).wait().expect("an answer");
    assert_eq!(traced.hops.len(), 1);
    assert_eq!(traced.hops[0].answer, HopAnswer::Value { bytes: 5 });
    assert_eq!(traced.fetched.map(|fetched| fetched.asked), Some(1));
}

#[test]
fn an_answer_is_a_future_that_needs_no_runtime() {
    let node = node();
    let client = client_of(&node);
    let found = block_on(async {
        let key = client.put(b"awaited".to_vec()).await?.key;
        client.get(key).await
    });
    let found = found.expect("both are answered").expect("it was just stored");
    assert_eq!(found.value, b"awaited");
}

#[test]
fn operations_of_many_threads_get_their_own_answers() {
    let node = node();
    let client = client_of(&node);
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let client = &client;
            scope.spawn(move || {
                for number in 0..20_u8 {
                    let value = [thread, number];
                    let stored = client.put(value.to_vec()).wait().expect("it is stored");
                    assert_eq!(stored.key, Id::of_value(&value));
                    let fetched = client.get(stored.key).wait().expect("an answer");
                    assert_eq!(fetched.expect("it is there").value, value);
                }
            });
        }
    });
}

#[test]
fn a_client_that_no_node_answers_is_not_started() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it is bound");
    let after = Duration::from_millis(200);
    let refused = Builder::client().bootstrap(&[address]).join_timeout(after).start();
    let error = refused.map(drop).expect_err("no node is there");
    assert!(matches!(error, ClientError::NotJoined { after: said } if said == after), "{error}");
}

#[test]
fn a_setting_that_can_never_work_is_named() {
    let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let node = || Builder::node(at("127.0.0.1:0"));
    for (builder, said) in [
        (node().network(""), "the network's name is empty"),
        (Builder::node(at("224.0.0.1:0")), "no single host has 224.0.0.1:0"),
        (node().value_bytes_max(0), "value_bytes_max is 0"),
        (node().announce(at("0.0.0.0:9001")), "peers cannot reach 0.0.0.0:9001"),
        (node().announce(at("224.0.0.1:9001")), "peers cannot reach 224.0.0.1:9001"),
        (node().bootstrap(&[at("127.0.0.1:0")]), "no node can be at 127.0.0.1:0"),
        (node().bootstrap(&[at("[fe80::1]:9001")]), "no node can be at [fe80::1]:9001"),
        (Builder::client().bootstrap(&[at("[::]:9001")]), "no node can be at [::]:9001"),
        (Builder::client(), "a client joins by a node"),
    ] {
        let refused = builder.start().map(drop).expect_err(said);
        assert!(matches!(refused, ClientError::Setting(_)), "{refused:?}");
        assert!(refused.to_string().starts_with(said), "{refused}");
    }
    let some = node().bootstrap(&[at("0.0.0.0:9001"), at("127.0.0.1:1")]);
    let some = some.announce(at("127.0.0.1:0")).start();
    drop(some.expect("one of them may be a node's, and the port is the one that is bound"));
}

#[test]
fn an_answer_that_cannot_come_any_more_is_an_error() {
    let node = node();
    let client = client_of(&node);
    drop(node);
    // Its one contact is silent: the get waits for time-outs.
    let answer = client.get(Id::of_value(b"lost"));
    drop(client);
    assert!(matches!(answer.wait(), Err(ClientError::Stopped)));
}

#[test]
fn an_answer_that_is_late_abandons_its_operation() {
    let node = node();
    let client = client_of(&node);
    drop(node);
    let late = client.get(Id::of_value(b"late")).wait_timeout(Duration::from_millis(1));
    assert!(matches!(late, Err(ClientError::Late { .. })), "{late:?}");
    let silent = client.get(Id::of_value(b"silent")).wait();
    assert!(matches!(silent, Err(ClientError::NoAnswer { asked: 1 })), "{silent:?}");
}

#[test]
fn a_value_that_is_empty_or_too_large_is_refused() {
    let node = node();
    let refused = node.put("").wait().expect_err("it is empty");
    assert!(matches!(refused, ClientError::Refused(Refusal::Empty)), "{refused}");
    assert_eq!(refused.to_string(), "the value is empty: it needs one byte or more");
    let bytes = crate::limits::VALUE_BYTES_DEFAULT + 1;
    let refused = node.put(vec![0; bytes]).wait().expect_err("it is too large");
    assert!(refused.to_string().contains(&bytes.to_string()), "{refused}");
}

#[test]
fn a_builder_sets_how_large_a_value_may_be() {
    let large = vec![7; crate::limits::VALUE_BYTES_DEFAULT + 1];
    let at = SocketAddr::from(([127, 0, 0, 1], 0));
    let node = Builder::node(at).value_bytes_max(usize::MAX).start().expect("a free port");
    let stored = node.put(large.clone()).wait().expect("it is not too large");
    let refused = client_of(&node).get(stored.key).wait().expect_err("it is for this client");
    assert!(refused.to_string().contains("value_bytes_max"), "{refused}");
    let client = Builder::client().bootstrap(&[node.address()]).join_timeout(DEADLINE);
    let client = client.value_bytes_max(large.len()).start().expect("the node answers");
    let fetched = client.get(stored.key).wait().expect("an answer").expect("it is there");
    assert_eq!(fetched.value, large);
    let small = Builder::node(at).value_bytes_max(4).start().expect("a free port");
    assert!(small.put(b"12345".to_vec()).wait().is_err());
}

#[test]
fn a_node_with_a_folder_keeps_its_id_and_its_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let node = Builder::node(SocketAddr::from(([127, 0, 0, 1], 0))).data(folder.path());
        node.start().expect("a node")
    };
    let first = start();
    let (id, stored) = (first.id(), first.put(b"kept".to_vec()).wait().expect("it is stored"));
    drop(first);
    let second = start();
    assert_eq!(second.id(), id);
    let fetched = second.get(stored.key).wait().expect("an answer").expect("it is there");
    assert_eq!((fetched.value.as_slice(), fetched.from), (&b"kept"[..], None));
}

//! Tests of the HTTP API: real nodes, asked over TCP.

mod access;
mod bounds;
mod client;
mod curl;
mod events;
mod health;
mod metrics;
mod openapi;
mod values;

use crate::Io;
use crate::child::{Node, field};

/// A node with an HTTP API, and the API's address.
fn serving(arguments: &[&str]) -> (Node, String) {
    let mut node = Node::start(Io::Mmsg, &[&["--http", "127.0.0.1:0"], arguments].concat());
    let line = node.await_log(" http: ");
    let address = field(&line, "address").to_owned();
    (node, address)
}
